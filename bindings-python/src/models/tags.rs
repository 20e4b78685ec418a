//! Creates tags: immutable dicts whose class is written in Python.

use opencomputer_usage_core::tags::{self, TagSet};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use crate::decode::source::{Range, Source, Writer};

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Returns the class of tags, `opencomputer_usage.Tags`.
fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    CLASS.import(py, "opencomputer_usage._tags", "Tags")
}

/// Creates empty tags to fill. Skips the checks of `Tags.__new__`.
fn empty(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let new = NEW.get_or_try_init(py, || py.get_type::<PyDict>().getattr("__new__").map(Bound::unbind))?;
    new.bind(py).call1((class(py)?,))
}

/// Creates tags from pairs.
fn of<'py>(
    py: Python<'py>,
    pairs: impl Iterator<Item = PyResult<(Bound<'py, PyString>, Bound<'py, PyString>)>>,
) -> PyResult<Py<PyAny>> {
    let made = empty(py)?;
    let dict = made.cast::<PyDict>()?;
    for pair in pairs {
        let (key, value) = pair?;
        dict.set_item(key, value)?;
    }
    Ok(made.unbind())
}

/// Creates the tags of an item of a page.
pub fn of_range(py: Python<'_>, source: &Source, range: Range) -> PyResult<Py<PyAny>> {
    let made = empty(py)?;
    let dict = made.cast::<PyDict>()?;
    source.each_tag(py, range, |key, value| dict.set_item(key, value))?;
    Ok(made.unbind())
}

/// Creates tags from those that the core decoded.
pub fn of_map(py: Python<'_>, tags: &tags::Tags) -> PyResult<Py<PyAny>> {
    of(py, tags.iter().map(|(key, value)| Ok((PyString::new(py, key), PyString::new(py, value)))))
}

/// Creates tags from any mapping of strings.
pub fn of_mapping(tags: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let class = class(tags.py())?;
    if tags.is_instance(class)? { Ok(tags.clone().unbind()) } else { class.call1((tags,)).map(Bound::unbind) }
}

/// Returns the user's tags, without system tags, or None for None.
pub fn of_user(tags: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = tags.py();
    if tags.is_none() {
        return Ok(py.None());
    }
    let tags = strings(tags)?;
    let users = TagSet::user_part(tags.iter().map(|(key, value)| (&**key, &**value)));
    of(py, users.iter().map(|(key, value)| Ok((PyString::new(py, key), PyString::new(py, value)))))
}

/// Copies tags to a plain dict.
pub fn copied(tags: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    dict(tags)?.copy()?.into_py_any(tags.py())
}

/// Returns whether a value is an instance of `Tags`.
pub fn is_tags(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(class(value.py())?)
}

/// Adds tags to an item that is not part of a response.
pub fn write(tags: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Range> {
    let pairs = strings(tags)?;
    writer.tags(pairs.iter().map(|(key, value)| (&**key, &**value)))
}

fn dict<'a, 'py>(tags: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyDict>> {
    tags.cast::<PyDict>().map_err(|_| PyTypeError::new_err("tags must be a mapping of strings"))
}

fn strings(tags: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    dict(tags)?.iter().map(|(key, value)| Ok((key.extract()?, value.extract()?))).collect()
}
