//! SQL, log lines and headers inside every input of a request, on both engines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;
mod live;

use common::{Engine, ORG, OTHER, Request, Server, encode, on_both_engines};
use serde_json::json;

/// Texts that mean something to SQL, JSON paths, format strings, HTTP, logs, terminals, shells or spreadsheets.
const TEXTS: [&str; 20] = [
    "'",
    "\"",
    "' OR '1'='1",
    "'); DELETE FROM sandbox_tags; --",
    "' UNION SELECT key_hash, name, prefix FROM api_keys --",
    "\\'; DROP TABLE sandbox_tags; --",
    "$$; DROP TABLE sandbox_tags; $$",
    "/*",
    "%",
    "_",
    "$1",
    "?1",
    ":org",
    "{}{0}%s%n",
    "$.a['b']",
    "a\r\nx-injected: yes\r\n\r\n<script>",
    "a\n2026-01-01T00:00:00Z ERROR injected",
    "\u{1b}[2J\u{7}",
    "=cmd|'/c calc'!A1",
    "\u{202e}\u{0}\u{feff}e\u{301}",
];

const SECRET: &str = "secret-of-the-other-org";

async fn server(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    for (org, team) in [(ORG, "own"), (OTHER, SECRET)] {
        let line = json!({
            "type": "scale", "sandboxId": "sb-1", "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
            "startedAt": "2026-01-10T00:00:00Z", "endedAt": "2026-01-11T00:00:00Z",
        });
        let session = json!({
            "type": "session", "sandboxId": "sb-1", "template": "base", "region": "use2", "workerId": "w-1",
            "status": "running", "startedAt": "2026-01-10T00:00:00Z", "alias": team,
        });
        let tags = json!({ "type": "tags", "sandboxId": "sb-1", "tags": { "team": team } });
        server.import(org, &format!("{line}\n{session}\n{tags}\n")).await.unwrap();
    }
    server
}

/// Returns requests with a text in each place of a target.
fn targets(text: &str) -> Vec<String> {
    let text = encode(text);
    let usage = |query: String| format!("/api/usage?groupBy=tag:team&from=2026-01-01&to=2026-02-01&{query}");
    let mut targets = vec![
        format!("/api/{text}"),
        format!("/{text}"),
        format!("/assets/{text}"),
        format!("/api/tags/{text}"),
        format!("/api/sandboxes/{text}"),
        format!("/api/sandboxes/{text}/tags"),
        format!("/api/sandboxes/{text}/usage"),
        format!("/api/usage?groupBy={text}"),
        format!("/api/usage?groupBy=tag:{text}"),
        format!("/api/usage?groupBy=sandbox&from={text}"),
        format!("/api/sandboxes?state={text}"),
        format!("/api/sandboxes?cursor={text}"),
        format!("/api/tags/team?prefix={text}"),
        format!("/api/tags/team?cursor={text}"),
        format!("/api/sandboxes/sb-1/usage?interval={text}"),
        usage(format!("filter[{text}]=x")),
        usage(format!("filter%5Bsandbox%5D={text}")),
    ];
    for name in ["filter[tag:team]", "exclude[tag:team]", "filter[status]", "filter[template]", "filter[region]"] {
        targets.push(usage(format!("{name}={text}")));
    }
    for name in ["cursor", "sort", "limit", "interval", "timezone", &*text] {
        targets.push(usage(format!("{name}={text}")));
    }
    targets.push(usage(format!("filter[tag:{text}]=x")));
    targets
}

/// Returns everything that the database holds, without the times of keys.
async fn dump(server: &Server) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (table, columns) in [
        ("sandbox_tags", "org_id || sandbox_id || key || value"),
        ("sandbox_scale_events", "org_id || sandbox_id || CAST(memory_mb AS TEXT)"),
        ("sandbox_sessions", "org_id || sandbox_id || status"),
        ("api_keys", "org_id || key_hash"),
    ] {
        let columns = if server.database.engine == Engine::Sqlite {
            columns.replace("org_id", "hex(org_id)")
        } else {
            columns.replace("org_id", "org_id::text")
        };
        rows.push(server.database.texts(&format!("SELECT {columns} FROM {table} ORDER BY 1")).await);
    }
    rows
}

