//! A JSON reader and writer that keeps single numbers as text.
//!
//! It replaces a general parser in the module that browsers download, because the float tables of such a parser would
//! make up most of the module. Hosts parse the numbers. Tests compare it with `serde_json`.

mod numbers;
mod read;
mod write;

pub use numbers::Numbers;
pub(crate) use read::{DEPTH, Json, Repeated};
pub use write::ToJson;
pub(crate) use write::{entries, object, sequence};
