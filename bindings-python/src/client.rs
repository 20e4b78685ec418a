//! The client: driven by Python step by step, or carried by the Rust SDK's transport.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use opencomputer_usage::{Call, Clock, Transport};
use opencomputer_usage_core::client::{self, Answer, Event, Fault, JsonValue, Operation, Step};
use opencomputer_usage_core::json::ToJson as _;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::delivery::Deliveries;
use crate::process::PerProcess;
use crate::raw::raw;
use crate::{Json, Value, raised};

/// How long a signal such as Ctrl-C may go unseen.
const TICK: Duration = Duration::from_millis(50);
/// They only poll sockets, hand over bytes and decode.
const WORKERS: usize = 2;

static RUNTIME: PerProcess<&'static Runtime> = PerProcess::new();

fn runtime(py: Python<'_>) -> PyResult<&'static Runtime> {
    let make = || Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    Ok(RUNTIME.get(py, || make().map(|runtime| &*Box::leak(Box::new(runtime))))?)
}

/// A configured client.
#[pyclass(frozen)]
pub struct Client {
    core: client::Client,
    transport: PerProcess<Transport>,
}

#[pymethods]
impl Client {
    /// Takes `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }`.
    #[new]
    fn new(user_agent: &str, config: Value) -> PyResult<Self> {
        let core = client::Client::new(user_agent, &raw(config)?).map_err(raised)?;
        Ok(Self { core, transport: PerProcess::new() })
    }

    /// Begins a call; `options` are `{ timeoutMs?, maxRetries?, headers? }`.
    fn call(slf: Py<Self>, operation: &str, params: Value, options: Value, now_ms: f64) -> PyResult<Exchange> {
        let operation = Operation::parse(operation, raw(params)?).map_err(raised)?;
        let client = slf.get().core.with(&raw(options)?).map_err(raised)?;
        let call = Call::new(client.call(operation, now_ms), Clock::start_at(now_ms));
        Ok(Exchange { client: slf, call: Arc::new(Mutex::new(call)) })
    }

    /// Lets go of the connections that are kept alive.
    fn close(&self, py: Python<'_>) {
        self.transport.clear(py);
    }
}

/// A call under way. Every method answers with JSON text of what to do next.
#[pyclass(frozen)]
pub struct Exchange {
    client: Py<Client>,
    call: Arc<Mutex<Call>>,
}

impl Exchange {
    fn lock(&self) -> PyResult<MutexGuard<'_, Call>> {
        self.call.try_lock().map_err(|_| PyRuntimeError::new_err("the call is already being carried"))
    }

    fn advance(&self, event: Event, now_ms: f64, random: f64) -> Json {
        let step: Step<JsonValue> = self.lock()?.exchange.advance(event, now_ms, random);
        Ok(step.to_json())
    }

    fn transport(&self, py: Python<'_>) -> Transport {
        let Ok(transport) = self.client.get().transport.get(py, || Ok::<_, Infallible>(Transport::new()));
        transport
    }
}

#[pymethods]
impl Exchange {
    /// The call begins.
    fn begin(&self, now_ms: f64, random: f64) -> Json {
        self.advance(Event::Begin, now_ms, random)
    }

    /// An answer came.
    fn answer(&self, status: u16, headers: Vec<(String, String)>, body: &[u8], now_ms: f64, random: f64) -> Json {
        let answer = Answer { status, headers, body: body.to_vec() };
        self.advance(Event::Answer(answer), now_ms, random)
    }

    /// The connection failed.
    fn connection_fault(&self, cause: String, now_ms: f64, random: f64) -> Json {
        self.advance(Event::Fault(Fault::Connection, cause), now_ms, random)
    }

    /// The time was up.
    fn timeout(&self, now_ms: f64, random: f64) -> Json {
        self.advance(Event::Fault(Fault::Timeout, String::new()), now_ms, random)
    }

    /// The wait is over.
    fn waited(&self, now_ms: f64, random: f64) -> Json {
        self.advance(Event::Waited, now_ms, random)
    }

    /// The user changed the tags.
    fn changed(&self, tags: Value, now_ms: f64, random: f64) -> Json {
        self.advance(Event::Changed(raw(tags)?), now_ms, random)
    }

    /// Carries the call, blocking, until it is over or asks for a change; `changed` is the answer to that.
    #[pyo3(signature = (*changed))]
    fn run(&self, py: Python<'_>, changed: &Bound<'_, PyTuple>) -> Json {
        let event = event(changed)?;
        let (runtime, transport, mut call) = (runtime(py)?, self.transport(py), self.lock()?);
        let mut step = pin!(call.carry::<JsonValue>(&transport, event));
        loop {
            let tick = async { timeout(TICK, step.as_mut()).await };
            match py.detach(|| runtime.block_on(tick).map(|step| step.to_json())) {
                Ok(step) => return Ok(step),
                // What a signal raises drops the future, which cancels the request.
                Err(_) => py.check_signals()?,
            }
        }
    }

    /// As `run`, but hands the step to `deliver`, called from a thread of the runtime.
    #[pyo3(signature = (deliver, *changed))]
    fn start(&self, py: Python<'_>, deliver: Py<PyAny>, changed: &Bound<'_, PyTuple>) -> PyResult<Task> {
        let event = event(changed)?;
        let (transport, call, deliveries) =
            (self.transport(py), Arc::clone(&self.call), Deliveries::of_this_process(py));
        let task = runtime(py)?.spawn(async move {
            let step = call.lock().await.carry::<JsonValue>(&transport, event).await;
            deliveries.deliver(&deliver, step.to_json());
        });
        Ok(Task(task.abort_handle()))
    }
}

fn event(changed: &Bound<'_, PyTuple>) -> PyResult<Event> {
    match changed.iter().next() {
        Some(tags) => Ok(Event::Changed(raw(&tags)?)),
        None => Ok(Event::Begin),
    }
}

/// A call that is carried by the runtime.
#[pyclass(frozen)]
pub struct Task(AbortHandle);

#[pymethods]
impl Task {
    /// Cancels the request at hand; does nothing where the call is over.
    fn abort(&self) {
        self.0.abort();
    }
}
