//! What a forked child makes anew: its parent's threads are not there, so neither is what they carry.

use std::mem;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::Python;

/// A value that is dropped only in the process that made it; in a fork, dropping could wait for a thread of the parent.
struct Own<T> {
    process: u32,
    value: Option<T>,
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.process != process::id() {
            mem::forget(self.value.take());
        }
    }
}

/// One value a process, made when it is first needed.
pub struct PerProcess<T>(Mutex<Option<Own<T>>>);

impl<T: Clone> PerProcess<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The value of this process.
    pub fn get<E>(&self, py: Python<'_>, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut slot = self.lock(py);
        let process = process::id();
        if let Some(value) = slot.as_ref().filter(|own| own.process == process).and_then(|own| own.value.clone()) {
            return Ok(value);
        }
        let value = make()?;
        *slot = Some(Own { process, value: Some(value.clone()) });
        Ok(value)
    }

    /// Lets go of the value.
    pub fn clear(&self, py: Python<'_>) {
        *self.lock(py) = None;
    }

    /// Locked only while attached to Python, as a process is when Python forks it: no child finds it locked.
    fn lock(&self, _: Python<'_>) -> MutexGuard<'_, Option<Own<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
