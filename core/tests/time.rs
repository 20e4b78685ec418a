//! Properties of grids, series and drilldowns.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic; clippy sees only its outermost function"
)]

use std::collections::BTreeMap;

use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::cursor::Cursor;
use opencomputer_usage_core::query::{DrilldownQuery, Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::interval::Interval;
use opencomputer_usage_core::usage::page::Part;
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::series::SeriesBuilder;
use opencomputer_usage_core::usage::time_zone::TimeZone;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;
/// The earliest and the latest instant of a window.
const YEARS: std::ops::Range<i64> = -62_133_004_800_000_000..253_402_300_800_000_000;

fn zones() -> impl Strategy<Value = TimeZone> {
    let names = [
        "UTC",
        "America/Chicago",
        "Europe/Paris",
        "America/New_York",
        "Asia/Amman",
        "Africa/Cairo",
        "America/Havana",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "America/St_Johns",
        "America/Toronto",
        "America/Juneau",
        "Asia/Manila",
        "Africa/Monrovia",
    ];
    prop::sample::select(names.to_vec()).prop_map(|name| name.parse().unwrap())
}

/// Generates windows around the changes of clocks since 1840, and anywhere.
fn windows(max: i64) -> impl Strategy<Value = Window> {
    let start = prop_oneof![4 => -4_102_444_800_000_000i64..4_102_444_800_000_000, 1 => YEARS];
    (start, any::<bool>(), 1..=max).prop_map(|(start, whole, length)| {
        let start = if whole { start - start.rem_euclid(60 * MINUTE) } else { start };
        let from = start.clamp(YEARS.start, YEARS.end - 1 - length);
        Window::new(at(from), at(from + length)).unwrap()
    })
}

fn intervals() -> impl Strategy<Value = Interval> {
    prop::sample::select(Interval::ALL.to_vec())
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Memory, disk, start and end relative to the window.
type Event = (u32, u32, i64, Option<i64>);

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u32..1 << 31, 0u32..1 << 31, -2 * DAY..6 * DAY, prop::option::of(0..4 * DAY));
    vec(
        event.prop_map(|(memory, disk, start, length)| (memory, disk, start, length.map(|length| start + length))),
        0..20,
    )
}

fn rules() -> impl Strategy<Value = Rule> {
    prop::sample::select(vec![Rule::V1, Rule::Clipped])
}

fn query(text: &str, now: Timestamp) -> UsageQuery {
    UsageQuery::parse(&Parameters::decode(text), Some(now)).unwrap()
}

/// Returns the cursor of the plan's second page.
fn second_page(plan: &Plan) -> String {
    let part = |name: &str| Part {
        key: vec![Some(name.to_owned())],
        sandboxes: 1,
        usage: Usage { memory: 1, disk_overage: 1 },
    };
    plan.page([part("sb-1"), part("sb-2")]).next_cursor.unwrap()
}

