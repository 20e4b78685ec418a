//! Properties that hold for any input.
#![allow(clippy::unwrap_used, reason = "a test may panic; clippy sees only its outermost function")]

use std::collections::{BTreeMap, BTreeSet};

use opencomputer_usage_core::etag::{self, etag};
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::query::cursor::{Cursor, SortValue};
use opencomputer_usage_core::query::filter::{format_filter, parse_filter};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::tags::{TagSet, accepts, validate_tags};
use opencomputer_usage_core::usage::accounting::{Measure, Rule, Usage};
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::{Page, PageSeries, Part};
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use opencomputer_usage_core::{Code, Error};
use opencomputer_usage_vectors::to_pairs;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// Generates code points of any kind: letters of the key set, other characters, controls, lone surrogates.
fn text() -> impl Strategy<Value = Text> {
    let point = prop_oneof![8 => 0x2du32..0x7b, 1 => 0u32..0x80, 1 => 0xd7f0u32..0xe010, 1 => 0u32..0x11_0000];
    let words = vec(point, 0..8).prop_map(Text::from_code_points);
    let long = (120usize..260, "[a-zé]").prop_map(|(count, letter)| Text::from(letter.repeat(count).as_str()));
    let reserved = "oc:[a-z]{0,3}".prop_map(|key| Text::from(key.as_str()));
    prop_oneof![6 => words, 1 => long, 1 => reserved]
}

fn value() -> impl Strategy<Value = Raw> {
    let odd =
        vec![Raw::Null, Raw::Undefined, Raw::Bool(true), Raw::Number(1.0), Raw::List(vec![]), Raw::Other("a function")];
    prop_oneof![8 => text().prop_map(Raw::Text), 1 => prop::sample::select(odd)]
}

fn entries() -> impl Strategy<Value = Vec<(Text, Raw)>> {
    vec((text(), value()), 0..60).prop_map(|entries| {
        let mut seen = BTreeSet::new();
        entries.into_iter().filter(|(key, _)| seen.insert(key.code_points())).collect()
    })
}

/// A naive implementation of the rules in section 2 of the contract.
fn naive(entries: &[(Text, Raw)]) -> Vec<(&'static str, Option<String>)> {
    let mut found = Vec::new();
    if entries.len() > 50 {
        found.push(("too_many_tags", None));
    }
    let by_points: BTreeMap<Vec<u32>, &Raw> = entries.iter().map(|(key, value)| (key.code_points(), value)).collect();
    for (key, value) in by_points {
        let shown: String = key.iter().map(|&point| char::from_u32(point).unwrap_or('\u{fffd}')).collect();
        let allowed =
            |&point: &u32| char::from_u32(point).is_some_and(|c| c.is_ascii_alphanumeric() || "_.-:".contains(c));
        let mut say = |code, broken: bool| {
            if broken {
                found.push((code, Some(shown.clone())));
            }
        };
        say("key_empty", key.is_empty());
        say("key_too_long", key.len() > 128);
        say("key_invalid_characters", !key.iter().all(allowed));
        say("key_reserved_prefix", shown.starts_with("oc:"));
        let points: Option<Vec<u32>> = match value {
            Raw::Text(text) => Some(text.code_points()),
            _ => None,
        };
        say("value_not_string", points.is_none());
        let points = points.unwrap_or_default();
        say("value_too_long", points.len() > 256);
        say("value_not_unicode", points.iter().any(|point| (0xd800..0xe000).contains(point)));
        say("value_contains_nul", points.contains(&0));
    }
    found
}

/// Checks that an error has one of the codes.
fn prop_assert_code<T>(result: Result<T, Error>, codes: &[Code]) -> Result<(), TestCaseError> {
    if let Err(error) = result {
        prop_assert!(codes.contains(&error.code), "{:?}: {error}", error.code);
        prop_assert!(!error.message.is_empty());
    }
    Ok(())
}

