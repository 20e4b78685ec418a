//! The client: driven by Python step by step, or carried by the Rust SDK's transport.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use opencomputer_usage::{Call, Clock, Transport, TransportOptions};
use opencomputer_usage_core::client::{self, Answer, Event, Fault, Operation, Step};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

use crate::answer::{Value, into_python, is_page};
use crate::carry::{Report, carry, runtime};
use crate::errors::raised;
use crate::inbox::{Inbox, Recipient, log};
use crate::process::PerProcess;
use crate::raw::raw;

/// How long a signal such as Ctrl-C may go unseen.
const TICK: Duration = Duration::from_millis(50);

/// A configured client.
#[pyclass(frozen)]
pub struct Client {
    core: client::Client,
    /// How the server is reached; its own connections are never used.
    route: Transport,
    /// Opened by the first call, and once more in a forked process.
    transport: PerProcess<Transport>,
    closed: AtomicBool,
}

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Takes `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }` and options of the transport.
    #[new]
    #[pyo3(signature = (user_agent, config, *, ssl_cert_file = None, proxy = None, connect_timeout = None, read_timeout = None))]
    fn new(
        user_agent: &str,
        config: Any,
        ssl_cert_file: Option<std::path::PathBuf>,
        proxy: Option<String>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let core = client::Client::new(user_agent, &raw(config)?).map_err(raised)?;
        let options = TransportOptions::new(ssl_cert_file, proxy, connect_timeout, read_timeout).map_err(raised)?;
        let route = Transport::new(options, core.base_url()).map_err(raised)?;
        Ok(Self { core, route, transport: PerProcess::new(), closed: AtomicBool::new(false) })
    }

    /// Begins a call; `options` are `{ timeoutMs?, maxRetries?, headers? }`, `log` takes a line for each attempt.
    #[pyo3(signature = (operation, params, options, now_ms = None, log = None))]
    fn call(
        slf: Py<Self>,
        operation: &str,
        params: Any,
        options: Any,
        now_ms: Option<f64>,
        log: Option<Py<PyAny>>,
    ) -> PyResult<Exchange> {
        if slf.get().closed.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("the client is closed"));
        }
        let operation = Operation::parse(operation, raw(params)?).map_err(raised)?;
        let client = slf.get().core.with(&raw(options)?).map_err(raised)?;
        let clock = now_ms.map_or_else(Clock::start, Clock::start_at);
        let call = Call::new(client.call(operation, clock.now_ms()), clock);
        Ok(Exchange { client: slf, call: Arc::new(Mutex::new(call)), log })
    }

    /// Lets go of the connections that are kept alive, and refuses every call from now on.
    fn close(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Release);
        self.transport.clear(py);
    }
}

impl Client {
    fn transport(&self, py: Python<'_>) -> Transport {
        let Ok(transport) = self.transport.get(py, || Ok::<_, Infallible>(self.route.with_own_connections()));
        transport
    }
}

/// A call under way. Every method answers with what to do next: `("send", request)`, `("wait", seconds)`,
/// `("change", tags)` or `("done", value)`; or raises what the call failed with. The value of a page is its fields and the
/// parameters of the page after it, or None.
#[pyclass(frozen)]
pub struct Exchange {
    client: Py<Client>,
    call: Arc<Mutex<Call>>,
    log: Option<Py<PyAny>>,
}

impl Exchange {
    /// Carries the call on the runtime; reports what happens until it is over or asks for a change.
    fn spawn(
        &self,
        py: Python<'_>,
        event: Event,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> PyResult<AbortHandle> {
        let (transport, call, logs) = (self.client.get().transport(py), Arc::clone(&self.call), self.log.is_some());
        let task = runtime(py)?.spawn(async move {
            let line = |line| {
                if logs {
                    report(Report::Line(line));
                }
            };
            let step = carry(&mut *call.lock().await, &transport, event, line).await;
            report(Report::Step(Box::new(step)));
        });
        Ok(task.abort_handle())
    }

    fn lock(&self) -> PyResult<MutexGuard<'_, Call>> {
        self.call.try_lock().map_err(|_| PyRuntimeError::new_err("the call is already being carried"))
    }

    fn advance(&self, py: Python<'_>, event: Event, at: At) -> PyResult<Py<PyAny>> {
        let step = {
            let mut call = self.lock()?;
            let (now_ms, random) = at.unwrap_or_else(|| (call.clock.now_ms(), opencomputer_usage::random()));
            py.detach(|| call.exchange.advance::<Value>(event, now_ms, random))
        };
        shown(py, step)
    }
}

/// Milliseconds since the epoch and a number drawn from [0, 1), of a caller that has its own.
type At = Option<(f64, f64)>;

