//! Converts the next step of a call to Python.

use opencomputer_usage_core::client::{self, Step};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::decode::answer::Value;
use crate::errors::raised;
use crate::models::convert::IntoPython as _;

/// Returns a step as Python's tuple, or raises the error of the call.
pub fn shown(py: Python<'_>, step: Step<Value>) -> PyResult<Py<PyAny>> {
    match step {
        Step::Send { request, timeout_ms } => ("send", Request::of(py, request, timeout_ms)?).into_py_any(py),
        Step::Wait { ms } => ("wait", ms / 1_000.0).into_py_any(py),
        Step::Change { tags, .. } => {
            let dict = PyDict::new(py);
            for (key, value) in tags.iter() {
                dict.set_item(key, value)?;
            }
            ("change", dict).into_py_any(py)
        }
        Step::Done { value, next } => {
            let result = value.into_result(py)?;
            if !result.bind(py).is_instance_of::<PyTuple>() {
                return ("done", result).into_py_any(py);
            }
            let params = next.map(|next| PyDict::from_sequence(PyList::new(py, next.into_params())?.as_any()));
            ("done", (result, params.transpose()?)).into_py_any(py)
        }
        Step::Failed { error } => Err(raised(error)),
    }
}

/// A request for a custom transport to send.
#[pyclass(frozen, module = "opencomputer_usage")]
pub struct Request {
    /// `GET` or `PUT`.
    #[pyo3(get)]
    method: &'static str,
    /// Scheme, host, path and query.
    #[pyo3(get)]
    url: String,
    /// Names in lower case; the API key is among them.
    #[pyo3(get)]
    headers: Py<PyDict>,
    /// JSON, or None.
    #[pyo3(get)]
    body: Option<Py<PyBytes>>,
    /// The remaining time in seconds.
    #[pyo3(get)]
    timeout: f64,
}

impl Request {
    fn of(py: Python<'_>, request: client::Request, timeout_ms: f64) -> PyResult<Self> {
        let headers = PyDict::new(py);
        for (name, value) in request.headers {
            headers.set_item(name, value)?;
        }
        Ok(Self {
            method: request.method,
            url: request.url,
            headers: headers.unbind(),
            body: request.body.map(|body| PyBytes::new(py, body.as_bytes()).unbind()),
            timeout: timeout_ms / 1_000.0,
        })
    }
}

#[pymethods]
impl Request {
    /// Hides the headers, which contain the API key.
    fn __repr__(&self) -> String {
        format!("Request(method='{}', url='{}', timeout={})", self.method, self.url, self.timeout)
    }
}
