//! The functions that need no key and no network.

use opencomputer_usage::ClientError;
use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::query::cursor::{Walk, shortest};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyMapping, PyString, PyTuple};

use crate::errors::raised;
use crate::host_value::{accepts, raw};
use crate::models::convert::{IntoPython as _, Made};
use crate::models::field::type_name;
use crate::models::model::none;
use crate::models::records::{Cursor, GroupBy};

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Returns every violation of a map of tags, in a fixed order. The list is empty if the tags are valid.
///
/// >>> validate_tags({"team": "payments"})
/// []
/// >>> [violation.code for violation in validate_tags({"oc:team": "a", "": "b"})]
/// ['key_empty', 'key_reserved_prefix']
///
/// Raises:
///     InvalidRequestError: `invalid_body` if `tags` is not a mapping with keys of type str.
#[pyfunction]
pub fn validate_tags(py: Python<'_>, tags: Any) -> Made {
    if tags.cast().is_ok_and(accepts) {
        return PyList::empty(py).into_py_any(py);
    }
    let checked = functions::validate_tags(&raw(tags)?);
    checked.map_err(|error| refused(error, "tags", "a mapping of str to str", tags))?.into_result(py)
}

/// Returns every violation of one tag key, for forms that validate as the user types.
///
/// >>> [violation.message for violation in validate_tag_key("team name")]
/// ['tag key contains ` ` (U+0020), allowed: letters `A-Z a-z`, digits and `_ . - :`']
///
/// Raises:
///     InvalidRequestError: `invalid_body` if `key` is not a str.
#[pyfunction]
pub fn validate_tag_key(py: Python<'_>, key: Any) -> Made {
    let checked = functions::validate_tag_key(&raw(key)?);
    checked.map_err(|error| refused(error, "key", "a str", key))?.into_result(py)
}

/// Returns every violation of one tag value, with `None` as their key.
///
/// >>> [violation.code for violation in validate_tag_value("x" * 257)]
/// ['value_too_long']
#[pyfunction]
pub fn validate_tag_value(py: Python<'_>, value: Any) -> Made {
    functions::validate_tag_value(&raw(value)?).into_result(py)
}

/// Parses a `groupBy`.
///
/// >>> parse_group_by("tag:team:payments")
/// GroupBy(kind='tag', key='team:payments')
/// >>> [dimension.kind for dimension in parse_group_by("tag:team,region").dimensions]
/// ['tag', 'region']
///
/// Raises:
///     InvalidRequestError: `missing_group_by` or `invalid_group_by`.
#[pyfunction]
pub fn parse_group_by(py: Python<'_>, group_by: Any) -> Made {
    let parsed = functions::parse_group_by(&raw(group_by)?);
    parsed.map_err(|error| refused(error, "group_by", "a str", group_by))?.into_python(py)
}

/// Formats a `groupBy`.
///
/// >>> format_group_by(GroupBy("tag", "team"))
/// 'tag:team'
/// >>> format_group_by({"kind": "sandbox"})
/// 'sandbox'
///
/// Raises:
///     InvalidRequestError: `invalid_group_by`.
#[pyfunction]
pub fn format_group_by(group_by: Any) -> PyResult<String> {
    let formatted = functions::format_group_by(&raw(&plain(group_by)?)?);
    formatted.map_err(|error| refused(error, "group_by", "a GroupBy or a mapping", group_by))
}

/// Parses the value of a tag filter. Returns exact values, or None for *the sandbox lacks the tag*.
///
/// >>> parse_filter('"a,b",c,""')
/// ['a,b', 'c', '']
/// >>> parse_filter("") is None
/// True
///
/// Raises:
///     InvalidRequestError: `invalid_filter`.
#[pyfunction]
pub fn parse_filter(text: Any) -> PyResult<Option<Vec<String>>> {
    functions::parse_filter(&raw(text)?).map_err(|error| refused(error, "text", "a str", text))
}

/// Formats exact values, or None for *the sandbox lacks the tag*, as the value of a tag filter.
///
/// >>> format_filter(["a,b", "c", ""])
/// '"a,b",c,""'
/// >>> format_filter(None)
/// ''
///
/// Raises:
///     InvalidRequestError: `invalid_filter`.
#[pyfunction]
pub fn format_filter(values: Any) -> PyResult<String> {
    functions::format_filter(&raw(values)?).map_err(|error| refused(error, "values", "a list of str or None", values))
}

/// Encodes a cursor.
///
/// >>> encode_cursor(Cursor(8000.0, "payments"))
/// 'eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9'
///
/// Raises:
///     InvalidRequestError: `invalid_cursor`.
#[pyfunction]
pub fn encode_cursor(cursor: Any) -> PyResult<String> {
    let encoded = functions::encode_cursor(&raw(&plain(cursor)?)?, shortest);
    encoded.map_err(|error| refused(error, "cursor", "a Cursor or a mapping", cursor))
}

/// Decodes a cursor.
///
/// >>> decode_cursor("eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9").t
/// 'payments'
///
/// Raises:
///     InvalidRequestError: `invalid_cursor`.
#[pyfunction]
pub fn decode_cursor(py: Python<'_>, text: Any) -> PyResult<Cursor> {
    let cursor = functions::decode_cursor(&raw(text)?).map_err(|error| refused(error, "text", "a str", text))?;
    let (v, t) = (cursor.value.get().into_py_any(py)?, cursor.tie.into_py_any(py)?);
    let Some(Walk { sum, window, as_of, digest }) = cursor.walk else {
        return Ok(Cursor::new(v, t, none(), none(), none(), none(), none()));
    };
    let [from, to, as_of] = [window.from(), window.to(), as_of].map(|instant| instant.to_string().into_py_any(py));
    Ok(Cursor::new(v, t, sum.to_string().into_py_any(py)?, from?, to?, as_of?, digest.into_py_any(py)?))
}

/// Returns the exception for a refusal. If an argument has the wrong type, the message names the Python type: the core
/// serves other languages, too, and calls None `null`.
fn refused(error: impl Into<ClientError>, name: &str, allowed: &str, value: Any) -> PyErr {
    let mut error = error.into();
    let is_text = value.is_instance_of::<PyString>();
    let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    let mapping = value.cast::<PyMapping>();
    let odd_item = |items: PyResult<Bound<'_, PyIterator>>| {
        let odd = |item: &Bound<'_, PyAny>| !item.is_instance_of::<PyString>();
        items.ok().and_then(|items| items.flatten().find(odd)).map(|item| type_name(&item))
    };
    let odd = if let Ok(mapping) = mapping {
        odd_item(mapping.as_any().try_iter()).map(|key| format!("a key of type {key}"))
    } else if is_list {
        odd_item(value.try_iter()).map(|item| format!("an item of type {item}"))
    } else {
        None
    };
    let fits = match allowed {
        "a str" => is_text,
        "a list of str or None" => is_list || value.is_none(),
        _ => mapping.is_ok() || value.is_instance_of::<Cursor>() || value.is_instance_of::<GroupBy>(),
    };
    if let Some(got) = if fits { odd } else { Some(type_name(value)) } {
        error.message = format!("{name} must be {allowed}, got {got}");
    }
    raised(error)
}

/// Converts a model to its dict. Returns any other value unchanged.
fn plain<'py>(value: Any<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    if value.is_instance_of::<Cursor>() || value.is_instance_of::<GroupBy>() {
        return value.call_method0("to_dict");
    }
    Ok(value.clone())
}
