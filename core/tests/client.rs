//! The configuration of a client and its validation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic; clippy sees only its outermost function")]
#![allow(clippy::needless_pass_by_value, reason = "JSON made on the spot reads best by value")]

use opencomputer_usage_core::client::{Answer, Client, ClientError, Event, Fault, Operation, Outcome, Step};
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_vectors::to_raw;
use serde_json::{Value, json};

const KEY: &str = "oc_0123456789abcdef";

fn client(options: Value) -> Result<Client, ClientError> {
    let mut config = json!({ "apiKey": KEY, "baseUrl": "https://example.com" });
    config.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    Client::new("test/1", &to_raw(&config))
}

fn first_request(client: &Client) -> opencomputer_usage_core::client::Request {
    match client.call(Operation::ListTagKeys, 0.0).advance::<Outcome>(Event::Begin, 0.0, 0.0) {
        Step::Send { request, .. } => request,
        step => panic!("{step:?}"),
    }
}

#[test]
fn accepts_a_base_url_with_or_without_api_and_slashes() {
    for url in ["https://h", "https://h/", "https://h/api", "https://h/api/", "HTTPS://h//"] {
        let request = first_request(&client(json!({ "baseUrl": url })).unwrap());
        assert_eq!(request.url.to_lowercase(), "https://h/api/tags");
    }
    let request = first_request(&client(json!({ "baseUrl": "http://[::1]:8787/base/api" })).unwrap());
    assert_eq!(request.url, "http://[::1]:8787/base/api/tags");
}

#[test]
fn rejects_an_invalid_base_url_without_showing_it() {
    let urls = [
        "",
        "h",
        "ftp://h",
        "http://",
        "http:///x",
        "http://h:99999",
        "http://h:",
        "http://h:x",
        "http://[::1",
        "http://a%zz",
        "http://u:p@h",
        "http://h?x",
        "http://h#x",
        "http://h h",
        KEY,
    ];
    for url in urls {
        let error = client(json!({ "baseUrl": url })).unwrap_err();
        assert!(error.message.starts_with("invalid base URL: "), "{url}: {error}");
        assert!(!error.message.contains(KEY) && !error.message.contains("u:p"), "{error}");
    }
}

#[test]
fn the_key_is_never_shown() {
    let client = client(json!({})).unwrap();
    assert!(!format!("{client:?} {:?}", first_request(&client)).contains(KEY));
    let swapped = Client::new("test/1", &to_raw(&json!({ "apiKey": "https://h x", "baseUrl": KEY })));
    assert!(!swapped.unwrap_err().message.contains("https://h x"));
}

#[test]
fn headers_are_added_or_replaced_except_those_of_the_client() {
    let request = first_request(&client(json!({ "headers": { "Accept": "text/x", "x-team": "a b" } })).unwrap());
    let values = |name: &str| request.headers.iter().filter(|(given, _)| given == name).count();
    assert_eq!((values("accept"), values("x-team"), values("x-api-key")), (1, 1, 1));
    let names = ["content-type", "If-Match", "content-length", "transfer-encoding", "host", "expect", "X-API-Key"];
    for name in names.into_iter().chain(["", "a b", "a\nb", "é"]) {
        let error = client(json!({ "headers": { name: "1" } })).unwrap_err();
        assert!(error.message.contains("header"), "{name}: {error}");
    }
    for value in [json!("a\r\nb"), json!("é"), json!(1), json!(null)] {
        assert!(client(json!({ "headers": { "x-a": value } })).is_err());
    }
}

#[test]
fn rejects_numbers_out_of_range() {
    for options in [json!({ "timeoutMs": 0 }), json!({ "timeoutMs": -1 }), json!({ "timeoutMs": "1" })] {
        assert!(client(options).is_err());
    }
    for options in [json!({ "maxRetries": -1 }), json!({ "maxRetries": 1.5 }), json!({ "maxRetries": 1e20 })] {
        assert!(client(options).is_err());
    }
    let infinite = Raw::Map(vec![("timeoutMs".into(), Raw::Number(f64::INFINITY))]);
    assert!(client(json!({})).unwrap().with(&infinite).is_err());
    let minus_zero = Raw::Map(vec![("maxRetries".into(), Raw::Number(-0.0))]);
    assert!(client(json!({})).unwrap().with(&minus_zero).is_ok());
}

