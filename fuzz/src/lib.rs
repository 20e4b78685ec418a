//! The fuzz targets: one function for each parser and decoder of the core that takes untrusted bytes.
//!
//! A target panics if an input breaks one of its properties. `fuzz_targets` makes a libFuzzer program of each, and
//! `tests/replay.rs` runs them on the seeds and the committed corpus without a fuzzer.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a target reports a broken property by a panic"
)]

mod bodies;
mod calls;
mod check;
mod cursors;
pub mod differential;
mod headers;
mod names;
mod queries;
pub mod seeds;
mod time;

pub use bodies::{errors, replies, tags};
pub use calls::calls;
pub use cursors::cursors;
pub use headers::{entity_tags, if_match, link, retry_after};
pub use names::{filters, group_by, names};
pub use queries::{drilldown_query, sandboxes_query, tag_values_query, usage_query};
pub use time::{grids, timestamps};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("calls", calls),
    ("cursors", cursors),
    ("drilldown_query", drilldown_query),
    ("entity_tags", entity_tags),
    ("errors", errors),
    ("filters", filters),
    ("grids", grids),
    ("group_by", group_by),
    ("if_match", if_match),
    ("link", link),
    ("names", names),
    ("replies", replies),
    ("retry_after", retry_after),
    ("sandboxes_query", sandboxes_query),
    ("tag_values_query", tag_values_query),
    ("tags", tags),
    ("timestamps", timestamps),
    ("usage_query", usage_query),
];
