//! Waits before retries: backoff and `Retry-After`.

use crate::usage::window::Timestamp;

/// The wait before retry `n`, counted from 0, of which a random share is kept ("full jitter").
const RETRY: Backoff = Backoff { first_ms: 500.0, most_ms: 8_000.0 };
/// The wait between two attempts of an update. A concurrent update takes some tens of milliseconds.
const UPDATE: Backoff = Backoff { first_ms: 100.0, most_ms: 2_000.0 };

struct Backoff {
    first_ms: f64,
    most_ms: f64,
}

impl Backoff {
    fn wait_ms(&self, n: u32, random: f64) -> f64 {
        let doubled = f64::from(1_u32.checked_shl(n).unwrap_or(u32::MAX));
        random * (self.first_ms * doubled).min(self.most_ms)
    }
}

/// Returns the milliseconds to wait before retry `n` of a request.
pub(super) fn before_retry_ms(n: u32, random: f64) -> f64 {
    RETRY.wait_ms(n, random)
}

/// Returns the milliseconds to wait before an update reads again, after it lost to other writers `n` times.
pub(super) fn before_update_ms(n: u32, random: f64) -> f64 {
    UPDATE.wait_ms(n, random)
}

/// Parses `Retry-After`: an HTTP date, or seconds, which some servers send with a fraction.
pub(super) fn retry_after_ms(text: &str, now_ms: f64) -> Option<f64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole) && digits(fraction) {
        let thousandths =
            fraction.bytes().chain(*b"000").take(3).fold(0, |ms, digit| ms * 10 + u32::from(digit - b'0'));
        // A saturated number of seconds is beyond every deadline, too.
        return Some(whole.parse().unwrap_or(u64::MAX) as f64 * 1_000.0 + f64::from(thousandths));
    }
    Some((http_date_ms(text)? - now_ms).max(0.0))
}

/// Parses a date of RFC 9110, `Sun, 06 Nov 1994 08:49:37 GMT`, as milliseconds since the epoch.
fn http_date_ms(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split(' ');
    let (_, day, name, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    parts.next().filter(|zone| *zone == "GMT")?;
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let instant = Timestamp::read(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    Some(instant.micros() as f64 / 1_000.0)
}
