//! Grids: the measured time, its accounting rule and its buckets.

use std::iter::successors;
use std::sync::Arc;

use super::accounting::{Measure, Rule};
use super::interval::Interval;
use super::time_zone::{Clock, TimeZone};
use super::window::{Timestamp, Window};
use crate::error::{Code, Error};
use crate::limits::{MAX_AGGREGATE_BUCKETS, MAX_PAGE_BUCKETS};

/// The time that a report or a drilldown measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The window.
    pub window: Window,
    /// The instant at which running sandboxes are measured.
    pub as_of: Timestamp,
    /// The accounting rule.
    pub rule: Rule,
    /// The buckets over which amounts are split; `None` without an interval.
    pub buckets: Option<Buckets>,
}

impl Grid {
    /// Returns the measure of the grid's events.
    #[must_use]
    pub fn measure(&self) -> Measure {
        Measure::new(self.rule, self.window, self.as_of)
    }

    /// Returns the edges of the buckets, or of the window if there are none.
    pub(super) fn edges(&self) -> Edges {
        let whole = || Edges(Arc::new([self.window.from().micros(), self.window.to().micros()]));
        self.buckets.as_ref().map_or_else(whole, Buckets::shared_edges)
    }
}

/// Contiguous buckets that cover a window: the calendar of a time zone, cut by the window.
///
/// Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    interval: Interval,
    time_zone: TimeZone,
    edges: Edges,
    /// Whether the window cuts the first bucket's start and the last bucket's end.
    cut: (bool, bool),
}

/// One bucket of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after the bucket.
    pub to: Timestamp,
    /// Whether the window cuts the bucket, so that it is shorter than its interval.
    pub partial: bool,
}

impl Buckets {
    /// Splits a window.
    ///
    /// # Errors
    ///
    /// `invalid_timezone` if the database lacks the zone.
    pub fn new(window: Window, interval: Interval, time_zone: TimeZone) -> Result<Self, Error> {
        let (from, to) = (window.from().micros(), window.to().micros());
        let mut edges = vec![from];
        let mut cut = (true, false);
        for edge in calendar(interval, time_zone.clock()?, from) {
            if edge == from {
                cut.0 = false;
            } else if edge >= to {
                cut.1 = edge > to;
                break;
            } else if edge > from {
                edges.push(edge);
            }
        }
        edges.push(to);
        Ok(Self { interval, time_zone, edges: Edges(edges.into()), cut })
    }

    /// Returns the interval.
    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// Returns the time zone.
    #[must_use]
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Returns the number of buckets, which is at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always a bucket")]
    pub fn len(&self) -> usize {
        self.edges.buckets()
    }

    /// Returns the edges in microseconds since the epoch: the start of each bucket and the end of the last.
    #[must_use]
    pub fn edges(&self) -> &[i64] {
        &self.edges.0
    }

    /// Returns the index of the bucket that contains an instant, in microseconds since the epoch. The first bucket
    /// contains all that is earlier, the last one all that is later.
    #[must_use]
    pub fn position(&self, micros: i64) -> usize {
        self.edges.position(micros)
    }

    /// Returns the buckets in order.
    pub fn iter(&self) -> impl Iterator<Item = Bucket> + '_ {
        let last = self.len() - 1;
        self.edges.pairs().enumerate().map(move |(index, (from, to))| Bucket {
            from: Timestamp::nearest(from),
            to: Timestamp::nearest(to),
            partial: (index == 0 && self.cut.0) || (index == last && self.cut.1),
        })
    }

    /// Returns the edges, shared with these buckets.
    pub(super) fn shared_edges(&self) -> Edges {
        self.edges.clone()
    }

    /// Checks the number of buckets of an aggregate.
    pub(crate) fn fit_a_page_of(&self, items: usize) -> Result<(), Error> {
        self.at_most(MAX_AGGREGATE_BUCKETS)?;
        let (interval, buckets) = (self.interval, self.len());
        let numbers = items.saturating_mul(buckets);
        if numbers <= MAX_PAGE_BUCKETS {
            return Ok(());
        }
        Err(Code::TooManyBuckets.error(format!(
            "a page of {items} items with {buckets} buckets each (`interval` `{interval}`) has {numbers} buckets, at \
             most {MAX_PAGE_BUCKETS} are allowed; lower `limit` or choose a longer `interval`"
        )))
    }

    /// Checks the number of buckets.
    pub(crate) fn at_most(&self, allowed: usize) -> Result<(), Error> {
        if self.len() <= allowed {
            return Ok(());
        }
        let (interval, buckets) = (self.interval, self.len());
        Err(Code::TooManyBuckets.error(format!(
            "`interval` `{interval}` splits the window into {buckets} buckets, at most {allowed} are allowed; choose a longer \
             `interval` or a shorter window"
        )))
    }
}

/// Returns the edges of the calendar, starting at or before `from`.
fn calendar(interval: Interval, clock: Clock, from: i64) -> impl Iterator<Item = i64> {
    let first = interval.first_day(clock.day_of(from));
    successors(Some(first), move |day| interval.next(*day)).flat_map(move |day| {
        let end = interval.next(day).map_or(i64::MAX, |next| clock.first_instant(next));
        let step = move |edge: &i64| edge.checked_add(interval.step()?);
        // A day that a zone skips ends where it starts and has no edge.
        successors(Some(clock.first_instant(day)), step).take_while(move |edge| *edge < end)
    })
}

/// The edges of contiguous buckets: at least two instants, in microseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edges(Arc<[i64]>);

impl Edges {
    pub(super) fn buckets(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    pub(super) fn position(&self, micros: i64) -> usize {
        let inner = self.0.get(1..self.buckets()).unwrap_or_default();
        inner.partition_point(|edge| *edge <= micros)
    }

    /// Returns the start of the first bucket.
    pub(super) fn first(&self) -> i64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Returns the start and end of each bucket.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied().zip(self.0.iter().copied().skip(1))
    }
}
