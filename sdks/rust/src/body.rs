//! Reads the body of an answer, and no more of it than an answer of the API may have.

use opencomputer_usage_core::client::{Answer, Event};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use crate::route::Route;

/// The longest body that a call succeeds with.
const MAX_BODY: usize = 64 << 20;
/// How much is read of an error's body; the rest is left out.
const MAX_ERROR_BODY: usize = 64 << 10;
/// What a body compressed with gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads the whole answer, or says why the rest of it did not come or cannot be read.
pub async fn read(mut response: Response, route: &Route) -> Event {
    let success = response.status().is_success();
    let limit = if success { MAX_BODY } else { MAX_ERROR_BODY };
    let announced = response.content_length().unwrap_or_default();
    let compression = encoding(response.headers()).map(str::to_owned);
    let mut answer =
        Answer { status: response.status().as_u16(), headers: pairs(response.headers()), body: Vec::new() };
    if success && announced > MAX_BODY as u64 {
        return too_long(answer);
    }
    answer.body.reserve(usize::try_from(announced).unwrap_or(limit).min(limit));
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => return route.broken(&error, answer.body.len()),
        };
        let room = limit - answer.body.len();
        answer.body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            if success {
                return too_long(answer);
            }
            break;
        }
    }
    let gzip = answer.body.starts_with(&GZIP).then(|| "gzip".to_owned());
    match compression.or(gzip) {
        Some(compression) if success => {
            Event::Unreadable(answer, format!("its body is compressed ({compression}), which was not asked for"))
        }
        _ => Event::Answer(answer),
    }
}

fn too_long(answer: Answer) -> Event {
    Event::Unreadable(answer, format!("its body is longer than {} MiB", MAX_BODY >> 20))
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The compression of a body.
fn encoding(headers: &HeaderMap) -> Option<&str> {
    let encoding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("unknown").trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}
