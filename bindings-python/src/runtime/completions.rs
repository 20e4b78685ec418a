//! Delivers the results of async calls from the runtime's threads to event loops. Each loop has a queue, and one
//! `loop.call_soon_threadsafe` wakes it for all results that are queued by then.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::runtime::carry::Report;
use crate::runtime::exit::Gate;
use crate::runtime::step::shown;

/// A call that a coroutine awaits.
pub struct PendingCall {
    /// The queue of its event loop.
    pub queue: Py<CompletionQueue>,
    /// The future that its result resolves.
    pub future: Py<PyAny>,
    /// The function that logs its lines.
    pub log: Option<Py<PyAny>>,
    /// How a thread of the runtime takes the GIL to wake the loop.
    pub gate: &'static Gate,
}

impl PendingCall {
    /// Queues a report and wakes the loop unless it has been woken already.
    pub fn report(self: &Arc<Self>, report: Report) {
        if !self.queue.get().push(Arc::clone(self), report) {
            return;
        }
        self.gate.attach(|py| {
            if let Err(error) = self.wake(py) {
                // A closed loop raises RuntimeError. Nothing awaits its results.
                drop(self.queue.get().take());
                if !error.is_instance_of::<PyRuntimeError>(py) {
                    error.write_unraisable(py, None);
                }
            }
        });
    }

    fn wake(&self, py: Python<'_>) -> PyResult<()> {
        let event_loop = self.future.bind(py).call_method0("get_loop")?;
        event_loop.call_method1("call_soon_threadsafe", (self.queue.bind(py).getattr("drain")?,))?;
        Ok(())
    }
}

/// Logs a line if logging is enabled.
pub fn log(py: Python<'_>, log: Option<&Py<PyAny>>, line: String) -> PyResult<()> {
    log.map_or(Ok(()), |log| log.call1(py, (line,)).map(drop))
}

/// The results for one event loop.
#[pyclass(frozen)]
pub struct CompletionQueue(Mutex<Vec<(Arc<PendingCall>, Report)>>);

impl CompletionQueue {
    /// Queues a report. Returns whether it is the first since the queue was drained.
    fn push(&self, call: Arc<PendingCall>, report: Report) -> bool {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.push((call, report));
        reports.len() == 1
    }

    /// Takes every queued report.
    fn take(&self) -> Vec<(Arc<PendingCall>, Report)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl CompletionQueue {
    #[new]
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Resolves the future of every queued result.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        for (call, report) in self.take() {
            let step = match report {
                Report::Step(step) => step,
                Report::Line(line) => {
                    log(py, call.log.as_ref(), line)?;
                    continue;
                }
            };
            let future = call.future.bind(py);
            if future.call_method0("done")?.is_truthy()? {
                continue;
            }
            match shown(py, *step) {
                Ok(step) => future.call_method1("set_result", (step,))?,
                Err(error) => future.call_method1("set_exception", (error,))?,
            };
        }
        Ok(())
    }
}
