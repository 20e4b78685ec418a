//! Converts values of the core to Python objects. The conversions of the models are generated.

use opencomputer_usage_core::tags::Tags;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::GroupValues;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::decode::source::Source;
use crate::models::tags;

pub type Made = PyResult<Py<PyAny>>;

/// A value of the core that becomes a Python object.
pub trait IntoPython: Sized {
    /// Converts the value.
    fn into_python(self, py: Python<'_>) -> Made;

    /// Converts the value as the result of a call: a page to a tuple of its fields, because the client chooses its
    /// class, and a list to a list.
    fn into_result(self, py: Python<'_>) -> Made {
        self.into_python(py)
    }
}

/// Returns a tuple of fields.
pub fn fields<const N: usize>(py: Python<'_>, fields: [Py<PyAny>; N]) -> Made {
    PyTuple::new(py, fields)?.into_py_any(py)
}

macro_rules! plain {
    ($($type:ty)*) => {$(
        impl IntoPython for $type {
            fn into_python(self, py: Python<'_>) -> Made {
                self.into_py_any(py)
            }
        }
    )*};
}

plain! { bool f64 u64 String Source }

impl IntoPython for Timestamp {
    fn into_python(self, py: Python<'_>) -> Made {
        self.to_string().into_py_any(py)
    }
}

impl IntoPython for Tags {
    fn into_python(self, py: Python<'_>) -> Made {
        tags::of_map(py, &self)
    }
}

impl IntoPython for GroupValues {
    fn into_python(self, py: Python<'_>) -> Made {
        tags::of_group(py, &self)
    }
}

impl<T: IntoPython> IntoPython for Option<T> {
    fn into_python(self, py: Python<'_>) -> Made {
        self.map_or_else(|| Ok(py.None()), |value| value.into_python(py))
    }
}

impl<T: IntoPython> IntoPython for Vec<T> {
    fn into_python(self, py: Python<'_>) -> Made {
        PyTuple::new(py, all(self, py)?)?.into_py_any(py)
    }

    fn into_result(self, py: Python<'_>) -> Made {
        PyList::new(py, all(self, py)?)?.into_py_any(py)
    }
}

fn all<T: IntoPython>(values: Vec<T>, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
    values.into_iter().map(|value| value.into_python(py)).collect()
}
