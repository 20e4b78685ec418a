//! The client against a small server with prepared responses.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic; clippy sees only its outermost function"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opencomputer_usage::{Client, DrilldownOptions, Interval, Kind, TransportOptions, UsageOptions};
use serde_json::{Value, json};

/// A request: its first line, its headers by lower-case name, its body.
#[derive(Clone, Debug)]
struct Seen {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// A server that sends one prepared response for each connection.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read(&stream);
                log.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).unwrap();
            }
            thread::sleep(Duration::from_secs(5));
        });
        Self { url, seen }
    }

    fn client(&self) -> Client {
        Client::new("oc_key", &self.url).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let pair = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: BTreeMap<_, _> = lines.iter().skip(1).filter_map(pair).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Seen { line: lines[0].clone(), headers, body }
}

fn answer(status: u16, headers: &str, body: &impl ToString) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn keys() -> String {
    answer(200, "", &json!({ "keys": [{ "key": "team", "sandboxCount": 3, "valueCount": 2 }] }))
}

fn failure(status: u16, headers: &str, code: &str) -> String {
    answer(status, headers, &json!({ "error": "no", "code": code, "requestId": "req-7" }))
}

fn page(ids: &[&str], next_cursor: Option<&str>) -> String {
    let item = |id: &&str| {
        json!({
            "sandboxId": id, "tags": {}, "tagsLastUpdatedAt": null, "memoryGbSeconds": 1.5, "diskOverageGbSeconds": 0
        })
    };
    let page = json!({
        "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "asOf": "2026-04-02T00:00:00Z",
        "groupBy": "sandbox", "total": { "memoryGbSeconds": 3.0, "diskOverageGbSeconds": 0.0 },
        "items": ids.iter().map(item).collect::<Value>(), "nextCursor": next_cursor,
    });
    answer(200, "", &page)
}

fn state(tags: &Value, etag: &str) -> String {
    answer(200, &format!("etag: {etag}\r\n"), &json!({ "tags": tags, "tagsLastUpdatedAt": "2026-03-05T00:00:00Z" }))
}

