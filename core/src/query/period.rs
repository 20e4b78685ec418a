//! `from` and `to`: the window.

use std::fmt;

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error};
use crate::usage::time_zone::Clock;
use crate::usage::window::{DAY, Timestamp, Window};

pub(super) const FROM: &str = "from";
pub(super) const TO: &str = "to";

/// A window as requested. The server fills in missing ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    from: Option<End>,
    to: Option<End>,
}

/// An end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An instant, or a bare date without a time zone, which is midnight in UTC.
    Instant(Timestamp),
    /// The first instant of a day in the query's time zone, given by the day's midnight in UTC.
    Day(Timestamp),
}

impl Period {
    /// Creates a period from the given ends, which must form a window as far as a client can tell.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`.
    pub(crate) fn new(from: Option<End>, to: Option<End>) -> Result<Self, Error> {
        match (from, to) {
            (Some(End::Instant(from)), Some(End::Instant(to))) => Window::new(from, to).map(drop)?,
            (Some(End::Day(from)), Some(End::Day(to))) => Window::check_days(from, to)?,
            _ => (),
        }
        Ok(Self { from, to })
    }

    /// Returns the start, if it was given.
    pub(crate) const fn from(self) -> Option<End> {
        self.from
    }

    /// Returns the end, if it was given.
    pub(crate) const fn to(self) -> Option<End> {
        self.to
    }

    /// Returns the instants of the given ends.
    ///
    /// # Errors
    ///
    /// `invalid_timestamp` if a day starts outside the allowed years.
    pub(super) fn instants(self, clock: Clock) -> Result<[Option<Timestamp>; 2], Error> {
        let instant = |end: Option<End>| end.map(|end| end.instant(clock)).transpose();
        Ok([instant(self.from)?, instant(self.to)?])
    }

    /// Returns the window. A missing end is `as_of`; a missing start precedes the end by the default length.
    ///
    /// # Errors
    ///
    /// `invalid_timestamp`, and `invalid_window` and `window_too_large`, because the missing ends are known only now.
    pub(super) fn resolve(self, as_of: Timestamp, clock: Clock) -> Result<Window, Error> {
        let [from, to] = self.instants(clock)?;
        match ((self.from, from), (self.to, to)) {
            // The days were counted when the period was created.
            ((Some(End::Day(_)), Some(from)), (Some(End::Day(_)), Some(to))) => Window::of_days(from, to),
            _ => Window::ending_at(to.unwrap_or(as_of), from),
        }
    }
}

impl End {
    /// Returns whether the end may be this instant, as far as a client can tell. In every time zone, a day starts less
    /// than 24 hours from its midnight in UTC.
    pub(crate) fn may_be(self, got: Timestamp) -> bool {
        match self {
            Self::Instant(instant) => instant == got,
            Self::Day(day) => day.micros().abs_diff(got.micros()) < DAY.unsigned_abs(),
        }
    }

    fn instant(self, clock: Clock) -> Result<Timestamp, Error> {
        match self {
            Self::Instant(instant) => Ok(instant),
            Self::Day(day) => {
                let instant = Timestamp::from_micros(clock.first_instant_of(day));
                instant
                    .filter(|instant| instant.can_end_a_window())
                    .ok_or_else(|| Timestamp::invalid(&self.to_string()))
            }
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(f),
            Self::Day(day) => f.write_str(&day.date()),
        }
    }
}

/// Parses the parameters. `in_zone` tells whether the query has a time zone, in which bare dates are days.
pub(super) fn parse(parameters: &Parameters, in_zone: bool) -> Result<Period, Error> {
    let end = |text: &str| {
        let instant: Timestamp = text.parse()?;
        let is_date = text.len() == "YYYY-MM-DD".len();
        Ok(if in_zone && is_date { End::Day(instant) } else { End::Instant(instant) })
    };
    let read = |name| parameters.read(name, Code::InvalidTimestamp, end);
    Period::new(read(FROM)?, read(TO)?)
}

impl Parameter for Period {
    fn write(&self, query: &mut QueryString) {
        for (name, end) in [(FROM, self.from), (TO, self.to)] {
            if let Some(end) = end {
                query.push(name, &end.to_string());
            }
        }
    }
}

impl Digested for Period {
    fn digest(&self, _: &mut Digest) {
        // A cursor contains the window itself.
    }
}
