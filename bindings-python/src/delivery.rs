//! Hands results to Python from threads of the runtime, and sees to it that none is on its way when Python ends:
//! a thread that is attached then would be torn down in the middle of Rust's frames.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::process::PerProcess;

static DELIVERIES: PerProcess<Arc<Deliveries>> = PerProcess::new();

/// The deliveries of this process.
#[derive(Default)]
pub struct Deliveries {
    closed: AtomicBool,
    under_way: AtomicUsize,
}

impl Deliveries {
    pub fn of_this_process(py: Python<'_>) -> Arc<Self> {
        let Ok(deliveries) = DELIVERIES.get(py, || Ok::<_, Infallible>(Arc::default()));
        deliveries
    }

    /// Calls `receiver`, unless Python is ending: then nobody waits for it.
    pub fn deliver(&self, receiver: &Py<PyAny>, step: String) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if !self.closed.load(Ordering::SeqCst) {
            Python::try_attach(|py| receiver.call1(py, (step,)).is_ok());
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets deliveries that are under way arrive, and no more begin. Python calls it as it ends.
#[pyfunction]
pub fn close_deliveries(py: Python<'_>) {
    let deliveries = Deliveries::of_this_process(py);
    deliveries.closed.store(true, Ordering::SeqCst);
    py.detach(|| {
        while deliveries.under_way.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_micros(100));
        }
    });
}
