//! Sandbox reads of the control plane: from the database, or in combined mode from the worker in the process.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::store::{HOUR, Session, Store};
use crate::{Call, Variant, go};

impl Variant {
    /// Returns the offset of the host's clock west of UTC.
    pub(crate) fn hours_west(self) -> i64 {
        if self == Self::Combined { 8 } else { 0 }
    }
}

pub(crate) fn list(call: &Call, store: &Store) -> Answer {
    let running = store.sessions.iter().filter(|session| session.status == "running");
    let mut running: Vec<&Session> = running.collect();
    running.sort_by_key(|session| std::cmp::Reverse(session.started));
    let show = |session: &&Session| match call.variant {
        Variant::Combined => local(call, store, session),
        _ => remote(call, store, session),
    };
    Answer::go(StatusCode::OK, &running.iter().take(100).map(show).collect::<Vec<_>>())
}

pub(crate) fn one(call: &Call, store: &Store, id: &str) -> Answer {
    let session = store.session(id);
    let body = match (session, call.variant) {
        (Some(session), Variant::Combined) if session.status == "running" => local(call, store, session),
        (_, Variant::Combined) => return Answer::error(StatusCode::NOT_FOUND, format!("sandbox {id} not found")),
        (Some(session), _) => remote(call, store, session),
        (None, _) => return Answer::error(StatusCode::NOT_FOUND, "sandbox not found"),
    };
    Answer::go(StatusCode::OK, &body)
}

/// Returns a session of the database. A hibernated sandbox has no worker.
fn remote(call: &Call, store: &Store, session: &Session) -> Value {
    let (tags, written) = store.tags_of(session.sandbox);
    let mut body = Map::new();
    body.insert("region".into(), "use2".into());
    body.insert("sandboxID".into(), session.sandbox.into());
    body.insert("startedAt".into(), go::nanoseconds(session.started, call.variant.hours_west()).into());
    body.insert("status".into(), session.status.into());
    body.insert("tags".into(), json!(tags));
    body.insert("tagsLastUpdatedAt".into(), json!(written.map(go::seconds)));
    body.insert("template".into(), "base".into());
    if session.status != "hibernated" {
        body.insert("token".into(), "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl".into());
        body.insert("workerID".into(), "w-use2-1".into());
    }
    body.into()
}

/// Returns a machine of the worker, which does not know regions and templates.
fn local(call: &Call, store: &Store, session: &Session) -> Value {
    let (tags, written) = store.tags_of(session.sandbox);
    json!({
        "cpuCount": 1,
        "endAt": go::nanoseconds(call.now + HOUR, call.variant.hours_west()),
        "memoryMB": session.memory_mb,
        "sandboxID": session.sandbox,
        "startedAt": go::nanoseconds(session.started, call.variant.hours_west()),
        "status": session.status,
        "tags": tags,
        "tagsLastUpdatedAt": written.map(go::seconds),
    })
}
