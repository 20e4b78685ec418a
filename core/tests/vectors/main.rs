//! Runs every suite of `tests/vectors` against the core.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic; clippy sees only its outermost function"
)]

mod client;
mod time;

use opencomputer_usage_core::client::ClientError;
use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::host::json::ToJson;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::cursor::shortest;
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::accounting::{Measure, Usage};
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use opencomputer_usage_core::wire::SandboxUsageTotals;
use opencomputer_usage_core::{Code, Error, etag, tags};
use opencomputer_usage_vectors::{Case, is_broken, load, same, to_pairs, to_raw};
use serde_json::{Value, json};

/// Runs every case of a suite, and fails with a list of all failures.
fn walk(suite: &str, check: impl Fn(&Case) -> Result<(), String>) {
    let cases = load(suite);
    let faults: Vec<_> =
        cases.iter().filter_map(|case| check(case).err().map(|fault| format!("{}: {fault}", case.name()))).collect();
    assert!(faults.is_empty(), "{suite}: {} of {} fail\n{}", faults.len(), cases.len(), faults.join("\n"));
    println!("{suite}: {} cases hold", cases.len());
}

fn member(case: &Case, name: &str) -> Raw {
    case.get(name).map_or(Raw::Undefined, to_raw)
}

fn equal(got: &Value, wanted: &Value) -> Result<(), String> {
    if same(got, wanted) { Ok(()) } else { Err(format!("got {got}, wanted {wanted}")) }
}

/// Returns the JSON that hosts receive.
fn told(value: &impl ToJson) -> Value {
    serde_json::from_str(&value.to_json()).unwrap()
}

/// Compares a result with the case's `error`, or its member `wanted`.
fn outcome<T: ToJson>(result: Result<T, ClientError>, case: &Case, wanted: &str) -> Result<(), String> {
    expect(result.map(|value| told(&value)), case.get("error"), case.get(wanted).unwrap_or(&Value::Null))
}

fn expect(result: Result<Value, ClientError>, error: Option<&Value>, wanted: &Value) -> Result<(), String> {
    match (result, error) {
        (Ok(got), None) => equal(&got, wanted),
        (Ok(got), Some(error)) => Err(format!("got {got}, wanted error {error}")),
        (Err(got), None) => Err(format!("got error {got:?}, wanted {wanted}")),
        (Err(got), Some(error)) => {
            let got = told(&got);
            let wanted = error.as_object().ok_or("`error` is no object")?;
            wanted.iter().try_for_each(|(name, wanted)| {
                equal(&got[name], wanted).map_err(|fault| format!("error.{name}: {fault} in {got}"))
            })
        }
    }
}

fn refused<T>(result: Result<T, Error>) -> Result<T, ClientError> {
    result.map_err(ClientError::from)
}

#[test]
fn reports_every_violation_of_tags_in_order() {
    walk("tags", |case| {
        let raw = member(case, "tags");
        let result = functions::validate_tags(&raw);
        if let (Ok(violations), false) = (&result, is_broken(&case.0["tags"])) {
            let accepted = to_pairs(&raw).is_some_and(tags::accepts);
            if accepted != violations.is_empty() {
                return Err(format!("the short verdict is {accepted}"));
            }
        }
        outcome(refused(result), case, "violations")
    });
}

#[test]
fn validates_a_single_tag_key_like_one_in_a_map() {
    walk("tag-key", |case| outcome(refused(functions::validate_tag_key(&member(case, "key"))), case, "violations"));
}

#[test]
fn validates_a_single_tag_value_like_one_in_a_map() {
    walk("tag-value", |case| outcome(Ok(functions::validate_tag_value(&member(case, "value"))), case, "violations"));
}

#[test]
fn parses_and_formats_group_by() {
    walk("group-by", |case| {
        let parsed = functions::parse_group_by(&member(case, "groupBy"));
        if let Ok(parsed) = &parsed {
            let written = functions::format_group_by(&to_raw(&told(parsed)));
            equal(&json!(written.map_err(|error| error.to_string())?), &case.0["groupBy"])?;
        }
        outcome(refused(parsed), case, "result")
    });
}

#[test]
fn parses_filters() {
    walk("filter-parse", |case| outcome(refused(functions::parse_filter(&member(case, "raw"))), case, "values"));
}

#[test]
fn formats_filters() {
    walk("filter-format", |case| outcome(refused(functions::format_filter(&member(case, "values"))), case, "raw"));
}

#[test]
fn encodes_and_decodes_cursors() {
    walk("cursors", |case| {
        if case.get("encoded").is_some() {
            outcome(refused(functions::decode_cursor(&member(case, "encoded"))), case, "cursor")?;
        }
        if case.get("cursor").is_some() && case.get("decodeOnly").is_none() {
            outcome(refused(functions::encode_cursor(&member(case, "cursor"), shortest)), case, "encoded")?;
        }
        Ok(())
    });
}

