//! Usage over time and by columns of sessions, where the engines and a platform's schema differ. `groups.rs` compares
//! random queries with an oracle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Engine, ORG, Server, on_engines};
use serde_json::{Value, json};

const DAY_SECONDS: f64 = 86_400.0;

fn scale(id: &str, memory_mb: u32, start: &str, end: Option<&str>) -> String {
    let line = json!({
        "type": "scale", "sandboxId": id, "memoryMb": memory_mb, "cpuPercent": 100, "diskMb": 20_480, "startedAt": start,
        "endedAt": end,
    });
    format!("{line}\n")
}

fn session(id: &str, region: &str, start: &str) -> String {
    let line = json!({
        "type": "session", "sandboxId": id, "template": "base", "region": region, "workerId": "w-1", "status": "running",
        "startedAt": start,
    });
    format!("{line}\n")
}

fn numbers(series: &Value) -> Vec<f64> {
    series["memoryGbSeconds"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Floats of PostgreSQL have no microseconds at such distances.
async fn instants_of_the_first_century_are_exact(engine: Engine) {
    let server = Server::start(engine).await;
    let lines = scale("old", 1024, "0002-03-01T00:00:00.000001Z", Some("0031-03-03T00:00:00.000003Z"))
        + &scale("open", 2048, "0002-01-01T00:00:00Z", None);
    server.import(ORG, &lines).await.unwrap();
    let page = server.get("/api/usage?groupBy=sandbox&from=0031-03-01&to=0031-03-04&interval=1d").await.json();
    let day = DAY_SECONDS;
    assert_eq!(numbers(&page["total"]["series"]), [3.0 * day, 3.0 * day, 2.0 * day + 0.000_003]);
    assert_eq!(page["items"][1]["sandboxId"], "old");
    assert_eq!(numbers(&page["items"][1]["series"]), [day, day, 0.000_003]);
}

/// The clocks of Paris are set forward on 2026-03-29, so the days of the window differ in length.
async fn days_of_different_lengths_add_up(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, &scale("one", 1024, "2026-03-28T11:00:00Z", Some("2026-03-30T10:00:00Z"))).await.unwrap();
    let window = "from=2026-03-28&to=2026-03-31&interval=1d&timezone=Europe/Paris";
    let page = server.get(&format!("/api/usage?groupBy=tag:team&{window}")).await.json();
    let hour = 3_600.0;
    assert_eq!(numbers(&page["untagged"]["series"]), [12.0 * hour, 23.0 * hour, 12.0 * hour]);
}

async fn a_filter_on_the_region_of_a_few_sandboxes_keeps_them(engine: Engine) {
    let server = Server::start(engine).await;
    let mut lines = String::new();
    for (id, regions) in [("moved", ["a", "b"]), ("stayed", ["a", "a"]), ("left", ["b", ""])] {
        lines += &session(id, regions[0], "2026-01-01T00:00:00Z");
        lines += &session(id, regions[1], "2026-01-02T00:00:00Z");
        lines += &scale(id, 1024, "2026-01-01T00:00:00Z", Some("2026-01-03T00:00:00Z"));
    }
    server.import(ORG, &lines).await.unwrap();
    let ids = async |conditions: &str| {
        let target = format!("/api/usage?groupBy=sandbox&from=2026-01-01&to=2026-02-01&interval=1w&{conditions}");
        let page = server.get(&target).await.json();
        let ids = page["items"].as_array().unwrap().iter().map(|item| item["sandboxId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("filter[region]=b").await, ["moved"]);
    assert_eq!(ids("filter[region]=a,b").await, ["moved", "stayed"]);
    assert_eq!(ids("filter[region]=").await, ["left"]);
    assert_eq!(ids("exclude[region]=a").await, ["left", "moved"]);
    assert_eq!(ids("exclude[region]=").await, ["moved", "stayed"]);
    assert_eq!(ids("filter[region]=a,b&exclude[region]=b&filter[template]=base").await, ["stayed"]);
}

/// A platform's sessions may start together, and its columns may be of another type of text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latest_of_a_platforms_sessions_with_the_same_start_has_the_highest_id() {
    let server = Server::start(Engine::Platform).await;
    let lines = scale("one", 1024, "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z"))
        + r#"{"type":"tags","sandboxId":"one","tags":{"team":"a"}}"#;
    server.import(ORG, &lines).await.unwrap();
    for table in ["sandbox_sessions", "sandbox_scale_events", "sandbox_tags"] {
        server.database.execute(&format!("ALTER TABLE {table} ALTER COLUMN sandbox_id TYPE varchar(128)")).await;
    }
    server.database.execute("ALTER TABLE sandbox_sessions ALTER COLUMN region TYPE varchar(16)").await;
    for (id, region) in [(2, "low"), (9, "high"), (5, "middle")] {
        let session = format!(
            "INSERT INTO sandbox_sessions (id, sandbox_id, org_id, template, region, worker_id, started_at)
             VALUES ('00000000-0000-0000-0000-00000000000{id}', 'one', '{ORG}', 'base', '{region}', 'w-1', '2026-01-01Z')"
        );
        server.database.execute(&session).await;
    }
    let window = "from=2026-01-01&to=2026-01-03&interval=1d";
    for condition in ["", "&filter[region]=high", "&exclude[region]=low,middle"] {
        let page = server.get(&format!("/api/usage?groupBy=region,tag:team&{window}{condition}")).await.json();
        assert_eq!(page["items"][0]["group"], json!({ "region": "high", "tag:team": "a" }), "{condition}");
        assert_eq!(numbers(&page["items"][0]["series"]), [DAY_SECONDS, 0.0]);
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
    }
    let page = server.get(&format!("/api/usage?groupBy=tag:team&{window}&filter[region]=low,middle")).await.json();
    assert_eq!(page["items"], json!([]));
}

on_engines!(
    sqlite = crate::common::Engine::Sqlite, postgres = crate::common::Engine::Postgres,
    platform = crate::common::Engine::Platform;
    [
        instants_of_the_first_century_are_exact,
        days_of_different_lengths_add_up,
        a_filter_on_the_region_of_a_few_sandboxes_keeps_them,
    ]
);