proptest! {
    #[test]
    fn buckets_are_contiguous_and_cover_the_window(
        window in windows(3 * DAY),
        interval in intervals(),
        zone in zones(),
    ) {
        let buckets = Buckets::new(window, interval, zone).unwrap();
        let all: Vec<_> = buckets.iter().collect();
        prop_assert_eq!(all.len(), buckets.len());
        prop_assert_eq!((all[0].from, all[all.len() - 1].to), (window.from(), window.to()));
        for (index, bucket) in all.iter().enumerate() {
            prop_assert!(bucket.from < bucket.to);
            prop_assert_eq!(buckets.position(bucket.from.micros()), index);
            prop_assert_eq!(buckets.position(bucket.to.micros() - 1), index);
            prop_assert!(index == 0 || all[index - 1].to == bucket.from);
            prop_assert!(!bucket.partial || index == 0 || index + 1 == all.len());
        }
        prop_assert_eq!((buckets.position(i64::MIN), buckets.position(i64::MAX)), (0, all.len() - 1));
    }

    #[test]
    fn the_calendar_does_not_depend_on_the_window(
        window in windows(60 * DAY),
        cut in any::<prop::sample::Index>(),
        interval in prop::sample::select(vec![Interval::Hour, Interval::Day, Interval::Week, Interval::Month]),
        zone in zones(),
    ) {
        let (from, to) = (window.from().micros(), window.to().micros());
        prop_assume!(to - from > 1);
        let cut = from + 1 + i64::try_from(cut.index(usize::try_from(to - from - 1).unwrap())).unwrap();
        let whole = Buckets::new(window, interval, zone.clone()).unwrap();
        let first = Buckets::new(Window::new(at(from), at(cut)).unwrap(), interval, zone.clone()).unwrap();
        let second = Buckets::new(Window::new(at(cut), at(to)).unwrap(), interval, zone).unwrap();
        let mut edges: Vec<i64> = first.edges().iter().chain(second.edges()).copied().collect();
        edges.dedup();
        let is_edge = whole.edges().contains(&cut);
        edges.retain(|edge| *edge != cut || is_edge);
        prop_assert_eq!(&edges, whole.edges());
        prop_assert_eq!(first.iter().last().unwrap().partial, !is_edge || first.len() == 1 && whole.iter().next().unwrap().partial);
        prop_assert_eq!(second.iter().next().unwrap().partial, !is_edge || second.len() == 1 && whole.iter().last().unwrap().partial);
    }

    #[test]
    fn a_series_adds_up_to_the_usage_and_each_bucket_is_its_overlap(
        window in windows(3 * DAY),
        as_of in -DAY..6 * DAY,
        interval in intervals(),
        zone in zones(),
        events in events(),
        rule in rules(),
    ) {
        let from = window.from().micros();
        let grid = Grid {
            window,
            as_of: Timestamp::nearest(from + as_of),
            rule,
            buckets: Some(Buckets::new(window, interval, zone).unwrap()),
        };
        let buckets = grid.buckets.as_ref().unwrap();
        let (measure, last) = (grid.measure(), buckets.len() - 1);
        let mut total = Usage::default();
        let mut overlaps = vec![Usage::default(); buckets.len()];
        // The rows of a store: starts and ends by size and bucket, with their number and sum.
        let mut rows = BTreeMap::<(u32, u32, usize, bool), (u64, i128)>::new();
        for (memory_mb, disk_mb, start, end) in events {
            let (started_at, ended_at) = (from + start, end.map(|end| from + end));
            let Some(micros) = measure.billed_micros(started_at, ended_at) else { continue };
            total += Usage::of(memory_mb.into(), disk_mb.into(), micros.into());
            let start = started_at.max(measure.from);
            let end = start + i64::try_from(micros).unwrap();
            for (index, bucket) in buckets.iter().enumerate() {
                let to = if index == last { i64::MAX } else { bucket.to.micros() };
                let overlap = u64::try_from(end.min(to) - start.max(bucket.from.micros())).unwrap_or(0);
                overlaps[index] += Usage::of(memory_mb.into(), disk_mb.into(), overlap.into());
            }
            for (is_end, instant) in [(false, start), (true, end)] {
                let row = rows.entry((memory_mb, disk_mb, buckets.position(instant), is_end)).or_default();
                *row = (row.0 + 1, row.1 + i128::from(instant - from));
            }
        }
        let mut series = SeriesBuilder::new(buckets);
        for ((memory_mb, disk_mb, bucket, is_end), (events, sum)) in rows {
            if is_end {
                series.end(bucket, memory_mb.into(), disk_mb.into(), events, sum);
            } else {
                series.start(bucket, memory_mb.into(), disk_mb.into(), events, sum);
            }
        }
        let series = series.finish();
        prop_assert_eq!(&series, &overlaps);
        prop_assert_eq!(series.into_iter().sum::<Usage>(), total);
    }

    #[test]
    fn a_drilldown_has_the_same_totals_on_every_grid_and_its_points_add_up(
        window in windows(3 * DAY),
        as_of in -DAY..6 * DAY,
        interval in intervals(),
        zone in zones(),
        events in events(),
        samples in btree_map(-10i64..4_400, (0u64..1 << 40, 0u64..1 << 40), 0..60),
        rule in rules(),
    ) {
        let from = window.from().micros();
        let measured = |buckets| {
            let mut tally = Grid { window, as_of: Timestamp::nearest(from + as_of), rule, buckets }.tally();
            for (memory_mb, disk_mb, start, end) in &events {
                tally.add((*memory_mb).into(), (*disk_mb).into(), from + start, end.map(|end| from + end));
            }
            for (minute, (mean, above)) in &samples {
                tally.sample(from - from.rem_euclid(MINUTE) + minute * MINUTE, *mean, mean + above);
            }
            tally.finish()
        };
        let (totals, none) = measured(None);
        prop_assert!(none.is_empty());
        let buckets = Buckets::new(window, interval, zone).unwrap();
        let (split, points) = measured(Some(buckets.clone()));
        prop_assert_eq!(split, totals);
        prop_assert_eq!(points.len(), buckets.len());
        prop_assert_eq!(points.iter().map(|point| point.allocated).sum::<u128>(), totals.allocated);
        prop_assert_eq!(points.iter().map(|point| point.used).sum::<u128>(), totals.used);
        prop_assert_eq!(points.iter().map(|point| point.uptime_micros).sum::<u64>(), totals.uptime_micros);
        prop_assert_eq!(points.iter().map(|point| point.used_peak).max().unwrap(), totals.used_peak);
        for (point, bucket) in points.iter().zip(buckets.iter()) {
            prop_assert_eq!(point.start, bucket.from);
            prop_assert!(point.uptime_micros <= point.length_micros);
            prop_assert!(point.allocated_mb() <= events.iter().map(|event| u64::from(event.0)).sum());
            prop_assert!(point.used_mb() <= point.used_peak_mb());
        }
    }

    #[test]
    fn queries_over_any_time_never_panic(
        from in "([0-9]{4}|0001|9999)-(01|06|12)-(01|30|31)(T00:00:00Z)?",
        to in prop::option::of("([0-9]{4}|0001|9999)-(01|06|12)-(01|30|31)(T23:59:59Z)?"),
        interval in prop::option::of(intervals()),
        zone in zones(),
        now in YEARS,
    ) {
        let to = to.map_or(String::new(), |to| format!("&to={to}"));
        let interval = interval.map_or(String::new(), |interval| format!("&interval={interval}"));
        let text = format!("from={from}{to}&timezone={zone}{interval}");
        let _ = DrilldownQuery::parse(&Parameters::decode(&text), Some(at(now)))
            .and_then(|query| query.grid(at(now), Rule::Clipped));
    }

    #[test]
    fn a_walk_keeps_its_grid(
        first_day in 19_000i64..20_500,
        days in 56i64..=90,
        interval in prop::option::of(prop::sample::select(vec![Interval::Day, Interval::Week, Interval::Month])),
        zone in zones(),
        repeats_window in any::<bool>(),
    ) {
        let now = at(21_000 * DAY);
        let date = |day: i64| at(day * DAY).to_string().split_once('T').unwrap().0.to_owned();
        let interval = interval.map_or(String::new(), |interval| format!("&interval={interval}"));
        let base = format!("groupBy=sandbox&limit=1&timezone={zone}{interval}");
        let dates = format!("&from={}&to={}", date(first_day), date(first_day + days));
        let plan = query(&format!("{base}{dates}"), now).plan(now, Rule::Clipped).unwrap();
        let dates = if repeats_window { dates.as_str() } else { "" };
        let next = query(&format!("{base}{dates}&cursor={}", second_page(&plan)), at(21_001 * DAY));
        prop_assert_eq!(next.plan(at(21_001 * DAY), Rule::Clipped).unwrap().grid, plan.grid);
    }
}