fn pairs(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

proptest! {
    #[test]
    fn validation_agrees_with_a_naive_reading_of_the_rules(entries in entries()) {
        let tags = Raw::Map(entries.clone());
        let violations = validate_tags(&tags).unwrap();
        let got: Vec<_> = violations.iter().map(|v| (v.code.as_str(), v.key.clone())).collect();
        prop_assert_eq!(got, naive(&entries));

        prop_assert_eq!(to_pairs(&tags).is_some_and(accepts), violations.is_empty());
    }

    #[test]
    fn a_tag_set_reads_back_from_its_own_json_with_the_same_etag(
        tags in btree_map("[a-z:.-]{1,8}".prop_filter("reserved", |key| !key.starts_with("oc:")), "\\PC{0,9}", 0..9)
    ) {
        let set = TagSet::from_json(&serde_json::to_vec(&tags).unwrap()).unwrap();
        prop_assert!(set.iter().eq(pairs(&tags)));
        prop_assert!(etag::matches(&etag(&set), &etag(&set)));
        let mut other = tags;
        other.insert("another".to_owned(), String::new());
        prop_assert_ne!(etag(&TagSet::user_part(pairs(&other))), etag(&set));
    }

    #[test]
    fn a_body_of_any_bytes_is_parsed_or_rejected_with_a_code_of_bodies(body in vec(any::<u8>(), 0..64)) {
        prop_assert_code(TagSet::from_json(&body), &[Code::InvalidBody, Code::InvalidTags])?;
    }

    #[test]
    fn a_body_that_is_almost_tags_is_parsed_or_rejected_with_a_code_of_bodies(
        body in "\\{(\"[a-c:]{0,2}\":(\"[a-c]{0,2}\"|null|1|\\[\\]),?){0,3}\\}?"
    ) {
        prop_assert_code(TagSet::from_json(body.as_bytes()), &[Code::InvalidBody, Code::InvalidTags])?;
    }

    #[test]
    fn quoting_round_trips_any_list_of_values(values in vec("[\\PC \t\n,\"]{0,12}", 1..9)) {
        let mut seen = BTreeSet::new();
        let distinct: Vec<_> = values.iter().filter(|value| seen.insert(*value)).cloned().collect();
        let raw = format_filter(Some(values)).unwrap();
        prop_assert_eq!(parse_filter(&raw).unwrap(), Some(distinct));
    }

    #[test]
    fn a_filter_of_any_text_is_parsed_or_rejected_as_a_filter(raw in "[a ,\"\u{3000}]{0,12}") {
        let parsed = parse_filter(&raw);
        if let Ok(values) = &parsed {
            prop_assert_eq!(&parse_filter(&format_filter(values.clone()).unwrap()).unwrap(), values);
        }
        prop_assert_code(parsed, &[Code::InvalidFilter])?;
    }

    #[test]
    fn a_cursor_of_any_bytes_is_parsed_or_rejected_as_a_cursor(bytes in vec(any::<u8>(), 0..64), text in "\\PC{0,40}") {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_code(Cursor::decode(&encoded), &[Code::InvalidCursor])?;
        prop_assert_code(Cursor::decode(&text), &[Code::InvalidCursor])?;
    }

    #[test]
    fn a_cursor_round_trips(value in any::<f64>().prop_filter("finite", |value| value.is_finite()), tie in "\\PC{0,9}") {
        let cursor = Cursor { value: SortValue::new(value).unwrap(), tie, walk: None };
        prop_assert_eq!(cursor.value.get().to_bits(), value.to_bits());
        prop_assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
    }

    #[test]
    fn is_timestamp_agrees_with_read(
        text in "(0000|[0-9]{4})-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9][.:][0-9]{6}[Zz]"
    ) {
        prop_assert_eq!(Timestamp::is_timestamp(&text), Timestamp::read(&text).is_some());
    }

    #[test]
    fn a_timestamp_round_trips(micros in -62_133_004_800_000_000i64..253_402_300_800_000_000) {
        let timestamp = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
    }

    #[test]
    fn a_query_of_any_text_is_parsed_or_rejected_with_a_code_of_queries(query in "[ -~&=%+]{0,60}") {
        prop_assert_code(UsageQuery::parse(&Parameters::decode(query), None), Endpoint::GetUsage.codes())?;
    }

    #[test]
    fn a_query_of_known_parameters_is_parsed_or_rejected_with_a_code_of_queries(
        pairs in vec(("(groupBy|from|to|sort|limit|cursor|filter\\[tag:a\\]|x)", "[ -%'-~]{0,12}|tag:a|1|2026-01-01"), 0..5)
    ) {
        let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let parsed = UsageQuery::parse(&Parameters::decode(query.join("&")), None);
        prop_assert_code(parsed, Endpoint::GetUsage.codes())?;
    }

    #[test]
    fn writing_and_parsing_again_gives_the_same_query(
        key in prop::option::of("[A-Za-z0-9_.:-]{1,12}"),
        filters in btree_map("[a-z:]{1,3}", prop::option::of(btree_set("[\\PC,\" ]{0,6}", 1..4)), 0..5),
        sort in prop::sample::select(vec![None, Some("-memoryGbSeconds"), Some("-diskOverageGbSeconds")]),
        limit in prop::option::of(1u32..=500),
        from in prop::option::of(0i64..1_000_000_000_000_000),
        length in prop::option::of(1i64..=7_776_000_000_000),
    ) {
        let option = |name: &str, value: Option<Raw>| value.map(|value| (Text::from(name), value));
        let time = |micros: i64| Raw::from(Timestamp::from_micros(micros).unwrap().to_string().as_str());
        let values = |values: BTreeSet<String>| Raw::List(values.iter().map(|value| value.as_str().into()).collect());
        let filters = filters.into_iter().map(|(key, list)| {
            (Text::from(format!("tag:{key}").as_str()), list.map_or(Raw::Null, values))
        });
        let options = [
            option("filter", Some(Raw::Map(filters.collect()))),
            option("sort", sort.map(Raw::from)),
            option("limit", limit.map(|limit| Raw::Number(limit.into()))),
            option("from", from.map(time)),
            option("to", from.zip(length).map(|(from, length)| time(from + length))),
        ];
        let group_by = key.map_or("sandbox".to_owned(), |key| format!("tag:{key}"));
        let parameters = Parameters::from_options(options.into_iter().flatten().collect()).grouped_by(Ok(group_by));
        let query = UsageQuery::parse(&parameters, None).unwrap();
        prop_assert_eq!(UsageQuery::parse(&Parameters::decode(query.encode()), None).unwrap(), query);
    }
}

const FROM: i64 = 1_700_000_000_000_000;
const TO: i64 = FROM + 1_000;

/// One event: sandbox, team of that sandbox, sizes, start and perhaps an end.
#[derive(Clone, Debug)]
struct Event {
    sandbox: u8,
    memory_mb: u64,
    disk_mb: u64,
    started_at: i64,
    ended_at: Option<i64>,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u8..9, 0u64..1 << 31, 0u64..1 << 31, -500i64..1_500, prop::option::of(0i64..1_500)).prop_map(
        |(sandbox, memory_mb, disk_mb, start, length)| Event {
            sandbox,
            memory_mb,
            disk_mb,
            started_at: FROM + start,
            ended_at: length.map(|length| FROM + start + length),
        },
    );
    vec(event, 0..40)
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Returns the usage of each sandbox that counts.
fn sums(events: &[Event], measure: &Measure) -> BTreeMap<u8, Usage> {
    let mut by_sandbox = BTreeMap::<u8, Usage>::new();
    for event in events {
        if let Some(micros) = measure.billed_micros(event.started_at, event.ended_at) {
            *by_sandbox.entry(event.sandbox).or_default() += Usage::of(event.memory_mb, event.disk_mb, micros.into());
        }
    }
    by_sandbox
}

/// Returns a sandbox's value of a dimension. Some lack a dimension, some have an empty tag.
fn value_of(dimension: &Dimension, sandbox: u8) -> Option<String> {
    match dimension {
        Dimension::Sandbox => Some(format!("sb-{sandbox}")),
        Dimension::Tag(_) if sandbox == 8 => Some(String::new()),
        Dimension::Tag(_) => (sandbox > 2).then(|| format!("team-{}", sandbox % 3)),
        _ => (!sandbox.is_multiple_of(4)).then(|| format!("r\"{},", sandbox % 2)),
    }
}

proptest! {
    #[test]
    fn pages_show_every_group_once_and_add_up_to_the_total(
        events in events(),
        as_of in FROM - 100..TO + 100,
        rule in prop::sample::select(vec![Rule::V1, Rule::Clipped]),
        group_by in prop::sample::select(vec!["sandbox", "tag:team", "region", "tag:team,region", "status,region,tag:a"]),
        sort in prop::sample::select(vec!["", "&sort=-diskOverageGbSeconds"]),
        limit in 1usize..4,
    ) {
        let base = format!("groupBy={group_by}&from={}&to={}&limit={limit}{sort}", at(FROM), at(TO));
        let mut query = UsageQuery::parse(&Parameters::decode(&base), Some(at(as_of))).unwrap();
        let measure = query.plan(at(as_of), rule).unwrap().grid.measure();
        let sums = sums(&events, &measure);
        let billing_rollup: Usage = sums.values().copied().sum();
        let dimensions = query.group_by.dimensions().to_vec();
        let key = |sandbox: u8| dimensions.iter().map(|dimension| value_of(dimension, sandbox)).collect::<Vec<_>>();
        let (mut parts, mut names) = (Usage::default(), Vec::new());
        let untagged = loop {
            // Time passes between pages, but the cursor contains the first page's instant.
            let plan = query.plan(at(as_of + 10), rule).unwrap();
            let plan = if names.is_empty() { query.plan(at(as_of), rule).unwrap() } else { plan };
            prop_assert_eq!(plan.grid.measure(), measure);
            let part = |id: &u8, usage: Usage| Part { key: key(*id), sandboxes: 1, usage };
            let page = plan.page(sums.iter().map(|(id, usage)| part(id, *usage)));
            prop_assert_eq!(page.total, billing_rollup);
            prop_assert!(page.items.len() <= limit);
            // The series of all groups yield the same page.
            let split = |usage: Usage| vec![Usage::default(), usage];
            let series_of = |page: &Page| PageSeries {
                total: split(page.total),
                untagged: split(page.untagged.usage),
                items: page.items.iter().map(|group| split(group.usage)).collect(),
            };
            let series = series_of(&plan.whole(sums.iter().map(|(id, usage)| part(id, *usage))));
            let whole = plan.whole(sums.keys().map(|id| part(id, Usage::default())));
            let wanted = Page { series: Some(series_of(&page)), ..page.clone() };
            prop_assert_eq!(plan.page_of_series(whole, series), wanted);
            parts += page.items.iter().map(|group| group.usage).sum();
            names.extend(page.items.iter().map(|group| group.key.clone()));
            let Some(cursor) = page.next_cursor else { break page.untagged.usage };
            let next = format!("{base}&cursor={cursor}");
            query = UsageQuery::parse(&Parameters::decode(next), Some(at(as_of + 10))).unwrap();
        };
        prop_assert_eq!(parts + untagged, billing_rollup);
        let distinct: BTreeSet<_> = names.iter().collect();
        prop_assert_eq!(distinct.len(), names.len());
        let keys = sums.keys().map(|sandbox| key(*sandbox));
        let wanted: BTreeSet<_> = keys.filter(|key| key.iter().any(Option::is_some)).collect();
        prop_assert_eq!(distinct.into_iter().cloned().collect::<BTreeSet<_>>(), wanted);
    }

    #[test]
    fn totals_of_a_sandbox_add_up_over_adjacent_windows_in_any_order_of_events(
        events in events(),
        shuffled in any::<prop::sample::Index>(),
        cut in FROM + 1..TO,
        as_of in FROM..TO + 900,
    ) {
        let tally = |events: &[Event], rule, from, to| {
            let window = Window::new(at(from), at(to)).unwrap();
            let mut tally = Grid { window, as_of: at(as_of), rule, buckets: None }.tally();
            for event in events {
                tally.add(event.memory_mb, event.disk_mb, event.started_at, event.ended_at);
            }
            tally.finish().0
        };
        let whole = tally(&events, Rule::Clipped, FROM, TO);
        let (first, second) = (tally(&events, Rule::Clipped, FROM, cut), tally(&events, Rule::Clipped, cut, TO));
        prop_assert_eq!(first.usage + second.usage, whole.usage);
        prop_assert_eq!(first.allocated + second.allocated, whole.allocated);
        prop_assert_eq!(first.uptime_micros + second.uptime_micros, whole.uptime_micros);
        prop_assert_eq!(first.peak_mb.max(second.peak_mb), whole.peak_mb);
        prop_assert_eq!(whole.allocated, whole.usage.memory);
        prop_assert!(i128::from(whole.uptime_micros) <= i128::from(TO - FROM));
        let v1 = tally(&events, Rule::V1, FROM, TO);
        prop_assert_eq!((v1.allocated, v1.uptime_micros, v1.peak_mb), (whole.allocated, whole.uptime_micros, whole.peak_mb));
        let mut others = events.clone();
        if !others.is_empty() {
            others.rotate_left(shuffled.index(events.len()));
            others.reverse();
        }
        prop_assert_eq!(tally(&others, Rule::Clipped, FROM, TO), whole);
    }

    #[test]
    fn adjacent_windows_add_up_under_the_clipped_rule(events in events(), cut in FROM + 1..TO, as_of in FROM..TO + 900) {
        let total = |from, to| {
            let measure = Measure::new(Rule::Clipped, Window::new(at(from), at(to)).unwrap(), at(as_of));
            sums(&events, &measure).values().copied().sum::<Usage>()
        };
        prop_assert_eq!(total(FROM, cut) + total(cut, TO), total(FROM, TO));
    }
}
