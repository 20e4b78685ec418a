//! Runs every suite of `tests/vectors` that HTTP can express against a live server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Answer, Engine, ORG, OTHER, Request, Server, encode, encode_target, on_both_engines};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_vectors::{Case, is_broken, load, same, to_json};
use serde_json::{Value, json};
use uuid::Uuid;

/// A run of one suite: its failures, and the number of cases that HTTP can express.
struct Walk {
    suite: &'static str,
    walked: usize,
    faults: Vec<String>,
}

impl Walk {
    fn new(suite: &'static str) -> (Self, Vec<Case>) {
        let cases = load(suite);
        assert!(!cases.is_empty(), "there is no suite `{suite}`");
        (Self { suite, walked: 0, faults: Vec::new() }, cases)
    }

    /// Records a case. `wrong` describes the fault of its response, if there is one.
    fn note(&mut self, case: &Case, answer: &Answer, wrong: Option<String>) {
        self.walked += 1;
        if let Some(wrong) = wrong {
            let shown: String = answer.text.chars().take(300).collect();
            self.faults.push(format!("{}: {wrong}; got {} {shown}", case.name(), answer.status));
        }
    }

    fn note_code(&mut self, case: &Case, answer: &Answer, code: &str) {
        let wrong = (answer.code() != code).then(|| format!("wanted {code:?}"));
        self.note(case, answer, wrong);
    }

    fn end(self, at_least: usize) {
        let Self { suite, walked, faults } = self;
        assert!(faults.is_empty(), "{suite}: {} of {walked} fail\n{}", faults.len(), faults.join("\n"));
        assert!(walked >= at_least, "{suite}: only {walked} cases were walked");
        println!("{suite}: {walked} cases hold");
    }
}

/// A server with the sandboxes of the suites: a running `sb-1`, and another org's `sb-other`.
async fn server(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    let sandbox = |id: &str| {
        format!(
            r#"{{"type":"session","sandboxId":"{id}","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-05T00:00:00Z","stoppedAt":null,"alias":null}}
{{"type":"scale","sandboxId":"{id}","memoryMb":4096,"cpuPercent":100,"diskMb":20480,"startedAt":"2026-01-05T00:00:00Z","endedAt":null}}
{{"type":"tags","sandboxId":"{id}","tags":{{"team":"payments"}}}}
"#
        )
    };
    server.import(ORG, &sandbox("sb-1")).await.unwrap();
    server.import(OTHER, &sandbox("sb-other")).await.unwrap();
    server
}

/// Returns the first member of `wanted` that the response lacks or that differs.
fn difference(answer: &Answer, wanted: &Value) -> Option<String> {
    let got = answer.json();
    let differs = |(name, wanted): (&String, &Value)| {
        got.get(name).is_none_or(|got| !same(got, wanted)).then(|| format!("wanted `{name}` to be {wanted}"))
    };
    wanted.as_object().unwrap().iter().find_map(differs)
}

async fn tags(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("tags");
    for case in &cases {
        let tags = case.get("tags").unwrap();
        let answer = server.put("/api/sandboxes/sb-1/tags", to_json(tags)).await;
        let violations = case.get("violations");
        if is_broken(tags) {
            // Invalid JSON, which the server rejects as a whole and an SDK would report in detail.
            walk.note_code(case, &answer, "invalid_body");
        } else if let Some(code) = case.error_code() {
            walk.note_code(case, &answer, code);
        } else if violations.is_none_or(|violations| violations.as_array().unwrap().is_empty()) {
            walk.note(case, &answer, difference(&answer, &json!({ "tags": tags })));
        } else {
            let wanted = json!({ "code": "invalid_tags", "violations": violations });
            walk.note(case, &answer, difference(&answer, &wanted));
        }
    }
    walk.end(70);
}

async fn group_by(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("group-by");
    for case in cases.iter().filter(|case| case.text("groupBy").is_some() && !is_broken(&case.0)) {
        let text = case.text("groupBy").unwrap();
        let answer = server.get(&format!("/api/usage?groupBy={}", encode(text))).await;
        match case.error_code() {
            Some(code) => walk.note_code(case, &answer, code),
            None => walk.note(case, &answer, difference(&answer, &json!({ "groupBy": text }))),
        }
    }
    walk.end(30);
}

