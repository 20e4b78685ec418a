//! The core's face for JavaScript: a message of the host's values in, JSON text out.
//!
//! The module imports nothing. It never runs the host's code, so a getter that throws, or calls the module again, is
//! the host's own affair; and JSON text, because `JSON.parse` makes `__proto__` a property like any other, and is fast.

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

/// Half the size of the standard library's.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

thread_local! {
    static LENGTHS: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static MESSAGE: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where the lengths of tags are written for [`accepts`], so many at most.
#[must_use]
#[wasm_bindgen]
pub fn lengths(most: usize) -> *const u16 {
    LENGTHS.with_borrow_mut(|lengths| {
        lengths.resize(most, 0);
        lengths.as_ptr()
    })
}

/// Where the text of tags is written for [`accepts`], so many bytes at most.
#[must_use]
#[wasm_bindgen]
pub fn text(most: usize) -> *const u8 {
    TEXT.with_borrow_mut(|text| {
        text.resize(most, 0);
        text.as_ptr()
    })
}

/// Whether the so many tags that were written, as UTF-8, may be: one after the other, each with its key first.
/// Where the answer is no, `validateTags` tells why.
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

/// Words of a message that is large.
const LARGE: usize = 1 << 16;
/// Bytes that the answer to a large message takes for each word of it, at most: many short keys, each with a violation.
const BYTES_PER_WORD: usize = 48;

/// Returns where a message of so many words is written.
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

/// Grows the memory at once. Each of many small steps would cost a garbage collection of the host. Pages that are not
/// used take none of its memory; where there are not as many, the small steps are left.
fn reserve(bytes: usize) {
    let mut block = Vec::<u8>::new();
    let _ = block.try_reserve_exact(bytes);
    std::hint::black_box(&block);
}

/// Answers a message for one of the pure functions. The answer is so many bytes of JSON text at [`answer`]; where it is
/// an error, the number is negative.
#[must_use]
#[wasm_bindgen]
pub fn run(words: usize) -> isize {
    reply(words, answered)
}

/// Takes a message of so many words, and leaves the answer to it.
fn reply(words: usize, to: impl FnOnce(&mut Message<'_>) -> Json) -> isize {
    let message = MESSAGE.take();
    let result = to(&mut Message::new(message.get(..words).unwrap_or_default()));
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

type Json = Result<String, ClientError>;

fn result(result: Result<impl ToJson, impl Into<ClientError>>) -> Json {
    result.map(|value| value.to_json()).map_err(Into::into)
}

fn no_function<T>() -> Result<T, ClientError> {
    Err(ClientError::usage("the host asks for a function that there is not"))
}

/// The pure functions, by their names in JavaScript.
fn answered(message: &mut Message<'_>) -> Json {
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
        _ => no_function(),
    }
}
