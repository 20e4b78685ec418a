//! The usage engine: windows, dimensions, exact sums and pages.

pub mod accounting;
pub mod dimension;
pub mod grid;
pub mod page;
pub mod plan;
pub mod window;
