//! Reconciliation of a worker when it starts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Engine, ORG, OTHER, Server, on_engines};
use opencomputer_usage_server::store::Reconciled;

fn session(id: &str, worker: &str, status: &str, day: u32, stopped: &str) -> String {
    format!(
        r#"{{"type":"session","sandboxId":"{id}","template":"base","region":"use2","workerId":"{worker}","status":"{status}","startedAt":"2026-01-{day:02}T00:00:00Z","stoppedAt":{stopped}}}
"#
    )
}

fn scale(id: &str, day: u32, ended: &str) -> String {
    format!(
        r#"{{"type":"scale","sandboxId":"{id}","memoryMb":1024,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-{day:02}T00:00:00Z","endedAt":{ended}}}
"#
    )
}

async fn a_worker_closes_its_open_sessions_and_events(engine: Engine) {
    let server = Server::start(engine).await;
    server.database.execute("DROP TABLE IF EXISTS sandbox_hibernations").await;
    let long_ago = "\"2026-01-09T00:00:00Z\"";
    let lines = [
        session("left", "w-1", "running", 1, "null"),
        scale("left", 1, "\"2026-01-02T00:00:00Z\""),
        scale("left", 2, "null"),
        session("asleep", "w-1", "hibernated", 1, "null"),
        session("moved", "w-1", "running", 1, "null"),
        session("moved", "w-2", "running", 2, "null"),
        scale("moved", 2, "null"),
        session("back", "w-1", "running", 1, "null"),
        session("back", "w-2", "running", 2, long_ago),
        session("back", "w-1", "stopped", 3, long_ago),
        session("done", "w-1", "stopped", 1, long_ago),
        session("other", "w-2", "running", 1, "null"),
        scale("other", 1, "null"),
    ];
    server.import(ORG, &lines.concat()).await.unwrap();
    // The same ids in another org: one on this worker, one on another.
    let elsewhere = [session("left", "w-2", "running", 1, "null"), scale("left", 1, "null")];
    let theirs = [session("other", "w-1", "running", 1, "null"), scale("other", 1, "null")];
    server.import(OTHER, &(elsewhere.concat() + &theirs.concat())).await.unwrap();
    let open = async || {
        let sql = "SELECT concat_ws(' ', 'session', org_id, sandbox_id, worker_id) FROM sandbox_sessions WHERE stopped_at IS NULL
             UNION ALL SELECT concat_ws(' ', 'scale', org_id, sandbox_id) FROM sandbox_scale_events WHERE ended_at IS NULL";
        let mut rows = server.database.texts(sql).await;
        rows.sort();
        rows
    };
    assert_eq!(server.store.reconcile_worker("w-1").await.unwrap(), Reconciled { sessions: 4, scales: 2 });
    let wanted = [
        format!("scale {ORG} moved"),
        format!("scale {ORG} other"),
        format!("scale {OTHER} left"),
        format!("session {ORG} moved w-1"),
        format!("session {ORG} moved w-2"),
        format!("session {ORG} other w-2"),
        format!("session {OTHER} left w-2"),
    ];
    assert_eq!(open().await, wanted);
    assert_eq!(server.get("/api/sandboxes/left").await.json()["status"], "stopped");
    assert_eq!(server.store.reconcile_worker("w-1").await.unwrap(), Reconciled::default());
    assert_eq!(server.store.reconcile_worker("nobody").await.unwrap(), Reconciled::default());
    server.database.execute("CREATE TABLE sandbox_hibernations (id TEXT)").await;
    let refused = server.store.reconcile_worker("w-2").await.unwrap_err().to_string();
    assert!(refused.contains("sandbox_hibernations"), "{refused}");
    assert_eq!(open().await, wanted);
}

on_engines!(
    sqlite = super::Engine::Sqlite, postgres = super::Engine::Postgres, platform = super::Engine::Platform,
    partitioned = super::Engine::Partitioned;
    [a_worker_closes_its_open_sessions_and_events]
);
