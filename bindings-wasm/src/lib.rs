//! WebAssembly bindings of the core for JavaScript. A message of packed values comes in, JSON text goes out.
//!
//! The module imports nothing, so it never runs the host's code: a getter that throws or calls the module again does so
//! outside. Results are JSON text because `JSON.parse` is fast and makes `__proto__` an ordinary property.

#[cfg(feature = "client")]
mod client;
mod message;

use std::cell::RefCell;

use opencomputer_usage_core::client::ClientError;
use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::host::json::ToJson;
use opencomputer_usage_core::tags;
use wasm_bindgen::prelude::wasm_bindgen;

use message::Message;

/// Half the size of the standard library's allocator.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

thread_local! {
    static LENGTHS: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static MESSAGE: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Returns the buffer for the lengths that [`accepts`] reads, with room for `most` lengths.
#[must_use]
#[wasm_bindgen]
pub fn lengths(most: usize) -> *const u16 {
    LENGTHS.with_borrow_mut(|lengths| {
        lengths.resize(most, 0);
        lengths.as_ptr()
    })
}

/// Returns the buffer for the text that [`accepts`] reads, with room for `most` bytes.
#[must_use]
#[wasm_bindgen]
pub fn text(most: usize) -> *const u8 {
    TEXT.with_borrow_mut(|text| {
        text.resize(most, 0);
        text.as_ptr()
    })
}

/// Returns whether the first `tags` tags of the two buffers are valid. Each tag is a key followed by a value, in UTF-8.
///
/// For invalid tags, `validateTags` reports the violations.
#[must_use]
#[wasm_bindgen]
pub fn accepts(tags: usize) -> bool {
    LENGTHS.with_borrow(|lengths| {
        TEXT.with_borrow(|text| {
            let (pairs, _) = lengths.get(..2 * tags).unwrap_or_default().as_chunks();
            let mut text = text.as_slice();
            let mut next = |length: u16| text.split_off(..usize::from(length)).unwrap_or_default();
            pairs.len() == tags && tags::accepts(pairs.iter().map(|&[key, value]| (next(key), next(value))))
        })
    })
}

/// The number of words above which a message counts as large.
const LARGE: usize = 1 << 16;
/// The most bytes of a result per word of its message, reached by many short keys with one violation each.
const BYTES_PER_WORD: usize = 48;

/// Returns the buffer for a message of `words` words.
#[must_use]
#[wasm_bindgen]
pub fn message(words: usize) -> *const u16 {
    if words > LARGE {
        reserve(words.saturating_mul(BYTES_PER_WORD));
    }
    MESSAGE.with_borrow_mut(|message| {
        message.resize(words, 0);
        message.as_ptr()
    })
}

/// Grows the memory in one step. Many small steps would each cost a garbage collection of the host.
///
/// Unused pages take no memory of the host. If the step fails, the memory grows in small steps.
fn reserve(bytes: usize) {
    let mut block = Vec::<u8>::new();
    let _ = block.try_reserve_exact(bytes);
    std::hint::black_box(&block);
}

/// Calls one of the pure functions with a message of `words` words.
///
/// Returns the length in bytes of the JSON text at [`answer`], negated if the text is an error.
#[must_use]
#[wasm_bindgen]
pub fn run(words: usize) -> isize {
    reply(words, call_function)
}

/// Handles a message of `words` words and stores the result. The return value is that of [`run`].
fn reply(words: usize, to: impl FnOnce(&mut Message<'_>) -> Json) -> isize {
    let message = MESSAGE.take();
    let result = to(&mut Message::new(message.get(..words).unwrap_or_default()));
    let failed = result.is_err();
    let text = result.unwrap_or_else(|error| error.to_json());
    let length = isize::try_from(text.len()).unwrap_or_default();
    ANSWER.set(text);
    if failed { -length } else { length }
}

/// Returns the buffer with the last result.
#[must_use]
#[wasm_bindgen]
pub fn answer() -> *const u8 {
    ANSWER.with_borrow(|answer| answer.as_ptr())
}

/// JSON text, or the error that is serialized in its place.
type Json = Result<String, ClientError>;

/// Serializes the result of a function.
fn result(result: Result<impl ToJson, impl Into<ClientError>>) -> Json {
    result.map(|value| value.to_json()).map_err(Into::into)
}

fn unknown_function<T>() -> Result<T, ClientError> {
    Err(ClientError::usage("internal error: unknown function"))
}

/// Calls the pure function of this name in JavaScript.
fn call_function(message: &mut Message<'_>) -> Json {
    match message.name().as_str() {
        "validateTags" => result(functions::validate_tags(&message.value())),
        "validateTagKey" => result(functions::validate_tag_key(&message.value())),
        "validateTagValue" => Ok(functions::validate_tag_value(&message.value()).to_json()),
        "parseGroupBy" => result(functions::parse_group_by(&message.value())),
        "formatGroupBy" => result(functions::format_group_by(&message.value())),
        "parseFilter" => result(functions::parse_filter(&message.value())),
        "formatFilter" => result(functions::format_filter(&message.value())),
        "encodeCursor" => {
            let cursor = message.value();
            result(functions::encode_cursor(&cursor, |number| message.shortest(number)))
        }
        "decodeCursor" => result(functions::decode_cursor(&message.value())),
        _ => unknown_function(),
    }
}
