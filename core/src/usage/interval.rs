//! Intervals: the calendar units that split a window into buckets.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::error::{Code, Error, quoted};

/// A unit of the calendar, which a time zone places in time.
///
/// ```
/// use opencomputer_usage_core::usage::interval::Interval;
///
/// let interval: Interval = "1mo".parse()?;
/// assert_eq!(interval, Interval::Month);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interval {
    /// `1m`: 60 seconds, counted from the first instant of the local day.
    Minute,
    /// `1h`: 3,600 seconds, counted from the first instant of the local day.
    Hour,
    /// `1d`: a local day, which has 23 or 25 hours where clocks change.
    Day,
    /// `1w`: an ISO week, from Monday.
    Week,
    /// `1mo`: a calendar month.
    Month,
}

impl Interval {
    /// Every interval, from the shortest to the longest.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Returns the wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
        }
    }

    /// Returns the fixed length within a day, in microseconds; `None` for whole days and longer units.
    pub(super) const fn step(self) -> Option<i64> {
        match self {
            Self::Minute => Some(60_000_000),
            Self::Hour => Some(3_600_000_000),
            Self::Day | Self::Week | Self::Month => None,
        }
    }

    /// Returns the first day of the unit of whole days that contains `day`.
    pub(super) fn first_day(self, day: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Minute | Self::Hour | Self::Day => Some(day),
            Self::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
            Self::Month => day.with_day(1),
        };
        first.unwrap_or(day)
    }

    /// Returns the first day of the next unit of whole days.
    pub(super) fn next(self, first_day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Minute | Self::Hour | Self::Day => first_day.succ_opt(),
            Self::Week => first_day.checked_add_days(Days::new(7)),
            Self::Month => first_day.checked_add_months(Months::new(1)),
        }
    }
}

impl FromStr for Interval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text).ok_or_else(|| {
            let text = quoted(text);
            Code::InvalidInterval.error(format!("invalid `interval` {text}, allowed: `1m`, `1h`, `1d`, `1w` and `1mo`"))
        })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