async fn filters(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("filter-parse");
    for case in cases.iter().filter(|case| case.text("raw").is_some() && !is_broken(&case.0)) {
        let raw = encode(case.text("raw").unwrap());
        let answer = server.get(&format!("/api/usage?groupBy=sandbox&filter[tag:team]={raw}")).await;
        walk.note_code(case, &answer, case.error_code().unwrap_or_default());
    }
    walk.end(70);
}

/// Returns whether a query depends on the server's clock, although the case has its own.
fn depends_on_the_clock(case: &Case, query: &str) -> bool {
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    case.get("now").is_some() || has("from=") != has("to=") && has("from=")
}

async fn queries(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("queries");
    for case in &cases {
        let query = case.text("query").unwrap();
        let code = case.error_code().unwrap_or_default();
        if depends_on_the_clock(case, query) && !code.starts_with("invalid_t") {
            continue;
        }
        let answer = server.get(&format!("/api/usage?{}", encode_target(query))).await;
        if let Some(result) = case.get("result").and_then(Value::as_object) {
            let shown = |name: &str| matches!(name, "groupBy" | "from" | "to" | "interval" | "timezone");
            let wanted = result.iter().filter(|(name, _)| shown(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
            walk.note(case, &answer, difference(&answer, &Value::Object(wanted)));
        } else {
            walk.note_code(case, &answer, code);
        }
    }
    walk.end(200);
}

async fn rejects_invalid_cursors(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("cursors");
    for case in cases.iter().filter(|case| case.error_code().is_some() && !is_broken(&case.0)) {
        let Some(cursor) = case.text("encoded") else {
            continue;
        };
        let answer = server.get(&format!("/api/usage?groupBy=sandbox&cursor={}", encode(cursor))).await;
        walk.note_code(case, &answer, case.error_code().unwrap());
    }
    walk.end(100);
}

async fn accepts_the_requests_that_clients_send(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("requests");
    for case in &cases {
        let Some(request) = case.get("request") else {
            continue;
        };
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let query = text("query");
        let target = if query.is_empty() { text("path").to_owned() } else { format!("{}?{query}", text("path")) };
        let mut sent = Request::new(text("method"), &target).key(&server.key);
        for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flatten() {
            sent = sent.header(name, value.as_str().unwrap());
        }
        if let Some(body) = request.get("body") {
            sent = sent.header("content-type", "application/json").body(to_json(body));
        }
        let answer = sent.send(&server).await;
        let allowed = match answer.status {
            200 => true,
            404 => answer.code() == "sandbox_not_found",
            412 => answer.code() == "tags_changed",
            // A start without an end, or another query's cursor. Only the server can reject these.
            400 if answer.code() == "window_too_large" || answer.code() == "invalid_window" => {
                depends_on_the_clock(case, query)
            }
            400 => answer.code() == "invalid_cursor" && query.contains("cursor="),
            _ => false,
        };
        walk.note(case, &answer, (!allowed).then(|| "the server does not understand it".to_owned()));
    }
    walk.end(120);
}

/// Returns the query that a client without rules would send for a case, or `None` if HTTP cannot express it.
fn unchecked(case: &Case) -> Option<(&'static str, String, Option<String>)> {
    let params = case.get("params")?.as_object()?;
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = || Some(encode(params.get("sandboxId")?.as_str()?));
    let mut query = Vec::new();
    let operation = case.text("operation")?;
    match operation {
        "usage.by_sandbox" => query.push("groupBy=sandbox".to_owned()),
        "usage.by_tag" => query.push(format!("groupBy={}", encode(&format!("tag:{}", params.get("key")?.as_str()?)))),
        _ => (),
    }
    for (name, value) in params {
        match (name.as_str(), value) {
            ("sandboxId" | "tags" | "ifMatch", _) => (),
            ("key", _) if matches!(operation, "usage.by_tag" | "tags.list_values") => (),
            ("filter" | "exclude", Value::Object(filters)) => {
                for (dimension, value) in filters {
                    query.push(format!("{}={}", encode(&format!("{name}[{dimension}]")), encode(value.as_str()?)));
                }
            }
            (_, value) => query.push(format!("{}={}", encode(name), encode(&scalar(value)?))),
        }
    }
    let (method, path, body) = match operation {
        "usage.by_sandbox" | "usage.by_tag" => ("GET", "/api/usage".to_owned(), None),
        "usage.for_sandbox" => ("GET", format!("/api/sandboxes/{}/usage", id()?), None),
        "tags.list_values" => ("GET", format!("/api/tags/{}", encode(params.get("key")?.as_str()?)), None),
        "sandboxes.list" => ("GET", "/api/sandboxes".to_owned(), None),
        "tags.get" => ("GET", format!("/api/sandboxes/{}/tags", id()?), None),
        "tags.set" => ("PUT", format!("/api/sandboxes/{}/tags", id()?), Some(to_json(params.get("tags")?))),
        "sandboxes.get" => ("GET", format!("/api/sandboxes/{}", id()?), None),
        _ => return None,
    };
    Some((method, format!("{path}?{}", query.join("&")), body))
}

async fn rejects_the_requests_that_clients_reject(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("requests");
    for case in cases.iter().filter(|case| case.error_code().is_some() && !is_broken(&case.0)) {
        let Some((method, target, body)) = unchecked(case) else {
            continue;
        };
        let request = Request::new(method, &target).key(&server.key);
        let request = if let Some(body) = body { request.json(body) } else { request };
        walk.note_code(case, &request.send(&server).await, case.error_code().unwrap());
    }
    walk.end(100);
}

async fn http(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("http");
    for case in &cases {
        let (request, wanted) = (case.get("request").unwrap(), case.get("response").unwrap());
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let mut sent = Request::new(text("method").unwrap(), &encode_target(text("path").unwrap()));
        sent = match text("key") {
            None | Some("own") => sent.key(&server.key),
            Some("wrong") => sent.key("oc_wrong"),
            Some(_) => sent,
        };
        for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flatten() {
            sent = sent.header(name, value.as_str().unwrap());
        }
        if let Some(body) = request.get("body").map(to_json).or_else(|| text("text").map(str::to_owned)) {
            sent = sent.body(body);
        }
        let answer = sent.send(&server).await;
        let wrong = if u64::from(answer.status) != wanted["status"].as_u64().unwrap() {
            Some(format!("wanted {}", wanted["status"]))
        } else if wanted.get("code").is_some_and(|code| *code != answer.code()) {
            Some(format!("wanted {}", wanted["code"]))
        } else {
            wanted.get("body").and_then(|body| difference(&answer, body))
        };
        walk.note(case, &answer, wrong);
    }
    walk.end(200);
}

async fn returns_the_entity_tags_of_the_suite(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("etag");
    for case in cases.iter().filter(|case| case.get("tags").is_some()) {
        let answer = server.put("/api/sandboxes/sb-1/tags", to_json(&case.0["tags"])).await;
        let wrong = (answer.header("etag") != case.text("etag")).then(|| format!("wanted {}", case.0["etag"]));
        walk.note(case, &answer, wrong);
        let current = server.get("/api/sandboxes/sb-1/tags").await;
        let wrong = (current.header("etag") != case.text("etag")).then(|| "the read has another tag".to_owned());
        walk.note(case, &current, wrong);
    }
    walk.end(14);
}

/// Returns whether the live server, whose asOf is now, measures the case like the case's own asOf.
fn is_over(case: &Case, now: Timestamp) -> bool {
    let instant = |value: Option<&Value>| value.and_then(Value::as_str).map(|text| text.parse::<Timestamp>().unwrap());
    let as_of = instant(case.get("asOf")).unwrap();
    let events = case.get("events").and_then(Value::as_array).unwrap();
    let mut instants = vec![instant(case.get("from")), instant(case.get("to"))];
    instants.extend(events.iter().flat_map(|event| [instant(event.get("startedAt")), instant(event.get("endedAt"))]));
    instants.into_iter().flatten().all(|instant| instant <= as_of && instant < now)
}

async fn accounting(engine: Engine) {
    let servers = [(Rule::Clipped, Server::start(engine).await), (Rule::V1, Server::with_rule(engine, Rule::V1).await)];
    let now = servers[0].1.store.now().await.unwrap();
    let (mut walk, cases) = Walk::new("accounting");
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| is_over(case, now)) {
        let (_, server) = servers.iter().find(|(rule, _)| Some(rule.as_str()) == case.text("rule")).unwrap();
        let org = Uuid::from_u128(1000 + number as u128);
        let events = case.get("events").and_then(Value::as_array).unwrap();
        // Each event has a sandbox of its own, because events of the same sandbox, start and sizes would be one.
        let mut lines = Vec::new();
        for (number, event) in events.iter().enumerate() {
            let mut line = json!({ "type": "scale", "sandboxId": format!("sb-{number}"), "cpuPercent": 100 });
            line.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
            lines.push(line.to_string());
        }
        server.import(org, &lines.join("\n")).await.unwrap();
        let key = server.create_key(org).await;
        let window = format!("from={}&to={}", case.text("from").unwrap(), case.text("to").unwrap());
        let wanted = json!({
            "memoryGbSeconds": case.get("memoryGbSeconds"),
            "diskOverageGbSeconds": case.get("diskOverageGbSeconds"),
        });
        let usage = format!("/api/usage?groupBy=sandbox&limit=500&{window}");
        let answer = Request::new("GET", &usage).key(&key).send(server).await;
        let items = answer.json()["items"].as_array().map(Vec::len);
        let rows = case.get("rows").and_then(Value::as_u64).and_then(|rows| usize::try_from(rows).ok());
        let wrong = (items != rows).then(|| format!("wanted {rows:?} items"));
        walk.note(case, &answer, wrong.or_else(|| difference(&answer, &json!({ "total": wanted }))));
        if events.len() == 1 {
            let drilldown = format!("/api/sandboxes/sb-0/usage?{window}");
            let answer = Request::new("GET", &drilldown).key(&key).send(server).await;
            walk.note(case, &answer, difference(&answer, &wanted));
        }
    }
    walk.end(100);
}

async fn drilldown(engine: Engine) {
    let servers = [(Rule::Clipped, Server::start(engine).await), (Rule::V1, Server::with_rule(engine, Rule::V1).await)];
    let now = servers[0].1.store.now().await.unwrap();
    let (mut walk, cases) = Walk::new("drilldown");
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| is_over(case, now)) {
        let (_, server) = servers.iter().find(|(rule, _)| Some(rule.as_str()) == case.text("rule")).unwrap();
        let org = Uuid::from_u128(1000 + number as u128);
        let session = json!({
            "type": "session", "sandboxId": "sb-1", "template": "base", "region": "use2", "workerId": "w-1",
            "status": "running", "startedAt": "2026-01-01T00:00:00Z",
        });
        let mut lines = vec![session.to_string()];
        for event in case.get("events").and_then(Value::as_array).unwrap() {
            let mut line = json!({ "type": "scale", "sandboxId": "sb-1", "cpuPercent": 100 });
            line.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
            lines.push(line.to_string());
        }
        server.import(org, &lines.join("\n")).await.unwrap();
        let key = server.create_key(org).await;
        let target =
            format!("/api/sandboxes/sb-1/usage?from={}&to={}", case.text("from").unwrap(), case.text("to").unwrap());
        let answer = Request::new("GET", &target).key(&key).send(server).await;
        let wanted = json!({
            "memoryGbSeconds": case.get("memoryGbSeconds"),
            "diskOverageGbSeconds": case.get("diskOverageGbSeconds"),
            "totals": case.get("totals"),
            "points": [],
        });
        walk.note(case, &answer, difference(&answer, &wanted));
    }
    walk.end(20);
}

