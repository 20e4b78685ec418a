//! The usage engine: windows, grids, dimensions, exact sums and pages.

pub mod accounting;
mod civil;
pub mod dimension;
pub mod grid;
pub mod interval;
pub mod page;
pub mod plan;
pub mod series;
pub mod tally;
pub mod time_zone;
pub mod window;