#[test]
fn computes_and_matches_entity_tags() {
    walk("etag", |case| {
        if let Some(if_match) = case.text("ifMatch") {
            let matches = etag::matches(if_match, case.text("current").unwrap());
            return equal(&json!(matches), &case.0["matches"]);
        }
        let tags = TagSet::parse(&member(case, "tags")).map_err(|error| error.to_string())?;
        equal(&json!(etag::etag(&tags)), &case.0["etag"])
    });
}

#[test]
fn parses_queries_of_urls() {
    walk("queries", |case| {
        let now = case.text("now").unwrap_or("2026-11-23T12:00:00Z").parse::<Timestamp>().unwrap();
        let parse = || {
            let query = UsageQuery::parse(&Parameters::decode(case.text("query").unwrap()), Some(now))?;
            let plan = query.plan(now, opencomputer_usage_core::usage::accounting::Rule::default())?;
            let again = UsageQuery::parse(&Parameters::decode(query.encode()), Some(now))?;
            assert_eq!(query, again, "writing and parsing again gives the same query");
            Ok(json!({
                "groupBy": query.group_by.to_string(),
                "from": plan.grid.window.from(),
                "to": plan.grid.window.to(),
                "sort": query.sort.as_str(),
                "limit": query.limit.get(),
                "interval": plan.grid.buckets.as_ref().map(|buckets| buckets.interval().as_str()),
                "timezone": plan.grid.buckets.as_ref().map(|buckets| buckets.time_zone().as_str()),
                "buckets": plan.grid.buckets.as_ref().map(Buckets::len),
            }))
        };
        let mut result = refused(parse());
        if let (Ok(Value::Object(got)), Some(Value::Object(wanted))) = (&mut result, case.get("result")) {
            got.retain(|name, _| wanted.contains_key(name));
        }
        expect(result, case.get("error"), case.get("result").unwrap_or(&Value::Null))
    });
}

#[test]
fn sums_usage_exactly() {
    walk("accounting", |case| {
        let instant = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
        let at = |name| instant(&case.0[name]).unwrap();
        let rule = case.text("rule").unwrap().parse().unwrap();
        let measure = Measure::new(rule, Window::new(at("from"), at("to")).unwrap(), at("asOf"));
        let (mut sum, mut rows) = (Usage::default(), 0);
        for event in case.0["events"].as_array().unwrap() {
            let ended_at = instant(&event["endedAt"]).map(Timestamp::micros);
            let micros = measure.billed_micros(instant(&event["startedAt"]).unwrap().micros(), ended_at);
            let size = |name: &str| event[name].as_u64().unwrap();
            rows += usize::from(micros.is_some());
            sum += Usage::of(size("memoryMb"), size("diskMb"), micros.unwrap_or_default().into());
        }
        let got = json!({
            "memory": sum.memory.to_string(),
            "diskOverage": sum.disk_overage.to_string(),
            "memoryGbSeconds": sum.memory_gb_seconds(),
            "diskOverageGbSeconds": sum.disk_overage_gb_seconds(),
            "rows": rows,
        });
        let mut wanted = case.0.clone();
        wanted.as_object_mut().unwrap().retain(|name, _| got.get(name).is_some());
        equal(&got, &wanted)
    });
}

#[test]
fn adds_up_the_events_of_a_sandbox() {
    walk("drilldown", |case| {
        let instant = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
        let at = |name| instant(&case.0[name]).unwrap();
        let window = Window::new(at("from"), at("to")).unwrap();
        let rule = case.text("rule").unwrap().parse().unwrap();
        let mut tally = Grid { window, as_of: at("asOf"), rule, buckets: None }.tally();
        for event in case.0["events"].as_array().unwrap() {
            let size = |name: &str| event[name].as_u64().unwrap();
            let started_at = instant(&event["startedAt"]).unwrap().micros();
            let ended_at = instant(&event["endedAt"]).map(Timestamp::micros);
            tally.add(size("memoryMb"), size("diskMb"), started_at, ended_at);
        }
        let (totals, _) = tally.finish();
        let got = json!({
            "memory": totals.usage.memory.to_string(),
            "diskOverage": totals.usage.disk_overage.to_string(),
            "memoryGbSeconds": totals.usage.memory_gb_seconds(),
            "diskOverageGbSeconds": totals.usage.disk_overage_gb_seconds(),
            "allocated": totals.allocated.to_string(),
            "totals": SandboxUsageTotals::from(totals),
        });
        let mut wanted = case.0.clone();
        wanted.as_object_mut().unwrap().retain(|name, _| got.get(name).is_some());
        equal(&got, &wanted)
    });
}

#[test]
fn every_error_code_has_a_vector() {
    let suites = [
        "tags",
        "group-by",
        "filter-parse",
        "filter-format",
        "requests",
        "queries",
        "cursors",
        "responses",
        "retries",
        "http",
    ];
    let cases: Vec<_> = suites.into_iter().flat_map(load).collect();
    let has = |code: &str| {
        cases.iter().any(|case| {
            let places = [&case.0["error"]["code"], &case.0["response"]["code"], &case.0["outcome"]["error"]["code"]];
            places.into_iter().any(|place| place.as_str() == Some(code))
        })
    };
    let missing: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !has(code)).collect();
    assert!(missing.is_empty(), "in no vector: {missing:?}");
}