/// Returns the parameters of a case of time.
fn time_of(case: &Case) -> String {
    let names = ["from", "to", "timezone", "interval"];
    let pairs = names.into_iter().filter_map(|name| Some(format!("{name}={}", encode(case.text(name)?))));
    pairs.collect::<Vec<_>>().join("&")
}

/// Returns the drilldown that a case of time describes.
fn drilldown_of(case: &Case) -> String {
    format!("/api/sandboxes/sb-1/usage?{}", time_of(case))
}

/// Returns the total of a case with its series, from the exact sums in MB × µs.
fn total_of(case: &Case) -> Value {
    let gb_seconds = |sum: u128| sum as f64 / 1_024_000_000.0;
    let [memory, disk_overage] = ["memory", "diskOverage"].map(|member| -> Vec<u128> {
        let sums = case.get(member).and_then(Value::as_array).unwrap();
        sums.iter().map(|sum| sum.as_str().unwrap().parse().unwrap()).collect()
    });
    let series = |sums: &[u128]| sums.iter().copied().map(gb_seconds).collect::<Vec<_>>();
    json!({
        "memoryGbSeconds": gb_seconds(memory.iter().sum()),
        "diskOverageGbSeconds": gb_seconds(disk_overage.iter().sum()),
        "series": { "memoryGbSeconds": series(&memory), "diskOverageGbSeconds": series(&disk_overage) },
    })
}

