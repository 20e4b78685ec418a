//! Exact accounting: the billed time of an event, and sums in MB × µs that never round.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use super::window::{Timestamp, Window};
use crate::limits::INCLUDED_DISK_MB;

/// The end of the billed time of an event that has ended.
///
/// ```
/// use opencomputer_usage_core::usage::accounting::Rule;
///
/// assert_eq!("v1".parse(), Ok(Rule::V1));
/// assert_eq!(Rule::default(), Rule::Clipped);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// At the end of the window, so that adjacent windows add up: the platform's billing rollup since June 2026.
    #[default]
    Clipped,
    /// At the event's own end, even beyond the window: the rollup before that.
    V1,
}

impl Rule {
    /// Returns the name by which operators choose the rule.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clipped => "clipped",
            Self::V1 => "v1",
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "clipped" => Ok(Self::Clipped),
            "v1" => Ok(Self::V1),
            _ => Err(format!("unknown accounting rule `{name}`, allowed: `clipped` and `v1`")),
        }
    }
}

/// A rule applied to one window at one instant, with everything that a store needs to measure events.
///
/// An event counts if `started_at < started_before` and it has not ended by `from`. Its billed time starts at
/// `max(started_at, from)`. It ends at `open_end` if the event is open (it has no end, or one after `as_of`), otherwise
/// at `min(ended_at, last_end)`. It is never negative. All instants are microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Start of the window.
    pub from: i64,
    /// The instant at which running sandboxes are measured.
    pub as_of: i64,
    /// Events that start here or later do not count.
    pub started_before: i64,
    /// The end of the billed time of open events.
    pub open_end: i64,
    /// The latest end of the billed time of ended events.
    pub last_end: i64,
}

impl Measure {
    /// Applies `rule` to `window` at `as_of`.
    #[must_use]
    pub fn new(rule: Rule, window: Window, as_of: Timestamp) -> Self {
        let (from, to, as_of) = (window.from().micros(), window.to().micros(), as_of.micros());
        Self {
            from,
            as_of,
            started_before: if from < as_of { to.min(as_of) } else { i64::MIN },
            open_end: to.min(as_of),
            last_end: match rule {
                Rule::V1 => i64::MAX,
                Rule::Clipped => to,
            },
        }
    }

    /// Returns the billed microseconds of an event, or `None` if it does not count at all.
    ///
    /// An event of zero length counts: its sandbox is listed with an amount of 0.
    #[must_use]
    pub fn billed_micros(&self, started_at: i64, ended_at: Option<i64>) -> Option<u64> {
        let (start, end) = self.billed_span(started_at, ended_at)?;
        Some(u64::try_from(end.saturating_sub(start)).unwrap_or(0))
    }

    /// Returns the start and end of an event's billed time, or `None` if it does not count at all. The end lies before
    /// the start if nothing is billed.
    #[must_use]
    pub fn billed_span(&self, started_at: i64, ended_at: Option<i64>) -> Option<(i64, i64)> {
        if started_at >= self.started_before || ended_at.is_some_and(|end| end <= self.from) {
            return None;
        }
        let end = match ended_at {
            Some(end) if end <= self.as_of => end.min(self.last_end),
            _ => self.open_end,
        };
        Some((started_at.max(self.from), end))
    }
}

/// An exact amount of usage, in MB × µs.
///
/// ```
/// use opencomputer_usage_core::usage::accounting::Usage;
///
/// // One hour of 4 GB memory and 30 GB disk, of which 20 GB are included.
/// let hour = Usage::of(4096, 30 * 1024, 3_600_000_000);
/// assert_eq!(hour.memory_gb_seconds(), 4.0 * 3600.0);
/// assert_eq!(hour.disk_overage_gb_seconds(), 10.0 * 3600.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Memory, in MB × µs.
    pub memory: u128,
    /// Disk above the included 20 GB, in MB × µs.
    pub disk_overage: u128,
}

impl Usage {
    /// Returns the usage of one memory and disk size over a billed duration.
    #[must_use]
    pub fn of(memory_mb: u64, disk_mb: u64, micros: u128) -> Self {
        Self {
            memory: u128::from(memory_mb).saturating_mul(micros),
            disk_overage: u128::from(disk_mb.saturating_sub(INCLUDED_DISK_MB as u64)).saturating_mul(micros),
        }
    }

    /// Returns the memory in GB-seconds.
    #[must_use]
    pub fn memory_gb_seconds(self) -> f64 {
        gb_seconds(self.memory)
    }

    /// Returns the disk above the included 20 GB, in GB-seconds.
    #[must_use]
    pub fn disk_overage_gb_seconds(self) -> f64 {
        gb_seconds(self.disk_overage)
    }
}

/// Converts an exact time to seconds, for all responses.
#[must_use]
pub fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// Converts an exact sum to GB-seconds, for all responses: 1 GB = 1024 MB, 1 s = 10⁶ µs.
#[must_use]
pub fn gb_seconds(mb_micros: u128) -> f64 {
    mb_micros as f64 / 1_024_000_000.0
}

/// Converts an exact sum of measured bytes to GB-seconds, for all responses: 1 GB = 2³⁰ bytes, 1 s = 10⁶ µs.
#[must_use]
pub fn byte_gb_seconds(byte_micros: u128) -> f64 {
    byte_micros as f64 / 1_073_741_824_000_000.0
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_add(other.memory),
            disk_overage: self.disk_overage.saturating_add(other.disk_overage),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}
