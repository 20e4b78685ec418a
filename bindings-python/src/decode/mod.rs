//! Turns response bodies into values.

pub mod answer;
pub mod source;
