//! The time of a query: its window, time zone and interval, which the aggregate and the drilldown share.

use super::parameter::{Parameter as _, QueryString};
use super::parameters::{Names, Parameters};
use super::period::{self, Period};
use super::{cursor, interval, time_zone};
use crate::error::Error;
use crate::limits::MAX_DRILLDOWN_BUCKETS;
use crate::usage::accounting::Rule;
use crate::usage::grid::{Buckets, Grid};
use crate::usage::interval::Interval;
use crate::usage::time_zone::{Clock, TimeZone};
use crate::usage::window::{Timestamp, Window};

/// The time of a query, as requested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The time zone of bare dates and buckets; `None` stands for `UTC`.
    pub time_zone: Option<TimeZone>,
    /// The window.
    pub period: Period,
    /// The interval of the buckets.
    pub interval: Option<Interval>,
}

impl Span {
    /// Parses the parameters in the contract's order. With `now`, the time zone must be known, and the window is
    /// checked as it will be measured, unless a cursor pins it.
    pub(super) fn parse(parameters: &Parameters, now: Option<Timestamp>, pinned: bool) -> Result<Self, Error> {
        let time_zone = time_zone::parse(parameters)?;
        let mut span = Self { time_zone, ..Self::default() };
        let clock = now.map(|_| span.clock()).transpose()?;
        span.period = period::parse(parameters, span.time_zone.is_some())?;
        if let (Some(now), Some(clock), false) = (now, clock, pinned) {
            span.period.resolve(now, clock)?;
        }
        span.interval = interval::parse(parameters)?;
        Ok(span)
    }

    fn clock(&self) -> Result<Clock, Error> {
        self.time_zone.as_ref().map_or(Ok(Clock::UTC), TimeZone::clock)
    }

    /// Returns the window at `as_of`.
    ///
    /// # Errors
    ///
    /// The codes of a window.
    pub fn window(&self, as_of: Timestamp) -> Result<Window, Error> {
        self.period.resolve(as_of, self.clock()?)
    }

    /// Checks that a walk over `window` may continue with this query.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` if the query asks for another window, or if no query can have asked for this one.
    pub(crate) fn check_pinned(&self, window: Window) -> Result<(), Error> {
        let clock = self.clock()?;
        let [from, to] = self.period.instants(clock)?;
        if from.is_some_and(|from| from != window.from()) || to.is_some_and(|to| to != window.to()) {
            return Err(cursor::invalid("it belongs to a walk over another window"));
        }
        if window.is_within_limit() {
            return Ok(());
        }
        // Only whole days in a time zone make a longer window.
        let day = |instant: Timestamp| {
            let day = clock.midnight_of(instant)?;
            (clock.first_instant_of(day) == instant.micros()).then_some(day)
        };
        if let (Some(from), Some(to)) = (day(window.from()), day(window.to()))
            && Window::check_days(from, to).is_ok()
        {
            return Ok(());
        }
        Err(cursor::invalid("its window is too long"))
    }

    /// Returns the grid of a window.
    ///
    /// # Errors
    ///
    /// `invalid_timezone`.
    pub(crate) fn grid(&self, window: Window, as_of: Timestamp, rule: Rule) -> Result<Grid, Error> {
        let zone = || self.time_zone.clone().unwrap_or_default();
        let buckets = self.interval.map(|interval| Buckets::new(window, interval, zone())).transpose()?;
        Ok(Grid { window, as_of, rule, buckets })
    }
}

/// A valid query for the usage of one sandbox.
///
/// ```
/// use opencomputer_usage_core::query::{DrilldownQuery, Parameters};
///
/// let query = DrilldownQuery::parse(&Parameters::decode("from=2026-01-01&interval=1d&timezone=Europe/Paris"), None)?;
/// assert_eq!(query.encode(), "from=2026-01-01&timezone=Europe%2FParis&interval=1d");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrilldownQuery {
    /// The time to measure.
    pub span: Span,
}

/// The parameters of a drilldown.
pub(crate) const DRILLDOWN: Names =
    Names { scalars: &[period::FROM, period::TO, time_zone::NAME, interval::NAME], maps: &[] };

impl DrilldownQuery {
    /// Parses parameters in the contract's order of checks and returns the first fault.
    ///
    /// With `now` (the server's `asOf`), the time zone must be known. Without it (in a client), only its form is
    /// checked.
    ///
    /// # Errors
    ///
    /// Any code of a query, from `unknown_parameter` to `invalid_interval`.
    pub fn parse(parameters: &Parameters, now: Option<Timestamp>) -> Result<Self, Error> {
        parameters.check_names(DRILLDOWN)?;
        Ok(Self { span: Span::parse(parameters, now, false)? })
    }

    /// Returns the encoded query string without defaults. Parsing it returns the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let Span { time_zone, period, interval } = &self.span;
        let mut query = QueryString::default();
        period.write(&mut query);
        time_zone.write(&mut query);
        interval.write(&mut query);
        query.into_string()
    }

    /// Returns the time that the query measures.
    ///
    /// # Errors
    ///
    /// The codes of a window, and `too_many_buckets`.
    pub fn grid(&self, as_of: Timestamp, rule: Rule) -> Result<Grid, Error> {
        let grid = self.span.grid(self.span.window(as_of)?, as_of, rule)?;
        grid.buckets.iter().try_for_each(|buckets| buckets.at_most(MAX_DRILLDOWN_BUCKETS))?;
        Ok(grid)
    }
}
