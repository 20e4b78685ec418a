//! Values that a forked child creates again because the threads of its parent do not exist in it.

use std::mem;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::Python;

/// A value that is dropped only in the process that created it. In a fork, the drop could wait for a thread of the parent.
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

/// One value for each process, created on first use.
pub struct PerProcess<T>(Mutex<Option<Own<T>>>);

impl<T: Clone> PerProcess<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns the value of this process.
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

    /// Drops the value.
    pub fn clear(&self, py: Python<'_>) {
        *self.lock(py) = None;
    }

    /// Locks the value. Needs the GIL, which the forking thread holds, too: a child never inherits a locked mutex.
    fn lock(&self, _: Python<'_>) -> MutexGuard<'_, Option<Own<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
