//! Calls under way. The module of the pure functions alone does without.

use std::cell::RefCell;

use opencomputer_usage_core::client::{
    Answer, Client, ClientError, Event, Exchange, Fault, JsonValue, Operation, Step, unknown_option,
};
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::message::Message;
use crate::{Json, no_function, reply};

/// The options of a client. Some never leave the host, and are here for the list of what is allowed.
const CLIENT_OPTIONS: [&str; 8] =
    ["apiKey", "baseUrl", "timeoutMs", "maxRetries", "fetch", "headers", "logger", "dangerouslyAllowBrowser"];
/// The options of a call, and of a write the last one, too.
const CALL_OPTIONS: [&str; 5] = ["signal", "timeoutMs", "maxRetries", "headers", "ifMatch"];

thread_local! {
    static EXCHANGES: RefCell<Vec<Option<Exchange>>> = const { RefCell::new(Vec::new()) };
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Returns where the body of an answer of so many bytes is written, before the message that is about it.
#[must_use]
#[wasm_bindgen]
pub fn body(bytes: usize) -> *const u8 {
    BODY.with_borrow_mut(|body| {
        body.resize(bytes, 0);
        body.as_ptr()
    })
}

/// Answers a message about a call, as `run` does others.
#[must_use]
#[wasm_bindgen]
pub fn call(words: usize, now_ms: f64, random: f64) -> isize {
    reply(words, |message| answered(message, now_ms, random))
}

/// Forgets an exchange that is over.
#[wasm_bindgen]
pub fn forget(exchange: usize) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.get_mut(exchange).and_then(Option::take));
}

/// What can be told of a call, by its name.
fn answered(message: &mut Message<'_>, now_ms: f64, random: f64) -> Json {
    let step = |exchange, event| advance(exchange, event, now_ms, random);
    match message.name().as_str() {
        "configure" => configured(message).map(|_| "null".to_owned()),
        "call" => begun(message, now_ms).map(|exchange| exchange.to_string()),
        "begin" => step(message.index(), Event::Begin),
        "waited" => step(message.index(), Event::Waited),
        "timeout" => step(message.index(), Event::Fault(Fault::Timeout, message.name())),
        "fault" => step(message.index(), Event::Fault(Fault::Connection, message.name())),
        "changed" => step(message.index(), Event::Changed(message.value())),
        "answer" => step(message.index(), Event::Answer(answer(message))),
        "unreadable" => step(message.index(), Event::Unreadable(answer(message), message.name())),
        _ => no_function(),
    }
}

/// Takes a status, the pairs of headers, and the body.
fn answer(message: &mut Message<'_>) -> Answer {
    let status = message.index().unwrap_or_default();
    let headers = match message.value() {
        Raw::List(headers) => headers.iter().map_while(header).collect(),
        _ => Vec::new(),
    };
    Answer { status, headers, body: BODY.take() }
}

fn header(pair: &Raw) -> Option<(String, String)> {
    match pair {
        Raw::List(pair) => match pair.as_slice() {
            [Raw::Text(name), Raw::Text(value)] => Some((name.to_string(), value.to_string())),
            _ => None,
        },
        _ => None,
    }
}

/// Takes a user agent and `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }`.
fn configured(message: &mut Message<'_>) -> Result<Client, ClientError> {
    let (user_agent, options) = (message.name(), message.value());
    check_names(&options, &CLIENT_OPTIONS)?;
    Client::new(&user_agent, &options)
}

/// Refuses an option that there is not, with the list of all that there are.
fn check_names(options: &Raw, names: &[&str]) -> Result<(), ClientError> {
    let Raw::Map(options) = options else { return Ok(()) };
    let unknown = options.iter().map(|(name, _)| name.to_string()).find(|name| !names.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(unknown_option(&name, names)))
}

/// Begins a call with the configuration of a client, `{ timeoutMs?, maxRetries?, headers? }`, the name of an operation,
/// its arguments by name, its query and what [`NextPage`](opencomputer_usage_core::client::NextPage) puts in place of
/// the query's members. Returns the number of the exchange.
fn begun(message: &mut Message<'_>, now_ms: f64) -> Result<usize, ClientError> {
    let (client, options) = (configured(message)?, message.value());
    let (operation, arguments) = (message.name(), message.value());
    let [call_options @ .., _] = &CALL_OPTIONS;
    check_names(&options, if operation == "tags.set" { &CALL_OPTIONS } else { call_options })?;
    let client = client.with(&options)?;
    let (query, next) = (message.value(), message.value());
    let operation = Operation::parse(&operation, joined(arguments, replaced(query, next)))?;
    let exchange = client.call(operation, now_ms);
    Ok(EXCHANGES.with_borrow_mut(|exchanges| {
        let free = exchanges.iter().position(Option::is_none).unwrap_or(exchanges.len());
        exchanges.resize_with(exchanges.len().max(free + 1), || None);
        if let Some(place) = exchanges.get_mut(free) {
            *place = Some(exchange);
        }
        free
    }))
}

/// A query with the parameters of the next page instead of its own of the same names.
fn replaced(query: Raw, next: Raw) -> Raw {
    match (query, next) {
        (Raw::Map(mut query), Raw::Map(next)) => {
            query.retain(|(name, _)| next.iter().all(|(other, _)| other != name));
            query.extend(next);
            Raw::Map(query)
        }
        (query, next) if query.is_absent() => next,
        (query, _) => query,
    }
}

/// The members of both, so that a query cannot replace an argument. A query that is no map is the core's to refuse.
fn joined(arguments: Raw, query: Raw) -> Raw {
    match (arguments, query) {
        (Raw::Map(arguments), Raw::Map(query)) => Raw::Map(arguments.into_iter().chain(query).collect()),
        (arguments, query) if query.is_absent() => arguments,
        (_, query) => query,
    }
}

fn advance(exchange: Option<usize>, event: Event, now_ms: f64, random: f64) -> Json {
    EXCHANGES.with_borrow_mut(|exchanges| match exchange.and_then(|exchange| exchanges.get_mut(exchange)) {
        Some(Some(exchange)) => {
            let step: Step<JsonValue> = exchange.advance(event, now_ms, random);
            Ok(step.to_json())
        }
        _ => Err(ClientError::usage("the host asks for an exchange that there is not")),
    })
}
