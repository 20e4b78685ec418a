//! `migrate` on databases: empty, our own, a platform's, an incomplete one, and by several servers at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Database, Engine, ORG, OTHER, Request, Server};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::store;
use opencomputer_usage_server::{import, keys};
use serde_json::json;

const COLUMNS: &str = "SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default)
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN ('sandbox_tags', 'usage_schema')
     ORDER BY 1";
const ROWS: &str = "SELECT row_to_json(one)::text FROM sandbox_sessions AS one
     UNION ALL SELECT row_to_json(one)::text FROM sandbox_scale_events AS one
     UNION ALL SELECT row_to_json(one)::text FROM sandbox_usage_samples AS one ORDER BY 1";

async fn open(database: &Database) -> Result<std::sync::Arc<dyn store::Store>, String> {
    store::open(database.url()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn migrating_a_platforms_database_only_adds_objects() {
    let database = Database::create(Engine::Platform).await;
    database.add_org(ORG).await;
    let rows = format!(
        r#"INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, config, started_at) VALUES
             ('sb-1', '{ORG}', 'base', 'use2', 'w-1', '{{"alias": "one", "more": 1}}', '2026-01-01Z'),
             ('sb-1', '{ORG}', 'base', 'use2', 'w-2', '{{"alias": "two"}}', '2026-01-02Z');
           INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent, started_at, ended_at) VALUES
             ('sb-1', '{ORG}', 1024, 100, '2026-01-01Z', '2026-01-02Z');
           INSERT INTO sandbox_usage_samples (sandbox_id, org_id, sampled_at, memory_mb, cpu_usec, memory_bytes, pids)
             VALUES ('sb-1', '{ORG}', '2026-01-01Z', 1024, 1, 536870912, 1);"#
    );
    database.execute(&rows).await;
    let (columns, rows) = (database.texts(COLUMNS).await, database.texts(ROWS).await);
    for _ in 0..2 {
        assert_eq!(open(&database).await.unwrap().schema_version().await.unwrap(), 2);
        assert_eq!(database.texts(COLUMNS).await, columns);
        assert_eq!(database.texts(ROWS).await, rows);
    }
    let statistics = "SELECT stxname::text FROM pg_statistic_ext ORDER BY 1";
    assert_eq!(database.texts(statistics).await, ["usage_scale_events_distinct", "usage_tags_distinct"]);
    let server = Server::on_platform(database, ORG).await;
    let put =
        Request::new("PUT", "/api/sandboxes/sb-1/tags").key(&server.key).json(r#"{"team":"a"}"#).send(&server).await;
    assert_eq!(put.status, 200, "{put:?}");
    let usage = server.get("/api/usage?groupBy=sandbox&from=2026-01-01&to=2026-01-03").await.json();
    assert_eq!(usage["items"][0]["alias"], "two");
    assert_eq!(usage["total"]["memoryGbSeconds"], json!(86_400.0));
    assert_eq!(server.database.texts(ROWS).await, rows);
}

#[tokio::test]
async fn reads_a_platforms_sandboxes_with_missing_details() {
    let database = Database::create(Engine::Platform).await;
    database.add_org(ORG).await;
    let rows = format!(
        "ALTER TABLE sandbox_sessions ALTER template DROP NOT NULL, ALTER region DROP NOT NULL,
             ALTER worker_id DROP NOT NULL, ALTER config DROP NOT NULL;
         INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, config, started_at)
             VALUES ('sb-1', '{ORG}', NULL, NULL, NULL, NULL, '2026-01-01Z')"
    );
    database.execute(&rows).await;
    let server = Server::on_platform(database, ORG).await;
    let sandbox = json!({
        "sandboxID": "sb-1", "status": "running", "region": "", "workerID": "", "template": "",
        "startedAt": "2026-01-01T00:00:00Z", "tags": {}, "tagsLastUpdatedAt": null,
    });
    assert_eq!(server.get("/api/sandboxes").await.json(), json!([sandbox]));
    assert_eq!(server.get("/api/sandboxes/sb-1").await.json(), sandbox);
    let drilled = server.get("/api/sandboxes/sb-1/usage?from=2026-01-01&to=2026-01-02").await.json();
    assert_eq!((&drilled["status"], &drilled["memoryGbSeconds"]), (&json!("running"), &json!(0.0)));
}

#[tokio::test]
async fn only_the_platform_creates_orgs() {
    let database = Database::create(Engine::Platform).await;
    let store = open(&database).await.unwrap();
    let line = r#"{"type":"tags","sandboxId":"sb-1","tags":{}}"#;
    let refused = import::import(&*store, ORG, line.as_bytes(), |_, _| {}).await.unwrap_err().to_string();
    assert!(refused.contains("there is no org 00000000-0000-0000-0000-000000000001"), "{refused}");
    let refused = store.create_key(ORG, &keys::generate("x").unwrap().0).await.unwrap_err().to_string();
    assert!(refused.contains("there is no org"), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_neither_empty_nor_a_platforms_is_rejected() {
    for (sql, fault) in [
        ("CREATE TABLE orgs (id uuid PRIMARY KEY)", "it has `orgs` but no `api_keys`"),
        ("ALTER TABLE sandbox_scale_events DROP COLUMN disk_mb", "`sandbox_scale_events` has no column `disk_mb`"),
    ] {
        let engine = if sql.starts_with("ALTER") { Engine::Platform } else { Engine::Postgres };
        let database = Database::create(engine).await;
        database.execute(sql).await;
        let refused = open(&database).await.err().unwrap();
        assert!(refused.contains(fault), "{refused}");
        assert_eq!(database.texts("SELECT 'x' WHERE to_regclass('usage_schema') IS NOT NULL").await.len(), 0);
    }
    let database = Database::create(Engine::Postgres).await;
    open(&database).await.unwrap();
    database.execute("UPDATE usage_schema SET version = 99").await;
    let refused = open(&database).await.err().unwrap();
    assert_eq!(refused, "the database has schema version 99, this program knows versions up to 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_migrate_and_serve_at_once() {
    for engine in [Engine::Postgres, Engine::Platform] {
        let database = Database::create(engine).await;
        for org in [ORG, OTHER] {
            database.add_org(org).await;
        }
        let servers = (0..3).map(|_| Server::on(database.clone(), Rule::default()));
        let servers = futures_util::future::join_all(servers).await;
        let line = r#"{"type":"scale","sandboxId":"sb-1","memoryMb":1024,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-01T00:00:00Z","endedAt":null}"#;
        servers[0].import(ORG, line).await.unwrap();
        let writes =
            (0..12).map(|n| servers[n % 3].put("/api/sandboxes/sb-1/tags", format!(r#"{{"n":"{n}","k{n}":""}}"#)));
        for answer in futures_util::future::join_all(writes).await {
            assert_eq!((answer.status, answer.json()["tags"].as_object().unwrap().len()), (200, 2));
        }
        let reads = servers.iter().map(|server| server.get("/api/sandboxes/sb-1/tags"));
        let reads = futures_util::future::join_all(reads).await;
        assert_eq!(reads[0].json(), reads[1].json());
        assert_eq!(reads[0].header("etag"), reads[2].header("etag"));
    }
}

#[tokio::test]
async fn lists_work_with_an_infinite_start_on_a_platform() {
    let database = Database::create(Engine::Platform).await;
    database.add_org(ORG).await;
    let session = |id: &str, start: &str| {
        format!(
            "INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, started_at)
                 VALUES ('{id}', '{ORG}', 'base', 'use2', 'w-1', '{start}');"
        )
    };
    let sql = [("sb-1", "-infinity"), ("sb-2", "2026-01-01Z"), ("sb-3", "infinity")].map(|(id, at)| session(id, at));
    database.execute(&sql.concat()).await;
    let server = Server::on_platform(database, ORG).await;
    let list = server.get("/api/sandboxes").await.json();
    let starts: Vec<_> = list.as_array().unwrap().iter().map(|one| one["startedAt"].as_str().unwrap()).collect();
    assert_eq!(starts, ["9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]);
    let one = server.get("/api/sandboxes/sb-3").await;
    assert_eq!((one.status, &one.json()["startedAt"]), (200, &json!("9999-12-31T23:59:59.999999Z")));
    assert_eq!(server.get("/api/sandboxes/sb-1/usage?from=2026-01-01&to=2026-01-02").await.status, 200);
}

/// Poolers in transaction mode leave such a lock on a connection that no client uses.
#[tokio::test]
async fn reports_a_lock_held_by_an_idle_connection_without_waiting() {
    let database = Database::create(Engine::Postgres).await;
    let mut holder = database.connect().await;
    let lock = "SELECT pg_backend_pid() || '' FROM pg_advisory_lock(7302491750618246)";
    let process: String = sqlx::query_scalar(lock).fetch_one(&mut holder).await.unwrap();
    let refused = open(&database).await.err().unwrap();
    let wanted = format!("held by an idle connection, process {process} of the database");
    assert!(refused.contains(&wanted), "{refused}");
    drop(holder);
    open(&database).await.unwrap();
}
