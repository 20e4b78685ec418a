//! PostgreSQL with statistics that do not cover an org. A statement still reads rows in proportion to the org.
//!
//! The tests count the rows that the database has read, so they do not depend on the speed of the machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Database, Engine, ORG, OTHER, Server, on_engines};
use opencomputer_usage_core::usage::accounting::Rule;
use serde_json::json;
use uuid::Uuid;

const THIRD: Uuid = Uuid::from_u128(3);
const BIG_TABLES: &str = "'sandbox_sessions'::regclass, 'sandbox_scale_events'::regclass, 'sandbox_tags'::regclass,
     'sandbox_usage_samples'::regclass";

/// The sandboxes of an org, the events and samples of each, and all rows of the org.
const SANDBOXES: usize = 1_500;
const EVENTS: usize = 5;
const SAMPLES: usize = 4;
const ROWS: usize = SANDBOXES * (1 + EVENTS + SAMPLES + 3);
/// The most rows that a request for one or two sandboxes may read.
const FEW: usize = 300;

/// The state of the planner's statistics.
#[derive(Clone, Copy, Debug)]
enum Statistics {
    /// Taken while another org was the only one.
    Stale,
    Missing,
}

fn fleet(name: &str) -> String {
    let sandbox = |n: usize| {
        let id = format!("{name}-{n:05}");
        let session = json!({
            "type": "session", "sandboxId": id, "template": "base", "region": "use2", "workerId": "w-1",
            "status": if n.is_multiple_of(3) { "running" } else { "stopped" }, "startedAt": "2026-01-01T00:00:00Z",
        });
        let tags = json!({
            "type": "tags", "sandboxId": id,
            "tags": { "team": format!("t{}", n % 7), "env": format!("e{}", n % 2), "owner": format!("o{n}") },
        });
        let event = |n: usize| {
            json!({
                "type": "scale", "sandboxId": id, "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
                "startedAt": format!("2026-01-{:02}T00:00:00Z", n + 1), "endedAt": format!("2026-01-{:02}T00:00:00Z", n + 2),
            })
        };
        // All sandboxes are sampled at the same time.
        let sample = |n: usize| {
            json!({
                "type": "sample", "sandboxId": id, "sampledAt": format!("2026-01-{:02}T00:00:00Z", n + 1), "memoryBytes": n,
            })
        };
        let lines = [session, tags].into_iter().chain((0..EVENTS).map(event)).chain((0..SAMPLES).map(sample));
        lines.map(|line| line.to_string() + "\n").collect::<String>()
    };
    (0..SANDBOXES).map(sandbox).collect()
}

/// Creates a database with one org in its statistics, which only an import refreshes.
async fn database(engine: Engine, statistics: Statistics) -> Database {
    let database = Database::create(engine).await;
    for org in [ORG, OTHER, THIRD] {
        database.add_org(org).await;
    }
    let server = Server::on(database.clone(), Rule::V1).await;
    for table in common::database::BIG_TABLES {
        database.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    server.import(ORG, &fleet("a")).await.unwrap();
    server.store.close().await;
    if let Statistics::Missing = statistics {
        database.execute(&format!("DELETE FROM pg_statistic WHERE starelid IN ({BIG_TABLES})")).await;
    }
    database
}

/// Adds an org that the statistics do not cover, of the size of the one that they cover.
async fn grow(database: &Database, org: Uuid) {
    let copy = |table: &str, columns: &str| {
        format!(
            "INSERT INTO {table} (org_id, {columns}) SELECT '{org}', {columns} FROM {table} WHERE org_id = '{ORG}';"
        )
    };
    let sql =
        copy("sandbox_sessions", "sandbox_id, template, region, worker_id, status, config, started_at, stopped_at")
            + &copy("sandbox_scale_events", "sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at")
            + &copy("sandbox_tags", "sandbox_id, key, value, updated_at");
    database.execute(&sql).await;
    // A platform's table holds one sample of each sandbox id and time.
    let samples = format!(
        "INSERT INTO sandbox_usage_samples (org_id, sandbox_id, sampled_at, memory_mb, cpu_usec, memory_bytes, pids)
         SELECT '{org}', sandbox_id, sampled_at + interval '1 s', memory_mb, cpu_usec, memory_bytes, pids
         FROM sandbox_usage_samples WHERE org_id = '{ORG}'"
    );
    database.execute(&samples).await;
}

/// Returns the rows and index entries read so far, after every connection of a server has reported its own.
async fn rows_read(database: &Database) -> usize {
    let others = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'opencomputer-usage'
         AND datname = current_database()";
    while !database.texts(others).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let read = format!(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relid IN ({BIG_TABLES}))
            + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid IN ({BIG_TABLES})) || ''"
    );
    database.texts(&read).await[0].parse().unwrap()
}

async fn an_import_reads_no_more_than_its_own_rows(engine: Engine) {
    for statistics in [Statistics::Stale, Statistics::Missing] {
        let database = database(engine, statistics).await;
        let lines = fleet("b");
        // First as new rows, then as known ones.
        for turn in ["new", "known"] {
            let before = rows_read(&database).await;
            let server = Server::on(database.clone(), Rule::V1).await;
            server.import(OTHER, &lines).await.unwrap();
            let read = rows_read_by(server).await - before;
            // For a known org the old tags are read, too, and statistics sample all rows.
            assert!(read <= 8 * ROWS, "{statistics:?}, {turn}: {read} rows were read to import {ROWS}");
        }
    }
}

