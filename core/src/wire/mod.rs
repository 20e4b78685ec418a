//! The request and response bodies, each declared once.

pub mod describe;
mod read;
mod render;
pub mod reply;
pub mod shape;
mod types;

pub use render::{SandboxDetails, UsagePage};
pub use types::*;
