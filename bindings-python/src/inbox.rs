//! Hands what async calls come to from the runtime's threads to an event loop. Those threads never touch Python: they
//! leave it here and make a file readable, once for as many as come before the loop looks.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::carry::Report;
use crate::client::shown;

/// Who is told of a call: the future that it resolves, and perhaps what logs its lines.
pub struct Recipient {
    pub future: Py<PyAny>,
    pub log: Option<Py<PyAny>>,
}

type Letter = (Arc<Recipient>, Report);

/// Logs a line, where somebody does.
pub fn log(py: Python<'_>, log: Option<&Py<PyAny>>, line: String) -> PyResult<()> {
    log.map_or(Ok(()), |log| log.call1(py, (line,)).map(drop))
}

/// The end of it that threads of the runtime know.
pub struct Slot {
    letters: Mutex<Vec<Letter>>,
    /// Whether the loop has been told and has not looked yet.
    told: AtomicBool,
    bell: UnixStream,
}

impl Slot {
    pub fn put(&self, to: &Arc<Recipient>, report: Report) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(to), report));
        if !self.told.swap(true, Ordering::AcqRel) {
            // The one fault there can be is that the loop is gone: then nobody waits.
            drop((&self.bell).write(&[0]));
        }
    }
}

/// The end that the event loop knows.
#[pyclass(frozen)]
pub struct Inbox {
    pub slot: Arc<Slot>,
    bell: UnixStream,
}

#[pymethods]
impl Inbox {
    #[new]
    fn new() -> PyResult<Self> {
        let (bell, heard) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        let slot = Slot { letters: Mutex::default(), told: AtomicBool::new(false), bell };
        Ok(Self { slot: Arc::new(slot), bell: heard })
    }

    /// The file that becomes readable when something came.
    fn fileno(&self) -> i32 {
        self.bell.as_raw_fd()
    }

    /// Resolves the futures of all that came.
    fn empty(&self, py: Python<'_>) -> PyResult<()> {
        match (&self.bell).read(&mut [0; 8]) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            _ => self.slot.told.store(false, Ordering::Release),
        }
        let letters = std::mem::take(&mut *self.slot.letters.lock().unwrap_or_else(PoisonError::into_inner));
        for (to, report) in letters {
            let step = match report {
                Report::Step(step) => step,
                Report::Line(line) => {
                    log(py, to.log.as_ref(), line)?;
                    continue;
                }
            };
            let future = to.future.bind(py);
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
