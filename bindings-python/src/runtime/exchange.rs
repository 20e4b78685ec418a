//! A call in progress: driven by Python step by step, or carried by the Rust SDK's transport.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use opencomputer_usage::Call;
use opencomputer_usage_core::client::{Answer, Event, Fault, MAX_ERROR_BODY_BYTES, MAX_RESPONSE_BYTES, is_success};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

use crate::decode::answer::Value;
use crate::host_value::raw;
use crate::runtime::carry::{Report, carry, runtime};
use crate::runtime::completions::{CompletionQueue, PendingCall, log};
use crate::runtime::connections::Connections;
use crate::runtime::exit::Gate;
use crate::runtime::step::shown;

/// The longest time until a blocking call sees a signal such as Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// A call in progress. Every method returns the next step, `("send", request)`, `("wait", seconds)`,
/// `("change", tags)` or `("done", value)`, or raises the error of the call. The value of a page is its fields and the
/// parameters of the next page, or None.
#[pyclass(frozen)]
pub struct Exchange {
    connections: Arc<Connections>,
    call: Arc<Mutex<Call>>,
    log: Option<Py<PyAny>>,
}

impl Exchange {
    /// Takes a call and the function that logs its lines.
    pub fn new(connections: Arc<Connections>, call: Call, log: Option<Py<PyAny>>) -> Self {
        Self { connections, call: Arc::new(Mutex::new(call)), log }
    }

    /// Runs the call on the runtime and reports its events until it is done or needs a change.
    fn spawn(
        &self,
        py: Python<'_>,
        event: Event,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> PyResult<AbortHandle> {
        let (transport, call, logs) = (self.connections.get(py), Arc::clone(&self.call), self.log.is_some());
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

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// The time in milliseconds since the epoch and a random number from [0, 1), for tests.
type At = Option<(f64, f64)>;

#[pymethods]
impl Exchange {
    /// Starts the call.
    #[pyo3(signature = (at = None))]
    fn begin(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Begin, at)
    }

    /// Continues with a response.
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

    /// Continues after a connection failure.
    #[pyo3(signature = (cause, at = None))]
    fn connection_fault(&self, py: Python<'_>, cause: String, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Fault(Fault::Connection, cause), at)
    }

    /// Continues after a timeout.
    #[pyo3(signature = (at = None))]
    fn timeout(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Fault(Fault::Timeout, String::new()), at)
    }

    /// Continues after a wait.
    #[pyo3(signature = (at = None))]
    fn waited(&self, py: Python<'_>, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Waited, at)
    }

    /// Continues with the changed tags.
    #[pyo3(signature = (tags, at = None))]
    fn changed(&self, py: Python<'_>, tags: Any, at: At) -> PyResult<Py<PyAny>> {
        self.advance(py, Event::Changed(raw(tags)?), at)
    }

    /// Blocks until the call is done or needs a change; `changed` are the changed tags.
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

    /// Runs the call like `run`, but returns immediately. The result resolves `future` through the queue of its loop.
    #[pyo3(signature = (queue, future, *changed))]
    fn start(
        &self,
        py: Python<'_>,
        queue: Py<CompletionQueue>,
        future: Py<PyAny>,
        changed: &Bound<'_, PyTuple>,
    ) -> PyResult<Task> {
        let gate = Gate::get(py)?;
        if !gate.is_open() {
            return Err(PyRuntimeError::new_err("no async call can be made while the interpreter exits"));
        }
        let log = self.log.as_ref().map(|log| log.clone_ref(py));
        let call = Arc::new(PendingCall { queue, future, log, gate });
        self.spawn(py, event(changed)?, move |report| call.report(report)).map(Task)
    }
}

/// The event of a response from a user's own transport. The body is cut to the core's limits before it is copied.
fn answered(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Event {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let answer = |most| Answer { status, headers, body: body.get(..most).unwrap_or(body).to_vec() };
    if !is_success(status) {
        return Event::Answer(answer(MAX_ERROR_BODY_BYTES));
    }
    if body.len() > MAX_RESPONSE_BYTES {
        return Event::too_long(answer(MAX_ERROR_BODY_BYTES));
    }
    if body.starts_with(&GZIP) {
        let why = "its body is compressed (gzip), and the transport did not decompress it".to_owned();
        return Event::Unreadable(answer(MAX_ERROR_BODY_BYTES), why);
    }
    Event::Answer(answer(MAX_RESPONSE_BYTES))
}

fn event(changed: &Bound<'_, PyTuple>) -> PyResult<Event> {
    match changed.iter().next() {
        Some(tags) => Ok(Event::Changed(raw(&tags)?)),
        None => Ok(Event::Begin),
    }
}

/// A call that the runtime runs.
#[pyclass(frozen)]
pub struct Task(AbortHandle);

#[pymethods]
impl Task {
    /// Cancels the current request. Does nothing after the call is done.
    fn abort(&self) {
        self.0.abort();
    }
}