#[test]
fn a_cursor_belongs_to_one_interval_and_time_zone() {
    let now = at(20_500 * DAY);
    let plan = |text: &str| query(text, now).plan(now, Rule::Clipped);
    let base = "groupBy=sandbox&limit=1";
    for (asked, other) in [
        ("", "&interval=1d"),
        ("&interval=1d", ""),
        ("&interval=1d", "&interval=1w"),
        ("&interval=1d", "&interval=1d&timezone=UTC"),
        ("&timezone=Europe/Paris", "&timezone=Africa/Cairo"),
        ("", "&timezone=UTC"),
    ] {
        let cursor = second_page(&plan(&format!("{base}{asked}")).unwrap());
        assert!(plan(&format!("{base}{asked}&cursor={cursor}")).is_ok());
        let error = plan(&format!("{base}{other}&cursor={cursor}")).unwrap_err();
        assert_eq!(error.code, Code::InvalidCursor, "{asked} and {other}: {error}");
    }
}

/// Returns a cursor with the ends of its window moved.
fn moved(cursor: &str, from: i64, to: i64) -> String {
    let window = Cursor::decode(cursor).unwrap().walk.unwrap().window;
    let json = String::from_utf8(base64_decode(cursor)).unwrap();
    let moved = |json: String, (end, shift): (Timestamp, i64)| {
        json.replace(&end.micros().to_string(), &(end.micros() + shift).to_string())
    };
    base64_encode(&[(window.from(), from), (window.to(), to)].into_iter().fold(json, moved))
}

#[test]
fn a_cursor_pins_a_longer_window_only_if_it_is_of_at_most_90_whole_days() {
    let now = at(20_500 * DAY);
    let base = "groupBy=sandbox&limit=1&timezone=America/New_York";
    let cursor = |dates: &str| second_page(&query(&format!("{base}{dates}"), now).plan(now, Rule::Clipped).unwrap());
    let plan = |cursor: String| query(&format!("{base}&cursor={cursor}"), now).plan(now, Rule::Clipped);
    let longer = cursor("&from=2024-10-01&to=2024-12-30");
    assert_eq!(plan(longer.clone()).unwrap().grid.window.to().to_string(), "2024-12-30T05:00:00Z");
    let winter = cursor("&from=2024-11-10&to=2025-02-08");
    assert!(plan(moved(&winter, DAY, DAY)).is_ok());
    // Ends that start no day, and 91 days.
    for cursor in [moved(&longer, 1, 1), moved(&longer, 60 * MINUTE, 60 * MINUTE), moved(&winter, 0, DAY)] {
        let error = plan(cursor).unwrap_err();
        assert_eq!(error.code, Code::InvalidCursor, "{error}");
    }
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn base64_encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn drilldowns_have_at_most_30_days_of_minutes() {
    let now = at(20_500 * DAY);
    let grid = |from: &str, to: &str| {
        let text = format!("from={from}&to={to}&interval=1m");
        DrilldownQuery::parse(&Parameters::decode(&text), Some(now)).unwrap().grid(now, Rule::Clipped)
    };
    let unaligned = grid("2026-01-01T00:00:30Z", "2026-01-31T00:00:30Z").unwrap();
    assert_eq!(unaligned.buckets.unwrap().len(), 43_201);
    let error = grid("2026-01-01T00:00:30Z", "2026-01-31T00:01:01Z").unwrap_err();
    assert_eq!(error.code, Code::TooManyBuckets);
    assert!(error.to_string().contains("43202") && error.to_string().contains("43201"), "{error}");
}
