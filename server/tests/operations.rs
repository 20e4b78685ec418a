//! What an operator relies on: logs, metrics, limits, keys and an end without loss, on the binary itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use live::{Live, Place, answer, key_header};
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::store;
use opencomputer_usage_server::uses::KeyUses;
use serde_json::Value;

const SECRETS: [&str; 4] = ["sb-secret", "secret-key", "secret-value", "oc_"];

fn lines() -> String {
    r#"{"type":"session","sandboxId":"sb-secret","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z","alias":"secret-value"}
{"type":"tags","sandboxId":"sb-secret","tags":{"secret-key":"secret-value"}}
"#
    .to_owned()
}

fn put(live: &Live, target: &str, key: &str, body: &str) -> String {
    let head = format!("{}content-type: application/json\r\ncontent-length: {}\r\n", key_header(key), body.len());
    let mut stream = live.connect();
    write!(stream, "PUT {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{body}").unwrap();
    answer(stream)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// Requests with every kind of outcome, each of them with something in it that no log may show.
async fn traffic(place: &Place, live: &Live, key: &str) {
    let own = key_header(key);
    let tags = "/api/sandboxes/sb-secret/tags";
    let usage = "/api/usage?groupBy=tag:secret-key&filter[tag:secret-key]=secret-value";
    let asked = [
        live.ask("GET", "/api/sandboxes/sb-secret", &own),
        live.ask("GET", usage, &own),
        live.ask("GET", tags, &format!("{own}x-request-id: given\r\n")),
        live.ask("GET", tags, &key_header("oc_nobodys")),
        live.ask("GET", "/api/sb-secret/secret-value", &own),
        live.ask("GET", "/api/usage?groupBy=secret-value&secret-key=1", &own),
        live.ask("SECRET-VALUE", "/api/tags", &own),
        put(live, tags, key, r#"{"secret-key":"secret-value"}"#),
        put(live, tags, key, r#"{"oc:secret-key":"secret-value"}"#),
        put(live, tags, key, r#"{"secret-key":"secret-value","#),
        put(live, "/api/sandboxes/secret-value/tags", key, "{}"),
    ];
    let statuses: Vec<_> = asked.iter().map(|answer| status(answer)).collect();
    assert_eq!(statuses, ["200", "200", "200", "401", "404", "400", "405", "200", "400", "400", "404"]);
    sqlx::query("ALTER TABLE sandbox_tags RENAME TO gone").execute(&place.database().await).await.unwrap();
    assert_eq!(status(&live.ask("GET", tags, &own)), "500");
    assert_eq!(status(&live.ask("GET", "/api/sandboxes/sb-secret", &own)), "200");
    sqlx::query("ALTER TABLE gone RENAME TO sandbox_tags").execute(&place.database().await).await.unwrap();
}

#[tokio::test]
async fn logs_name_requests_and_nothing_of_a_tenant() {
    for format in ["text", "json"] {
        let place = Place::new();
        place.import(&lines());
        let key = place.key(&[]);
        let live = place.serve(&["--log-format", format]);
        traffic(&place, &live, &key).await;
        live.terminate();
        let log = live.log();
        for secret in SECRETS {
            assert!(!log.to_lowercase().contains(secret), "`{secret}` in {log}");
        }
        assert_eq!(log.matches("answered").count(), 12, "{log}");
        assert_eq!((log.matches("ERROR").count(), log.matches("WARN").count()), (1, 1), "{log}");
        if format == "text" {
            continue;
        }
        let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for entry in entries.iter().filter(|entry| entry["span"].is_object() && entry["level"] != "WARN") {
            assert!(entry["status"].is_u64() && entry["ms"].is_u64() && entry["timestamp"].is_string(), "{entry}");
            assert!(entry["span"]["method"].is_string() && entry["span"]["route"].is_string(), "{entry}");
        }
        let given = entries.iter().find(|entry| entry["span"]["id"] == "given").unwrap();
        let expected = serde_json::json!(
            { "name": "request", "id": "given", "method": "GET", "route": "/api/sandboxes/{id}/tags" }
        );
        assert_eq!((&given["span"], &given["status"], &given["level"]), (&expected, &200.into(), &"INFO".into()));
        let failed = entries.iter().find(|entry| entry["status"] == 500).unwrap();
        assert!(failed["cause"].as_str().unwrap().contains("no such table"), "{failed}");
        assert_eq!(failed["span"]["id"].as_str().unwrap().len(), 32);
    }
}

#[tokio::test]
async fn metrics_count_by_pattern_and_name_nobody() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    traffic(&place, &live, &key).await;
    let metrics = live.ask("GET", "/metrics", "");
    assert!(
        metrics.contains("content-type: application/openmetrics-text") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    let counted = |method, route, status| {
        let labels = format!(r#"{{method="{method}",route="{route}",status="{status}"}}"#);
        let series = format!("opencomputer_usage_http_requests_total{labels} ");
        metrics.lines().find_map(|found| found.strip_prefix(&series)).unwrap_or("0").to_owned()
    };
    let tags = "/api/sandboxes/{id}/tags";
    let wanted = [
        ("GET", "/api/sandboxes/{id}", "200", "2"),
        ("GET", tags, "200", "1"),
        ("GET", tags, "401", "1"),
        ("GET", tags, "500", "1"),
        ("PUT", tags, "400", "2"),
        ("PUT", tags, "404", "1"),
        ("GET", "none", "404", "1"),
        ("other", "/api/tags", "405", "1"),
    ];
    for (method, route, status, count) in wanted {
        assert_eq!(counted(method, route, status), count, "{method} {route} {status}: {metrics}");
    }
    for line in [
        r#"opencomputer_usage_http_request_duration_seconds_count{method="PUT",route="/api/sandboxes/{id}/tags"} 4"#,
        r#"opencomputer_usage_http_request_duration_seconds_bucket{le="+Inf",method="GET",route="none"} 1"#,
        "opencomputer_usage_http_requests_in_flight 1\n",
        r#"opencomputer_usage_db_connections{pool="write",state="max"} 1"#,
        r#"opencomputer_usage_db_connections{pool="read",state="in_use"} "#,
        "opencomputer_usage_build_info{version=",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    for secret in SECRETS {
        assert!(!metrics.to_lowercase().contains(secret), "{metrics}");
    }
}

const ORIGIN: &str = "origin: https://app.example.com\r\n";
const PREFLIGHT: &str = "origin: https://app.example.com\r\naccess-control-request-method: PUT\r\naccess-control-request-headers: if-match\r\n";

#[test]
fn pages_of_other_origins_are_kept_out_unless_allowed() {
    let place = Place::new();
    let own = key_header(&place.key(&[]));
    let closed = place.serve(&[]);
    assert_eq!(status(&closed.ask("OPTIONS", "/api/tags", PREFLIGHT)), "401");
    assert!(!closed.ask("GET", "/api/tags", &format!("{own}{ORIGIN}")).contains("access-control"));

    let open = place.serve(&["--cors-origin", "http://localhost:5173,https://app.example.com"]);
    let preflight = open.ask("OPTIONS", "/api/sandboxes/sb-1/tags", PREFLIGHT).to_lowercase();
    assert_eq!(status(&preflight), "200");
    for wanted in [
        "access-control-allow-origin: https://app.example.com\r\n",
        "access-control-allow-methods: get,put\r\n",
        "access-control-allow-headers: if-match,x-api-key,authorization,content-type\r\n",
        "vary: origin",
        "x-request-id: ",
    ] {
        assert!(preflight.contains(wanted), "{wanted}: {preflight}");
    }
    for (target, key, wanted) in [
        ("/api/tags", &*own, "200"),
        ("/api/tags", "", "401"),
        ("/api/nothing", "", "404"),
        ("/openapi.json", "", "200"),
    ] {
        let answer = open.ask("GET", target, &format!("{key}{ORIGIN}"));
        assert_eq!(status(&answer), wanted);
        assert!(answer.contains("access-control-allow-origin: https://app.example.com\r\n"), "{answer}");
        assert!(answer.contains("access-control-expose-headers: etag,x-request-id,retry-after\r\n"), "{answer}");
    }
    let stranger = open.ask("GET", "/api/tags", &format!("{own}origin: https://evil.example.com\r\n"));
    assert!(!stranger.contains("access-control-allow-origin"), "{stranger}");
    assert!(!open.ask("GET", "/metrics", ORIGIN).contains("access-control"), "metrics are for no page");

    let any = place.serve(&["--cors-origin", "*"]);
    assert!(any.ask("GET", "/api/tags", ORIGIN).contains("access-control-allow-origin: *\r\n"));
    assert_eq!(place.run(&["serve", "--cors-origin", "https://app.example.com/"]).status.code(), Some(2));
}

#[test]
fn a_key_over_its_rate_is_told_when_to_come_back() {
    let place = Place::new();
    let (busy, quiet) = (key_header(&place.key(&[])), key_header(&place.key(&[])));
    let live = place.serve(&["--rate-limit", "1"]);
    let refused = (0..50).map(|_| live.ask("GET", "/api/tags", &busy)).find(|answer| status(answer) == "429").unwrap();
    assert!(refused.contains(r#""code":"rate_limited""#) && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(status(&live.ask("GET", "/api/tags", &quiet)), "200");
    for _ in 0..3 {
        assert_eq!(status(&live.ask("GET", "/api/tags", &key_header("nobodys"))), "401");
        assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(status(&live.ask("GET", "/api/tags", &busy)), "200");
    assert_eq!(place.run(&["serve", "--rate-limit", "0"]).status.code(), Some(2));
}

#[tokio::test]
async fn an_end_loses_neither_requests_nor_uses_of_keys() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let body = r#"{"team":"payments"}"#;
    let head = format!("{}content-type: application/json\r\ncontent-length: {}\r\n", key_header(&key), body.len());
    let (first, rest) = body.split_at(5);
    let mut slow = live.connect();
    write!(slow, "PUT /api/sandboxes/sb-secret/tags HTTP/1.1\r\nhost: x\r\n{head}\r\n{first}").unwrap();
    let idle = live.connect();
    let mut half = live.connect();
    write!(half, "GET /api/tags HT").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let last_used = "SELECT last_used FROM api_keys";
    let used: Option<i64> = sqlx::query_scalar(last_used).fetch_one(&place.database().await).await.unwrap();
    assert_eq!(used, None, "a request does not wait for this");
    live.terminate();
    let waited = Instant::now();
    while TcpStream::connect(&live.address).is_ok() {
        assert!(waited.elapsed() < Duration::from_secs(10), "still taking connections");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(answer(half), "", "half a head is not waited for");
    write!(slow, "{rest}").unwrap();
    let written = answer(slow);
    assert!(status(&written) == "200" && written.contains(r#"{"team":"payments"}"#), "{written}");
    let log = live.log();
    drop(idle);
    assert!(waited.elapsed() < Duration::from_secs(10) && !log.contains("did not finish"), "{log}");
    let used: Option<i64> = sqlx::query_scalar(last_used).fetch_one(&place.database().await).await.unwrap();
    assert!(used.is_some());
}

#[test]
fn an_end_that_is_asked_for_twice_is_at_once() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let mut slow = live.connect();
    let head = format!("{}content-type: application/json\r\ncontent-length: 9\r\n", key_header(&key));
    write!(slow, "PUT /api/sandboxes/sb-secret/tags HTTP/1.1\r\nhost: x\r\n{head}\r\n{{").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    live.terminate();
    std::thread::sleep(Duration::from_secs(1));
    live.terminate();
    let ended = live.ended();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(asked.elapsed() < Duration::from_secs(5) && told.contains("error: told to stop a second time"), "{told}");
}

#[tokio::test]
async fn uses_of_keys_are_stored_together_and_again_after_a_fault() {
    let place = Place::new();
    let keys = [place.key(&[]), place.key(&[])];
    let database = place.database().await;
    let file: String = sqlx::query_scalar("SELECT file FROM pragma_database_list").fetch_one(&database).await.unwrap();
    let store = store::open(&format!("sqlite://{file}")).await.unwrap();
    let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
    let hash = opencomputer_usage_server::keys::hash;
    let org = live::ORG.parse().unwrap();
    let uses = KeyUses::default();
    for second in [5, 9, 7] {
        uses.note(org, hash(&keys[0]), at(second));
    }
    uses.note(uuid::Uuid::from_u128(2), hash(&keys[1]), at(8));
    let stored = async || {
        let sql = "SELECT last_used FROM api_keys WHERE key_hash = ?";
        let mut all = Vec::<Option<i64>>::new();
        for key in &keys {
            all.push(sqlx::query_scalar(sql).bind(hash(key)).fetch_one(&database).await.unwrap());
        }
        all
    };
    sqlx::query("ALTER TABLE api_keys RENAME TO gone").execute(&database).await.unwrap();
    uses.store(&*store).await.unwrap_err();
    sqlx::query("ALTER TABLE gone RENAME TO api_keys").execute(&database).await.unwrap();
    uses.store(&*store).await.unwrap();
    assert_eq!(stored().await, [Some(9_000_000), None], "the latest, and no key of another org");
    uses.note(org, hash(&keys[0]), at(3));
    uses.store(&*store).await.unwrap();
    assert_eq!(stored().await, [Some(9_000_000), None], "time does not go back");
    uses.note(org, hash(&keys[0]), at(10));
    let interval = Duration::from_millis(20);
    tokio::time::timeout(Duration::from_millis(500), uses.keep_storing(&*store, interval)).await.unwrap_err();
    assert_eq!(stored().await, [Some(10_000_000), None]);
}

#[tokio::test]
async fn a_key_works_until_it_expires() {
    let place = Place::new();
    let database = format!("sqlite://{}", "opencomputer-usage.db");
    assert!(place.run(&["migrate", "--database", &database]).status.success());
    let now: i64 = sqlx::query_scalar("SELECT unixepoch()").fetch_one(&place.database().await).await.unwrap();
    let expiry = |seconds: i64| Timestamp::from_micros((now + seconds) * 1_000_000).unwrap().to_string();
    let key = key_header(&place.key(&["--expires", &expiry(4)]));
    let later = key_header(&place.key(&["--expires", &expiry(600)]));
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/api/tags", &key)), "200");
    let started = Instant::now();
    while status(&live.ask("GET", "/api/tags", &key)) != "401" {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(status(&live.ask("GET", "/api/tags", &later)), "200");
    let past = place.run(&["keys", "create", "--org", live::ORG, "--name", "x", "--expires", "2020-01-01"]);
    assert_eq!(past.status.code(), Some(1));
    let told = String::from_utf8(past.stderr).unwrap();
    assert!(told.contains("would have expired already, at 2020-01-01T00:00:00Z"), "{told}");
}

#[tokio::test]
async fn a_database_that_is_held_is_unavailable_until_it_is_let_go() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let tags = "/api/sandboxes/sb-secret/tags";
    let mut holder = place.database().await.acquire().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut *holder).await.unwrap();
    let refused = put(&live, tags, &key, r#"{"a":"b"}"#);
    assert!(status(&refused) == "503" && refused.contains(r#""code":"unavailable""#), "{refused}");
    assert_eq!(status(&live.ask("GET", "/readyz", "")), "200", "reads go on");
    sqlx::query("ROLLBACK").execute(&mut *holder).await.unwrap();
    assert_eq!(status(&put(&live, tags, &key, r#"{"a":"b"}"#)), "200");
}

#[tokio::test]
async fn a_server_whose_schema_has_gone_is_not_ready() {
    let place = Place::new();
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/readyz", "")), "200");
    sqlx::query("PRAGMA user_version = 0").execute(&place.database().await).await.unwrap();
    let told = live.ask("GET", "/readyz", "");
    assert!(status(&told) == "503" && told.contains(r#""code":"unavailable""#), "{told}");
    assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
}

#[test]
fn the_document_is_served_to_anybody_as_it_stands_in_docs() {
    let place = Place::new();
    let live = place.serve(&[]);
    let served = live.ask("GET", "/openapi.json", "");
    let (head, body) = served.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: application/json"), "{head}");
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    assert!(body == kept, "run `cargo run -p opencomputer-usage-server -- openapi >docs/openapi.json`");
}

/// Sets how large the files of a process may become; `None` takes the limit away.
fn limit_files(live: &Live, bytes: Option<u64>) {
    let soft = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let fsize = format!("--fsize={soft}:unlimited");
    let set = std::process::Command::new("prlimit").args(["--pid", &live.id().to_string(), &fsize]).status();
    assert!(set.unwrap().success());
}

#[tokio::test]
async fn a_server_whose_disk_was_full_writes_again_once_there_is_room() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let tags = "/api/sandboxes/sb-secret/tags";
    assert_eq!(status(&put(&live, tags, &key, r#"{"a":"0"}"#)), "200");
    for round in 1..4 {
        limit_files(&live, Some(1));
        let refused = put(&live, tags, &key, &format!(r#"{{"a":"{round}"}}"#));
        assert!(status(&refused) == "503" && refused.contains(r#""code":"unavailable""#), "{refused}");
        assert!(!refused.contains("cannot be reached"), "{refused}");
        assert_eq!(status(&live.ask("GET", "/readyz", "")), "503", "writes fail");
        assert_eq!(status(&live.ask("GET", tags, &key_header(&key))), "200", "reads go on");
        limit_files(&live, None);
        assert_eq!(status(&live.ask("GET", "/readyz", "")), "200");
        assert_eq!(status(&put(&live, tags, &key, &format!(r#"{{"a":"{round}"}}"#))), "200");
    }
    live.terminate();
    let log = live.log();
    assert_eq!(log.matches("ERROR").count(), 6, "{log}");
}

#[tokio::test]
async fn an_import_beside_a_server_leaves_no_large_log_behind() {
    let place = Place::new();
    let key = place.key(&[]);
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/api/tags", &key_header(&key))), "200");
    let event = |n: u32| {
        format!(
            r#"{{"type":"scale","sandboxId":"sb-{n}","memoryMb":1024,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-01"}}"#
        ) + "\n"
    };
    place.import(&(0..5_000).map(event).collect::<String>());
    let log = place.size_of("opencomputer-usage.db-wal");
    let file = place.size_of("opencomputer-usage.db");
    assert!(log < 100_000 && file > 500_000, "the log has {log} bytes, the file {file}");
}

#[tokio::test]
async fn a_request_that_ran_out_of_time_is_logged_as_an_error_with_its_cause() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&["--log-format", "json"]);
    let mut slow = live.connect();
    let head = format!("{}content-type: application/json\r\ncontent-length: 9\r\n", key_header(&key));
    write!(slow, "PUT /api/sandboxes/sb-secret/tags HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{{").unwrap();
    assert_eq!(status(&answer(slow)), "504");
    live.terminate();
    let log = live.log();
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let entry = entries.iter().find(|entry| entry["status"] == 504).unwrap();
    assert_eq!((&entry["level"], entry["cause"].as_str().is_some()), (&"ERROR".into(), true), "{entry}");
}
