//! Checks and conversions that several targets share.

use std::sync::LazyLock;

use opencomputer_usage_core::client::{Answer, Client, Event, Exchange, Operation, Step, Value};
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::{Code, Error};

/// The API key of the client. No error may contain it.
pub(crate) const KEY: &str = "key-0123456789";
pub(crate) const BASE_URL: &str = "http://127.0.0.1:1";
/// 2026-01-01T00:00:00Z
pub(crate) const NOW_MS: f64 = 1_767_225_600_000.0;
/// The most bytes in the message of an error: several cut inputs of 64 characters and the allowed values.
const MOST_MESSAGE_BYTES: usize = 1_024;

/// The instant of every query: 2026-11-23T12:00:00Z, that of the vectors.
pub(crate) static NOW: LazyLock<Timestamp> =
    LazyLock::new(|| Timestamp::from_micros(1_795_435_200_000_000).expect("it is in this century"));

/// A client that does not retry.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let config = [("apiKey", KEY.into()), ("baseUrl", BASE_URL.into()), ("maxRetries", Raw::Number(0.0))];
    client(config.into())
});

/// Creates a client.
pub(crate) fn client(config: Vec<(&str, Raw)>) -> Client {
    let config = config.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Client::new("opencomputer-usage-rust/fuzz", &Raw::Map(config)).expect("the configuration is valid")
}

/// Begins a call of a client that does not retry.
pub(crate) fn begin(operation: Operation) -> Exchange {
    CLIENT.call(operation, NOW_MS)
}

/// Returns the step after a response to a call without retries.
pub(crate) fn answered<V: Value>(operation: Operation, answer: Answer) -> Step<V> {
    begin(operation).advance(Event::Answer(answer), NOW_MS, 0.0)
}

/// Creates a response with one header and the body `[]`.
pub(crate) fn with_header(status: u16, name: &str, value: &str) -> Answer {
    Answer { status, headers: vec![(name.to_owned(), value.to_owned())], body: b"[]".to_vec() }
}

/// Checks that a rejection has one of the endpoint's codes and a short message.
pub(crate) fn rejected_by(endpoint: Endpoint, error: &Error) {
    let common = Endpoint::COMMON_CODES;
    assert!(endpoint.codes().contains(&error.code) || common.contains(&error.code), "{endpoint:?}: {error:?}");
    has_short_message(error);
}

/// Checks that a rejection has one of the codes and a short message.
pub(crate) fn rejected_with(codes: &[Code], error: &Error) {
    assert!(codes.contains(&error.code), "{error:?}");
    has_short_message(error);
}

fn has_short_message(error: &Error) {
    assert!((1..=MOST_MESSAGE_BYTES).contains(&error.message.len()), "{} bytes: {error}", error.message.len());
}

/// Checks that the length of an output is at most this multiple of the input's.
pub(crate) fn grows_at_most(factor: usize, input: usize, output: &str) {
    const SHORT: usize = 4_096;
    assert!(output.len() <= factor * input + SHORT, "{input} bytes become {}: {output}", output.len());
}

/// Returns whether a transport can deliver a text as the value of a header.
pub(crate) fn is_header_value(text: &str) -> bool {
    text.chars().all(|character| character == '\t' || !character.is_control())
}

/// Returns the text of an input, lone surrogates included: UTF-8, or else UTF-16 of the same bytes.
pub(crate) fn text_of(data: &[u8]) -> Text {
    if let Ok(text) = str::from_utf8(data) {
        return text.into();
    }
    let unit = |pair: &[u8]| pair.iter().rev().fold(0, |unit, byte| unit << 8 | u16::from(*byte));
    Text::from_utf16(&data.chunks(2).map(unit).collect::<Vec<_>>())
}

/// Encodes bytes in the alphabet of cursors.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        text.extend((0..=chunk.len()).map(|at| char::from(ALPHABET[bits >> (18 - 6 * at) & 63])));
    }
    text
}
