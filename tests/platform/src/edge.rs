//! The public edge. It serves sandboxes from its own index and forwards other requests to a control plane.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::routes::{authorized, segments};
use crate::store::{SECOND, Session, Store};
use crate::{Call, KEY, go};

/// The id whose requests crash the worker.
const CRASHES: &str = "sb-crash";

pub(crate) fn answer(call: &Call, store: &mut Store) -> Answer {
    let segments = segments(&call.path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if segments.first() != Some(&"api") {
        return Answer::text(StatusCode::NOT_FOUND, "not found");
    }
    if segments.contains(&CRASHES) {
        return Answer::text(StatusCode::INTERNAL_SERVER_ERROR, "error code: 1101");
    }
    if call.headers.get("x-api-key").is_none_or(|key| key.as_bytes() != KEY.as_bytes()) {
        return error(StatusCode::UNAUTHORIZED, "missing or invalid API key");
    }
    match (segments.as_slice(), &call.method) {
        (["api", "sandboxes"], &Method::GET) => list(store),
        (["api", "sandboxes", id], &Method::GET) => one(store, id),
        (["api", "sandboxes"] | ["api", "sandboxes", _], _) => {
            error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
        }
        (["api", "sandboxes", id, ..], _) if store.session(id).is_none() => not_found(),
        _ => authorized(call, store),
    }
}

/// Lists the newest sandboxes of every status.
fn list(store: &Store) -> Answer {
    let mut sessions: Vec<&Session> = store.sessions.iter().collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.started));
    Answer::javascript(StatusCode::OK, &sessions.into_iter().take(200).map(show).collect::<Vec<_>>())
}

fn one(store: &Store, id: &str) -> Answer {
    let Some(session) = store.session(id) else { return not_found() };
    let mut body = show(session);
    body.insert("cellEndpoint".into(), "https://cell.example".into());
    Answer::javascript(StatusCode::OK, &body)
}

/// Returns a row of the index. It has no tags and no region, and unknown members are empty.
fn show(session: &Session) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("sandboxID".into(), session.sandbox.into());
    body.insert("templateID".into(), if session.alias.is_some() { "base" } else { "" }.into());
    body.insert("cellID".into(), "azure-us-east-2-a".into());
    body.insert("workerID".into(), if session.status == "hibernated" { "" } else { "w-use2-1" }.into());
    body.insert("status".into(), session.status.into());
    body.insert("cpuCount".into(), 1.into());
    body.insert("memoryMB".into(), session.memory_mb.into());
    body.insert("startedAt".into(), instant(session.started).into());
    // Go's zero time represents a missing time.
    let end = session.stopped.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), instant);
    body.insert("endAt".into(), end.into());
    body
}

/// Returns a time in whole seconds, as `toISOString` writes it.
fn instant(micros: i64) -> String {
    go::milliseconds(micros - micros.rem_euclid(SECOND))
}

fn error(status: StatusCode, message: &str) -> Answer {
    Answer::javascript(status, &json!({ "error": message }))
}

fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "sandbox not found")
}
