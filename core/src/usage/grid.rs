//! Grids: the measured time and its accounting rule. Without an interval, a grid is one bucket, the whole window.

use super::accounting::{Measure, Rule, Tally};
use super::window::{Timestamp, Window};

/// The time that a report or a drilldown measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The window.
    pub window: Window,
    /// The instant at which running sandboxes are measured.
    pub as_of: Timestamp,
    /// The accounting rule.
    pub rule: Rule,
}

impl Grid {
    /// Returns the measure of the grid's events.
    #[must_use]
    pub fn measure(&self) -> Measure {
        Measure::new(self.rule, self.window, self.as_of)
    }

    /// Creates an empty tally of one sandbox's events.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally::new(self.rule, self.window, self.as_of)
    }
}
