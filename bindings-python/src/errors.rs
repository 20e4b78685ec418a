//! Turns the core's errors into Python's exceptions. The classes of the exceptions are written in Python.

use opencomputer_usage::ClientError;
use opencomputer_usage_core::error;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Returns the exception for an error.
pub fn raised(error: impl Into<ClientError>) -> PyErr {
    let error = error.into();
    Python::attach(|py| exception(py, &error).unwrap_or_else(|broken| broken))
}

fn exception(py: Python<'_>, error: &ClientError) -> PyResult<PyErr> {
    let violations = error
        .violations
        .iter()
        .map(|error::TagViolation { code, key, message, .. }| (&**code, key.as_deref(), &**message));
    let violations = PyTuple::new(py, violations)?;
    let (code, status, request_id) = (error.code.as_deref(), error.status, error.request_id.as_deref());
    let body = error.body.as_deref().map(|body| (body, error.has_json_body()));
    let (headers, retry_after) = (error.headers.clone(), error.retry_after);
    let fields =
        (error.kind.as_str(), &*error.message, code, status, request_id, violations, body, headers, retry_after);
    py.import("opencomputer_usage._errors")?.getattr("of_core")?.call1(fields).map(PyErr::from_value)
}

/// Returns the error for a body that breaks the contract.
pub fn undecodable(why: &str, body: &[u8]) -> PyErr {
    raised(ClientError::undecodable(why, body))
}