async fn texts_in_targets_read_and_change_nothing_else(engine: Engine) {
    let server = server(engine).await;
    let before = dump(&server).await;
    for text in TEXTS {
        for target in targets(text) {
            let answer = server.get(&target).await;
            assert!([200, 400, 404].contains(&answer.status), "{target}: {} {}", answer.status, answer.text);
            assert!(answer.json().is_object() || answer.json().is_array(), "{target}: {}", answer.text);
            assert!(!answer.text.contains(SECRET) && answer.header("x-injected").is_none(), "{target}");
        }
    }
    assert_eq!(dump(&server).await, before);
}

async fn texts_in_headers_read_and_change_nothing_else(engine: Engine) {
    let server = server(engine).await;
    let before = dump(&server).await;
    let tags = "/api/sandboxes/sb-1/tags";
    for text in TEXTS {
        let printable: String = text.chars().filter(|character| !character.is_control()).collect();
        for (request, wanted) in [
            (Request::new("GET", tags).key(&printable), vec![401]),
            (Request::new("GET", tags).header("authorization", format!("Bearer {printable}")), vec![401]),
            (Request::new("GET", tags).key(&server.key).header("x-request-id", &printable), vec![200]),
            (Request::new("GET", tags).key(&server.key).header("accept-encoding", &printable), vec![200]),
            (Request::new("GET", tags).key(&server.key).header("origin", &printable), vec![200]),
            (Request::new("PUT", tags).key(&server.key).header("if-match", &printable).json("{}"), vec![412]),
            (Request::new("PUT", tags).key(&server.key).header("content-type", &printable).body("{}"), vec![415]),
        ] {
            let answer = request.send(&server).await;
            assert!(wanted.contains(&answer.status), "{printable}: {} {}", answer.status, answer.text);
            assert!(!answer.text.contains(SECRET) && answer.header("x-injected").is_none(), "{printable}");
            let id = answer.header("x-request-id").unwrap();
            assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
        }
    }
    assert_eq!(dump(&server).await, before);
}

async fn texts_as_tag_values_are_kept_and_found_exactly(engine: Engine) {
    let server = server(engine).await;
    for text in TEXTS {
        let put = server.put("/api/sandboxes/sb-1/tags", json!({ "team": text }).to_string()).await;
        if put.status == 400 {
            assert!(text.chars().any(char::is_control), "{text:?}: {}", put.text);
            continue;
        }
        let text = put.json()["tags"]["team"].as_str().unwrap().to_owned();
        let usage = server.get("/api/usage?groupBy=tag:team&from=2026-01-01&to=2026-02-01").await.json();
        assert_eq!(usage["items"][0]["tagValue"], text, "{usage}");
        let quoted = encode(&format!("\"{}\"", text.replace('"', "\"\"")));
        for (name, count) in [("filter", 1), ("exclude", 0)] {
            let query = format!("groupBy=sandbox&from=2026-01-01&to=2026-02-01&{name}[tag:team]={quoted}");
            let found = server.get(&format!("/api/usage?{query}")).await.json();
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{name} {text}: {found}");
        }
        let values = server.get(&format!("/api/tags/team?prefix={}", encode(&text))).await.json();
        assert_eq!(values["values"][0]["value"], text, "{values}");
    }
    let other = Request::new("GET", "/api/tags/team").key(&server.other_key).send(&server).await;
    assert_eq!(other.json()["values"].as_array().unwrap().len(), 1, "{}", other.text);
    assert!(other.text.contains(SECRET));
}

on_both_engines!(
    texts_in_targets_read_and_change_nothing_else,
    texts_in_headers_read_and_change_nothing_else,
    texts_as_tag_values_are_kept_and_found_exactly,
);

#[test]
fn texts_in_requests_add_no_line_to_the_log() {
    let place = live::Place::new();
    let key = live::key_header(&place.key(&[]));
    for format in ["text", "json"] {
        let live = place.serve(&["--log-format", format]);
        let mut requests = 0;
        for text in TEXTS {
            for target in targets(text) {
                live.ask("GET", &target, &key);
                requests += 1;
            }
            let printable: String = text.chars().filter(|character| !character.is_control()).collect();
            live.ask("GET", "/api/tags", &format!("{key}x-request-id: {printable}\r\n"));
            requests += 1;
        }
        live.terminate();
        let log = live.log();
        assert_eq!(log.matches("answered").count(), requests, "{log}");
        let answered = |line: &str| line.contains("answered");
        let own = |line: &str| {
            line.contains("listening")
                || line.contains("limits")
                || line.contains("dashboard")
                || line.contains("stopping")
        };
        for line in log.lines() {
            assert!(answered(line) || own(line), "an unexpected line: {line:?}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
