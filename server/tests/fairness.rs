//! Tenants that send too many requests, on both engines. Other tenants must not be affected.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Engine, ORG, OTHER, Request, Server, on_both_engines};
use futures_util::future::join_all;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_server::store::StoreError;
use serde_json::json;
use sqlx::Connection as _;

const AGGREGATE: &str = "/api/usage?groupBy=sandbox&from=2026-01-01&to=2026-02-01";
const TAGS: &str = "/api/sandboxes/sb-1/tags";

/// A server on which both orgs have a sandbox of the same id.
async fn server(engine: Engine) -> Arc<Server> {
    let server = Server::start(engine).await;
    let line = json!({
        "type": "scale", "sandboxId": "sb-1", "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
        "startedAt": "2026-01-10T00:00:00Z", "endedAt": "2026-01-11T00:00:00Z",
    });
    let tags = json!({ "type": "tags", "sandboxId": "sb-1", "tags": { "team": "a" } });
    for org in [ORG, OTHER] {
        server.import(org, &format!("{line}\n{tags}\n")).await.unwrap();
    }
    Arc::new(server)
}

/// Starts requests of one org.
fn flood(server: &Arc<Server>, times: usize, target: &'static str, body: Option<&'static str>) -> Vec<Flood> {
    let one = |n: usize| {
        let server = server.clone();
        tokio::spawn(async move {
            match body {
                Some(body) => server.put(target, body.replace('#', &n.to_string())).await.status,
                None => server.get(target).await.status,
            }
        })
    };
    (0..times).map(one).collect()
}

type Flood = tokio::task::JoinHandle<u16>;

async fn statuses(flood: Vec<Flood>) -> Vec<u16> {
    join_all(flood).await.into_iter().map(|status| status.unwrap()).collect()
}

/// Sends every kind of request of the other org, several times. All must succeed.
async fn the_other_org_is_served(server: &Server, writes: bool) {
    for round in 0..5 {
        for target in [AGGREGATE, "/api/tags", TAGS, "/api/sandboxes/sb-1/usage", "/api/sandboxes"] {
            let answer = Request::new("GET", target).key(&server.other_key).send(server).await;
            assert_eq!(answer.status, 200, "{target} {}", answer.text);
        }
        if writes {
            let body = format!(r#"{{"team":"{round}"}}"#);
            let answer = Request::new("PUT", TAGS).key(&server.other_key).json(body).send(server).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }
}

async fn an_org_whose_sums_never_end_leaves_the_database_to_others(engine: Engine) {
    let server = server(engine).await;
    server.database.make_sums_endless(ORG).await;
    let slow = flood(&server, 40, AGGREGATE, None);
    tokio::time::sleep(Duration::from_millis(500)).await;
    the_other_org_is_served(&server, true).await;
    assert_eq!(server.get("/api/sandboxes").await.status, 200, "what the org reads besides goes on, too");
    let mut statuses = statuses(slow).await;
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [429, 504]);
}

async fn departed_clients_leave_the_database_to_others(engine: Engine) {
    let server = server(engine).await;
    server.database.make_sums_endless(ORG).await;
    for _ in 0..20 {
        let slow = flood(&server, 10, AGGREGATE, None);
        tokio::time::sleep(Duration::from_millis(20)).await;
        slow.iter().for_each(Flood::abort);
    }
    the_other_org_is_served(&server, true).await;
}

async fn rejected_requests_get_retry_after(engine: Engine) {
    let server = server(engine).await;
    server.database.make_sums_endless(ORG).await;
    let answers = join_all((0..40).map(|_| server.get(AGGREGATE))).await;
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!((refused.code().as_str(), refused.header("retry-after")), ("rate_limited", Some("1")));
}

on_both_engines!(
    an_org_whose_sums_never_end_leaves_the_database_to_others,
    departed_clients_leave_the_database_to_others,
    rejected_requests_get_retry_after,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_that_waits_for_its_import_leaves_the_database_to_others() {
    let server = server(Engine::Postgres).await;
    let import = server.store.importer(ORG).await.unwrap();
    let writes = flood(&server, 60, TAGS, Some(r##"{"team":"#"}"##));
    tokio::time::sleep(Duration::from_millis(500)).await;
    the_other_org_is_served(&server, true).await;
    assert_eq!(server.get(TAGS).await.status, 200);
    import.commit().await.unwrap();
    assert_eq!(statuses(writes).await, [200; 60], "and its writes go on after the import");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_that_waits_for_a_row_leaves_the_database_to_others() {
    let server = server(Engine::Postgres).await;
    let mut platform = server.database.connect().await;
    let mut lock = platform.begin().await.unwrap();
    let rows = format!("SELECT 1 FROM sandbox_tags WHERE org_id = '{ORG}' FOR UPDATE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut *lock).await.unwrap();
    let writes = flood(&server, 60, TAGS, Some(r##"{"team":"#"}"##));
    tokio::time::sleep(Duration::from_millis(500)).await;
    the_other_org_is_served(&server, true).await;
    lock.rollback().await.unwrap();
    assert_eq!(statuses(writes).await, [200; 60]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_too_long_reports_the_lock_and_writes_nothing() {
    let server = server(Engine::Postgres).await;
    let import = server.store.importer(ORG).await.unwrap();
    let tags = TagSet::from_json(br#"{"team":"b"}"#).unwrap();
    let id = "sb-1".parse().unwrap();
    let (direct, answer) =
        tokio::join!(server.store.replace_tags(ORG, &id, &tags, None), server.put(TAGS, r#"{"team":"b"}"#));
    assert!(matches!(direct, Err(StoreError::Locked { .. })), "{direct:?}");
    assert_eq!((answer.status, answer.code().as_str()), (504, "query_timeout"));
    let waiting = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(server.database.texts(waiting).await, Vec::<String>::new());
    drop(import);
    assert_eq!(server.get(TAGS).await.json()["tags"], json!({ "team": "a" }));
}
