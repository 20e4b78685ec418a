//! Time zones: their names, and with the feature `zones` their rules from the IANA database.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};

use super::window::Timestamp;
use crate::error::{Code, Error, quoted};
use crate::limits::MAX_TIME_ZONE_CHARACTERS;

/// The name of a time zone, in the form of the IANA database. The default is `UTC`.
///
/// Parsing checks the form only, so that a client accepts every zone that a server might know.
///
/// ```
/// use opencomputer_usage_core::{Code, usage::time_zone::TimeZone};
///
/// let paris: TimeZone = "Europe/Paris".parse()?;
/// assert_eq!(paris.as_str(), "Europe/Paris");
/// assert_eq!("Europe Paris".parse::<TimeZone>().unwrap_err().code, Code::InvalidTimezone);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeZone(String);

impl TimeZone {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Looks up the zone's clock.
    ///
    /// # Errors
    ///
    /// `invalid_timezone` if the database lacks the zone. Without the feature `zones` it has only `UTC`.
    pub(crate) fn clock(&self) -> Result<Clock, Error> {
        let unknown = || {
            let name = quoted(&self.0);
            Code::InvalidTimezone.error(format!("unknown `timezone` {name}, allowed: names of the IANA database"))
        };
        zones::named(&self.0).map(Clock).ok_or_else(unknown)
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl FromStr for TimeZone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
        if (1..=MAX_TIME_ZONE_CHARACTERS).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        let text = quoted(text);
        Err(Code::InvalidTimezone.error(format!(
            "invalid `timezone` {text}, allowed: names of the IANA database such as `Europe/Paris`, \
             1 to {MAX_TIME_ZONE_CHARACTERS} characters"
        )))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The clock of a time zone: converts instants to local days and back.
///
/// A local day lasts from its first instant to the first instant of the next day. All instants are microseconds since
/// the epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(zones::Zone);

impl Clock {
    /// The clock of UTC.
    pub(crate) const UTC: Self = Self(zones::UTC);

    /// Returns the first instant of a local day.
    ///
    /// If midnight does not exist, it is the first instant after the gap. If midnight happens twice, it is the earlier
    /// one.
    pub(crate) fn first_instant(self, day: NaiveDate) -> i64 {
        let midnight = day.and_time(NaiveTime::MIN);
        let instant = match self.0.from_local_datetime(&midnight) {
            MappedLocalTime::Single(instant) => Some(instant),
            MappedLocalTime::Ambiguous(one, other) => Some(one.min(other)),
            MappedLocalTime::None => zones::end_of_gap(midnight, self.0),
        };
        instant.map_or_else(|| midnight.and_utc().timestamp_micros(), |instant| instant.timestamp_micros())
    }

    /// Returns the first instant of a local day, given by its midnight in UTC.
    #[cfg(feature = "zones")]
    pub(crate) fn first_instant_of(self, day: Timestamp) -> i64 {
        self.first_instant(DateTime::from_timestamp_micros(day.micros()).unwrap_or_default().date_naive())
    }

    /// Returns the first instant of a local day, given by its midnight in UTC, which is the only zone.
    #[cfg(not(feature = "zones"))]
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn first_instant_of(self, day: Timestamp) -> i64 {
        day.micros()
    }

    /// Returns the midnight in UTC of the local day that contains an instant.
    pub(crate) fn midnight_of(self, instant: Timestamp) -> Option<Timestamp> {
        let midnight = self.day_of(instant.micros()).and_time(NaiveTime::MIN).and_utc();
        Timestamp::from_micros(midnight.timestamp_micros())
    }

    /// Returns the local day that contains an instant.
    pub(crate) fn day_of(self, micros: i64) -> NaiveDate {
        let instant = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let mut day = self.0.from_utc_datetime(&instant.naive_utc()).date_naive();
        // The calendar may show the previous date again if clocks are set back just after midnight, and may skip a date
        // where a zone crosses the date line.
        while let Some(next) = day.succ_opt().filter(|next| self.first_instant(*next) <= micros) {
            day = next;
        }
        while let Some(previous) = day.pred_opt().filter(|_| self.first_instant(day) > micros) {
            day = previous;
        }
        day
    }
}

#[cfg(feature = "zones")]
mod zones {
    use chrono_tz::GapInfo;

    use super::{DateTime, NaiveDateTime};

    pub(super) type Zone = chrono_tz::Tz;

    pub(super) const UTC: Zone = chrono_tz::UTC;

    pub(super) fn named(name: &str) -> Option<Zone> {
        name.parse().ok()
    }

    pub(super) fn end_of_gap(local: NaiveDateTime, zone: Zone) -> Option<DateTime<Zone>> {
        GapInfo::new(&local, &zone)?.end
    }
}

#[cfg(not(feature = "zones"))]
mod zones {
    use super::{DateTime, NaiveDateTime};

    pub(super) type Zone = chrono::Utc;

    pub(super) const UTC: Zone = chrono::Utc;

    pub(super) fn named(name: &str) -> Option<Zone> {
        (name == "UTC").then_some(UTC)
    }

    /// Returns `None`: UTC has no gaps.
    pub(super) fn end_of_gap(_: NaiveDateTime, _: Zone) -> Option<DateTime<Zone>> {
        None
    }
}
