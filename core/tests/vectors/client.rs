//! The suites of the client: requests, responses, retries and walks.

use std::fmt::Debug;

use opencomputer_usage_core::client::{
    self, Answer, Client, ClientError, Event, Exchange, Fault, JsonValue, Operation, Outcome, Step,
};
use opencomputer_usage_vectors::{Case, to_raw};
use serde_json::{Value, json};

use super::{equal, expect, member, told, walk};

/// 2026-01-01T00:00:00Z
const START_MS: f64 = 1_767_225_600_000.0;

fn configured(settings: &[(&str, &Value)]) -> Result<Client, ClientError> {
    let mut config = json!({ "apiKey": "key", "baseUrl": "http://127.0.0.1:1/api/" });
    for (name, value) in settings {
        config[name] = (*value).clone();
    }
    Client::new("opencomputer-usage-rust/test", &to_raw(&config))
}

fn begin(case: &Case, settings: &[(&str, &Value)]) -> Result<Exchange, ClientError> {
    let client = configured(settings)?;
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

/// Checks that a step sends the expected request. Only given members are compared, and headers as a subset.
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
fn options_are_allowed_or_rejected() {
    walk("options", |case| {
        let settings: Vec<_> = case.0["options"].as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v)).collect();
        let client = configured(&settings).map(|_| Value::Null);
        expect(client, case.get("error"), &Value::Null)
    });
}

#[test]
fn requests_are_built_or_rejected_before_sending() {
    walk("requests", |case| match begin(case, &[]) {
        Err(error) => expect(Err(error), case.get("error"), &case.0["request"]),
        Ok(mut exchange) => match exchange.advance::<JsonValue>(Event::Begin, START_MS, 0.0) {
            Step::Send { request, .. } if case.get("error").is_some() => Err(format!("sends {request:?}")),
            step => sends(&step, &case.0["request"]),
        },
    });
}

/// Decodes the response of a case as a host does.
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
fn responses_are_decoded_or_become_typed_errors() {
    walk("responses", |case| {
        let typed: Result<Outcome, _> = decode(case)?;
        let text: Result<JsonValue, _> = decode(case)?;
        let wanted = case.get("result").unwrap_or(&Value::Null);
        expect(typed.map(|value| json!(value)), case.get("error"), wanted)?;
        expect(text.map(|value| told(&value)), case.get("error"), wanted)
    });
}

#[test]
fn calls_are_retried_as_expected() {
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
fn walks_request_the_expected_pages() {
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
                let path = page.get("path").cloned().unwrap_or_else(|| json!("/api/usage"));
                sends(&step, &json!({ "method": "GET", "path": path, "query": page["query"] }))?;
                step = exchange.advance(Event::Answer(answer(&page["answer"])), START_MS, 0.0);
            }
            match step {
                Step::Done { value, next } => {
                    let names = ["sandboxId", "tagValue", "sandboxID", "value"];
                    let name = |item: &Value| names.iter().find_map(|name| item.get(name)).cloned();
                    let page = told(&value);
                    let rows = page.get("items").or(page.get("values")).and_then(Value::as_array);
                    items.extend(rows.unwrap().iter().filter_map(name));
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
