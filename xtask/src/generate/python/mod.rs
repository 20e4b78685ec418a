//! The models and the error codes of the Python package: their classes in Rust, and their stubs.

mod classes;
mod model;
mod stubs;

pub use classes::classes;
pub use stubs::{codes, exports, stubs};
