//! Keys that differ only in punctuation, and keys, values and ids that look like SQL, patterns, JSON paths, format strings,
//! formulas or log lines: each is listed, filtered, grouped and drilled down to literally.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::{Engine, ORG, OTHER, Server, encode, on_both_engines};
use serde_json::{Value, json};

const KEYS: [&str; 14] =
    ["a.b", "a_b", "a-b", "a:b", "a.b.c", "ab", "A.b", "_", "-", "--", "...", "0", "null", "tag:a.b"];

const VALUES: [&str; 26] = [
    "'; DROP TABLE sandbox_tags; --",
    "' OR '1'='1",
    "\") OR 1=1 --",
    "\\",
    "\\'",
    "%",
    "_",
    "a%b",
    "a*",
    "?1",
    "$1",
    "$.team",
    "$[0].\"a.b\"",
    "{\"a.b\":1}",
    "[null]",
    "NULL",
    "null",
    "{0} {} ${x}",
    "%s%n%x",
    "=1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-1",
    "line\r\nlevel=ERROR forged",
    "tab\tand\u{1b}[31m",
    "\u{2028}\u{202e}",
    "a.b",
];

/// A sandbox with one tag.
struct Sandbox {
    id: String,
    key: &'static str,
    value: &'static str,
    /// Its usage, different from that of every other sandbox.
    gb_seconds: usize,
}

/// Returns a sandbox for every key and value. Its id holds the value, without the control characters that no id has.
fn fleet() -> Vec<Sandbox> {
    let pairs = KEYS.iter().flat_map(|&key| VALUES.iter().map(move |&value| (key, value)));
    let sandbox = |(n, (key, value)): (usize, (_, &'static str))| {
        let id = format!("{} {n}", value.replace(char::is_control, ""));
        Sandbox { id, key, value, gb_seconds: n + 1 }
    };
    pairs.enumerate().map(sandbox).collect()
}

fn lines(fleet: &[Sandbox]) -> String {
    let mut lines = Vec::new();
    for Sandbox { id, key, value, gb_seconds } in fleet {
        lines.push(json!({
            "type": "session", "sandboxId": id, "template": value, "region": "use2", "workerId": "w-1",
            "status": "stopped", "startedAt": "2026-01-05T00:00:00Z", "stoppedAt": "2026-01-06T00:00:00Z", "alias": value,
        }));
        let (minutes, seconds) = (gb_seconds / 60, gb_seconds % 60);
        lines.push(json!({
            "type": "scale", "sandboxId": id, "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20480,
            "startedAt": "2026-01-05T00:00:00Z", "endedAt": format!("2026-01-05T00:{minutes:02}:{seconds:02}Z"),
        }));
        lines.push(json!({ "type": "tags", "sandboxId": id, "tags": { *key: value } }));
    }
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

async fn server(engine: Engine) -> (Server, Vec<Sandbox>) {
    let (server, fleet) = (Server::start(engine).await, fleet());
    server.import(ORG, &lines(&fleet)).await.unwrap();
    (server, fleet)
}

async fn get(server: &Server, target: &str) -> Value {
    let answer = server.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    answer.json()
}

/// Returns a parameter with one exact value.
fn only(name: &str, dimension: &str, value: &str) -> String {
    format!("{name}[{}]={}", encode(dimension), encode(&format!("\"{}\"", value.replace('"', "\"\""))))
}

/// Returns the usage of each item, by what `name` returns for it.
fn amounts(page: &Value, name: impl Fn(&Value) -> Value) -> BTreeMap<String, f64> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| (name(item).as_str().unwrap().to_owned(), item["memoryGbSeconds"].as_f64().unwrap()))
        .collect()
}

const WINDOW: &str = "from=2026-01-05&to=2026-01-06&limit=500";

#[allow(clippy::cast_precision_loss, reason = "the sums are small")]
async fn every_key_and_value_is_listed_and_grouped_as_it_is(engine: Engine) {
    let (server, fleet) = server(engine).await;
    let total: usize = fleet.iter().map(|sandbox| sandbox.gb_seconds).sum();
    let mut sorted = KEYS;
    sorted.sort_unstable();
    let listed = sorted.map(|key| json!({ "key": key, "sandboxCount": VALUES.len(), "valueCount": VALUES.len() }));
    assert_eq!(get(&server, "/api/tags").await["keys"], json!(listed));
    let mut values = VALUES;
    values.sort_unstable();
    for key in KEYS {
        let listed = get(&server, &format!("/api/tags/{}?limit=500", encode(key))).await;
        let wanted = values.map(|value| json!({ "value": value, "sandboxCount": 1 }));
        assert_eq!(listed, json!({ "key": key, "values": wanted, "nextCursor": null }));
        let page = get(&server, &format!("/api/usage?groupBy=tag:{}&{WINDOW}", encode(key))).await;
        let own = fleet.iter().filter(|sandbox| sandbox.key == key);
        let wanted: BTreeMap<_, _> = own.map(|one| (one.value.to_owned(), one.gb_seconds as f64)).collect();
        assert_eq!(page["untagged"]["memoryGbSeconds"], json!(total as f64 - wanted.values().sum::<f64>()), "{key}");
        assert_eq!(amounts(&page, |item| item["tagValue"].clone()), wanted, "{key}");
    }
    for value in VALUES {
        let listed = get(&server, &format!("/api/tags/a.b?limit=500&prefix={}", encode(value))).await;
        let listed: Vec<_> =
            listed["values"].as_array().unwrap().iter().map(|one| one["value"].as_str().unwrap()).collect();
        let wanted: Vec<_> = values.into_iter().filter(|other| other.starts_with(value)).collect();
        assert_eq!(listed, wanted, "{value}");
    }
}

