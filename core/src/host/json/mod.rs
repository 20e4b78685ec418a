//! A JSON reader and writer that keeps numbers as text.
//!
//! It replaces a general parser in the module that browsers download, because the parser's tables for floats would be
//! most of that module. Hosts parse the numbers. Tests compare it with `serde_json`.

mod read;
mod write;

pub(crate) use read::{Json, Repeated};
pub use write::ToJson;
pub(crate) use write::{entries, object, sequence};
