//! The tags of a sandbox and the keys in use. There are no entity tags, and the condition of a write is ignored.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::query::refuse;
use crate::store::{Store, Tags};
use crate::{Call, Variant, go};

/// A sandbox's tags.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    tags: BTreeMap<&'a str, &'a str>,
    tags_last_updated_at: Option<String>,
}

pub(crate) fn keys(store: &Store) -> Answer {
    let key = |(key, (sandboxes, values))| json!({ "key": key, "sandboxCount": sandboxes, "valueCount": values });
    let keys: Vec<Value> = store.keys().into_iter().map(key).collect();
    Answer::go(StatusCode::OK, &json!({ "keys": keys }))
}

pub(crate) fn read(call: &Call, store: &Store, id: &str) -> Answer {
    unless_known(call, store, id, || show(store, id))
}

pub(crate) fn replace(call: &Call, store: &mut Store, id: &str) -> Answer {
    let refusal = unless_known(call, store, id, || Answer::text(StatusCode::OK, ""));
    if store.session(id).is_none() && call.variant != Variant::Original {
        return refusal;
    }
    let written = match body(call).and_then(checked) {
        Ok(tags) => {
            write(store, id, tags, call.now);
            show(store, id)
        }
        Err(refusal) => refusal,
    };
    if store.session(id).is_none() { not_found().followed_by(&written) } else { written }
}

/// Responds with 404 for a sandbox without a session. The first version then continued and appended a second response.
pub(crate) fn unless_known(call: &Call, store: &Store, id: &str, handle: impl FnOnce() -> Answer) -> Answer {
    match (store.session(id), call.variant) {
        (Some(_), _) => handle(),
        (None, Variant::Original) => not_found().followed_by(&handle()),
        (None, _) => not_found(),
    }
}

fn not_found() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, "sandbox not found")
}

fn show(store: &Store, id: &str) -> Answer {
    let (tags, written) = store.tags_of(id);
    Answer::go(StatusCode::OK, &Shown { tags, tags_last_updated_at: written.map(go::milliseconds) })
}

/// Parses the body. An empty body and `null` are an empty map; anything after the first value is ignored.
fn body(call: &Call) -> Result<BTreeMap<String, Value>, Answer> {
    let broken = || refuse("request body must be a flat { key: string } map");
    if call.body.is_empty() {
        return Ok(BTreeMap::new());
    }
    let media = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media.split(';').next().map(str::trim) != Some("application/json") {
        return Err(broken());
    }
    let mut values = serde_json::Deserializer::from_slice(&call.body).into_iter::<Option<BTreeMap<String, Value>>>();
    Ok(values.next().and_then(Result::ok).ok_or_else(broken)?.unwrap_or_default())
}

/// Applies the rules. Lengths are counted in bytes, and `null` counts as the empty string.
fn checked(body: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Answer> {
    let mut tags = BTreeMap::new();
    for (key, value) in body {
        let value = match value {
            Value::String(value) => value,
            Value::Null => String::new(),
            _ => return Err(refuse(format!("tag {key:?}: value must be a string"))),
        };
        tags.insert(key, value);
    }
    if tags.len() > 50 {
        return Err(refuse(format!("max 50 tags per sandbox, got {}", tags.len())));
    }
    for (key, value) in &tags {
        let message = if key.is_empty() || key.len() > 128 {
            format!("tag key {key:?}: length must be 1..128")
        } else if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-:".contains(&byte)) {
            format!("tag key {key:?} contains invalid characters")
        } else if key.starts_with("oc:") {
            "tag key prefix \"oc:\" is reserved".to_owned()
        } else if value.len() > 256 {
            format!("tag value for {key:?}: length must be <= 256")
        } else {
            continue;
        };
        return Err(refuse(message));
    }
    Ok(tags)
}

/// Replaces all tags; the time moves only for values that change.
fn write(store: &mut Store, id: &str, tags: BTreeMap<String, String>, now: i64) {
    let old = store.tags.remove(id).unwrap_or_default();
    let kept = |key: &str, value: &str| old.get(key).filter(|(old, _)| old == value).map(|(_, written)| *written);
    let row = |(key, value): (String, String)| {
        let written = kept(&key, &value).unwrap_or(now);
        (key, (value, written))
    };
    let rows: Tags = tags.into_iter().map(row).collect();
    store.tags.insert(id.to_owned(), rows);
}
