//! The two ways to decode a response, into Rust values and into JSON text, must agree on any body.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic; clippy sees only its outermost function"
)]

use std::sync::LazyLock;

use opencomputer_usage_core::client::{Answer, JsonValue, Outcome, Reply, Value as _};
use opencomputer_usage_vectors::{load, same};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// The bodies of the vectors' responses that can be decoded.
static BODIES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let cases = load("responses");
    let decoded = cases.iter().filter(|case| case.get("result").is_some());
    let bodies: Vec<_> = decoded.map(|case| case.0["response"]["body"].clone()).collect();
    assert!(bodies.len() > 20);
    bodies
});

/// Collects the path of every part of a value.
fn places(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| places(item, &format!("{path}/{at}"), all));
        }
        Value::Object(members) => members.iter().for_each(|(name, item)| places(item, &format!("{path}/{name}"), all)),
        _ => {}
    }
}

fn odd() -> impl Strategy<Value = Option<Value>> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!("x"),
        json!("2026-01-01T00:00:00Z"),
        json!("2026-13-01T00:00:00Z"),
        json!([]),
        // The amounts as an array instead of an object.
        json!([1.5, 2]),
        json!({}),
        json!({ "team": "a" }),
        json!({ "team": 1 }),
    ];
    prop_oneof![1 => Just(None), 4 => prop::sample::select(values.to_vec()).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_ways_to_read_a_body_agree(body in any::<Index>(), place in any::<Index>(), to in odd()) {
        let mut body = body.get(&BODIES).clone();
        let mut all = Vec::new();
        places(&body, "", &mut all);
        let path = place.get(&all);
        match (to, path.rsplit_once('/')) {
            (Some(to), _) => *body.pointer_mut(path).unwrap() = to,
            (None, Some((parent, name))) => {
                if let Some(members) = body.pointer_mut(parent).unwrap().as_object_mut() {
                    members.remove(name);
                }
            }
            (None, None) => {}
        }
        let headers = vec![("etag".to_owned(), "\"e\"".to_owned())];
        let mut answer = Answer { status: 200, headers, body: body.to_string().into() };
        // Each body is decoded as every reply, so as the right and as wrong ones.
        for &reply in Reply::ALL {
            let typed = <Outcome>::read(reply, &mut answer);
            let text = JsonValue::read(reply, &mut answer);
            prop_assert_eq!(typed.is_ok(), text.is_ok(), "{:?} {} {:?} {:?}", reply, body, typed, text);
            if let (Ok(typed), Ok(text)) = (typed, text) {
                prop_assert!(same(&json!(typed), &serde_json::from_str(&text.text).unwrap()), "{typed:?} {text:?}");
                prop_assert_eq!(typed.page(), text.page());
                prop_assert_eq!(typed.sandbox(), text.sandbox());
                prop_assert_eq!(typed.user_tags(), text.user_tags());
            }
        }
    }
}

#[test]
fn both_ways_to_read_a_body_reject_invalid_utf_8_in_an_unknown_member() {
    for (body, fault) in [
        (&b"{\"keys\":[],\"other\":\"\xff\"}"[..], "it is not UTF-8"),
        (b"\x1f\x8b\x08", "it is compressed with gzip, which was not requested"),
    ] {
        let mut answer = Answer { status: 200, headers: Vec::new(), body: body.to_vec() };
        assert_eq!(<Outcome>::read(Reply::TagKeys, &mut answer), Err(fault.to_owned()));
        assert_eq!(JsonValue::read(Reply::TagKeys, &mut answer), Err(fault.to_owned()));
    }
}