/// Closes a server, then counts.
async fn rows_read_by(server: Server) -> usize {
    server.store.close().await;
    rows_read(&server.database).await
}

async fn a_request_reads_no_more_than_its_org(engine: Engine) {
    let window = "from=2026-01-01&to=2026-02-01";
    let usage = |query: &str| format!("/api/usage?{query}&{window}");
    for statistics in [Statistics::Stale, Statistics::Missing] {
        let database = database(engine, statistics).await;
        grow(&database, THIRD).await;
        // The target and the most rows that it may read.
        let requests = [
            (usage("groupBy=tag:team"), 3 * ROWS),
            (usage("groupBy=sandbox"), 3 * ROWS),
            (usage("groupBy=tag:team&filter[tag:env]=e1"), 3 * ROWS),
            (usage("groupBy=sandbox&filter[tag:env]=e1&filter[tag:team]=t1,t2,t3,t4,t5"), 3 * ROWS),
            (usage("groupBy=tag:team&filter[tag:env]="), 3 * ROWS),
            (usage("groupBy=tag:team,tag:env,region"), 3 * ROWS),
            (usage("groupBy=region&exclude[tag:env]=e1&exclude[template]=other&filter[status]=stopped"), 3 * ROWS),
            // The events are read twice.
            (usage("groupBy=tag:team&interval=1d"), 5 * ROWS),
            (usage("groupBy=tag:team,region&interval=1d&filter[tag:env]=e1"), 5 * ROWS),
            (usage("groupBy=sandbox&interval=1d"), 5 * ROWS),
            // A few sandboxes, which are looked up.
            (usage("groupBy=tag:team&filter[tag:owner]=o7,o8"), FEW),
            (usage("groupBy=tag:team&filter[tag:env]=e1&filter[tag:owner]=o7,o8"), ROWS),
            (usage("groupBy=tag:team,region&interval=1d&filter[tag:owner]=o7,o8"), FEW),
            // A few hundred sandboxes.
            (usage("groupBy=tag:env&filter[tag:team]=t1"), ROWS),
            (usage("groupBy=tag:env&interval=1d&filter[tag:team]=t1"), ROWS),
            (usage("groupBy=tag:env,region&interval=1d&filter[tag:team]=t1&filter[tag:owner]=o1,o8,o15"), ROWS),
            (usage("groupBy=sandbox&interval=1d&filter[tag:team]=t1"), ROWS),
            // Finding the few reads all sessions.
            (usage("groupBy=tag:team&interval=1d&filter[region]=other"), ROWS),
            (usage("groupBy=tag:team&filter[sandbox]=a-00007,a-00008"), FEW),
            (usage("groupBy=sandbox&filter[sandbox]=a-00007,a-00008&filter[tag:env]=e1"), ROWS),
            ("/api/tags".to_owned(), 2 * ROWS),
            ("/api/sandboxes".to_owned(), 2_000),
            ("/api/sandboxes/a-00007".to_owned(), FEW),
            ("/api/sandboxes/a-00007/tags".to_owned(), FEW),
            (format!("/api/sandboxes/a-00007/usage?{window}"), FEW),
        ];
        for (target, most) in requests {
            let before = rows_read(&database).await;
            let server = Server::on_platform(database.clone(), THIRD).await;
            let answer = server.get(&target).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let read = rows_read_by(server).await - before;
            assert!(read <= most, "{statistics:?}: {target} has read {read} rows, at most {most} are allowed");
        }
        let before = rows_read(&database).await;
        let server = Server::on_platform(database.clone(), THIRD).await;
        assert_eq!(server.put("/api/sandboxes/a-00007/tags", r#"{"team":"new"}"#).await.status, 200);
        let read = rows_read_by(server).await - before;
        assert!(read <= FEW, "{statistics:?}: a write of tags has read {read} rows");
    }
}

async fn pruning_reads_no_more_than_all_samples(engine: Engine) {
    for statistics in [Statistics::Stale, Statistics::Missing] {
        let database = database(engine, statistics).await;
        grow(&database, THIRD).await;
        let before = rows_read(&database).await;
        let server = Server::on_platform(database.clone(), THIRD).await;
        let deleted = server.store.prune_samples("2026-01-02".parse().unwrap()).await.unwrap();
        assert_eq!(usize::try_from(deleted).unwrap(), 2 * SANDBOXES);
        let read = rows_read_by(server).await - before;
        // All keys once, and the deleted rows.
        let most = 2 * SANDBOXES * SAMPLES + 3 * 2 * SANDBOXES;
        assert!(read <= most, "{statistics:?}: {read} rows were read to delete {deleted}, at most {most} are allowed");
    }
}

on_engines!(
    postgres = crate::common::Engine::Postgres, platform = crate::common::Engine::Platform;
    [
        an_import_reads_no_more_than_its_own_rows,
        a_request_reads_no_more_than_its_org,
        pruning_reads_no_more_than_all_samples,
    ]
);
