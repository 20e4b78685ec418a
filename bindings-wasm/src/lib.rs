//! The core's face for JavaScript: a message of the host's values in, JSON text out.
//!
//! The module imports nothing. It never runs the host's code, so a getter that throws, or calls the module again, is
//! the host's own affair; and JSON text, because `JSON.parse` makes `__proto__` a property like any other, and is fast.

mod message;

use std::cell::RefCell;

use opencomputer_usage_core::client::{
    Answer, Client, ClientError, Event, Exchange, Fault, JsonValue, Operation, Step,
};
use opencomputer_usage_core::json::ToJson;
use opencomputer_usage_core::raw::Raw;
use opencomputer_usage_core::{pure, tags};
use wasm_bindgen::prelude::wasm_bindgen;

use message::Message;

/// Half the size of the standard library's.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Lengths of as many keys and values as may be, and of some more, so that there is something to refuse.
const LENGTHS: usize = 2 * 64;
/// The bytes that hold as many tags as are allowed, at their longest, where most of them is ASCII.
const TEXT: usize = 32 * 1024;

thread_local! {
    static SCRATCH: RefCell<(Vec<u16>, Vec<u8>)> = RefCell::new((vec![0; LENGTHS], vec![0; TEXT]));
    static MESSAGE: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
    static EXCHANGES: RefCell<Vec<Option<Exchange>>> = const { RefCell::new(Vec::new()) };
}

/// Where the lengths of tags are written for [`accepts`]: 128 words.
#[must_use]
#[wasm_bindgen]
pub fn lengths() -> *const u16 {
    SCRATCH.with_borrow(|(lengths, _)| lengths.as_ptr())
}

/// Where the text of tags is written for [`accepts`]: 32 KiB.
#[must_use]
#[wasm_bindgen]
pub fn text() -> *const u8 {
    SCRATCH.with_borrow(|(_, text)| text.as_ptr())
}

/// Whether the so many tags in the scratch, which are UTF-8 and fit it, may be written: one after the other, each with its
/// key first.
/// Where the answer is no, `validateTags` tells why.
#[must_use]
#[wasm_bindgen]
pub fn accepts(tags: usize) -> bool {
    SCRATCH.with_borrow(|(lengths, text)| {
        let (pairs, _) = lengths.get(..2 * tags).unwrap_or_default().as_chunks();
        let mut text = text.as_slice();
        let mut next = |length: u16| text.split_off(..usize::from(length)).unwrap_or_default();
        pairs.len() == tags && tags::accepts(pairs.iter().map(|&[key, value]| (next(key), next(value))))
    })
}

/// Where a message of so many words is written.
#[must_use]
#[wasm_bindgen]
pub fn message(words: usize) -> *const u16 {
    MESSAGE.with_borrow_mut(|message| {
        message.resize(words, 0);
        message.as_ptr()
    })
}

/// Answers the message, of whose words the first are packed values and the others hold so many `bytes` of a body. The
/// answer is so many bytes of JSON text at [`answer`]; where it is an error, the number is negative.
#[must_use]
#[wasm_bindgen]
pub fn run(packed: usize, bytes: usize, now_ms: f64, random: f64) -> isize {
    let words = MESSAGE.take();
    let (packed, body) = words.split_at_checked(packed).unwrap_or_default();
    let body = || body.iter().flat_map(|word| word.to_le_bytes()).take(bytes).collect();
    let result = answered(&mut Message::new(packed), body, now_ms, random);
    let failed = result.is_err();
    let text = result.unwrap_or_else(|error| error.to_json());
    let length = isize::try_from(text.len()).unwrap_or_default();
    ANSWER.set(text);
    if failed { -length } else { length }
}

/// Where the last answer is.
#[must_use]
#[wasm_bindgen]
pub fn answer() -> *const u8 {
    ANSWER.with_borrow(|answer| answer.as_ptr())
}

/// Forgets an exchange that is over.
#[wasm_bindgen]
pub fn forget(exchange: usize) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.get_mut(exchange).and_then(Option::take));
}

type Json = Result<String, ClientError>;

fn result(result: Result<impl ToJson, impl Into<ClientError>>) -> Json {
    result.map(|value| value.to_json()).map_err(Into::into)
}

/// The functions of the module, by their names in JavaScript.
fn answered(message: &mut Message<'_>, body: impl FnOnce() -> Vec<u8>, now_ms: f64, random: f64) -> Json {
    let step = |exchange, event| advance(exchange, event, now_ms, random);
    match message.name().as_str() {
        "validateTags" => result(pure::validate_tags(&message.value())),
        "validateTagKey" => result(pure::validate_tag_key(&message.value())),
        "validateTagValue" => Ok(pure::validate_tag_value(&message.value()).to_json()),
        "parseGroupBy" => result(pure::parse_group_by(&message.value())),
        "formatGroupBy" => result(pure::format_group_by(&message.value())),
        "parseFilter" => result(pure::parse_filter(&message.value())),
        "formatFilter" => result(pure::format_filter(&message.value())),
        "encodeCursor" => {
            let cursor = message.value();
            result(pure::encode_cursor(&cursor, |number| message.shortest(number)))
        }
        "decodeCursor" => result(pure::decode_cursor(&message.value())),
        "configure" => configured(message).map(|_| "null".to_owned()),
        "call" => call(message, now_ms).map(|exchange| exchange.to_string()),
        "begin" => step(message.index(), Event::Begin),
        "waited" => step(message.index(), Event::Waited),
        "timeout" => step(message.index(), Event::Fault(Fault::Timeout, String::new())),
        "fault" => step(message.index(), Event::Fault(Fault::Connection, message.name())),
        "changed" => step(message.index(), Event::Changed(message.value())),
        "answer" => {
            let (exchange, status) = (message.index(), message.index().unwrap_or_default());
            let headers = match message.value() {
                Raw::List(headers) => headers.iter().map_while(header).collect(),
                _ => Vec::new(),
            };
            step(exchange, Event::Answer(Answer { status, headers, body: body() }))
        }
        _ => Err(ClientError::usage("the host asks for a function that there is not")),
    }
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
    Client::new(&message.name(), &message.value())
}

/// Begins a call with what configures a client, the name of an operation, its arguments by name, its query and
/// `{ timeoutMs?, maxRetries?, headers? }`; answers the number of the exchange.
fn call(message: &mut Message<'_>, now_ms: f64) -> Result<usize, ClientError> {
    let client = configured(message)?;
    let (operation, arguments, query) = (message.name(), message.value(), message.value());
    let operation = Operation::parse(&operation, joined(arguments, query))?;
    let exchange = client.with(&message.value())?.call(operation, now_ms);
    Ok(EXCHANGES.with_borrow_mut(|exchanges| {
        let free = exchanges.iter().position(Option::is_none).unwrap_or(exchanges.len());
        exchanges.resize_with(exchanges.len().max(free + 1), || None);
        if let Some(place) = exchanges.get_mut(free) {
            *place = Some(exchange);
        }
        free
    }))
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