#[pymethods]
impl Exchange {
    /// The call begins.
    #[pyo3(signature = (at = None))]
    fn begin(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Begin, at)
    }

    /// An answer came.
    #[pyo3(signature = (status, headers, body, at = None))]
    fn answer(
        &self,
        py: Python<'_>,
        status: u16,
        headers: Vec<(String, String)>,
        body: &[u8],
        at: At,
    ) -> PyResult<Py<PyAny>> {
        self.advance(py, answered(status, headers, body), at)
    }

    /// The connection failed.
    #[pyo3(signature = (cause, at = None))]
    fn connection_fault(&self, py: Python<'_>, cause: String, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Fault(Fault::Connection, cause), at)
    }

    /// The time was up.
    #[pyo3(signature = (at = None))]
    fn timeout(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Fault(Fault::Timeout, String::new()), at)
    }

    /// The wait is over.
    #[pyo3(signature = (at = None))]
    fn waited(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Waited, at)
    }

    /// The user changed the tags.
    #[pyo3(signature = (tags, at = None))]
    fn changed(&self, py: Python<'_>, tags: Any, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Changed(raw(tags)?), at)
    }

    /// Carries the call, blocking, until it is over or asks for a change; `changed` is the answer to that.
    #[pyo3(signature = (*changed))]
    fn run(&self, py: Python<'_>, changed: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let (reports, mut receiver) = channel();
        // A report that nobody waits for any more is not missed.
        let task = Task(self.spawn(py, event(changed)?, move |report| drop(reports.send(report)))?);
        loop {
            let receiver = &mut receiver;
            match py.detach(move || receiver.recv_timeout(TICK)) {
                Ok(Report::Step(step)) => return shown(py, *step),
                Ok(Report::Line(line)) => log(py, self.log.as_ref(), line).inspect_err(|_| task.abort())?,
                Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| task.abort())?,
                Err(RecvTimeoutError::Disconnected) => return Err(PyRuntimeError::new_err("the call was dropped")),
            }
        }
    }

    /// As `run`, but at once: what the call comes to resolves `future`, by way of the inbox of its event loop.
    #[pyo3(signature = (inbox, future, *changed))]
    fn start(
        &self,
        py: Python<'_>,
        inbox: &Bound<'_, Inbox>,
        future: Py<PyAny>,
        changed: &Bound<'_, PyTuple>,
    ) -> PyResult<Task> {
        let slot = Arc::clone(&inbox.get().slot);
        let to = Arc::new(Recipient { future, log: self.log.as_ref().map(|log| log.clone_ref(py)) });
        self.spawn(py, event(changed)?, move |report| slot.put(&to, report)).map(Task)
    }
}

/// What a transport of the user's own answered: bounded before it is copied, as the built-in transport bounds what it
/// reads.
fn answered(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Event {
    const MAX_BODY: usize = 64 << 20;
    const MAX_SHOWN: usize = 64 << 10;
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let answer = |most| Answer { status, headers, body: body.get(..most).unwrap_or(body).to_vec() };
    if !(200..300).contains(&status) {
        return Event::Answer(answer(MAX_SHOWN));
    }
    if body.len() > MAX_BODY {
        return Event::Unreadable(answer(MAX_SHOWN), format!("its body is longer than {} MiB", MAX_BODY >> 20));
    }
    if body.starts_with(&GZIP) {
        let why = "its body is compressed (gzip), and the transport did not decompress it".to_owned();
        return Event::Unreadable(answer(MAX_SHOWN), why);
    }
    Event::Answer(answer(MAX_BODY))
}

fn event(changed: &Bound<'_, PyTuple>) -> PyResult<Event> {
    match changed.iter().next() {
        Some(tags) => Ok(Event::Changed(raw(&tags)?)),
        None => Ok(Event::Begin),
    }
}

/// A step as Python sees it.
pub fn shown(py: Python<'_>, step: Step<Value>) -> PyResult<Py<PyAny>> {
    match step {
        Step::Send { request, timeout_ms } => ("send", Request::of(py, request, timeout_ms)?).into_py_any(py),
        Step::Wait { ms } => ("wait", ms / 1_000.0).into_py_any(py),
        Step::Change { tags, .. } => {
            let dict = PyDict::new(py);
            for (key, value) in tags.iter() {
                dict.set_item(key, value)?;
            }
            ("change", dict).into_py_any(py)
        }
        Step::Done { value, next } if is_page(&value) => {
            let params = next.map(|next| PyDict::from_sequence(PyList::new(py, next.into_params())?.as_any()));
            ("done", (into_python(value, py)?, params.transpose()?)).into_py_any(py)
        }
        Step::Done { value, .. } => ("done", into_python(value, py)?).into_py_any(py),
        Step::Failed { error } => Err(raised(error)),
    }
}

/// What a transport of your own has to send.
#[pyclass(frozen, module = "opencomputer_usage")]
pub struct Request {
    /// `GET` or `PUT`.
    #[pyo3(get)]
    method: &'static str,
    /// Scheme, host, path and query.
    #[pyo3(get)]
    url: String,
    /// By their names in lower case; the key is among them.
    #[pyo3(get)]
    headers: Py<PyDict>,
    /// JSON, or None.
    #[pyo3(get)]
    body: Option<Py<PyBytes>>,
    /// Seconds that are left for it.
    #[pyo3(get)]
    timeout: f64,
}

impl Request {
    fn of(py: Python<'_>, request: client::Request, timeout_ms: f64) -> PyResult<Self> {
        let headers = PyDict::new(py);
        for (name, value) in request.headers {
            headers.set_item(name, value)?;
        }
        Ok(Self {
            method: request.method,
            url: request.url,
            headers: headers.unbind(),
            body: request.body.map(|body| PyBytes::new(py, body.as_bytes()).unbind()),
            timeout: timeout_ms / 1_000.0,
        })
    }
}

#[pymethods]
impl Request {
    /// Shows no headers, as the key is among them.
    fn __repr__(&self) -> String {
        format!("Request(method='{}', url='{}', timeout={})", self.method, self.url, self.timeout)
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