#[allow(clippy::cast_precision_loss, reason = "the sums are small")]
async fn every_key_value_and_id_is_filtered_and_drilled_down_to_as_it_is(engine: Engine) {
    let (server, fleet) = server(engine).await;
    for (n, value) in VALUES.into_iter().enumerate() {
        let key = KEYS[n % KEYS.len()];
        let one = fleet.iter().find(|sandbox| (sandbox.key, sandbox.value) == (key, value)).unwrap();
        let dimension = format!("tag:{key}");
        let filter = only("filter", &dimension, value);
        let wanted = BTreeMap::from([(one.id.clone(), one.gb_seconds as f64)]);
        for filter in [&filter, &only("filter", "sandbox", &one.id)] {
            let page = get(&server, &format!("/api/usage?groupBy=sandbox&{filter}&{WINDOW}")).await;
            assert_eq!(amounts(&page, |item| item["sandboxId"].clone()), wanted, "{filter}");
            assert_eq!(page["items"][0]["tags"], json!({ key: value }));
        }
        let rest = format!("filter[{}]=a.b&{}", encode(&dimension), only("exclude", &dimension, value));
        let page = get(&server, &format!("/api/usage?groupBy=sandbox&{rest}&{WINDOW}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), usize::from(value != "a.b"), "{rest}");
        let listed = get(&server, &format!("/api/sandboxes?state=all&{filter}")).await;
        let listed: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["sandboxID"].as_str().unwrap()).collect();
        assert_eq!(listed, [one.id.as_str()], "{filter}");
        // By template, the sandboxes of every key have the value.
        let template = only("filter", "template", value);
        let page = get(&server, &format!("/api/usage?groupBy=template&{template}&{WINDOW}")).await;
        let sum =
            fleet.iter().filter(|sandbox| sandbox.value == value).map(|sandbox| sandbox.gb_seconds).sum::<usize>();
        let wanted = BTreeMap::from([(value.to_owned(), sum as f64)]);
        assert_eq!(amounts(&page, |item| item["group"]["template"].clone()), wanted);
        let drilldown =
            get(&server, &format!("/api/sandboxes/{}/usage?from=2026-01-05&to=2026-01-06", encode(&one.id))).await;
        let found = [&drilldown["sandboxId"], &drilldown["alias"], &drilldown["memoryGbSeconds"], &drilldown["tags"]];
        assert_eq!(json!(found), json!([one.id, value, one.gb_seconds as f64, { key: value }]));
    }
}

async fn every_key_and_value_is_written_and_grouped_beside_the_others(engine: Engine) {
    let (server, fleet) = server(engine).await;
    server.import(OTHER, &lines(&fleet[..2])).await.unwrap();
    for (n, one) in fleet.iter().step_by(KEYS.len() + 1).enumerate() {
        let tags: BTreeMap<_, _> = KEYS.iter().zip(VALUES.iter().cycle().skip(n)).collect();
        let target = format!("/api/sandboxes/{}/tags", encode(&one.id));
        let written = server.put(&target, json!(tags).to_string()).await;
        assert_eq!((written.status, &written.json()["tags"]), (200, &json!(tags)), "{target}");
        assert_eq!(get(&server, &target).await, written.json());
        let filter = only("filter", "sandbox", &one.id);
        for keys in KEYS.chunks(3) {
            let dimensions: Vec<_> = keys.iter().map(|key| format!("tag:{key}")).collect();
            let page =
                get(&server, &format!("/api/usage?groupBy={}&{filter}&{WINDOW}", encode(&dimensions.join(",")))).await;
            for (key, dimension) in keys.iter().zip(&dimensions) {
                let item = &page["items"][0];
                // A single tag has items of another shape.
                let found = if keys.len() == 1 { &item["tagValue"] } else { &item["group"][dimension] };
                assert_eq!(found, &json!(tags[key]), "{dimension}");
            }
        }
    }
    let own = [fleet[1].id.as_str(), fleet[0].id.as_str()];
    let page = common::Request::new("GET", &format!("/api/usage?groupBy=sandbox&{WINDOW}")).key(&server.other_key);
    let page = page.send(&server).await.json();
    assert_eq!(amounts(&page, |item| item["sandboxId"].clone()).into_keys().collect::<Vec<_>>(), own);
    assert_eq!(page["items"][0]["tags"], json!({ KEYS[0]: VALUES[1] }));
}

on_both_engines!(
    every_key_and_value_is_listed_and_grouped_as_it_is,
    every_key_value_and_id_is_filtered_and_drilled_down_to_as_it_is,
    every_key_and_value_is_written_and_grouped_beside_the_others,
);
