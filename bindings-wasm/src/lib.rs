//! The core's face for JavaScript: values in, JSON text out. Errors are thrown as JSON text, too.
//!
//! JSON text, because `JSON.parse` makes `__proto__` a property like any other, and is fast.

mod raw;

use std::cell::RefCell;

use js_sys::Array;
use opencomputer_usage_core::client::{self, Answer, ClientError, Event, Fault, JsonValue, Operation, Step};
use opencomputer_usage_core::json::ToJson;
use opencomputer_usage_core::raw::Raw;
use opencomputer_usage_core::{pure, tags};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use raw::raw;

type Json = Result<String, JsValue>;

fn thrown(error: impl Into<ClientError>) -> JsValue {
    JsValue::from_str(&error.into().to_json())
}

fn answer(result: Result<impl ToJson, impl Into<ClientError>>) -> Json {
    result.map(|value| value.to_json()).map_err(thrown)
}

/// The bytes that hold as many tags as are allowed, at their longest.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Where tags are written for [`accepts_scratch`].
#[must_use]
#[wasm_bindgen(js_name = scratch)]
pub fn scratch() -> *const u8 {
    SCRATCH.with_borrow(Vec::as_ptr)
}

/// How many bytes fit there.
#[must_use]
#[wasm_bindgen(js_name = scratchBytes)]
pub fn scratch_bytes() -> usize {
    SCRATCH_BYTES
}

/// Whether the tags in the first `bytes` of the scratch may be written, each as key, NUL, value, NUL.
/// Where the answer is no, `validateTags` tells why, or that it is yes after all: a NUL or a replacement
/// character in there may be the user's own.
#[must_use]
#[wasm_bindgen(js_name = acceptsScratch)]
pub fn accepts_scratch(bytes: usize, pairs: usize) -> bool {
    SCRATCH.with_borrow(|scratch| {
        let Some(text) = scratch.get(..bytes).and_then(|bytes| str::from_utf8(bytes).ok()) else {
            return false;
        };
        let mut parts = text.split('\0');
        let whole = tags::accepts((0..pairs).map_while(|_| Some((parts.next()?, parts.next()?))));
        whole && parts.eq([""]) && !text.contains(char::REPLACEMENT_CHARACTER)
    })
}

/// Every violation of a map of tags.
#[wasm_bindgen(js_name = validateTags)]
pub fn validate_tags(tags: &JsValue) -> Json {
    answer(pure::validate_tags(&raw(tags)?))
}

/// Every violation of one key.
#[wasm_bindgen(js_name = validateTagKey)]
pub fn validate_tag_key(key: &JsValue) -> Json {
    answer(pure::validate_tag_key(&raw(key)?))
}

/// Every violation of one value.
#[wasm_bindgen(js_name = validateTagValue)]
pub fn validate_tag_value(value: &JsValue) -> Json {
    Ok(pure::validate_tag_value(&raw(value)?).to_json())
}

/// Reads a `groupBy`.
#[wasm_bindgen(js_name = parseGroupBy)]
pub fn parse_group_by(group_by: &JsValue) -> Json {
    answer(pure::parse_group_by(&raw(group_by)?))
}

/// Writes a `groupBy`.
#[wasm_bindgen(js_name = formatGroupBy)]
pub fn format_group_by(group_by: &JsValue) -> Json {
    answer(pure::format_group_by(&raw(group_by)?))
}

/// Reads the value of a tag filter.
#[wasm_bindgen(js_name = parseFilter)]
pub fn parse_filter(text: &JsValue) -> Json {
    answer(pure::parse_filter(&raw(text)?))
}

/// Writes the value of a tag filter.
#[wasm_bindgen(js_name = formatFilter)]
pub fn format_filter(values: &JsValue) -> Json {
    answer(pure::format_filter(&raw(values)?))
}

#[wasm_bindgen]
extern "C" {
    /// JavaScript writes a number in as few digits as tell it from every other; to do that here takes tables.
    #[wasm_bindgen(js_name = String)]
    fn shortest(number: f64) -> String;
}

