//! The control plane: authentication and routing.

use axum::http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::answer::Answer;
use crate::store::Store;
use crate::{Call, KEY, aggregate, drilldown, sandboxes, tags};

/// Handles a request from outside.
pub(crate) fn answer(call: &Call, store: &mut Store) -> Answer {
    if !call.path.starts_with("/api/") {
        return Answer::framework(StatusCode::NOT_FOUND, "Not Found");
    }
    // `Authorization` is for the platform's own tokens; a key there is ignored.
    let header = call.headers.get("x-api-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    match header.filter(|key| !key.is_empty()).as_deref().or_else(|| call.parameters.first("api_key")) {
        None => Answer::error(StatusCode::UNAUTHORIZED, "missing API key"),
        Some(key) if key != KEY => Answer::error(StatusCode::FORBIDDEN, "invalid API key"),
        Some(_) => authorized(call, store),
    }
}

/// Handles a request of an authenticated caller.
pub(crate) fn authorized(call: &Call, store: &mut Store) -> Answer {
    let segments = segments(&call.path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (segments.as_slice(), &call.method) {
        (["api", "usage"], &Method::GET) => aggregate::answer(call, store),
        (["api", "tags"], &Method::GET) => tags::keys(store),
        (["api", "sandboxes"], &Method::GET) => sandboxes::list(call, store),
        (["api", "sandboxes", id], &Method::GET) => sandboxes::one(call, store, id),
        (["api", "sandboxes", id, "usage"], &Method::GET) => drilldown::answer(call, store, id),
        (["api", "sandboxes", id, "tags"], &Method::GET) => tags::read(call, store, id),
        (["api", "sandboxes", id, "tags"], &Method::PUT) => tags::replace(call, store, id),
        (
            ["api", "usage" | "tags" | "sandboxes"]
            | ["api", "sandboxes", _]
            | ["api", "sandboxes", _, "usage" | "tags"],
            _,
        ) => Answer::framework(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
        _ => Answer::framework(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// Returns the decoded segments of a path.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let encoded = path.trim_start_matches('/').split('/');
    encoded.map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect()
}
