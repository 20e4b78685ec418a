//! The costliest queries that the limits allow, on both engines. They end within the time limit of a request, in the
//! database, too, and other orgs are served meanwhile.
//!
//! `HOSTILE_EVENTS=1000000` makes the org larger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Answer, Engine, ORG, OTHER, Request, Server, on_both_engines};
use futures_util::future::join_all;
use opencomputer_usage_core::limits::{MAX_FILTER_VALUES, MAX_FILTERS, MAX_QUERY_BYTES, MAX_TAG_VALUE_CHARACTERS};
use serde_json::json;

const EVENTS_PER_SANDBOX: usize = 20;
const WINDOW: &str = "from=2026-01-01&to=2026-02-01";

fn events() -> usize {
    std::env::var("HOSTILE_EVENTS").map_or(4_000, |events| events.parse().unwrap())
}

/// Returns import lines: 20 events and two tags per sandbox.
fn lines(sandboxes: std::ops::Range<usize>) -> String {
    let mut lines = String::new();
    for n in sandboxes {
        for day in 1..=EVENTS_PER_SANDBOX {
            let event = json!({
                "type": "scale", "sandboxId": format!("sb-{n}"), "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
                "startedAt": format!("2026-01-{day:02}T00:00:00Z"), "endedAt": format!("2026-01-{day:02}T12:00:00Z"),
            });
            writeln!(lines, "{event}").unwrap();
        }
        let tags = json!({ "team": format!("t{}", n % 7), "run": format!("r{n}") });
        writeln!(lines, "{}", json!({ "type": "tags", "sandboxId": format!("sb-{n}"), "tags": tags })).unwrap();
    }
    lines
}

async fn server(engine: Engine, events: usize) -> Arc<Server> {
    let server = Server::start(engine).await;
    server.import(ORG, &lines(0..events / EVENTS_PER_SANDBOX)).await.unwrap();
    server.import(OTHER, &lines(0..2)).await.unwrap();
    Arc::new(server)
}

/// Returns a filter for values that no sandbox has, as many as the limits and the query allow.
fn filters_of_absent_values(length: usize) -> String {
    let mut query = String::new();
    for filter in 0..MAX_FILTERS - 1 {
        write!(query, "&filter[tag:k{filter}]=").unwrap();
        for n in 0..MAX_FILTER_VALUES {
            if query.len() + length + 600 > MAX_QUERY_BYTES {
                return query;
            }
            write!(query, "{}v{n:0>width$}", if n > 0 { "," } else { "" }, width = length - 1).unwrap();
        }
    }
    query
}

/// Returns queries of `/api/usage` by name, each with whether it finds every sandbox or none.
fn bombs() -> Vec<(&'static str, String, bool)> {
    let absent =
        |parameter| (0..MAX_FILTERS).fold(String::new(), |query, n| query + &format!("&{parameter}[tag:none{n}]="));
    let group = |key| format!("groupBy={key}&{WINDOW}&limit=500");
    let excluded = filters_of_absent_values(16).replace("filter", "exclude");
    vec![
        ("20 absent keys", group("tag:run") + &absent("filter"), true),
        (
            "20 absent keys, by sandbox and hour",
            group("sandbox").replace("500", "1") + "&interval=1h" + &absent("filter"),
            true,
        ),
        ("20 present keys", group("tag:team") + &absent("exclude"), false),
        ("long values", group("tag:run") + &filters_of_absent_values(MAX_TAG_VALUE_CHARACTERS), false),
        ("many values", group("sandbox") + &filters_of_absent_values(16), false),
        ("many excluded values", group("tag:run") + &excluded, true),
        ("many excluded values, and 20 absent keys", group("tag:run") + &excluded + &absent("filter"), true),
    ]
}

/// Sends each bomb `times` times, all at once, and checks that the other org is served until all have ended.
async fn throw(server: &Arc<Server>, times: usize) -> Vec<(&'static str, bool, Answer)> {
    let one = |(name, query, finds_all): (&'static str, String, bool)| {
        let server = server.clone();
        async move {
            let answer = server.get(&format!("/api/usage?{query}")).await;
            (name, finds_all, answer)
        }
    };
    let thrown = tokio::spawn(join_all(bombs().into_iter().flat_map(|bomb| vec![bomb; times]).map(one)));
    while !thrown.is_finished() {
        the_other_org_is_served(server).await;
    }
    thrown.await.unwrap()
}

async fn the_other_org_is_served(server: &Server) {
    for target in [&*format!("/api/usage?groupBy=tag:team&{WINDOW}"), "/api/sandboxes/sb-1/tags", "/api/tags"] {
        let answer = Request::new("GET", target).key(&server.other_key).send(server).await;
        assert_eq!(answer.status, 200, "{target} {}", answer.text);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Waits until no statement of the server runs. On SQLite, the next request of the org shows that its share is free.
async fn nothing_runs(server: &Server) {
    if server.database.engine == Engine::Postgres {
        let sql = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
             AND application_name = 'opencomputer-usage' AND query LIKE '%sandbox_scale_events%'";
        let idle = async {
            while !server.database.texts(sql).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), idle).await.unwrap();
    }
    assert_eq!(server.get("/api/tags").await.status, 200);
}

async fn filter_bombs_are_answered_or_end_within_the_budget(engine: Engine) {
    let events = events();
    let server = server(engine, events).await;
    let answer = server.get(&format!("/api/usage?groupBy=tag:team&{WINDOW}&limit=1")).await;
    let all = answer.json()["total"]["memoryGbSeconds"].clone();
    for round in [1, 2] {
        let started = Instant::now();
        let mut ended = Vec::new();
        for (name, finds_all, answer) in throw(&server, round).await {
            let json = answer.json();
            match answer.status {
                200 if finds_all => assert_eq!(json["total"]["memoryGbSeconds"], all, "{name}"),
                200 => assert_eq!(json["total"]["memoryGbSeconds"].as_f64(), Some(0.0), "{name}"),
                504 => assert_eq!(answer.code(), "query_timeout", "{name}"),
                429 => assert_eq!(answer.code(), "rate_limited", "{name}"),
                status => panic!("{name}: {status} {}", answer.text),
            }
            ended.push((name, answer.status));
        }
        println!("{engine:?}, {events} events, each {round} times, {:?}: {ended:?}", started.elapsed());
        nothing_runs(&server).await;
    }
}

async fn filter_bombs_over_budget_are_cancelled_in_the_database(engine: Engine) {
    let server = server(engine, 200).await;
    server.database.make_sums_endless(ORG).await;
    let ended = throw(&server, 2).await;
    for (name, finds_all, answer) in &ended {
        match (answer.status, &*answer.code()) {
            (504, "query_timeout") | (429, "rate_limited") => (),
            // A filter that no sandbox passes may leave no event to sum.
            (200, _) if !finds_all => (),
            _ => panic!("{name}: {}", answer.text),
        }
    }
    assert!(ended.iter().any(|(.., answer)| answer.status == 504));
    nothing_runs(&server).await;
}

on_both_engines!(
    filter_bombs_are_answered_or_end_within_the_budget,
    filter_bombs_over_budget_are_cancelled_in_the_database,
);
