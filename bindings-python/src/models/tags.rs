//! Creates tags and groups: immutable dicts whose classes are written in Python.

use opencomputer_usage_core::tags::{self, TagSet};
use opencomputer_usage_core::wire::GroupValues;
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

/// Returns the class of groups, `opencomputer_usage.Group`.
fn group_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "opencomputer_usage._tags", "Group")
}

/// Creates an empty dict of a class to fill. Skips the checks of its `__new__`.
fn empty<'py>(py: Python<'py>, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let new = NEW.get_or_try_init(py, || py.get_type::<PyDict>().getattr("__new__").map(Bound::unbind))?;
    new.bind(py).call1((class,))
}

/// Creates tags from pairs.
fn of<'py>(
    py: Python<'py>,
    pairs: impl Iterator<Item = PyResult<(Bound<'py, PyString>, Bound<'py, PyString>)>>,
) -> PyResult<Py<PyAny>> {
    let made = empty(py, class(py)?)?;
    let dict = made.cast::<PyDict>()?;
    for pair in pairs {
        let (key, value) = pair?;
        dict.set_item(key, value)?;
    }
    Ok(made.unbind())
}

/// Creates the tags of an item of a page.
pub fn of_range(py: Python<'_>, source: &Source, range: Range) -> PyResult<Py<PyAny>> {
    let made = empty(py, class(py)?)?;
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
    instance(tags, class(tags.py())?)
}

/// Creates a group from any mapping of strings and None.
pub fn group_of_mapping(values: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    instance(values, group_class(values.py())?)
}

fn instance(value: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<Py<PyAny>> {
    if value.is_instance(class)? { Ok(value.clone().unbind()) } else { class.call1((value,)).map(Bound::unbind) }
}

/// Creates a group from the values that the core decoded.
pub fn of_group(py: Python<'_>, values: &GroupValues) -> PyResult<Py<PyAny>> {
    let made = empty(py, group_class(py)?)?;
    let dict = made.cast::<PyDict>()?;
    for (dimension, value) in values.iter() {
        dict.set_item(dimension, value)?;
    }
    Ok(made.unbind())
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
