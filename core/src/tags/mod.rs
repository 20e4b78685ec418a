//! Tags: the rules for keys and values, sets that may be written, and maps that were read.

mod map;
mod rules;
mod set;

pub use map::Tags;
pub(crate) use rules::value_fault;
pub use rules::{TagKey, accepts, is_system_key, validate_tag_key, validate_tag_value, validate_tags};
pub use set::TagSet;
