//! Brings a database up to date: an empty one, one of ours, or a platform's that has data of its own.
//!
//! Safe to run by several servers at once: one works, the others wait by asking again. (Waiting inside a statement
//! would hold a snapshot, and a concurrent index build waits for every snapshot.)

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::read;
use crate::store::OpenError;

/// The version that this program makes.
const VERSION: i32 = 1;

/// The tables that a platform has, and the columns of theirs that are used.
const PLATFORM: [(&str, &[&str]); 4] = [
    ("orgs", &["id"]),
    ("api_keys", &["org_id", "key_hash", "key_prefix", "name", "expires_at"]),
    (
        "sandbox_sessions",
        &[
            "id",
            "sandbox_id",
            "org_id",
            "template",
            "region",
            "worker_id",
            "status",
            "config",
            "started_at",
            "stopped_at",
        ],
    ),
    (
        "sandbox_scale_events",
        &["id", "sandbox_id", "org_id", "memory_mb", "cpu_percent", "disk_mb", "started_at", "ended_at"],
    ),
];

/// What reading a platform's tables needs, built beside its running writes.
const INDEXES: [(&str, &str); 3] = [
    (
        "usage_scale_events_cover",
        r#"sandbox_scale_events (org_id, sandbox_id COLLATE "C", memory_mb, disk_mb, started_at) INCLUDE (ended_at)"#,
    ),
    ("usage_sessions_by_sandbox", r#"sandbox_sessions (org_id, sandbox_id COLLATE "C", started_at)"#),
    ("usage_sessions_running", "sandbox_sessions (org_id, started_at) WHERE status = 'running' AND stopped_at IS NULL"),
];

/// Any number, as long as no other program takes it for its lock on this database.
const LOCK: &str = "SELECT pg_try_advisory_lock(7302491750618246)";

pub(super) enum Fault {
    Database(sqlx::Error),
    Refused(OpenError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Migrates over a connection of its own; tells whether the database is a platform's.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<bool, Fault> {
    let mut db = PgConnection::connect_with(options).await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET client_min_messages = warning").execute(&mut db).await?;
    while !sqlx::query_scalar::<_, bool>(LOCK).fetch_one(&mut db).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let platform = run(&mut db).await;
    // Closing gives the lock back.
    let _ = db.close().await;
    platform
}

async fn run(db: &mut PgConnection) -> Result<bool, Fault> {
    let platform = if exists(db, "usage_schema").await? {
        let (found, platform) = read::schema(db).await?;
        if found > VERSION {
            let (found, known) = (found.unsigned_abs(), VERSION.unsigned_abs());
            return Err(Fault::Refused(OpenError::Newer { found, known }));
        }
        platform
    } else {
        create(db).await?
    };
    if platform {
        for (name, definition) in INDEXES {
            index(db, name, definition).await?;
        }
    }
    Ok(platform)
}

/// The first migration of a database.
async fn create(db: &mut PgConnection) -> Result<bool, Fault> {
    let mut present = Vec::new();
    for (table, columns) in PLATFORM {
        if exists(db, table).await? {
            present.push((table, columns));
        }
    }
    let platform = !present.is_empty();
    if platform && let Some((missing, _)) = PLATFORM.iter().find(|one| !present.contains(one)) {
        return Err(unsuitable(format!("it has `{}` but no `{missing}`", present.first().map_or("", |one| one.0))));
    }
    for (table, columns) in present {
        require_columns(db, table, columns).await?;
    }
    let mut write = db.begin().await?;
    if !platform {
        sqlx::raw_sql(include_str!("../../../migrations/postgres/0001_schema.sql")).execute(&mut *write).await?;
    }
    sqlx::raw_sql(include_str!("../../../migrations/postgres/tags.sql")).execute(&mut *write).await?;
    let mark = sqlx::query("INSERT INTO usage_schema (version, platform) VALUES ($1, $2)");
    mark.bind(VERSION).bind(platform).execute(&mut *write).await?;
    write.commit().await?;
    Ok(platform)
}

async fn exists(db: &mut PgConnection, relation: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(relation).fetch_one(db).await
}

async fn require_columns(db: &mut PgConnection, table: &str, columns: &[&str]) -> Result<(), Fault> {
    let sql = "SELECT wanted FROM unnest($2::text[]) AS wanted WHERE wanted NOT IN (
             SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND NOT attisdropped AND attnum > 0)";
    let missing: Option<String> = sqlx::query_scalar(sql).bind(table).bind(columns).fetch_optional(db).await?;
    match missing {
        None => Ok(()),
        Some(column) => Err(unsuitable(format!("its table `{table}` has no column `{column}`"))),
    }
}

fn unsuitable(fault: String) -> Fault {
    Fault::Refused(OpenError::Unsuitable(fault))
}

/// Builds an index without keeping writers waiting. A build that was cut short leaves an invalid one, which goes first.
async fn index(db: &mut PgConnection, name: &str, definition: &str) -> sqlx::Result<()> {
    let sql = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
    let valid: Option<bool> = sqlx::query_scalar(sql).bind(name).fetch_optional(&mut *db).await?;
    let execute = async |db: &mut PgConnection, sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await;
    match valid {
        Some(true) => return Ok(()),
        Some(false) => {
            execute(db, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
        }
        None => (),
    }
    execute(db, format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")).await?;
    Ok(())
}
