//! Concurrent writers and readers, databases that are restarted, and statements that take too long.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Engine, ORG, Request, Server, on_both_engines};
use futures_util::future::join_all;
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::store::{Store, StoreError};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

const DAY: i64 = 86_400_000_000;

fn scale(id: &str, memory_mb: u32, start: Timestamp, end: Option<Timestamp>) -> String {
    let line = json!({
        "type": "scale", "sandboxId": id, "memoryMb": memory_mb, "cpuPercent": 100, "diskMb": 30_000,
        "startedAt": start, "endedAt": end,
    });
    format!("{line}\n")
}

fn tags(id: &str, tags: &Value) -> String {
    format!("{}\n", json!({ "type": "tags", "sandboxId": id, "tags": tags }))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Returns the largest set of tags, which differs from every other writer's.
fn full_set(writer: usize) -> Value {
    (0..50)
        .map(|n| (format!("w{writer}-{n}"), Value::from(writer.to_string())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn writers_never_mix_and_readers_see_whole_sets(engine: Engine) {
    let server = Server::start(engine).await;
    let start = at(1_767_225_600_000_000);
    let lines = scale("sb-1", 1024, start, None) + &tags("sb-1", &json!({ "oc:plan": "pro" }));
    server.import(ORG, &lines).await.unwrap();
    let sets: Vec<_> = (0..8).map(full_set).collect();
    let with_system = |set: &Value| {
        let mut set = set.as_object().unwrap().clone();
        set.insert("oc:plan".to_owned(), "pro".into());
        Value::from(set)
    };
    let done = AtomicBool::new(false);
    let write = async {
        for _ in 0..4 {
            let writes = sets.iter().map(|set| server.put("/api/sandboxes/sb-1/tags", set.to_string()));
            for (answer, set) in join_all(writes).await.iter().zip(&sets) {
                assert_eq!((answer.status, &answer.json()["tags"]), (200, &with_system(set)));
            }
        }
        done.store(true, Ordering::Relaxed);
    };
    let read = async {
        let allowed: Vec<_> = sets.iter().map(with_system).chain([json!({ "oc:plan": "pro" })]).collect();
        while !done.load(Ordering::Relaxed) {
            let tags = server.get("/api/sandboxes/sb-1/tags").await.json()["tags"].take();
            assert!(allowed.contains(&tags), "{tags}");
        }
    };
    tokio::join!(write, read);
}

async fn exactly_one_conditional_writer_wins(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, &scale("sb-1", 1024, at(1_767_225_600_000_000), None)).await.unwrap();
    for round in 0..5 {
        let etag = server.get("/api/sandboxes/sb-1/tags").await.header("etag").unwrap().to_owned();
        let write = async |writer: usize| {
            let request = Request::new("PUT", "/api/sandboxes/sb-1/tags").key(&server.key).header("if-match", &etag);
            request
                .json(json!({ "round": round.to_string(), "writer": writer.to_string() }).to_string())
                .send(&server)
                .await
        };
        let answers = join_all((0..8).map(write)).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(lost.iter().all(|answer| answer.code() == "tags_changed"), "{answers:?}");
        assert_eq!(server.get("/api/sandboxes/sb-1/tags").await.json(), won[0].json());
    }
}

/// Changes that the platform makes to its sandboxes meanwhile, from one instant on.
async fn busy(server: &Server, after: i64, stop: &AtomicBool) -> i64 {
    let time = |micros: i64| match server.database.engine {
        Engine::Sqlite => micros.to_string(),
        _ => format!("(timestamptz 'epoch' + {micros} * interval '1 microsecond')"),
    };
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) || n < 10 {
        n += 1;
        let (now, new) = (time(after + n), n + 100);
        let open = |id: &str, memory_mb: i64, start: &str| {
            format!(
                "INSERT INTO sandbox_scale_events (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at)
                 VALUES ('{ORG}', '{id}', {memory_mb}, 100, 20480, {start});"
            )
        };
        let close = |id: String| {
            format!(
                "UPDATE sandbox_scale_events SET ended_at = {now}
                 WHERE org_id = '{ORG}' AND sandbox_id = '{id}' AND ended_at IS NULL;"
            )
        };
        // A new sandbox, one that stops and one that is scaled.
        let scaled = format!("sb-{}", n % 30);
        let sql = open(&format!("sb-{new}"), 1024, &now)
            + &close(format!("sb-{}", (n * 7) % 30))
            + &close(scaled.clone())
            + &open(&scaled, 2048 + n, &now);
        server.database.execute(&format!("BEGIN; {sql} COMMIT")).await;
    }
    n
}

async fn page(store: &dyn Store, query: &str, now: Timestamp) -> Page {
    let query = UsageQuery::parse(&Parameters::decode(query), Some(now)).unwrap();
    store.usage(ORG, &query.plan(now, Rule::default()).unwrap()).await.unwrap().0
}

fn items(page: &Page) -> Usage {
    page.items.iter().map(|group| group.usage).sum()
}

async fn fleet(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    let now = server.store.now().await.unwrap().micros();
    let sandbox = |n: i64| {
        let id = format!("sb-{n}");
        let first = scale(&id, 512, at(now - 9 * DAY), Some(at(now - (n % 5) * DAY - 1_000_000)));
        let open = scale(&id, 1024 + u32::try_from(n % 7).unwrap(), at(now - 2 * DAY + n), None);
        let tags = if n % 8 == 0 { String::new() } else { tags(&id, &json!({ "team": format!("t{}", n % 6) })) };
        first + &open + &tags
    };
    server.import(ORG, &(0..30).map(sandbox).collect::<String>()).await.unwrap();
    server
}

async fn a_walk_under_writers_shows_each_group_once_and_adds_up(engine: Engine) {
    let server = Arc::new(fleet(engine).await);
    for group_by in ["sandbox", "tag:team"] {
        let now = server.store.now().await.unwrap();
        let first = page(&*server.store, &format!("groupBy={group_by}&limit=2"), now).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn({
            let (server, stop) = (server.clone(), stop.clone());
            async move { busy(&server, now.micros(), &stop).await }
        });
        let (mut seen, mut sum) = (BTreeSet::new(), Usage::default());
        let mut current = first.clone();
        loop {
            assert_eq!((current.total, &current.untagged), (first.total, &first.untagged));
            sum += items(&current);
            for group in &current.items {
                assert!(seen.insert(group.name().to_owned()), "{} is shown twice", group.name());
            }
            let Some(cursor) = current.next_cursor else {
                break;
            };
            tokio::time::sleep(Duration::from_millis(5)).await;
            let later = server.store.now().await.unwrap();
            current = page(&*server.store, &format!("groupBy={group_by}&limit=2&cursor={cursor}"), later).await;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.await.unwrap() >= 10);
        assert_eq!(sum + first.untagged.usage, first.total);
        assert_eq!(seen.len(), if group_by == "sandbox" { 30 } else { 6 });
        // The next request sees the writes.
        assert_ne!(
            page(&*server.store, &format!("groupBy={group_by}"), at(now.micros() + 3_600_000_000)).await.total,
            first.total
        );
        server.database.execute("DELETE FROM sandbox_scale_events WHERE cpu_percent = 100 AND disk_mb = 20480").await;
    }
}

async fn every_response_adds_up_while_all_tags_are_rewritten(engine: Engine) {
    let server = Arc::new(fleet(engine).await);
    let stop = Arc::new(AtomicBool::new(false));
    let spawn = |n: u32| {
        let (server, stop) = (server.clone(), stop.clone());
        tokio::spawn(async move {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) || round < 5 {
                round += 1;
                if n == 0 {
                    let start = at(server.store.now().await.unwrap().micros() - DAY * i64::from(round % 20));
                    let lines: String = (0..40).map(|n| scale(&format!("sb-{n}"), round + 1, start, None)).collect();
                    server.import(ORG, &(lines + &tags("sb-3", &json!({ "team": "imported" })))).await.unwrap();
                } else {
                    let target = format!("/api/sandboxes/sb-{}/tags", (round * n) % 30);
                    let body = if round % 3 == 0 { "{}".to_owned() } else { format!(r#"{{"team":"r{}"}}"#, round % 4) };
                    assert_eq!(server.put(&target, body).await.status, 200);
                }
            }
        })
    };
    let writers = [spawn(0), spawn(1), spawn(7)];
    let begun = Instant::now();
    let mut totals = BTreeSet::new();
    while begun.elapsed() < Duration::from_millis(1500) {
        let now = server.store.now().await.unwrap();
        let page = page(&*server.store, "groupBy=tag:team&limit=500", now).await;
        assert_eq!(items(&page) + page.untagged.usage, page.total);
        totals.insert(page.total.memory);
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(totals.len() > 3, "nothing changed meanwhile");
}

on_both_engines!(
    writers_never_mix_and_readers_see_whole_sets,
    exactly_one_conditional_writer_wins,
    a_walk_under_writers_shows_each_group_once_and_adds_up,
    every_response_adds_up_while_all_tags_are_rewritten,
);

/// A connection to the cluster, not to the test's database.
async fn beside(server: &Server) -> (PgConnection, String) {
    let url = server.database.url();
    let (base, name) = url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap().to_owned();
    (PgConnection::connect(&format!("{base}/postgres")).await.unwrap(), name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_unavailable_until_it_is_back() {
    let server = Server::start(Engine::Postgres).await;
    assert_eq!(server.get("/api/tags").await.status, 200);
    let (mut cluster, name) = beside(&server).await;
    let execute = async |cluster: &mut PgConnection, sql: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(cluster).await.unwrap();
    };
    execute(&mut cluster, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    let kick = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    execute(&mut cluster, kick).await;
    let lost = server.get("/api/tags").await;
    assert_eq!((lost.status, lost.code().as_str()), (503, "unavailable"));
    execute(&mut cluster, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    assert_eq!(server.get("/api/tags").await.status, 200);
    // A connection that breaks during a request is replaced for the next one.
    execute(&mut cluster, format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        .await;
    assert_eq!(server.get("/api/tags").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_over_budget_is_cancelled_in_the_database() {
    let server = Server::start(Engine::Postgres).await;
    let mut blocker = server.database.connect().await;
    let mut lock = blocker.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE sandbox_scale_events").execute(&mut *lock).await.unwrap();
    let now = server.store.now().await.unwrap();
    let query = UsageQuery::parse(&Parameters::decode("groupBy=sandbox"), Some(now)).unwrap();
    let plan = query.plan(now, Rule::default()).unwrap();
    let begun = Instant::now();
    let (direct, answer) = tokio::join!(server.store.usage(ORG, &plan), server.get("/api/usage?groupBy=sandbox"));
    assert!(matches!(direct, Err(StoreError::TimedOut(_))), "{direct:?}");
    assert_eq!((answer.status, answer.code().as_str()), (504, "query_timeout"));
    assert!(begun.elapsed() < Duration::from_secs(12));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(server.database.texts(waiting).await, Vec::<String>::new());
    lock.rollback().await.unwrap();
    assert_eq!(server.get("/api/usage?groupBy=sandbox").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_for_a_lock_ends_in_the_database_with_its_request() {
    let server = Server::start(Engine::Postgres).await;
    server.import(ORG, &scale("sb-1", 1024, at(1_767_225_600_000_000), None)).await.unwrap();
    let mut blocker = server.database.connect().await;
    let lock = format!("SELECT pg_advisory_lock(hashtextextended('{ORG}', 77))");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut blocker).await.unwrap();
    // The body arrives late, so the wait starts late.
    let put = Request::new("PUT", "/api/sandboxes/sb-1/tags").key(&server.key).json(r#"{"a":"b"}"#);
    let answer = put.pause(Duration::from_secs(5)).send(&server).await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "query_timeout"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(server.database.texts(waiting).await, Vec::<String>::new());
    blocker.close().await.unwrap();
    assert_eq!(server.put("/api/sandboxes/sb-1/tags", r#"{"a":"b"}"#).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_new_org_does_not_wait_for_its_first_import() {
    let server = Server::start(Engine::Postgres).await;
    let org = uuid::Uuid::from_u128(77);
    let importing = server.store.importer(org).await.unwrap();
    let key = server.create_key(org).await;
    importing.commit().await.unwrap();
    assert_eq!(Request::new("GET", "/api/tags").key(&key).send(&server).await.status, 200);
    // The first import of another org creates it.
    let other = uuid::Uuid::from_u128(78);
    server.import(other, &scale("sb-1", 1024, at(1_767_225_600_000_000), None)).await.unwrap();
    let known = server.database.texts(&format!("SELECT id::text FROM orgs WHERE id = '{other}'")).await;
    assert_eq!(known, [other.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_limit_below_the_pool_size_blocks_no_request() {
    let database = common::Database::create(Engine::Postgres).await;
    let owner = Server::on(database.clone(), Rule::V1).await;
    owner.import(ORG, &scale("sb-1", 1024, at(1_767_225_600_000_000), None)).await.unwrap();
    let role = format!("limited_{}", uuid::Uuid::new_v4().simple());
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT 4 PASSWORD '{role}'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    let limited = database.clone().with_role(&role);
    let server = Server::with_key(limited, Rule::V1, owner.key.clone()).await;
    let puts = (0..48).map(|n| server.put("/api/sandboxes/sb-1/tags", format!(r#"{{"n":"{n}"}}"#)));
    for answer in join_all(puts).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    server.store.close().await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_over_budget_is_interrupted_in_the_embedded_engine() {
    let server = Server::start(Engine::Sqlite).await;
    let endless = "ALTER TABLE sandbox_tags RENAME TO kept;
        CREATE VIEW sandbox_tags AS WITH RECURSIVE n (x) AS (SELECT COUNT(*) FROM orgs UNION ALL SELECT x + 1 FROM n)
            SELECT x AS org_id, x AS sandbox_id, x AS key, x AS value, x AS updated_at FROM n";
    server.database.execute(endless).await;
    // The whole share of an org: if these went on, none of its aggregates would be answered.
    for answer in join_all((0..3).map(|_| server.get("/api/tags"))).await {
        assert_eq!((answer.status, answer.code().as_str()), (504, "query_timeout"));
    }
    server.database.execute("DROP VIEW sandbox_tags; ALTER TABLE kept RENAME TO sandbox_tags").await;
    for answer in join_all((0..4).map(|_| server.get("/api/tags"))).await {
        assert_eq!(answer.status, 200);
    }
}