async fn grids(engine: Engine) {
    let server = server(engine).await;
    let (mut walk, cases) = Walk::new("grids");
    for case in &cases {
        let answer = server.get(&drilldown_of(case)).await;
        walk.note(case, &answer, difference(&answer, &json!({ "buckets": case.get("buckets") })));
    }
    walk.end(40);
}

/// Returns the import lines of a case's events and samples, of one sandbox.
fn lines_of(case: &Case) -> String {
    let session = json!({
        "type": "session", "sandboxId": "sb-1", "template": "base", "region": "use2", "workerId": "w-1",
        "status": "running", "startedAt": "1900-01-01T00:00:00Z",
    });
    let rows = |member: &str, line: Value| {
        let rows = case.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
        rows.into_iter().map(move |row| {
            let mut line = line.clone();
            line.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
            line.to_string()
        })
    };
    let events = rows("events", json!({ "type": "scale", "sandboxId": "sb-1", "cpuPercent": 100 }));
    let samples = rows("samples", json!({ "type": "sample", "sandboxId": "sb-1" }));
    [session.to_string()].into_iter().chain(events).chain(samples).collect::<Vec<_>>().join("\n")
}

async fn splits(engine: Engine) {
    let servers = [(Rule::Clipped, Server::start(engine).await), (Rule::V1, Server::with_rule(engine, Rule::V1).await)];
    let now = servers[0].1.store.now().await.unwrap();
    let (mut walk, cases) = Walk::new("splits");
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| is_over(case, now)) {
        let (_, server) = servers.iter().find(|(rule, _)| Some(rule.as_str()) == case.text("rule")).unwrap();
        let org = Uuid::from_u128(2000 + number as u128);
        server.import(org, &lines_of(case)).await.unwrap();
        let key = server.create_key(org).await;
        let answer = Request::new("GET", &drilldown_of(case)).key(&key).send(server).await;
        let wanted = json!({ "buckets": case.get("buckets"), "points": case.get("points") });
        walk.note(case, &answer, difference(&answer, &wanted));
        let total = json!({ "buckets": case.get("buckets"), "total": total_of(case) });
        for group_by in ["sandbox", "tag:team", "status,region"] {
            let target = format!("/api/usage?groupBy={group_by}&limit=1&{}", time_of(case));
            let answer = Request::new("GET", &target).key(&key).send(server).await;
            walk.note(case, &answer, difference(&answer, &total));
        }
    }
    walk.end(35);
}

on_both_engines!(
    grids,
    splits,
    drilldown,
    tags,
    group_by,
    filters,
    queries,
    rejects_invalid_cursors,
    accepts_the_requests_that_clients_send,
    rejects_the_requests_that_clients_reject,
    http,
    returns_the_entity_tags_of_the_suite,
    accounting,
);
