//! The client: its options, and the connections of each process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opencomputer_usage::{Call, Clock, Transport, TransportOptions};
use opencomputer_usage_core::client::{self, Operation, OptionNames};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::raised;
use crate::host_value::raw;
use crate::runtime::connections::Connections;
use crate::runtime::exchange::Exchange;

/// A configured client.
#[pyclass(frozen)]
pub struct Client {
    core: client::Client,
    connections: Arc<Connections>,
    closed: AtomicBool,
}

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Takes `{ api_key, base_url, timeout?, max_retries?, headers? }` and options of the transport.
    #[new]
    #[pyo3(signature = (user_agent, config, *, ssl_cert_file = None, proxy = None, connect_timeout = None, read_timeout = None))]
    fn new(
        user_agent: &str,
        config: Any,
        ssl_cert_file: Option<std::path::PathBuf>,
        proxy: Option<String>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let core = client::Client::with_names(OptionNames::SNAKE_CASE, user_agent, &raw(config)?).map_err(raised)?;
        let options = TransportOptions::new(ssl_cert_file, proxy, connect_timeout, read_timeout).map_err(raised)?;
        let route = Transport::new(options, core.base_url()).map_err(raised)?;
        Ok(Self { core, connections: Arc::new(Connections::new(route)), closed: AtomicBool::new(false) })
    }

    /// Starts a call. `options` are `{ timeout?, max_retries?, headers? }`; `log` takes a line for each attempt.
    #[pyo3(signature = (operation, params, options, now_ms = None, log = None))]
    fn call(
        &self,
        operation: &str,
        params: Any,
        options: Any,
        now_ms: Option<f64>,
        log: Option<Py<PyAny>>,
    ) -> PyResult<Exchange> {
        if self.closed.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("the client is closed"));
        }
        let operation = Operation::parse(operation, raw(params)?).map_err(raised)?;
        let client = self.core.with(&raw(options)?).map_err(raised)?;
        let clock = now_ms.map_or_else(Clock::start, Clock::start_at);
        let call = Call::new(client.call(operation, clock.now_ms()), clock);
        Ok(Exchange::new(Arc::clone(&self.connections), call, log))
    }

    /// Closes idle connections and refuses further calls.
    fn close(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Release);
        self.connections.close(py);
    }
}
