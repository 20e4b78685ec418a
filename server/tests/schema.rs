//! `migrate` on tables, columns and indexes that are missing, broken or already present.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Database, Engine, ORG, Request, Server};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::store::{self, statements};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

/// Every index of the tables that are read, as PostgreSQL writes it.
const INDEXES: &str = "SELECT concat_ws(' ', CASE WHEN NOT indisvalid THEN 'INVALID' END, pg_get_indexdef(indexrelid))
     FROM pg_index WHERE indrelid = ANY (ARRAY['api_keys', 'sandbox_sessions', 'sandbox_scale_events',
         'sandbox_tags', 'sandbox_usage_samples']::regclass[])
     ORDER BY 1";

async fn open(database: &Database) -> Result<std::sync::Arc<dyn store::Store>, String> {
    store::open(database.url()).await.map_err(|error| error.to_string())
}

/// The indexes of a table, without their names.
async fn indexes_of(database: &Database, table: &str) -> Vec<String> {
    let mut all = Vec::new();
    for definition in database.texts(INDEXES).await {
        if let Some((_, columns)) = definition.split_once(&format!("ON public.{table} USING btree ")) {
            all.push(columns.to_owned());
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_platforms_tags_get_indexes_by_sandbox_and_by_value_in_the_order_of_bytes() {
    let database = Database::create(Engine::Platform).await;
    for _ in 0..2 {
        open(&database).await.unwrap();
        let wanted = [
            r#"(org_id, key, value COLLATE "C") WHERE (sandbox_id <> ''::text)"#,
            "(org_id, key, value)",
            r#"(org_id, sandbox_id COLLATE "C", key)"#,
            "(org_id, sandbox_id, key)",
        ];
        assert_eq!(indexes_of(&database, "sandbox_tags").await, wanted);
    }
}

#[tokio::test]
async fn a_platform_without_tags_gets_the_table_with_its_indexes() {
    let database = Database::create(Engine::Platform).await;
    database.execute("DROP TABLE sandbox_tags").await;
    open(&database).await.unwrap();
    let wanted =
        ["(org_id, key, value)", "(org_id, key, value) WHERE (sandbox_id <> ''::text)", "(org_id, sandbox_id, key)"];
    assert_eq!(indexes_of(&database, "sandbox_tags").await, wanted);
}

#[tokio::test]
async fn an_index_that_exists_under_another_name_is_not_built_again() {
    let database = Database::create(Engine::Platform).await;
    let theirs = r#"
        CREATE UNIQUE INDEX theirs_1 ON sandbox_tags (org_id, sandbox_id COLLATE "C", key);
        CREATE INDEX theirs_2 ON sandbox_scale_events
            (org_id, sandbox_id COLLATE "C", memory_mb, disk_mb, started_at) INCLUDE (ended_at);
        CREATE INDEX theirs_3 ON sandbox_sessions (org_id, sandbox_id COLLATE "C", started_at);
        CREATE INDEX theirs_4 ON sandbox_sessions (org_id, started_at) WHERE stopped_at IS NULL AND status = 'running';
        ALTER TABLE sandbox_sessions ALTER status TYPE varchar(20);
        CREATE INDEX theirs_5 ON sandbox_sessions (org_id, started_at) WHERE status = 'running' AND stopped_at IS NULL;
        CREATE INDEX theirs_6 ON sandbox_sessions (org_id, started_at) WHERE sandbox_id <> '';
        CREATE INDEX theirs_7 ON sandbox_tags (org_id, key, value COLLATE "C") WHERE sandbox_id <> '';"#;
    database.execute(theirs).await;
    let before = database.texts(INDEXES).await;
    open(&database).await.unwrap();
    assert_eq!(database.texts(INDEXES).await, before);
}

#[tokio::test]
async fn an_index_that_only_looks_alike_does_not_count() {
    for alike in [
        "sandbox_tags (org_id, sandbox_id, key)",
        r#"sandbox_tags (org_id, key, sandbox_id COLLATE "C")"#,
        r#"sandbox_tags (org_id, sandbox_id COLLATE "C") INCLUDE (key)"#,
        r#"sandbox_tags (org_id, sandbox_id COLLATE "C", key COLLATE "POSIX")"#,
        r#"sandbox_tags (org_id, sandbox_id COLLATE "C", key DESC)"#,
        r#"sandbox_tags (org_id, sandbox_id COLLATE "C", key, (value || 'x'))"#,
        r#"sandbox_tags (org_id, sandbox_id COLLATE "C", key) WHERE value <> ''"#,
    ] {
        let database = Database::create(Engine::Platform).await;
        database.execute(&format!("CREATE INDEX alike ON {alike}")).await;
        let before = database.texts(INDEXES).await.len();
        open(&database).await.unwrap();
        assert_eq!(database.texts(INDEXES).await.len(), before + 6, "{alike}");
    }
}

#[tokio::test]
async fn indexes_that_are_missing_invalid_or_of_an_older_definition_are_built_again() {
    let platform = [
        ("usage_scale_events_cover", "sandbox_scale_events (org_id, sandbox_id)"),
        ("usage_sessions_by_sandbox", "sandbox_sessions (org_id, sandbox_id)"),
        ("usage_sessions_running", "sandbox_sessions (org_id)"),
        ("usage_sessions_newest", "sandbox_sessions (org_id)"),
        ("usage_tags_by_value", "sandbox_tags (org_id, key)"),
        ("usage_tags_by_sandbox", "sandbox_tags (org_id, sandbox_id)"),
    ];
    let own = [
        ("api_keys_by_hash", "api_keys (key_hash)"),
        ("sandbox_sessions_running", "sandbox_sessions (org_id)"),
        ("sandbox_sessions_newest", "sandbox_sessions (org_id)"),
        ("sandbox_sessions_open", "sandbox_sessions (worker_id)"),
        ("sandbox_tags_by_value", "sandbox_tags (org_id, key)"),
    ];
    for (engine, indexes) in [(Engine::Platform, &platform[..]), (Engine::Postgres, &own[..])] {
        let database = Database::create(engine).await;
        open(&database).await.unwrap();
        let whole = database.texts(INDEXES).await;
        for (name, older) in indexes {
            for broken in [
                format!("DROP INDEX {name}"),
                format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"),
                format!("DROP INDEX {name}; CREATE INDEX {name} ON {older}"),
            ] {
                database.execute(&broken).await;
                assert_ne!(database.texts(INDEXES).await, whole, "{broken}");
                open(&database).await.unwrap();
                assert_eq!(database.texts(INDEXES).await, whole, "{broken}");
            }
        }
    }
}

/// A writer that began before the build delays it. One that begins during the build must wait for neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_continue_while_an_index_is_built() {
    let database = Database::create(Engine::Platform).await;
    let insert = |key: &str| {
        AssertSqlSafe(format!(
            "SET lock_timeout = '5s'; INSERT INTO sandbox_tags (org_id, sandbox_id, key, value) VALUES ('{ORG}', 'sb-1', '{key}', '')"
        ))
    };
    let mut early = database.connect().await;
    let mut write = early.begin().await.unwrap();
    write.execute(insert("early")).await.unwrap();
    let migration = tokio::spawn({
        let database = database.clone();
        async move { open(&database).await.map(|_| ()) }
    });
    let building = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()
         AND query LIKE 'CREATE INDEX CONCURRENTLY usage_tags_by_sandbox%' AND wait_event_type = 'Lock'";
    while database.texts(building).await != ["1"] {
        assert!(!migration.is_finished(), "the build did not wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.connect().await.execute(insert("during")).await.unwrap();
    write.commit().await.unwrap();
    migration.await.unwrap().unwrap();
    assert_eq!(database.texts("SELECT key FROM sandbox_tags ORDER BY key").await, ["during", "early"]);
}

/// Checks the plans with the tags of two thousand sandboxes.
#[tokio::test]
async fn the_tags_of_a_platforms_sandbox_are_read_by_their_whole_key() {
    let database = Database::create(Engine::Platform).await;
    open(&database).await.unwrap();
    let rows = format!(
        "INSERT INTO sandbox_tags (org_id, sandbox_id, key, value)
         SELECT '{ORG}', 'sb-' || n, 'k' || k, 'v' FROM generate_series(1, 2000) AS n, generate_series(1, 5) AS k"
    );
    database.execute(&(rows + "; ANALYZE sandbox_tags")).await;
    let query = UsageQuery::parse(&Parameters::decode("groupBy=sandbox"), None).unwrap();
    let plan = query.plan("2026-02-01".parse().unwrap(), Rule::default()).unwrap();
    let all = statements(store::Engine::Postgres, &plan).unwrap();
    for name in ["TAGS_OF", "DELETE_TAGS"] {
        let (_, sql) = all.iter().find(|(known, _)| *known == name).unwrap();
        let arguments = match name {
            "TAGS_OF" => format!("('{ORG}', ARRAY['sb-7'])"),
            _ => format!("('{ORG}', 'sb-7', ARRAY['k1'], 'oc:')"),
        };
        let mut db = database.connect().await;
        db.execute(AssertSqlSafe(format!("SET plan_cache_mode = force_custom_plan; PREPARE one AS {sql}")))
            .await
            .unwrap();
        let plan = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE one {arguments}"))).fetch_all(&mut db).await;
        let plan: Vec<String> = plan.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains("usage_tags_by_sandbox")), "{name}: {plan:#?}");
        let condition = "Index Cond: ((org_id = '";
        assert!(plan.iter().any(|line| line.contains(condition) && line.contains("sandbox_id")), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn a_dropped_table_of_tags_is_created_again() {
    for (engine, indexes) in [(Engine::Postgres, 2), (Engine::Platform, 3)] {
        let database = Database::create(engine).await;
        database.add_org(ORG).await;
        open(&database).await.unwrap();
        database.execute("DROP TABLE sandbox_tags").await;
        let server = Server::on_platform(database, ORG).await;
        let line = r#"{"type":"scale","sandboxId":"sb-1","memoryMb":1,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-01T00:00:00Z"}"#;
        server.import(ORG, line).await.unwrap();
        let put = Request::new("PUT", "/api/sandboxes/sb-1/tags").key(&server.key).json(r#"{"team":"a"}"#);
        assert_eq!(put.send(&server).await.status, 200, "{engine:?}");
        assert_eq!(indexes_of(&server.database, "sandbox_tags").await.len(), indexes);
    }
}

#[tokio::test]
async fn the_error_names_another_missing_table_or_column() {
    for (engine, sql, fault) in [
        (Engine::Postgres, "DROP TABLE sandbox_sessions", "the table `sandbox_sessions` is missing"),
        (Engine::Platform, "DROP TABLE sandbox_scale_events", "the table `sandbox_scale_events` is missing"),
        (
            Engine::Platform,
            "ALTER TABLE sandbox_tags DROP COLUMN updated_at",
            "the column `updated_at` of table `sandbox_tags` is missing",
        ),
        (
            Engine::Postgres,
            "ALTER TABLE sandbox_scale_events DROP COLUMN lasted_micros CASCADE",
            "the column `lasted_micros` of table `sandbox_scale_events` is missing",
        ),
        (Engine::Postgres, "DROP TABLE sandbox_usage_samples", "the table `sandbox_usage_samples` is missing"),
        (
            Engine::Platform,
            "ALTER TABLE sandbox_usage_samples DROP COLUMN memory_bytes",
            "the column `memory_bytes` of table `sandbox_usage_samples` is missing",
        ),
        (
            Engine::Platform,
            "ALTER TABLE sandbox_tags DROP CONSTRAINT sandbox_tags_pkey",
            "the primary key of `sandbox_tags` is missing",
        ),
    ] {
        let database = Database::create(engine).await;
        open(&database).await.unwrap();
        database.execute(sql).await;
        let refused = open(&database).await.err().unwrap();
        assert_eq!(refused, format!("the schema of the database is incomplete: {fault}"));
    }
}

#[tokio::test]
async fn an_embedded_database_is_checked_as_well() {
    let database = Database::create(Engine::Sqlite).await;
    open(&database).await.unwrap().close().await;
    let parts = "SELECT name || ' ' || sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let whole = database.texts(parts).await;
    for broken in ["DROP TABLE sandbox_tags", "DROP INDEX api_keys_by_hash; DROP INDEX sandbox_tags_by_value"] {
        database.execute(broken).await;
        open(&database).await.unwrap().close().await;
        assert_eq!(database.texts(parts).await, whole, "{broken}");
    }
    for (broken, fault) in [
        (
            "ALTER TABLE sandbox_sessions DROP COLUMN config",
            "the column `config` of table `sandbox_sessions` is missing",
        ),
        ("DROP TABLE sandbox_sessions", "the table `sandbox_sessions` is missing"),
    ] {
        database.execute(broken).await;
        let refused = open(&database).await.err().unwrap();
        assert_eq!(refused, format!("the schema of the database is incomplete: {fault}"));
    }
}

#[tokio::test]
async fn recognizes_our_own_tables_without_usage_schema() {
    let database = Database::create(Engine::Postgres).await;
    open(&database).await.unwrap();
    database.execute("DROP TABLE usage_schema").await;
    open(&database).await.unwrap();
    assert_eq!(database.texts("SELECT concat(version, platform) FROM usage_schema").await, ["2f"]);
}