/// Writes a cursor.
#[wasm_bindgen(js_name = encodeCursor)]
pub fn encode_cursor(cursor: &JsValue) -> Json {
    answer(pure::encode_cursor(&raw(cursor)?, shortest))
}

/// Reads a cursor.
#[wasm_bindgen(js_name = decodeCursor)]
pub fn decode_cursor(text: &JsValue) -> Json {
    answer(pure::decode_cursor(&raw(text)?))
}

/// The limits of the contract.
#[wasm_bindgen]
pub fn limits() -> String {
    pure::Limits.to_json()
}

/// The members of both, so that a query cannot replace an argument. A query that is no map is the core's to refuse.
fn joined(arguments: Raw, query: Raw) -> Raw {
    match (arguments, query) {
        (Raw::Map(arguments), Raw::Map(query)) => Raw::Map(arguments.into_iter().chain(query).collect()),
        (arguments, query) if query.is_absent() => arguments,
        (_, query) => query,
    }
}

/// A configured client.
#[wasm_bindgen]
pub struct Client(client::Client);

#[wasm_bindgen]
impl Client {
    /// Takes `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }`.
    #[wasm_bindgen(constructor)]
    pub fn new(user_agent: &str, config: &JsValue) -> Result<Self, JsValue> {
        client::Client::new(user_agent, &raw(config)?).map(Self).map_err(thrown)
    }

    /// Begins a call with its positional arguments by name, its query and `{ timeoutMs?, maxRetries?, headers? }`.
    pub fn call(
        &self,
        operation: &str,
        arguments: &JsValue,
        query: &JsValue,
        options: &JsValue,
        now_ms: f64,
    ) -> Result<Exchange, JsValue> {
        let (arguments, query, options) = (raw(arguments)?, raw(query)?, raw(options)?);
        let operation = Operation::parse(operation, joined(arguments, query)).map_err(thrown)?;
        let client = self.0.with(&options).map_err(thrown)?;
        Ok(Exchange(client.call(operation, now_ms)))
    }
}

/// A call under way. Every method says what to do next.
#[wasm_bindgen]
pub struct Exchange(client::Exchange);

#[wasm_bindgen]
impl Exchange {
    fn advance(&mut self, event: Event, now_ms: f64, random: f64) -> String {
        let step: Step<JsonValue> = self.0.advance(event, now_ms, random);
        step.to_json()
    }

    /// The call begins.
    pub fn begin(&mut self, now_ms: f64, random: f64) -> String {
        self.advance(Event::Begin, now_ms, random)
    }

    /// An answer came; `headers` is a flat array of names and values.
    pub fn answer(&mut self, status: u16, headers: &Array, body: Vec<u8>, now_ms: f64, random: f64) -> String {
        let texts: Vec<String> = headers.iter().map(|text| text.as_string().unwrap_or_default()).collect();
        let headers = texts.chunks_exact(2).filter_map(|pair| Some((pair.first()?.clone(), pair.last()?.clone())));
        let answer = Answer { status, headers: headers.collect(), body };
        self.advance(Event::Answer(answer), now_ms, random)
    }

    /// The connection failed.
    #[wasm_bindgen(js_name = connectionFault)]
    pub fn connection_fault(&mut self, cause: String, now_ms: f64, random: f64) -> String {
        self.advance(Event::Fault(Fault::Connection, cause), now_ms, random)
    }

    /// The time was up.
    pub fn timeout(&mut self, now_ms: f64, random: f64) -> String {
        self.advance(Event::Fault(Fault::Timeout, String::new()), now_ms, random)
    }

    /// The wait is over.
    pub fn waited(&mut self, now_ms: f64, random: f64) -> String {
        self.advance(Event::Waited, now_ms, random)
    }

    /// The user changed the tags.
    pub fn changed(&mut self, tags: &JsValue, now_ms: f64, random: f64) -> Json {
        let tags = raw(tags)?;
        Ok(self.advance(Event::Changed(tags), now_ms, random))
    }
}
