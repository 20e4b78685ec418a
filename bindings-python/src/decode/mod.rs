//! Turns response bodies into values.

pub mod answer;
pub mod depth_limit;
pub mod source;