#[tokio::test]
async fn a_call_sends_the_request_of_the_core() {
    let server = Server::start(vec![keys()]);
    let keys = server.client().tags().list_keys().await.unwrap();
    assert_eq!((keys[0].key.as_str(), keys[0].sandbox_count), ("team", 3));
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "GET /api/tags HTTP/1.1");
    assert_eq!(seen.headers["x-api-key"], "oc_key");
    assert_eq!(seen.headers["user-agent"], concat!("opencomputer-usage-rust/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_walk_returns_every_item() {
    let cursor = "eyJ2IjoxLjUsInQiOiJiIn0";
    let server = Server::start(vec![page(&["a", "b"], Some(cursor)), page(&["c"], None)]);
    let client = server.client();
    let mut walk = client.usage().walk_by_sandbox(UsageOptions::new().from("2026-03-01").limit(2));
    let mut ids = Vec::new();
    while let Some(item) = walk.next().await.unwrap() {
        ids.push(item.sandbox_id);
    }
    assert_eq!(ids, ["a", "b", "c"]);
    let lines: Vec<_> = server.seen().into_iter().map(|seen| seen.line).collect();
    let query = "GET /api/usage?groupBy=sandbox&from=2026-03-01T00%3A00%3A00Z";
    let second = format!("{query}&to=2026-04-01T00%3A00%3A00Z&limit=2&cursor={cursor} HTTP/1.1");
    assert_eq!(lines, [format!("{query}&limit=2 HTTP/1.1"), second]);
}

#[tokio::test]
async fn an_update_writes_the_changed_tags() {
    let server = Server::start(vec![
        state(&json!({ "oc:plan": "pro", "team": "a" }), "\"e1\""),
        failure(412, "", "tags_changed"),
        state(&json!({ "team": "b" }), "\"e2\""),
        state(&json!({ "team": "b", "env": "prod" }), "\"e3\""),
    ]);
    let change = |mut tags: BTreeMap<String, String>| {
        tags.insert("env".to_owned(), "prod".to_owned());
        tags
    };
    let written = server.client().tags().update("sb-1", change).await.unwrap();
    assert_eq!(written.etag.as_deref(), Some("\"e3\""));
    let seen = server.seen();
    assert_eq!((seen[1].headers["if-match"].as_str(), seen[1].body.as_slice()), {
        ("\"e1\"", br#"{"env":"prod","team":"a"}"#.as_slice())
    });
    assert_eq!(seen[3].body, br#"{"env":"prod","team":"b"}"#);
}

#[tokio::test]
async fn a_429_is_retried_after_the_time_it_names() {
    let server = Server::start(vec![failure(429, "retry-after: 1\r\n", "rate_limited"), keys()]);
    let started = Instant::now();
    assert_eq!(server.client().tags().list_keys().await.unwrap().len(), 1);
    // `Retry-After` is a lower bound: a retry that comes earlier breaks it.
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_error_has_the_wait_and_no_secret_header() {
    let headers = "Retry-After: 2.5\r\nX-RateLimit-Remaining: 0\r\nSet-Cookie: session=hidden\r\n";
    let server = Server::start(vec![failure(429, headers, "rate_limited")]);
    let client = Client::builder().api_key("oc_key").base_url(&server.url).max_retries(0).build().unwrap();
    let error = client.tags().list_keys().await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (Kind::RateLimit, Some(2.5)));
    assert!(error.headers.contains(&("x-ratelimit-remaining".to_owned(), "0".to_owned())), "{error:?}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

#[tokio::test]
async fn tags_have_a_condition_to_write_the_user_tags_back() {
    let tags = json!({ "oc:plan": "pro", "team": "a" });
    let server = Server::start(vec![state(&tags, "\"e1\""), state(&tags, "\"e2\""), state(&tags, "\"\"")]);
    let client = server.client();
    let read = client.tags().get("sb-1").await.unwrap();
    let written = client.tags().set("sb-1", &read.tags.user(), Some(read.condition().unwrap())).await.unwrap();
    assert_eq!(written.condition().unwrap(), "\"e2\"");
    let seen = &server.seen()[1];
    assert_eq!((seen.headers["if-match"].as_str(), seen.body.as_slice()), ("\"e1\"", br#"{"team":"a"}"#.as_slice()));
    // An empty entity tag identifies no state.
    let read = client.tags().get("sb-1").await.unwrap();
    assert_eq!(read.condition().unwrap_err().kind, Kind::UnsupportedByServer);
}

#[tokio::test]
async fn a_server_that_stays_down_is_a_connection_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::builder().api_key("oc_key").base_url(url).max_retries(1).build().unwrap();
    let error = client.tags().list_keys().await.unwrap_err();
    assert_eq!(error.kind, Kind::Connection);
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_refused_call_sends_nothing() {
    let server = Server::start(vec![keys()]);
    let client = server.client();
    let tags = BTreeMap::from([("oc:team".to_owned(), "a".to_owned())]);
    let error = client.tags().set("sb-1", &tags, None).await.unwrap_err();
    assert_eq!((error.kind, error.violations.len()), (Kind::TagValidation, 1));
    let error = client.usage().by_tag("team", UsageOptions::new().limit(501)).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("invalid_limit"));
    let error = client.usage().for_sandbox("..", DrilldownOptions::new()).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("invalid_sandbox_id"));
    assert!(server.seen().is_empty());
}

#[test]
fn no_key_is_ever_shown() {
    let proxy = TransportOptions::new(None, Some("http://me:hidden@proxy:3128".to_owned()), None, None).unwrap();
    let client = Client::builder().api_key("oc_secret").base_url("https://api.example.com").transport(proxy);
    let client = client.build().unwrap();
    let shown = format!("{client:?} {:?}", client.usage());
    assert!(!shown.contains("oc_secret") && !shown.contains("hidden"), "{shown}");
    let error = Client::new("oc secret", "https://api.example.com").unwrap_err();
    assert!(!format!("{error:?}").contains("oc secret"));
}

#[tokio::test]
async fn groups_have_the_value_of_each_dimension_and_a_series() {
    let page = json!({
        "from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z", "asOf": "2026-03-31T12:00:00Z",
        "interval": "1d", "timezone": "UTC",
        "buckets": [
            { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
            { "from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z" },
        ],
        "groupBy": "tag:team,region", "total": { "memoryGbSeconds": 3.0, "diskOverageGbSeconds": 0.0 },
        "items": [{
            "group": { "tag:team": "a", "region": null }, "memoryGbSeconds": 3.0, "diskOverageGbSeconds": 0.0,
            "sandboxCount": 1, "series": { "memoryGbSeconds": [1.0, 2.0], "diskOverageGbSeconds": [0.0, 0.0] },
        }],
        "nextCursor": null,
    });
    let server = Server::start(vec![answer(200, "", &page), answer(200, "", &page)]);
    let client = server.client();
    let options = UsageOptions::new().from("2026-03-01").to("2026-03-03").interval(Interval::Day);
    let options = options.exclude("tag:env", ["dev"]).filter_absent("status");
    let page = client.usage().by(["tag:team", "region"], &options).await.unwrap();
    let item = &page.items[0];
    assert_eq!((item.group.get("tag:team"), item.group.get("region")), (Some("a"), None));
    assert_eq!(item.series.as_ref().unwrap().memory_gb_seconds, [1.0, 2.0]);
    let mut walk = client.usage().walk_by(["tag:team", "region"], options);
    assert_eq!(walk.next().await.unwrap().as_ref(), Some(item));
    assert_eq!(walk.next().await.unwrap(), None);
    let error = client.usage().by(["tag:team"], UsageOptions::new()).await.unwrap_err();
    assert!(error.message.contains("`by_tag`"), "{error}");
    assert_eq!(server.seen().len(), 2);
}
