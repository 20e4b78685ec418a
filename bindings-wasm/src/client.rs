//! Calls in progress. The module of the pure functions does not contain them.

use std::cell::RefCell;
use std::mem::take;

use opencomputer_usage_core::client::{
    self, Answer, Client, ClientError, Event, Exchange, Fault, JsonValue, Operation, Step, unknown_option,
};
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::message::Message;
use crate::{Json, reply, unknown_function};

/// The options of a client. The host handles some of them, but the error of an unknown option lists all.
const CLIENT_OPTIONS: [&str; 8] =
    ["apiKey", "baseUrl", "timeoutMs", "maxRetries", "fetch", "headers", "logger", "dangerouslyAllowBrowser"];
/// The options of a call. The last one is only for writes.
const CALL_OPTIONS: [&str; 5] = ["signal", "timeoutMs", "maxRetries", "headers", "ifMatch"];

thread_local! {
    static EXCHANGES: RefCell<Vec<Option<Exchange>>> = const { RefCell::new(Vec::new()) };
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static NUMBERS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Returns the buffer for a response body of `bytes` bytes. The host fills it before it sends the message.
#[must_use]
#[wasm_bindgen]
pub fn body(bytes: usize) -> *const u8 {
    BODY.with_borrow_mut(|body| {
        body.resize(bytes, 0);
        body.as_ptr()
    })
}

/// Returns the most bytes to read of the body of a response with this status.
#[must_use]
#[wasm_bindgen]
pub fn body_limit(status: u16) -> usize {
    client::response_limit(status)
}

/// Returns the buffer with the lists of numbers of the last result of a call: the length of a list, then its numbers.
///
/// The text of the result has the position of a list in place of the list. `JSON.parse` would take longer for the
/// numbers of a page with series than this module takes for everything.
#[must_use]
#[wasm_bindgen]
pub fn numbers() -> *const f64 {
    NUMBERS.with_borrow(Vec::as_ptr)
}

/// Returns whether a status is a success.
#[must_use]
#[wasm_bindgen]
pub fn is_success(status: u16) -> bool {
    client::is_success(status)
}

/// Handles a message about a call. The return value is that of `run`.
#[must_use]
#[wasm_bindgen]
pub fn call(words: usize, now_ms: f64, random: f64) -> isize {
    reply(words, |message| handle(message, now_ms, random))
}

/// Drops an exchange.
#[wasm_bindgen]
pub fn forget(exchange: usize) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.get_mut(exchange).and_then(Option::take));
}

/// Handles a message by its name.
fn handle(message: &mut Message<'_>, now_ms: f64, random: f64) -> Json {
    let step = |exchange, event| advance(exchange, event, now_ms, random);
    match message.name().as_str() {
        "configure" => configure(message).map(|_| "null".to_owned()),
        "call" => begin(message, now_ms).map(|exchange| exchange.to_string()),
        "begin" => step(message.index(), Event::Begin),
        "waited" => step(message.index(), Event::Waited),
        "timeout" => step(message.index(), Event::Fault(Fault::Timeout, message.name())),
        "fault" => step(message.index(), Event::Fault(Fault::Connection, message.name())),
        "changed" => step(message.index(), Event::Changed(message.value())),
        "answer" => step(message.index(), Event::Answer(answer(message))),
        "too_long" => step(message.index(), Event::too_long(answer(message))),
        _ => unknown_function(),
    }
}

/// Reads a status and the pairs of headers, and takes the body.
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

/// Reads a user agent and `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }`.
fn configure(message: &mut Message<'_>) -> Result<Client, ClientError> {
    let (user_agent, options) = (message.name(), message.value());
    check_names(&options, &CLIENT_OPTIONS)?;
    Client::new(&user_agent, &options)
}

/// Rejects an unknown option with the list of all options.
fn check_names(options: &Raw, names: &[&str]) -> Result<(), ClientError> {
    let Raw::Map(options) = options else { return Ok(()) };
    let unknown = options.iter().map(|(name, _)| name.to_string()).find(|name| !names.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(unknown_option(&name, names)))
}

/// Begins a call; returns the number of its exchange.
///
/// Reads the configuration of a client, `{ timeoutMs?, maxRetries?, headers? }`, the name of an operation, its
/// arguments by name, its query, and the [`NextPage`](opencomputer_usage_core::client::NextPage) that replaces members
/// of the query.
fn begin(message: &mut Message<'_>, now_ms: f64) -> Result<usize, ClientError> {
    let (client, options) = (configure(message)?, message.value());
    let (operation, arguments) = (message.name(), message.value());
    let [call_options @ .., _] = &CALL_OPTIONS;
    check_names(&options, if operation == "tags.set" { &CALL_OPTIONS } else { call_options })?;
    let client = client.with(&options)?;
    let (query, next) = (message.value(), message.value());
    let operation = Operation::parse(&operation, with_query(arguments, with_next_page(query, next)))?;
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

/// Replaces the members of a query that the next page sets.
fn with_next_page(query: Raw, next: Raw) -> Raw {
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

/// Returns the members of both: a repeated member is rejected later, so a query cannot replace an argument. A query
/// that is not a map is passed on, for the core to reject.
fn with_query(arguments: Raw, query: Raw) -> Raw {
    match (arguments, query) {
        (Raw::Map(arguments), Raw::Map(query)) => Raw::Map(arguments.into_iter().chain(query).collect()),
        (arguments, query) if query.is_absent() => arguments,
        (_, query) => query,
    }
}

fn advance(exchange: Option<usize>, event: Event, now_ms: f64, random: f64) -> Json {
    EXCHANGES.with_borrow_mut(|exchanges| match exchange.and_then(|exchange| exchanges.get_mut(exchange)) {
        Some(Some(exchange)) => {
            let mut step: Step<JsonValue> = exchange.advance(event, now_ms, random);
            if let Step::Done { value, .. } = &mut step {
                NUMBERS.set(take(&mut value.numbers).into_vec());
            }
            Ok(step.to_json())
        }
        _ => Err(ClientError::usage("internal error: unknown exchange")),
    })
}