#[test]
fn the_error_of_an_unknown_option_lists_the_allowed_options() {
    let error = client(json!({ "apikey": "x" })).unwrap_err();
    assert_eq!(error.code.as_deref(), Some("unknown_parameter"));
    assert!(error.message.contains("`apikey`") && error.message.contains("`apiKey`"), "{error}");
    let by_tag = |params| Operation::parse("usage.by_tag", to_raw(&params)).unwrap_err();
    let error = by_tag(json!({ "key": "team", "groupBy": "tag:x" }));
    assert_eq!(error.code.as_deref(), Some("unknown_parameter"));
    let allowed = error.message.split_once("allowed").unwrap().1;
    assert!(allowed.contains(" `from`, `to`, ") && allowed.ends_with(" and `exclude`"), "{error}");
    assert!(!allowed.contains("groupBy"), "{error}");
    let error = by_tag(json!({ "key": "team", "filter": ["prod"] }));
    assert!(error.message.contains("must be an object of filters by dimension, got an array"), "{error}");
}

#[test]
fn a_change_has_the_remaining_time() {
    let operation = Operation::parse("tags.update", to_raw(&json!({ "sandboxId": "sb-1" }))).unwrap();
    let mut exchange = client(json!({ "timeoutMs": 1000 })).unwrap().call(operation, 0.0);
    exchange.advance::<Outcome>(Event::Begin, 0.0, 0.0);
    let headers = vec![("etag".to_owned(), "\"e\"".to_owned())];
    let body = br#"{"tags":{},"tagsLastUpdatedAt":null}"#.to_vec();
    let step = exchange.advance::<Outcome>(Event::Answer(Answer { status: 200, headers, body }), 400.0, 0.0);
    assert!(matches!(step, Step::Change { timeout_ms, .. } if (timeout_ms - 600.0).abs() < 1e-9), "{step:?}");
    let step = exchange.advance::<Outcome>(Event::Changed(Raw::Map(vec![])), 1000.0, 0.0);
    assert!(matches!(step, Step::Failed { error } if error.message.contains("1000 ms")));
}

#[test]
fn an_error_hides_the_key_and_keeps_the_start_of_the_body() {
    let operation = Operation::ListTagKeys;
    let mut exchange = client(json!({ "maxRetries": 0 })).unwrap().call(operation, 0.0);
    exchange.advance::<Outcome>(Event::Begin, 0.0, 0.0);
    let headers = vec![("X-Echo".to_owned(), KEY.to_owned()), ("Set-Cookie".to_owned(), "a=b".to_owned())];
    let body = format!(r#"{{"error":"no such key {KEY}"}}{}"#, " ".repeat(100_000)).into_bytes();
    let step = exchange.advance::<Outcome>(Event::Answer(Answer { status: 403, headers, body }), 0.0, 0.0);
    let Step::Failed { error } = step else { panic!("{step:?}") };
    assert_eq!(error.message, "no such key [key]");
    assert_eq!(error.headers, [("x-echo".to_owned(), "[key]".to_owned())]);
    let body = error.body.clone().unwrap();
    assert!(body.starts_with(r#"{"error":"no such key [key]"}"#) && body.len() <= 64 * 1_024, "{}", body.len());

    let fault = Event::Fault(Fault::Connection, format!("cannot send header {KEY}"));
    let step = client(json!({ "maxRetries": 0 }))
        .unwrap()
        .call(Operation::ListTagKeys, 0.0)
        .advance::<Outcome>(fault, 0.0, 0.0);
    assert!(matches!(&step, Step::Failed { error } if !error.message.contains(KEY)), "{step:?}");
}

#[test]
fn an_error_hides_the_key_in_every_member_of_its_body() {
    let mut exchange = client(json!({ "maxRetries": 0 })).unwrap().call(Operation::ListTagKeys, 0.0);
    let violation = json!({ "code": KEY, "key": KEY, "message": KEY });
    let body = json!({ "error": KEY, "code": KEY, "requestId": KEY, "violations": [violation] });
    let answer = Answer { status: 400, headers: Vec::new(), body: body.to_string().into() };
    let step = exchange.advance::<Outcome>(Event::Answer(answer), 0.0, 0.0);
    let Step::Failed { error } = step else { panic!("{step:?}") };
    assert_eq!((error.code.as_deref(), error.violations.len()), (Some("[key]"), 1));
    assert!(!error.to_json().contains(KEY), "{}", error.to_json());
}

#[test]
fn an_error_names_the_option_and_its_allowed_values() {
    let cases = [
        (json!({ "timeoutMs": -1 }), "`timeoutMs` must be a positive, finite number of milliseconds"),
        (json!({ "timeoutMs": "5" }), "`timeoutMs` must be a positive, finite number of milliseconds, got a string"),
        (json!({ "maxRetries": 0.5 }), "`maxRetries` must be a whole number from 0 to 4294967295"),
        (json!({ "maxRetries": [] }), "`maxRetries` must be a whole number from 0 to 4294967295, got an array"),
        (json!({ "headers": [] }), "`headers` must be an object of strings, got an array"),
        (json!({ "apiKey": "" }), "the API key is empty"),
    ];
    for (options, message) in cases {
        assert_eq!(client(options).unwrap_err().message, message);
    }
}
