//! Carries blocking calls on the threads that make them: each call borrows a lane, which is a runtime and connections
//! of its own, so that no other thread has to be woken for it.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencomputer_usage::Transport;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

/// How long a signal such as Ctrl-C may go unseen.
const TICK: Duration = Duration::from_millis(50);

struct Lane {
    /// Taken only by its end.
    runtime: Option<Runtime>,
    transport: Transport,
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Or the end would wait for a look-up of a name that is under way.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lanes that no call is on. The one that was used last is used next: its connection is the least likely to be closed.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<Vec<Lane>>>);

impl Lanes {
    /// Runs a future to its end, or until a signal raises an exception, which drops it.
    pub fn run<F, T>(&self, py: Python<'_>, transport: &Transport, run: impl FnOnce(Transport) -> F) -> PyResult<T>
    where
        F: Future<Output = T> + Send,
        T: Send,
    {
        let idle = self.idle(py).pop();
        let lane = match idle {
            Some(lane) => lane,
            None => Lane {
                runtime: Some(Builder::new_current_thread().enable_all().build()?),
                transport: transport.with_own_connections(),
            },
        };
        // A lane whose call was interrupted goes, and so does the connection that still waits for the answer.
        let result = carry(py, &lane, run(lane.transport.clone()))?;
        self.idle(py).push(lane);
        Ok(result)
    }

    /// Locked only while attached to Python, as a process is when Python forks it: no child finds it locked.
    fn idle(&self, _: Python<'_>) -> MutexGuard<'_, Vec<Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the connections of a lane see what has happened: once to be told, once to tell the connection, once for it to leave.
pub async fn turns() {
    for _ in 0..3 {
        yield_now().await;
    }
}

fn carry<F, T>(py: Python<'_>, lane: &Lane, future: F) -> PyResult<T>
where
    F: Future<Output = T> + Send,
    T: Send,
{
    let mut future = pin!(async {
        // While no call was on it, nobody looked whether the server has closed the connection.
        turns().await;
        future.await
    });
    let Some(runtime) = &lane.runtime else {
        return Err(pyo3::exceptions::PyRuntimeError::new_err("the connection is closed"));
    };
    loop {
        let tick = async { timeout(TICK, future.as_mut()).await };
        match py.detach(|| runtime.block_on(tick)) {
            Ok(result) => return Ok(result),
            Err(_) => py.check_signals()?,
        }
    }
}
