//! The core's face for Python: values in, JSON text out. Errors are raised with JSON text, too.
//!
//! `sdks/python` gives it idiom; nothing here decides anything.

mod client;
mod delivery;
mod process;
mod raw;

use opencomputer_usage_core::client::ClientError;
use opencomputer_usage_core::cursor::shortest;
use opencomputer_usage_core::json::ToJson;
use opencomputer_usage_core::pure;
use pyo3::prelude::*;

use raw::{accepts, raw};

pyo3::create_exception!(_core, CoreError, pyo3::exceptions::PyException, "Carries the JSON text of an error.");

type Json = PyResult<String>;
type Value<'a, 'py> = &'a Bound<'py, PyAny>;

fn raised(error: impl Into<ClientError>) -> PyErr {
    CoreError::new_err(error.into().to_json())
}

fn answer(result: Result<impl ToJson, impl Into<ClientError>>) -> Json {
    result.map(|value| value.to_json()).map_err(raised)
}

/// Every violation of a map of tags; `None` where there is none.
#[pyfunction]
fn validate_tags(tags: Value) -> PyResult<Option<String>> {
    if tags.cast().is_ok_and(accepts) {
        return Ok(None);
    }
    answer(pure::validate_tags(&raw(tags)?)).map(Some)
}

/// Every violation of one key.
#[pyfunction]
fn validate_tag_key(key: Value) -> Json {
    answer(pure::validate_tag_key(&raw(key)?))
}

/// Every violation of one value.
#[pyfunction]
fn validate_tag_value(value: Value) -> Json {
    Ok(pure::validate_tag_value(&raw(value)?).to_json())
}

/// Reads a `groupBy`.
#[pyfunction]
fn parse_group_by(group_by: Value) -> Json {
    answer(pure::parse_group_by(&raw(group_by)?))
}

/// Writes a `groupBy`.
#[pyfunction]
fn format_group_by(group_by: Value) -> Json {
    answer(pure::format_group_by(&raw(group_by)?))
}

/// Reads the value of a tag filter.
#[pyfunction]
fn parse_filter(text: Value) -> Json {
    answer(pure::parse_filter(&raw(text)?))
}

/// Writes the value of a tag filter.
#[pyfunction]
fn format_filter(values: Value) -> Json {
    answer(pure::format_filter(&raw(values)?))
}

/// Writes a cursor.
#[pyfunction]
fn encode_cursor(cursor: Value) -> Json {
    answer(pure::encode_cursor(&raw(cursor)?, shortest))
}

/// Reads a cursor.
#[pyfunction]
fn decode_cursor(text: Value) -> Json {
    answer(pure::decode_cursor(&raw(text)?))
}

/// The limits of the contract.
#[pyfunction]
fn limits() -> String {
    pure::Limits.to_json()
}

/// The compiled part of `opencomputer_usage`.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    use crate::delivery::close_deliveries;

    #[pymodule_export]
    use super::{
        CoreError, decode_cursor, encode_cursor, format_filter, format_group_by, limits, parse_filter, parse_group_by,
        validate_tag_key, validate_tag_value, validate_tags,
    };

    #[pymodule_export]
    use super::client::{Client, Exchange, Task};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let close = wrap_pyfunction!(close_deliveries, module)?;
        module.py().import("atexit")?.call_method1("register", (close,)).map(drop)
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
