//! Keeps the runtime's threads from taking the GIL while the interpreter exits. Python would end or hang such a thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::runtime::per_process::PerProcess;

static GATE: PerProcess<&'static Gate> = PerProcess::new();

/// Lets the runtime's threads take the GIL until the interpreter exits.
pub struct Gate {
    is_open: AtomicBool,
    /// Locked by a thread that waits for the GIL or holds it. Never lock it with the GIL.
    passing: Mutex<()>,
}

impl Gate {
    /// Returns the gate of this process. A forked child needs its own, because its parent's may be locked.
    pub fn get(py: Python<'_>) -> PyResult<&'static Self> {
        GATE.get(py, || Ok(&*Box::leak(Box::new(Self { is_open: AtomicBool::new(true), passing: Mutex::new(()) }))))
    }

    /// Returns whether the interpreter runs.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Runs `work` with the GIL, or does nothing if the interpreter exits. The calling thread must not hold the GIL.
    pub fn attach(&self, work: impl FnOnce(Python<'_>)) {
        let _passing = self.pass();
        if self.is_open() {
            Python::attach(work);
        }
    }

    fn pass(&self) -> MutexGuard<'_, ()> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the delivery of async results and waits for a delivery in progress. `atexit` calls it, before Python stops
/// other threads.
#[pyfunction]
pub fn stop_delivery(py: Python<'_>) -> PyResult<()> {
    let gate = Gate::get(py)?;
    gate.is_open.store(false, Ordering::Release);
    py.detach(|| drop(gate.pass()));
    Ok(())
}
