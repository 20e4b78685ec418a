//! Targets for instants, windows and the grids of time zones.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeZone as _};
use chrono_tz::{TZ_VARIANTS, Tz};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::interval::Interval;
use opencomputer_usage_core::usage::time_zone::TimeZone;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use opencomputer_usage_core::{Code, limits};

use crate::check::{NOW, rejected_with};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The length of the longest window, whose days may be those of a time zone.
#[allow(clippy::cast_possible_wrap, reason = "a few dozen days")]
const MOST_WINDOW: i64 = DAY * (limits::MAX_WINDOW_DAYS as i64 + 1);
/// 0001-01-01T00:00:00Z, the first instant.
pub(crate) const FIRST: i64 = -62_135_596_800_000_000;
/// The length of the years 0001 to 9999.
const YEARS: u64 = 315_537_897_600_000_000;

/// Two instants, separated by a slash.
pub fn timestamps(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (from, to) = text.split_once('/').unwrap_or((&text, ""));
    let (Some(from), Some(to)) = (timestamp(from), timestamp(to)) else { return };
    let codes = [Code::InvalidWindow, Code::WindowTooLarge];
    match Window::new(from, to) {
        Ok(window) => {
            assert_eq!((window.from(), window.to()), (from, to));
            assert!((1..=MOST_WINDOW - DAY).contains(&(to.micros() - from.micros())));
        }
        Err(error) => rejected_with(&codes, &error),
    }
    assert_eq!(Window::ending_at(to, Some(from)), Window::new(from, to));
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let read = Timestamp::read(text);
    assert_eq!(Timestamp::is_timestamp(text), read.is_some());
    match text.parse::<Timestamp>() {
        Ok(parsed) => {
            assert_eq!(read, Some(parsed));
            let default = Window::ending_at(parsed, None).expect("a window can end here");
            assert_eq!(default.to(), parsed);
        }
        Err(error) => rejected_with(&[Code::InvalidTimestamp], &error),
    }
    let written = read?.to_string();
    assert!(matches!(written.len(), 20 | 27) && written.ends_with('Z'), "{written}");
    assert_eq!(Timestamp::read(&written), read);
    assert_eq!(Timestamp::from_micros(read?.micros()), read);
    let json = serde_json::to_string(&read).expect("it is written");
    assert_eq!(serde_json::from_str::<Timestamp>(&json).ok(), read);
    read
}

/// A window in a time zone: an interval, the number of a zone, the start and the length.
pub fn grids(data: &[u8]) {
    let Some((head, _)) = data.split_first_chunk::<19>() else { return };
    let number =
        |bytes: RangeInclusive<usize>| head[bytes].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let interval = Interval::ALL[usize::from(head[0]) % Interval::ALL.len()];
    let zone = TZ_VARIANTS[usize::try_from(number(1..=2)).expect("it is small") % TZ_VARIANTS.len()];
    let from = FIRST + i64::try_from(number(3..=10) % YEARS).expect("it fits");
    // Splitting a long window into minutes takes most of a second with a fuzzer's checks.
    let longest = if interval == Interval::Minute { 2 * DAY } else { MOST_WINDOW };
    let length = i64::try_from(number(11..=18) % longest.unsigned_abs()).expect("it fits") + 1;
    let Ok(window) = Window::new(Timestamp::nearest(from), Timestamp::nearest(from + length)) else { return };
    let name: TimeZone = zone.name().parse().expect("it is in the database");
    let buckets = Buckets::new(window, interval, name).expect("the database has the zone");
    let grid = Grid { window, as_of: *NOW, rule: Rule::default(), buckets: Some(buckets) };
    buckets_cover(&grid);
    if let Some(buckets) = &grid.buckets {
        edges_are_those_of_the_calendar(buckets, zone);
    }
}

/// Checks that buckets are contiguous, cover the window and have the length of their interval.
pub(crate) fn buckets_cover(grid: &Grid) {
    let (from, to) = (grid.window.from().micros(), grid.window.to().micros());
    assert!((1..=MOST_WINDOW).contains(&(to - from)));
    let Some(buckets) = &grid.buckets else { return };
    let edges = buckets.edges();
    assert_eq!((edges.first(), edges.last()), (Some(&from), Some(&to)));
    assert!(edges.is_sorted_by(|one, next| one < next));
    assert_eq!((buckets.len() + 1, buckets.iter().count()), (edges.len(), buckets.len()));
    let lengths = match buckets.interval() {
        Interval::Minute => 1..=HOUR / 60,
        Interval::Hour => 1..=HOUR,
        // A day may be short where clocks change, and may contain a day that the zone repeats.
        Interval::Day => HOUR..=2 * DAY,
        Interval::Week => 5 * DAY..=9 * DAY,
        Interval::Month => 27 * DAY..=33 * DAY,
    };
    for (index, bucket) in buckets.iter().enumerate() {
        let (start, end) = (bucket.from.micros(), bucket.to.micros());
        assert_eq!([start, end], edges[index..=index + 1]);
        assert_eq!((buckets.position(start), buckets.position(end - 1)), (index, index));
        assert!(end - start <= *lengths.end(), "{bucket:?}");
        assert!(bucket.partial || lengths.contains(&(end - start)), "{bucket:?}");
        assert!(!bucket.partial || index == 0 || index + 1 == buckets.len());
    }
}

/// Checks that every bucket of whole days begins where its unit does, and ends before the next one.
fn edges_are_those_of_the_calendar(buckets: &Buckets, zone: Tz) {
    let unit = |micros: i64| {
        let instant = DateTime::from_timestamp_micros(micros).expect("it is in range").naive_utc();
        first_day(buckets.interval(), zone.from_utc_datetime(&instant).date_naive())
    };
    if matches!(buckets.interval(), Interval::Minute | Interval::Hour) {
        return;
    }
    for bucket in buckets.iter().filter(|bucket| !bucket.partial) {
        let (start, end) = (bucket.from.micros(), bucket.to.micros());
        assert!(unit(start - 1) < unit(start), "{bucket:?} {zone}");
        assert_eq!(unit(start), unit(end - 1), "{bucket:?} {zone}");
    }
}

fn first_day(interval: Interval, day: NaiveDate) -> Option<NaiveDate> {
    match interval {
        Interval::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
        Interval::Month => day.with_day(1),
        _ => Some(day),
    }
}
