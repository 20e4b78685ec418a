//! Delivers the results of async calls from the runtime's threads to an event loop. Those threads never touch Python:
//! they queue a result and write one byte to a socket, which wakes the loop once for all results that are queued by then.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::runtime::carry::Report;
use crate::runtime::step::shown;

/// A call that a coroutine awaits: the future that its result resolves, and the function that logs its lines.
pub struct PendingCall {
    pub future: Py<PyAny>,
    pub log: Option<Py<PyAny>>,
}

/// Logs a line if logging is enabled.
pub fn log(py: Python<'_>, log: Option<&Py<PyAny>>, line: String) -> PyResult<()> {
    log.map_or(Ok(()), |log| log.call1(py, (line,)).map(drop))
}

/// The end of the queue that the runtime's threads write to.
pub struct Sender {
    reports: Mutex<Vec<(Arc<PendingCall>, Report)>>,
    /// Whether the loop has been woken and has not drained the queue yet.
    woken: AtomicBool,
    wake: UnixStream,
}

impl Sender {
    /// Queues a report and wakes the loop unless it has been woken already.
    pub fn send(&self, call: &Arc<PendingCall>, report: Report) {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(call), report));
        if !self.woken.swap(true, Ordering::AcqRel) {
            // A write fails only after the loop was closed, when nothing awaits the result.
            drop((&self.wake).write(&[0]));
        }
    }
}

/// The end of the queue that an event loop drains.
#[pyclass(frozen)]
pub struct CompletionQueue {
    pub sender: Arc<Sender>,
    woken: UnixStream,
}

#[pymethods]
impl CompletionQueue {
    #[new]
    fn new() -> PyResult<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let sender = Sender { reports: Mutex::default(), woken: AtomicBool::new(false), wake };
        Ok(Self { sender: Arc::new(sender), woken })
    }

    /// The file descriptor that becomes readable when results are queued.
    fn fileno(&self) -> i32 {
        self.woken.as_raw_fd()
    }

    /// Resolves the future of every queued result.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        match (&self.woken).read(&mut [0; 8]) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            _ => self.sender.woken.store(false, Ordering::Release),
        }
        let reports = std::mem::take(&mut *self.sender.reports.lock().unwrap_or_else(PoisonError::into_inner));
        for (call, report) in reports {
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
