//! Exports the items of a walk as a table.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::models::arrow;
use crate::models::field::type_name;
use crate::models::page::TagUsage;
use crate::models::records::TagUsageItem;

/// A table of usage items for data frames: `polars.DataFrame(Table(client.usage.by_tag("team")))`.
///
/// Takes any iterable of items of one kind. Iterating over a page also fetches the pages after it. Times are UTC
/// timestamps, tags are maps.
#[pyclass(frozen, module = "opencomputer_usage")]
pub struct Table {
    items: Py<PyTuple>,
    by_tag: bool,
}

#[pymethods]
impl Table {
    #[new]
    #[pyo3(signature = (items, /))]
    fn new(items: &Bound<'_, PyAny>) -> PyResult<Self> {
        let of_tags = items.is_instance_of::<TagUsage>();
        let all = items.try_iter().map_err(|_| {
            let name = type_name(items);
            PyTypeError::new_err(format!(
                "items must be iterable, got {name}; of an async walk, take [item async for item in walk]"
            ))
        })?;
        let items = PyTuple::new(items.py(), all.collect::<PyResult<Vec<_>>>()?)?;
        let by_tag = of_tags || items.get_item(0).is_ok_and(|first| first.is_instance_of::<TagUsageItem>());
        Ok(Self { items: items.unbind(), by_tag })
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.items.bind(py).len()
    }

    /// Returns the table as an Arrow stream.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // The protocol makes it optional to honor this.
        let items = self.items.bind(py).iter();
        arrow::stream(py, if self.by_tag { arrow::tags(items) } else { arrow::sandboxes(items) }?)
    }
}
