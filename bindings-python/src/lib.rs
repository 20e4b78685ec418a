//! Python bindings of the core and of the Rust SDK: Python values in, models and exceptions out.
//!
//! Bindings convert and forward. Rules are in the core, Python's idiom is in `sdks/python`.

#![allow(
    clippy::doc_link_with_quotes,
    clippy::doc_markdown,
    clippy::struct_field_names,
    clippy::too_many_arguments,
    clippy::wrong_self_convention,
    reason = "names, arguments and docstrings are Python's"
)]

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "opencomputer-usage does not support free-threaded Python yet: use one with the global interpreter lock"
);

mod decode;
mod errors;
mod functions;
mod host_value;
mod models;
mod runtime;

use pyo3::prelude::*;

/// The compiled part of `opencomputer_usage`.
#[pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::functions::{
        decode_cursor, encode_cursor, format_filter, format_group_by, parse_filter, parse_group_by, validate_tag_key,
        validate_tag_value, validate_tags,
    };
    #[pymodule_export]
    use super::models::records::{Cursor, GroupBy};
    #[pymodule_export]
    use super::models::table::Table;
    #[pymodule_export]
    use super::runtime::client::Client;
    #[pymodule_export]
    use super::runtime::completions::CompletionQueue;
    #[pymodule_export]
    use super::runtime::exchange::{Exchange, Task};
    #[pymodule_export]
    use super::runtime::exit::stop_delivery;
    #[pymodule_export]
    use super::runtime::step::Request;
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::models::generated::add_to(module)
    }
}
