//! Exports the items of a walk as a table.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple, PyType};

use crate::models::arrow::{self, Bucket};
use crate::models::field::{Field, type_name};
use crate::models::model::fields_of;

/// A table of items for data frames: `polars.DataFrame(Table(client.usage.by_tag("team")))`.
///
/// Takes any iterable of items of one kind. Iterating over a page also fetches the pages after it. Times are UTC
/// timestamps, tags are maps. If a page with an interval is given, as `items` or as `page`, there is one row per item
/// and bucket, with the bucket's amounts and its bounds in `bucket_from`, `bucket_to` and `bucket_partial`.
#[pyclass(frozen, module = "opencomputer_usage")]
pub struct Table {
    items: Py<PyTuple>,
    fields: &'static [Field],
    dimensions: Vec<String>,
    buckets: Vec<Bucket>,
}

impl Table {
    /// Creates the table of the items on one page.
    pub fn of_page(page: &Bound<'_, PyAny>) -> PyResult<Self> {
        let items = page.getattr("items")?.cast_into::<PyTuple>()?;
        Self::of(items, Some(page))
    }

    fn of(items: Bound<'_, PyTuple>, page: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let first = items.get_item(0).ok();
        let class = page.map(item_class).transpose()?.flatten().or_else(|| Some(first.as_ref()?.get_type()));
        let misfit =
            |name: String| PyTypeError::new_err(format!("items must be items of one kind of page, got {name}"));
        if let Some(class) = &class {
            for item in &items {
                if !item.is_instance(class)? {
                    return Err(misfit(type_name(&item)));
                }
            }
        }
        // Nothing says what no items would be.
        let name = class
            .map_or_else(|| Ok("SandboxUsageItem".to_owned()), |class| class.name().map(|name| name.to_string()))?;
        let fields = fields_of(&name).ok_or_else(|| misfit(name))?;
        let mut dimensions = Vec::new();
        if let Some(group) = attribute(first.as_ref(), "group")? {
            dimensions = group.try_iter()?.map(|name| name?.extract()).collect::<PyResult<_>>()?;
        } else if let Some(group_by) = attribute(page, "group_by")? {
            dimensions.extend(group_by.extract::<&str>()?.split(',').map(str::to_owned));
        }
        let mut buckets = Vec::new();
        if let Some(given) = attribute(page, "buckets")? {
            buckets = given.try_iter()?.map(|bucket| Bucket::read(&bucket?)).collect::<PyResult<_>>()?;
        }
        Ok(Self { items: items.unbind(), fields, dimensions, buckets })
    }

    /// Returns the table as the capsule of an Arrow stream.
    pub fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::stream(py, arrow::batch(self.fields, &self.dimensions, self.items.bind(py), &self.buckets)?)
    }
}

#[pymethods]
impl Table {
    #[new]
    #[pyo3(signature = (items, /, *, page = None))]
    fn new(items: &Bound<'_, PyAny>, page: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let all = items.try_iter().map_err(|_| {
            let name = type_name(items);
            PyTypeError::new_err(format!(
                "items must be iterable, got {name}; of an async walk, take [item async for item in walk]"
            ))
        })?;
        let all = PyTuple::new(items.py(), all.collect::<PyResult<Vec<_>>>()?)?;
        let is_page = item_class(items)?.is_some();
        Self::of(all, page.or(is_page.then_some(items)))
    }

    /// Returns the number of rows.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.items.bind(py).len() * self.buckets.len().max(1)
    }

    /// Returns the table as an Arrow stream.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema; // The protocol makes it optional to honor this.
        self.stream(py)
    }
}

/// Returns an attribute; `None` if the object has none or it is None.
fn attribute<'py>(of: Option<&Bound<'py, PyAny>>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let found = of.map(|of| of.getattr_opt(name)).transpose()?.flatten();
    Ok(found.filter(|found| !found.is_none()))
}

/// Returns the class of a page's items; `None` for another object.
fn item_class<'py>(page: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyType>>> {
    let Some(fields) = page.get_type().getattr_opt("_fields")? else {
        return Ok(None);
    };
    for field in fields.try_iter()? {
        let field = field?;
        if field.get_item(0)?.eq("items")? {
            return Ok(field.get_item(3)?.extract()?);
        }
    }
    Ok(None)
}
