//! Walks every suite of `tests/vectors` through the core.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic; clippy sees only its outermost function"
)]

use std::fmt::Debug;

use opencomputer_usage_core::client::{
    self, Answer, Client, ClientError, Event, Exchange, Fault, JsonValue, Operation, Outcome, Step,
};
use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::host::json::ToJson;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::cursor::shortest;
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Measure, Tally, Usage};
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use opencomputer_usage_core::wire::SandboxUsageTotals;
use opencomputer_usage_core::{Code, Error, tags};
use opencomputer_usage_vectors::{Case, is_broken, load, same, to_pairs, to_raw};
use serde_json::{Value, json};

/// Runs every case of a suite and fails with all that do not hold.
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

/// What hosts are told.
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
fn tags_are_judged_with_every_violation_in_order() {
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
fn tag_keys_are_judged_alone_as_in_a_map() {
    walk("tag-key", |case| outcome(refused(functions::validate_tag_key(&member(case, "key"))), case, "violations"));
}

#[test]
fn tag_values_are_judged_alone_as_in_a_map() {
    walk("tag-value", |case| outcome(Ok(functions::validate_tag_value(&member(case, "value"))), case, "violations"));
}

#[test]
fn group_by_is_read_and_written() {
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
fn filters_are_read() {
    walk("filter-parse", |case| outcome(refused(functions::parse_filter(&member(case, "raw"))), case, "values"));
}

#[test]
fn filters_are_written() {
    walk("filter-format", |case| outcome(refused(functions::format_filter(&member(case, "values"))), case, "raw"));
}

#[test]
fn cursors_are_read_and_written() {
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
fn queries_are_read_as_a_server_does() {
    walk("queries", |case| {
        let now = case.text("now").unwrap_or("2026-11-23T12:00:00Z").parse::<Timestamp>().unwrap();
        let parse = || {
            let query = UsageQuery::parse(&Parameters::decode(case.text("query").unwrap()), Some(now))?;
            let plan = query.plan(now, opencomputer_usage_core::usage::accounting::Rule::default())?;
            let again = UsageQuery::parse(&Parameters::decode(query.encode()), Some(now))?;
            assert_eq!(query, again, "writing and parsing again gives the same query");
            Ok(json!({
                "groupBy": query.group_by.to_string(),
                "from": plan.window().from(),
                "to": plan.window().to(),
                "sort": query.sort.as_str(),
                "limit": query.limit.get(),
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
fn usage_is_summed_exactly() {
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
fn the_events_of_a_sandbox_are_added_up() {
    walk("drilldown", |case| {
        let instant = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
        let at = |name| instant(&case.0[name]).unwrap();
        let window = Window::new(at("from"), at("to")).unwrap();
        let mut tally = Tally::new(case.text("rule").unwrap().parse().unwrap(), window, at("asOf"));
        for event in case.0["events"].as_array().unwrap() {
            let size = |name: &str| event[name].as_u64().unwrap();
            let started_at = instant(&event["startedAt"]).unwrap().micros();
            let ended_at = instant(&event["endedAt"]).map(Timestamp::micros);
            tally.add(size("memoryMb"), size("diskMb"), started_at, ended_at);
        }
        let totals = tally.totals();
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

/// 2026-01-01T00:00:00Z
const START_MS: f64 = 1_767_225_600_000.0;

fn begin(case: &Case, settings: &[(&str, &Value)]) -> Result<Exchange, ClientError> {
    let mut config = json!({ "apiKey": "key", "baseUrl": "http://127.0.0.1:1/api/" });
    for (name, value) in settings {
        config[name] = (*value).clone();
    }
    let client = Client::new("opencomputer-usage-rust/test", &to_raw(&config))?;
    let operation = Operation::parse(case.text("operation").unwrap(), member(case, "params"))?;
    Ok(client.call(operation, START_MS))
}

fn answer(wanted: &Value) -> Answer {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let headers = wanted["headers"].as_object().cloned().unwrap_or_default();
    Answer {
        status: u16::try_from(wanted["status"].as_u64().unwrap()).unwrap(),
        headers: headers.iter().map(|(name, value)| (name.clone(), text(value).unwrap())).collect(),
        body: text(&wanted["text"])
            .or_else(|| wanted.get("body").map(opencomputer_usage_vectors::to_json))
            .unwrap_or_default()
            .into(),
    }
}

/// Checks that a step sends what a case wants sent: each member that it names, headers as a subset.
fn sends(step: &Step<JsonValue>, wanted: &Value) -> Result<(), String> {
    let Step::Send { request, .. } = step else {
        return Err(format!("got {step:?}, wanted to send {wanted}"));
    };
    for (name, wanted) in wanted.as_object().unwrap() {
        let got = match name.as_str() {
            "headers" => {
                for (header, value) in wanted.as_object().unwrap() {
                    let got = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(header));
                    equal(&json!(got.map(|(_, value)| value)), value)?;
                }
                continue;
            }
            "body" => serde_json::from_str(request.body.as_deref().unwrap_or("null")).unwrap(),
            name => told(request)[name].clone(),
        };
        equal(&got, wanted)?;
    }
    Ok(())
}

#[test]
fn requests_are_built_or_refused_before_sending() {
    walk("requests", |case| match begin(case, &[]) {
        Err(error) => expect(Err(error), case.get("error"), &case.0["request"]),
        Ok(mut exchange) => match exchange.advance::<JsonValue>(Event::Begin, START_MS, 0.0) {
            Step::Send { request, .. } if case.get("error").is_some() => Err(format!("sends {request:?}")),
            step => sends(&step, &case.0["request"]),
        },
    });
}

/// What a host makes of a case's answer.
fn decode<V: client::Value + Debug>(case: &Case) -> Result<Result<V, ClientError>, String> {
    let mut exchange = begin(case, &[("maxRetries", &json!(0))]).map_err(|error| error.to_string())?;
    exchange.advance::<V>(Event::Begin, START_MS, 0.0);
    match exchange.advance(Event::Answer(answer(&case.0["response"])), START_MS, 0.0) {
        Step::Done { value, .. } => Ok(Ok(value)),
        Step::Failed { error } => Ok(Err(error)),
        step => Err(format!("got {step:?}")),
    }
}

#[test]
fn answers_are_decoded_or_become_typed_errors() {
    walk("responses", |case| {
        let typed: Result<Outcome, _> = decode(case)?;
        let text: Result<JsonValue, _> = decode(case)?;
        let wanted = case.get("result").unwrap_or(&Value::Null);
        expect(typed.map(|value| json!(value)), case.get("error"), wanted)?;
        expect(text.map(|value| told(&value)), case.get("error"), wanted)
    });
}

#[test]
fn retries_are_decided() {
    walk("retries", |case| {
        let settings: Vec<_> =
            ["maxRetries", "timeoutMs"].into_iter().filter_map(|name| Some((name, case.get(name)?))).collect();
        let finished = |error: Option<ClientError>, value: Value| {
            let outcome = &case.0["outcome"];
            expect(error.map_or(Ok(value), Err), outcome.get("error"), &outcome["result"])
        };
        let mut exchange = match begin(case, &settings) {
            Ok(exchange) => exchange,
            Err(error) => return finished(Some(error), Value::Null),
        };
        let random = case.0["random"].as_f64().unwrap();
        let mut now = START_MS;
        let mut step = exchange.advance(Event::Begin, now, random);
        for wanted in case.0["steps"].as_array().unwrap() {
            let event = match (&step, wanted) {
                (Step::Wait { ms }, wanted) if wanted.get("waitMs").is_some() => {
                    equal(&json!(ms), &wanted["waitMs"])?;
                    now += ms;
                    Event::Waited
                }
                (Step::Change { tags, .. }, wanted) if wanted.get("change").is_some() => {
                    equal(&told(tags), &wanted["change"])?;
                    Event::Changed(to_raw(&wanted["to"]))
                }
                (step, wanted) if wanted.get("send").is_some() => {
                    sends(step, &wanted["send"])?;
                    now += wanted["elapsedMs"].as_f64().unwrap_or_default();
                    match wanted["fault"].as_str() {
                        Some("timeout") => Event::Fault(Fault::Timeout, "timeout".to_owned()),
                        Some(_) => Event::Fault(Fault::Connection, "refused".to_owned()),
                        None => Event::Answer(answer(&wanted["answer"])),
                    }
                }
                (step, wanted) => return Err(format!("got {step:?}, wanted {wanted}")),
            };
            step = exchange.advance(event, now, random);
        }
        match step {
            Step::Done { value, .. } => finished(None, told(&value)),
            Step::Failed { error } => finished(Some(error), Value::Null),
            step => Err(format!("got {step:?}, wanted the end")),
        }
    });
}

#[test]
fn walks_go_from_page_to_page() {
    walk("walks", |case| {
        let mut params = case.0["params"].clone();
        let mut pages = case.0["pages"].as_array().unwrap().iter();
        let mut items = Vec::new();
        let error = loop {
            let operation = Operation::parse(case.text("operation").unwrap(), to_raw(&params));
            let config = json!({ "apiKey": "key", "baseUrl": "http://127.0.0.1:1" });
            let client =
                Client::new("opencomputer-usage-rust/test", &to_raw(&config)).map_err(|error| error.to_string())?;
            let mut exchange = client.call(operation.map_err(|error| error.to_string())?, START_MS);
            let mut step = exchange.advance::<JsonValue>(Event::Begin, START_MS, 0.0);
            while let Step::Send { .. } = step {
                let page = pages.next().ok_or("one request too many")?;
                sends(&step, &json!({ "method": "GET", "path": "/api/usage", "query": page["query"] }))?;
                step = exchange.advance(Event::Answer(answer(&page["answer"])), START_MS, 0.0);
            }
            match step {
                Step::Done { value, next } => {
                    let name = |item: &Value| item.get("sandboxId").or(item.get("tagValue")).cloned();
                    items.extend(told(&value)["items"].as_array().unwrap().iter().filter_map(name));
                    let Some(next) = next else { break None };
                    params
                        .as_object_mut()
                        .unwrap()
                        .extend(next.into_params().map(|(name, value)| (name.to_owned(), json!(value))));
                }
                Step::Failed { error } => break Some(error),
                step => return Err(format!("got {step:?}")),
            }
        };
        equal(&json!(items), &case.0["items"])?;
        if pages.next().is_some() {
            return Err("it ends before its last page".to_owned());
        }
        expect(error.map_or(Ok(Value::Null), Err), case.get("error"), &Value::Null)
    });
}

#[test]
fn every_error_code_stands_in_a_vector() {
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
