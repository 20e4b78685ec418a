//! Query parameters, parsed as leniently as by the platform.

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate};
use percent_encoding::percent_decode_str;

use crate::answer::Answer;

/// The decoded parameters of a request, in their order.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query string. Accepts anything.
    pub(crate) fn decode(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (text(n), text(v))).collect())
    }

    /// Returns the first value of a parameter; an empty one counts as absent.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Returns the parameters whose name is `filter[…]`.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let dimension = name.strip_prefix("filter[")?.strip_suffix(']')?;
            Some((name.as_str(), dimension, value.as_str()))
        })
    }
}

fn text(encoded: &str) -> String {
    percent_decode_str(&encoded.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Returns the response to a rejected request.
pub(crate) fn refuse(message: impl Into<String>) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, message)
}

/// Returns the requested window, or the default one, which ends now.
pub(crate) fn window(parameters: &Parameters, now: i64, default: i64, dates: bool) -> Result<(i64, i64), Answer> {
    let instant = |name: &str, default| match parameters.first(name) {
        Some(text) => timestamp(text, dates).ok_or_else(|| refuse(format!("`{name}` {}", expectation(dates)))),
        None => Ok(default),
    };
    Ok((instant("from", now - default)?, instant("to", now)?))
}

fn expectation(dates: bool) -> &'static str {
    if dates { "must be an ISO date (YYYY-MM-DD) or RFC3339 timestamp" } else { "must be RFC3339" }
}

/// Reads an RFC 3339 time and, where the variant takes dates, the start of a UTC day.
fn timestamp(text: &str, dates: bool) -> Option<i64> {
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|day| day.and_utc());
    let strict = !text.contains([' ', 't', 'z']);
    let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| strict).map(|time| time.timestamp_micros());
    time.or_else(|| date().filter(|_| dates).map(|day| day.timestamp_micros()))
}

/// Reads a limit as `Sscanf` does: leading digits count, the rest is ignored.
pub(crate) fn limit(text: &str) -> Option<usize> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    unsigned.get(..end)?.parse().ok().filter(|limit| *limit > 0)
}

/// Splits the values of a filter at every comma; quotes have no meaning. The filter for an absent key has no values.
pub(crate) fn values(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_split_at_every_comma() {
        assert_eq!(values("\"a,b\" , c"), ["\"a", "b\"", "c"]);
        assert_eq!(values(" , "), [""; 0]);
    }

    #[test]
    fn limits_are_read_up_to_the_first_letter() {
        assert_eq!(
            [limit("10abc"), limit(" 7"), limit("0"), limit("x"), limit("-1")],
            [Some(10), Some(7), None, None, None]
        );
    }

    #[test]
    fn dates_are_read_where_the_variant_knows_them() {
        assert_eq!(timestamp("2026-05-27", true), timestamp("2026-05-26T17:00:00-07:00", true));
        assert_eq!(timestamp("2026-05-27", false), None);
        assert_eq!(timestamp("2026-05-27t00:00:00z", true), None);
    }
}
