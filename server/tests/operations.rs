//! Logs, metrics, origins and shutdown, on the binary itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use live::{Live, Place, answer, key_header, put, secret_lines as lines, status};
use serde_json::Value;

const SECRETS: [&str; 4] = ["sb-secret", "secret-key", "secret-value", "oc_"];

/// Sends requests with every kind of outcome, each with a secret that the log must not contain.
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
async fn the_healthcheck_succeeds_only_if_the_server_is_ready() {
    let place = Place::new();
    let live = place.serve(&[]);
    let check = || {
        let checked = place.run(&["healthcheck", "--address", &live.address]);
        (checked.status.code(), String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap())
    };
    assert_eq!(check(), (Some(0), String::new()));
    sqlx::query("PRAGMA user_version = 0").execute(&place.database().await).await.unwrap();
    let unready = "error: the server is not ready: HTTP/1.1 503 Service Unavailable\n";
    assert_eq!(check(), (Some(1), unready.to_owned()));
    live.terminate();
    let address = live.address.clone();
    live.log();
    let gone = place.run(&["healthcheck", "--address", &address]);
    let told = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(1) && told.starts_with("error: cannot reach a server at "), "{told}");
}

#[tokio::test]
async fn logs_describe_requests_without_tenant_data() {
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
async fn metrics_count_by_route_pattern_without_tenant_data() {
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

#[tokio::test]
async fn a_timed_out_request_is_logged_as_an_error_with_its_cause() {
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

const ORIGIN: &str = "origin: https://app.example.com\r\n";
const PREFLIGHT: &str = "origin: https://app.example.com\r\naccess-control-request-method: PUT\r\naccess-control-request-headers: if-match\r\n";

#[test]
fn other_origins_are_allowed_only_if_listed() {
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
        assert!(answer.contains("access-control-expose-headers: etag,x-request-id,retry-after,link\r\n"), "{answer}");
    }
    let stranger = open.ask("GET", "/api/tags", &format!("{own}origin: https://evil.example.com\r\n"));
    assert!(!stranger.contains("access-control-allow-origin"), "{stranger}");
    for closed in ["/metrics", "/", "/assets/none.js"] {
        assert!(!open.ask("GET", closed, ORIGIN).contains("access-control"), "{closed} is for no other page");
    }

    let any = place.serve(&["--cors-origin", "*"]);
    assert!(any.ask("GET", "/api/tags", ORIGIN).contains("access-control-allow-origin: *\r\n"));
    assert_eq!(place.run(&["serve", "--cors-origin", "https://app.example.com/"]).status.code(), Some(2));
}

#[tokio::test]
async fn a_shutdown_loses_neither_requests_nor_uses_of_keys() {
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
fn a_second_signal_stops_the_server_at_once() {
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
    assert!(asked.elapsed() < Duration::from_secs(5) && told.contains("error: stopped by a second signal"), "{told}");
}

#[test]
fn the_openapi_document_needs_no_key_and_equals_the_one_in_docs() {
    let place = Place::new();
    let live = place.serve(&[]);
    let served = live.ask("GET", "/openapi.json", "");
    let (head, body) = served.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: application/json"), "{head}");
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    assert!(body == kept, "run `make generate`");
}
