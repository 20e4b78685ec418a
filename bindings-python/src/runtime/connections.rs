//! The connections of a client, one set for each process.

use std::convert::Infallible;

use opencomputer_usage::Transport;
use pyo3::prelude::*;

use crate::runtime::per_process::PerProcess;

/// The connections of a client. A forked process opens its own.
pub struct Connections {
    /// How the server is reached; its own connections are never used.
    route: Transport,
    /// Opened by the first call of a process.
    open: PerProcess<Transport>,
}

impl Connections {
    /// Takes how the server is reached, and opens nothing.
    pub const fn new(route: Transport) -> Self {
        Self { route, open: PerProcess::new() }
    }

    /// Returns the connections of this process.
    pub fn get(&self, py: Python<'_>) -> Transport {
        let Ok(transport) = self.open.get(py, || Ok::<_, Infallible>(self.route.with_own_connections()));
        transport
    }

    /// Closes the idle connections of this process.
    pub fn close(&self, py: Python<'_>) {
        self.open.clear(py);
    }
}
