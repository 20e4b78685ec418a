//! Targets for bodies: of tag writes, of results and of errors.

use opencomputer_usage_core::client::{
    Answer, ClientError, JsonValue, Kind, Operation, Outcome, Reply, Step, Value as _,
};
use opencomputer_usage_core::etag;
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_vectors::same;
use serde_json::{Value, json};

use crate::check::{KEY, answered, grows_at_most, rejected_by};
use crate::names::violations_agree;

/// The body of a tag write.
pub fn tags(data: &[u8]) {
    match TagSet::from_json(data) {
        Ok(tags) => {
            let written = tags.to_json();
            assert!(written.len() <= data.len(), "{written}");
            assert_eq!(TagSet::from_json(written.as_bytes()).as_ref(), Ok(&tags));
            assert!(etag::matches(&etag::etag(&tags), &etag::etag(&tags)));
        }
        Err(error) => rejected_by(Endpoint::ReplaceSandboxTags, &error),
    }
    if let Ok(Raw::Map(mut entries)) = serde_json::from_slice(data) {
        entries.sort_by_key(|(key, _)| key.code_points());
        entries.dedup_by(|(one, _), (other, _)| one == other);
        violations_agree(&entries);
    }
}

/// The body of a result, of every kind. Both ways to read it must agree.
pub fn replies(data: &[u8]) {
    for &reply in Reply::ALL {
        let mut answer = ok(data.to_vec());
        let typed = <Outcome>::read(reply, &mut answer);
        answer.body = data.to_vec();
        let text = JsonValue::read(reply, &mut answer);
        let (typed, text) = match (typed, text) {
            (Ok(typed), Ok(text)) => (typed, text),
            (Err(_), Err(_)) => continue,
            (typed, text) => panic!("{reply:?}: {typed:?}, but {text:?}"),
        };
        let written = json!(typed);
        let shown = serde_json::from_str(&text.text).expect("it is JSON");
        assert!(agree(&written, &shown, &text.numbers.clone().into_vec()), "{written}, but {text:?}");
        assert_eq!(typed.page(), text.page());
        assert_eq!(typed.list(), text.list());
        assert_eq!(typed.sandbox(), text.sandbox());
        assert_eq!(typed.user_tags(), text.user_tags());
        grows_at_most(8, data.len(), &written.to_string());
        let body = match reply {
            Reply::TagKeys => json!({ "keys": written }),
            Reply::Sandboxes => written["items"].clone(),
            _ => written,
        };
        assert_eq!(<Outcome>::read(reply, &mut ok(body.to_string().into())).as_ref(), Ok(&typed));
    }
}

fn ok(body: Vec<u8>) -> Answer {
    Answer { status: 200, headers: vec![("etag".to_owned(), "\"e\"".to_owned())], body }
}

/// Compares a result with its JSON text, in which the position of a list in `numbers` may stand for the list.
fn agree(typed: &Value, shown: &Value, numbers: &[f64]) -> bool {
    match (typed, shown) {
        (Value::Array(list), Value::Number(at)) => {
            let at = at.as_u64().and_then(|at| usize::try_from(at).ok()).expect("it is a position");
            same(&list.len().into(), &numbers[at].into())
                && list.iter().zip(&numbers[at + 1..]).all(|(one, other)| one.as_f64() == Some(*other))
        }
        (Value::Array(list), Value::Array(other)) => {
            list.len() == other.len() && list.iter().zip(other).all(|(one, other)| agree(one, other, numbers))
        }
        (Value::Object(members), Value::Object(other)) => {
            members.len() == other.len()
                && members.iter().all(|(name, one)| other.get(name).is_some_and(|other| agree(one, other, numbers)))
        }
        _ => same(typed, shown),
    }
}

/// The body of an error.
pub fn errors(data: &[u8]) {
    const STATUSES: [u16; 12] = [0, 301, 400, 401, 403, 404, 409, 412, 418, 429, 500, 503];
    let status = STATUSES[data.len() % STATUSES.len()];
    let headers = vec![("x-request-id".to_owned(), "req-1".to_owned())];
    let answer = Answer { status, headers, body: data.to_vec() };
    let Step::Failed { error } = answered::<JsonValue>(Operation::ListTagKeys, answer.clone()) else {
        panic!("HTTP {status} is no success");
    };
    is_kind_of(status, &error);
    let Step::Failed { error: typed } = answered::<Outcome>(Operation::ListTagKeys, answer) else {
        panic!("HTTP {status} is no success");
    };
    assert_eq!(typed, error, "both ways to read a body have the same errors");
}

/// Checks that an error has the class of its status, and that hosts can show it.
fn is_kind_of(status: u16, error: &ClientError) {
    let kinds: &[Kind] = match status {
        400 => &[Kind::InvalidRequest, Kind::TagValidation],
        401 => &[Kind::Authentication],
        403 => &[Kind::PermissionDenied],
        404 => &[Kind::NotFound],
        409 | 412 => &[Kind::Conflict],
        429 => &[Kind::RateLimit],
        500.. => &[Kind::Server],
        _ => &[Kind::Api],
    };
    assert!(kinds.contains(&error.kind), "HTTP {status}: {error:?}");
    assert_eq!(error.status, Some(status).filter(|status| *status != 0));
    assert!(error.request_id.is_some() && !error.message.is_empty());
    let shown = error.to_json();
    assert!(!shown.contains(KEY), "{shown}");
    grows_at_most(16, error.body.as_ref().map_or(0, String::len), &shown);
    let shown: Value = serde_json::from_str(&shown).expect("it is JSON");
    assert_eq!(shown["kind"], error.kind.as_str());
    assert_eq!(shown["message"], error.message);
}
