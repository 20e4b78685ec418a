//! Instants, and the windows of time of a report.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, de};

use super::civil;
use crate::error::{Code, Error, quoted};
use crate::limits::{DEFAULT_WINDOW_DAYS, MAX_WINDOW_DAYS};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
#[allow(clippy::cast_possible_wrap, reason = "a few dozen days")]
const DEFAULT_WINDOW: i64 = DAY * DEFAULT_WINDOW_DAYS as i64;
#[allow(clippy::cast_possible_wrap, reason = "a few dozen days")]
const MAX_WINDOW: i64 = DAY * MAX_WINDOW_DAYS as i64;
/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_799_999_999;

/// An instant in UTC, to the microsecond, in the years 0001–9999.
///
/// The end of a window must also be at least the default length after the first instant, so that a default start is
/// valid.
///
/// ```
/// use opencomputer_usage_core::usage::window::Timestamp;
///
/// let instant: Timestamp = "2026-04-19t16:02:00.1234567+02:00".parse()?;
/// assert_eq!(instant.to_string(), "2026-04-19T14:02:00.123456Z");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Converts microseconds since 1970-01-01T00:00:00Z; `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (FIRST..=LAST).contains(&micros).then_some(Self(micros))
    }

    /// Returns the instant at these microseconds since 1970-01-01T00:00:00Z, or the first or last that can be written
    /// if it lies outside.
    #[must_use]
    pub fn nearest(micros: i64) -> Self {
        Self(micros.clamp(FIRST, LAST))
    }

    /// Returns whether a window of the default length may end at this instant.
    pub(crate) const fn can_end_a_window(self) -> bool {
        self.0 >= FIRST + DEFAULT_WINDOW
    }

    /// Returns whether [`read`](Self::read) accepts a text. Skips parsing for the form that servers write.
    #[must_use]
    pub fn is_timestamp(text: &str) -> bool {
        is_written(text.as_bytes()) || Self::read(text).is_some()
    }

    /// Parses RFC 3339 or a bare date, in any year from 0001 to 9999.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let ([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2], rest) = text.as_bytes().split_first_chunk()? else {
            return None;
        };
        let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
        let days = civil::days(number(&[*y1, *y2, *y3, *y4])?, month, day)?;
        let (time, offset_minutes) = if rest.is_empty() { (0, 0) } else { time(rest)? };
        let local = days * DAY + time;
        Self::from_micros(local - MINUTE * offset_minutes)
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the date in UTC, as `YYYY-MM-DD`.
    pub(crate) fn date(self) -> String {
        let (year, month, day) = civil::date(self.0.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Returns the error of a text that is not an allowed instant.
    pub(crate) fn invalid(text: &str) -> Error {
        let (text, first) = (quoted(text), Self(FIRST + DEFAULT_WINDOW).date());
        Code::InvalidTimestamp.error(format!(
            "invalid timestamp {text}, allowed: RFC 3339 with an offset such as `2026-01-31T00:00:00Z` \
                 and `YYYY-MM-DD`, from {first} to the end of 9999"
        ))
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).filter(|instant| instant.can_end_a_window()).ok_or_else(|| Self::invalid(text))
    }
}

/// Returns whether a text has the output format of [`Timestamp`], with a fraction and a day from 1 to 28.
#[allow(clippy::needless_bitwise_bool, reason = "without branches the comparison is vectorized")]
fn is_written(text: &[u8]) -> bool {
    const LEAST: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";
    const MOST: &[u8; 27] = b"9999-19-29T29:59:59.999999Z";
    let Ok(text) = <&[u8; 27]>::try_from(text) else {
        return false;
    };
    let between = |(byte, (least, most)): (&u8, (&u8, &u8))| (byte >= least) & (byte <= most);
    let in_form = text.iter().zip(LEAST.iter().zip(MOST)).fold(true, |all, byte| all & between(byte));
    let [y1, y2, y3, y4, _, m1, m2, _, d1, d2, _, h1, h2, ..] = *text;
    in_form
        && [y1, y2, y3, y4] != *b"0000"
        && (*b"01"..=*b"12").contains(&[m1, m2])
        && (*b"01"..=*b"28").contains(&[d1, d2])
        && [h1, h2] <= *b"23"
}

/// Parses the part of RFC 3339 after the date: the microseconds since midnight and the minutes that its zone is ahead of
/// UTC.
fn time(text: &[u8]) -> Option<(i64, i64)> {
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return None;
    };
    let (micros, offset) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let time = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second) * SECOND + i64::from(micros);
    let (sign, h1, h2, m1, m2) = match offset {
        [b'Z' | b'z'] => return Some((time, 0)),
        [b'+', h1, h2, b':', m1, m2] => (1, h1, h2, m1, m2),
        [b'-', h1, h2, b':', m1, m2] => (-1, h1, h2, m1, m2),
        _ => return None,
    };
    let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    (hours < 24 && minutes < 60).then(|| (time, sign * i64::from(hours * 60 + minutes)))
}

/// Parses a fraction as microseconds, drops finer digits, and returns the rest of the text.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    let shown = digits.iter().chain(b"000000").take(6);
    Some((shown.fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0')), rest))
}

/// Parses a number of a few digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, time) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil::date(days);
        let (hour, minute, second) = (time / HOUR, time / MINUTE % 60, time / SECOND % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match time % SECOND {
            0 => f.write_str("Z"),
            micros => write!(f, ".{micros:06}Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| de::Error::custom(format!("{} is not a timestamp", quoted(&text))))
    }
}

fn check<T: PartialOrd + fmt::Display>(from: &T, to: &T, is_too_long: bool) -> Result<(), Error> {
    if to <= from {
        return Err(Code::InvalidWindow.error(format!("`to` ({to}) must be later than `from` ({from})")));
    }
    if is_too_long {
        return Err(Code::WindowTooLarge
            .error(format!("the window from {from} to {to} is longer than the allowed {MAX_WINDOW_DAYS} days")));
    }
    Ok(())
}

/// A window of time: `from` inclusive, `to` exclusive, not empty and no longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// Creates a window from both ends.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, Error> {
        check(&from, &to, to.0 - from.0 > MAX_WINDOW)?;
        Ok(Self { from, to })
    }

    /// Creates a window of whole days in a time zone. The changes of its clocks may make it longer than other windows.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`.
    pub(crate) fn of_days(from: Timestamp, to: Timestamp) -> Result<Self, Error> {
        check(&from, &to, to.0 - from.0 > MAX_WINDOW + DAY)?;
        Ok(Self { from, to })
    }

    /// Checks that a window of calendar days, given by their midnights in UTC, is not empty and no longer than the
    /// limit.
    pub(crate) fn check_days(from: Timestamp, to: Timestamp) -> Result<(), Error> {
        check(&from.date(), &to.date(), to.0 - from.0 > MAX_WINDOW)
    }

    /// Returns whether the window is no longer than the limit in UTC.
    pub(crate) const fn is_within_limit(self) -> bool {
        self.to.0 - self.from.0 <= MAX_WINDOW
    }

    /// Creates the window that ends at `to`. Without `from`, it has the default length.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`.
    pub fn ending_at(to: Timestamp, from: Option<Timestamp>) -> Result<Self, Error> {
        // The end of a window is at least the default length after the first instant.
        Self::new(from.unwrap_or(Timestamp(to.0 - DEFAULT_WINDOW)), to)
    }

    /// Returns the first instant of the window.
    #[must_use]
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// Returns the first instant after the window.
    #[must_use]
    pub const fn to(self) -> Timestamp {
        self.to
    }
}
