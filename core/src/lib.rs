//! Every rule of usage attribution, once: what a tag may be, what a query means, how a page is cut,
//! how spend is summed and how a client talks to the API.
//!
//! Bytes, strings and maps go in; a typed value, a request or an [`Error`] comes out. There is no
//! I/O, no clock and no runtime: the present instant and random numbers are arguments.
//!
//! ```
//! use opencomputer_usage_core::dimension::Dimension;
//!
//! let by_team: Dimension = "tag:team:payments".parse()?;
//! assert_eq!(by_team.tag_key().map(|key| key.as_str()), Some("team:payments"));
//! # Ok::<(), opencomputer_usage_core::Error>(())
//! ```

pub mod accounting;
pub mod client;
pub mod cursor;
mod decimal;
pub mod dimension;
pub mod error;
pub mod etag;
pub mod filter;
pub mod json;
pub mod limits;
pub mod paging;
pub mod pure;
pub mod query;
pub mod raw;
pub mod sandbox;
pub mod shape;
pub mod tags;
pub mod window;
pub mod wire;

pub use error::{Code, Error};
