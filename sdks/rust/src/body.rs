//! Reads the body of a response, up to the limits of the core.

use opencomputer_usage_core::client::{Answer, Event, MAX_RESPONSE_BYTES, response_limit};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use crate::route::Route;

/// The first bytes of a body compressed with gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads the whole response. The event says why if it breaks off or cannot be read.
pub async fn read(mut response: Response, route: &Route) -> Event {
    let success = response.status().is_success();
    let limit = response_limit(response.status().as_u16());
    let announced = response.content_length().unwrap_or_default();
    let compression = encoding(response.headers()).map(str::to_owned);
    let mut answer =
        Answer { status: response.status().as_u16(), headers: pairs(response.headers()), body: Vec::new() };
    if success && announced > MAX_RESPONSE_BYTES as u64 {
        return Event::too_long(answer);
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
                return Event::too_long(answer);
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

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Returns the compression of a body, if any.
fn encoding(headers: &HeaderMap) -> Option<&str> {
    let encoding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("unknown").trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}
