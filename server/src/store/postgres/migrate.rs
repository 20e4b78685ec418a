//! Brings a database up to date: an empty one, one of ours, or a platform's that has data of its own.
//!
//! Safe to run by several servers at once: one works, the others wait by asking again. (Waiting inside a statement
//! would hold a snapshot, and a concurrent index build waits for every snapshot.)

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

use super::read;
use super::schema::{self, Fault, Found};
use crate::store::OpenError;

/// The version that this program makes.
const VERSION: i32 = 1;

/// Any number, as long as no other program takes it for its lock on this database.
const LOCK: &str = "SELECT pg_try_advisory_lock(7302491750618246)";

/// Who holds it, and whether that connection has done nothing for a while.
const HOLDER: &str = "SELECT pid, coalesce(state LIKE 'idle%' AND state_change < now() - interval '5 s', false)
     FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND classid::bigint << 32 | objid::bigint = 7302491750618246";

/// Most connections that the user may have on this database.
const CONNECTIONS: &str = "SELECT least(
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
         CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit END,
         CASE WHEN datconnlimit >= 0 AND NOT rolsuper THEN datconnlimit END)
     FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()";

/// How often the lock is asked for again, and how often the wait is reported.
const LOOK: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(5);

/// What a database turned out to be.
pub(super) struct Migrated {
    /// Whether it is a platform's.
    pub(super) platform: bool,
    /// Most connections that its user may have.
    pub(super) connections: u32,
}

/// Migrates over a connection of its own.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<Migrated, Fault> {
    let mut db = PgConnection::connect_with(options).await?;
    refuse_poolers(options, &mut db).await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET client_min_messages = warning").execute(&mut db).await?;
    lock(&mut db).await?;
    let found = async {
        let connections: i32 = sqlx::query_scalar(CONNECTIONS).fetch_one(&mut db).await?;
        let connections = u32::try_from(connections).unwrap_or(0);
        Ok(Migrated { platform: run(&mut db).await?, connections })
    };
    let found = found.await;
    // Closing gives the lock back.
    let _ = db.close().await;
    found
}

/// Refuses a pooler that does not keep a connection for one client: it would lose what a session has set, prepared
/// and locked.
async fn refuse_poolers(options: &PgConnectOptions, db: &mut PgConnection) -> Result<(), Fault> {
    let begun = sqlx::raw_sql("BEGIN").execute(&mut *db).await;
    if begun.as_ref().is_err_and(|error| error.to_string().contains("statement pooling")) {
        return Err(Fault::Refused(OpenError::Pooled("statement")));
    }
    begun?;
    sqlx::raw_sql("ROLLBACK").execute(&mut *db).await?;
    let own = backend(db).await?;
    let Ok(mut other) = PgConnection::connect_with(options).await else { return Ok(()) };
    // While both are there, no session of PostgreSQL can be that of both.
    sqlx::raw_sql("BEGIN").execute(&mut other).await?;
    let shared = backend(&mut other).await? == own || backend(db).await? != own;
    let _ = other.close().await;
    if shared { Err(Fault::Refused(OpenError::Pooled("transaction"))) } else { Ok(()) }
}

/// The process of a connection. Nothing is prepared for it, which a pooler might not take.
async fn backend(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(db).await?.try_get(0)
}

/// Takes the lock of migrations. Whoever holds it works, perhaps for long; one that does nothing holds it by mistake.
async fn lock(db: &mut PgConnection) -> Result<(), Fault> {
    let mut waited = Duration::ZERO;
    while !sqlx::query_scalar::<_, bool>(LOCK).fetch_one(&mut *db).await? {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
        if waited.as_millis().is_multiple_of(REPORT.as_millis()) {
            let holder: Option<(i32, bool)> = sqlx::query_as(HOLDER).fetch_optional(&mut *db).await?;
            match holder {
                Some((process, true)) => return Err(Fault::Refused(OpenError::Locked(process))),
                Some((process, false)) => tracing::warn!("waiting for the migration of process {process}"),
                None => (),
            }
        }
    }
    Ok(())
}

async fn run(db: &mut PgConnection) -> Result<bool, Fault> {
    let marked = sqlx::query_scalar("SELECT to_regclass('usage_schema') IS NOT NULL").fetch_one(&mut *db).await?;
    let platform = if marked {
        let (found, platform) = read::schema(db).await?;
        if found > VERSION {
            let (found, known) = (found.unsigned_abs(), VERSION.unsigned_abs());
            return Err(OpenError::Newer { found, known }.into());
        }
        platform
    } else {
        create(db).await?
    };
    schema::complete(db, platform).await?;
    Ok(platform)
}

/// The first migration of a database; tells whether it is a platform's.
async fn create(db: &mut PgConnection) -> Result<bool, Fault> {
    let found = schema::recognize(db).await?;
    let platform = matches!(found, Found::Platform);
    let mut write = db.begin().await?;
    if matches!(found, Found::Empty) {
        sqlx::raw_sql(include_str!("../../../migrations/postgres/0001_schema.sql")).execute(&mut *write).await?;
    }
    schema::create_tags(&mut write).await?;
    sqlx::raw_sql(include_str!("../../../migrations/postgres/mark.sql")).execute(&mut *write).await?;
    let mark = sqlx::query("INSERT INTO usage_schema (version, platform) VALUES ($1, $2)");
    mark.bind(VERSION).bind(platform).execute(&mut *write).await?;
    write.commit().await?;
    Ok(platform)
}
