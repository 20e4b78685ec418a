//! The request and response bodies, each declared once.

pub mod describe;
mod group;
mod measured;
mod read;
mod render;
pub mod reply;
pub mod shape;
mod types;
mod whole;

pub use group::GroupValues;
pub use measured::used_fraction;
pub(crate) use read::utf8;
pub use render::{SandboxDetails, UsagePage};
pub use types::*;
pub use whole::Whole;
