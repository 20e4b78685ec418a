//! The rules of usage attribution, each written once: tags, queries, pages, exact sums and the client's protocol.
//!
//! The crate takes bytes, strings and maps and returns typed values, requests or an [`Error`]. It has no I/O, no clock
//! and no runtime: the current instant and random numbers are arguments.
//!
//! ```
//! use opencomputer_usage_core::usage::dimension::{Form, GroupBy};
//!
//! let by_team: GroupBy = "tag:team:payments".parse()?;
//! assert!(matches!(by_team.form(), Form::Tag(key) if key.as_str() == "team:payments"));
//! # Ok::<(), opencomputer_usage_core::Error>(())
//! ```

mod base64url;
pub mod client;
pub mod error;
pub mod etag;
pub mod hex;
pub mod host;
pub mod limits;
pub mod operations;
pub mod query;
pub mod sandbox;
pub mod tags;
pub mod usage;
pub mod wire;

pub use error::{Code, Error};
