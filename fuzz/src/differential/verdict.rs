//! The verdict of the core on a call, as text that every language can write byte by byte.

use std::fmt::{Debug, Write as _};
use std::sync::LazyLock;

use opencomputer_usage_core::client::{
    self as core, Answer, Client, ClientError, Event, JsonValue, Kind, Operation, Outcome, Request, Step,
};
use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::host::json::ToJson;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::cursor::shortest;
use serde_json::{Map, Value, json};

use super::call::{Call, Exchange};
use crate::check::{KEY, NOW_MS, client};

const BASE_URL: &str = "https://api.example.com";

/// A client that does not retry.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    client(vec![("apiKey", KEY.into()), ("baseUrl", BASE_URL.into()), ("maxRetries", Raw::Number(0.0))])
});

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded. A validation found nothing.
    Accepted,
    /// It was sent and failed.
    Failed,
    /// Its arguments were refused.
    Refused,
}

/// The core's outcome of a call.
#[derive(Debug)]
pub struct Verdict {
    /// The end of the call.
    pub end: End,
    /// The events of the call, including its result or error, in canonical form.
    pub text: String,
}

impl Verdict {
    /// Makes a call.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        let events = match call {
            Call::Function(name, input) => vec![finished(function(name, input))],
            Call::Exchange(exchange) => exchanged(exchange),
        };
        let end = match events.iter().find_map(|event| event.get("done")) {
            Some(found) if call.name().starts_with("validate") && found != &json!([]) => End::Refused,
            Some(_) => End::Accepted,
            None if events.len() > 1 => End::Failed,
            None => End::Refused,
        };
        let mut text = String::new();
        write(&Value::Array(events), &mut text);
        Self { end, text }
    }
}

fn function(name: &str, input: &Raw) -> Result<Value, ClientError> {
    fn shown(result: Result<impl ToJson, impl Into<ClientError>>) -> Result<Value, ClientError> {
        Ok(parsed(&result.map_err(Into::into)?))
    }

    match name {
        "validateTags" => shown(functions::validate_tags(input)),
        "validateTagKey" => shown(functions::validate_tag_key(input)),
        "validateTagValue" => shown(Ok::<_, ClientError>(functions::validate_tag_value(input))),
        "parseGroupBy" => shown(functions::parse_group_by(input)),
        "formatGroupBy" => shown(functions::format_group_by(input)),
        "parseFilter" => shown(functions::parse_filter(input)),
        "formatFilter" => shown(functions::format_filter(input)),
        "encodeCursor" => shown(functions::encode_cursor(input, shortest)),
        "decodeCursor" => shown(functions::decode_cursor(input)),
        _ => panic!("there is no function {name}"),
    }
}

/// Makes a call. The typed decoder words decoding errors differently from the core's JSON decoder, which the other
/// languages use, so such an error is taken from the latter.
fn exchanged(exchange: &Exchange) -> Vec<Value> {
    let mut events = run::<Outcome>(exchange, |value| json!(value));
    if events.last().is_some_and(|last| last["failed"]["kind"] == Kind::Decode.as_str()) {
        let shown = run::<JsonValue>(exchange, |value| panic!("only the typed decoder refuses {value:?}"));
        events.pop();
        events.extend(shown.into_iter().next_back());
    }
    events
}

/// Makes a call and one for the next page. Requests of the first are answered as the case says, and others with status 418.
fn run<V: core::Value + Debug>(exchange: &Exchange, shown: fn(V) -> Value) -> Vec<Value> {
    let mut answer = exchange.answer.clone();
    let mut events = Vec::new();
    let mut params = exchange.params.clone();
    loop {
        let operation = match Operation::parse(&exchange.operation, params.clone()) {
            Ok(operation) => operation,
            Err(error) => {
                events.push(finished(Err(error)));
                return events;
            }
        };
        let mut call = CLIENT.call(operation, NOW_MS);
        let mut event = Event::Begin;
        let next = loop {
            event = match call.advance(event, NOW_MS, 0.0) {
                Step::Send { request, .. } => {
                    events.push(sent(request));
                    Event::Answer(answer.clone())
                }
                Step::Change { tags, .. } => {
                    events.push(json!({ "change": parsed(&tags) }));
                    Event::Changed(exchange.to.clone())
                }
                Step::Done { value, next } => {
                    events.push(finished(Ok(shown(value))));
                    break next;
                }
                Step::Failed { error } => {
                    events.push(finished(Err(error)));
                    return events;
                }
                Step::Wait { .. } => panic!("a call without retries waits"),
            };
        };
        answer = Answer { status: 418, ..Answer::default() };
        let (Some(next), Raw::Map(members)) = (next, &mut params) else { return events };
        for (name, value) in next.into_params() {
            members.retain(|(given, _)| given.as_str() != Some(name));
            members.push((name.into(), value.as_str().into()));
        }
    }
}

fn sent(request: Request) -> Value {
    let headers = request.headers.into_iter().filter(|(name, _)| name != "user-agent");
    let headers: Map<_, _> = headers.map(|(name, value)| (name, json!(value))).collect();
    json!({ "method": request.method, "url": request.url, "headers": headers, "body": request.body })
}

fn parsed(value: &impl ToJson) -> Value {
    serde_json::from_str(&value.to_json()).expect("it is JSON")
}

fn finished(result: Result<Value, ClientError>) -> Value {
    match result {
        Ok(value) => json!({ "done": value }),
        Err(error) => {
            let headers: Map<_, _> = error.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let body =
                error.body.as_ref().map(|body| serde_json::from_str::<Value>(body).unwrap_or_else(|_| json!(body)));
            json!({ "failed": {
                "kind": error.kind.as_str(), "message": error.message, "code": error.code, "status": error.status,
                "requestId": error.request_id, "violations": parsed(&error.violations), "body": body,
                "headers": headers, "retryAfter": error.retry_after,
            } })
        }
    }
}

/// Writes a value as JSON without spaces, with sorted members and with the bits of numbers in place of their text.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().expect("it is a double");
            // Writing to a string cannot fail.
            let _ = write!(out, "\"f64:{:016x}\"", number.to_bits());
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                name.write_json(out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::String(text) => text.write_json(out),
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
    }
}
