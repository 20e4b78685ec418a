//! From the core's errors to Python's exceptions, whose classes are Python's own.

use opencomputer_usage::ClientError;
use opencomputer_usage_core::error::Violation;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::models::TagViolation;

/// The exception for an error.
pub fn raised(error: impl Into<ClientError>) -> PyErr {
    let error = error.into();
    Python::attach(|py| exception(py, &error).unwrap_or_else(|broken| broken))
}

fn exception(py: Python<'_>, error: &ClientError) -> PyResult<PyErr> {
    let violations = PyTuple::new(py, violations(py, &error.violations)?)?;
    let (code, status, request_id) = (error.code.as_deref(), error.status, error.request_id.as_deref());
    let body = error.body.as_deref();
    let (headers, retry_after) = (error.headers.clone(), error.retry_after);
    let fields =
        (error.kind.as_str(), &*error.message, code, status, request_id, violations, body, headers, retry_after);
    py.import("opencomputer_usage._errors")?.getattr("of_core")?.call1(fields).map(PyErr::from_value)
}

/// The error for a body that is not the contract's.
pub fn undecodable(why: &str, body: &[u8]) -> PyErr {
    raised(ClientError::undecodable(why, body))
}

/// The models of violations.
pub fn violations(py: Python<'_>, violations: &[Violation]) -> PyResult<Vec<TagViolation>> {
    let text = |text: &str| text.into_py_any(py);
    let model = |violation: &Violation| {
        let key = violation.key.as_deref().into_py_any(py)?;
        Ok(TagViolation::new(text(&violation.code)?, key, text(&violation.message)?))
    };
    violations.iter().map(model).collect()
}
