//! Migrations of an empty database, of one of our own, or of a platform's.
//!
//! Several servers may migrate at once: one works, the others poll for the lock. Waiting for it inside a statement
//! would hold a snapshot, and a concurrent index build waits for all snapshots.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

use super::read;
use super::schema::{self, Fault, Found};
use crate::store::OpenError;

/// One step of the schema. A platform's database has tables of its own, so a step has another text there.
///
/// A step only adds, and must also succeed if its changes are there already: a database of our own that has lost its
/// mark starts again at version 1.
#[derive(Clone, Copy)]
struct Migration {
    own: &'static str,
    platform: &'static str,
}

/// The steps in order. The version of a database is the number of those that it has.
const MIGRATIONS: [Migration; 2] = [
    // `sandbox_tags` belongs to the first step, too. It may be a platform's, so it is made only if it is missing.
    Migration { own: include_str!("../../../migrations/postgres/0001_schema.sql"), platform: "" },
    Migration { own: include_str!("../../../migrations/postgres/0002_usage_samples.sql"), platform: "" },
];

/// Tries to take the lock of migrations. The number is arbitrary.
const LOCK: &str = "SELECT pg_try_advisory_lock(7302491750618246)";

/// The process that holds the lock, and whether it has been idle for a while.
const HOLDER: &str = "SELECT pid, coalesce(state LIKE 'idle%' AND state_change < now() - interval '5 s', false)
     FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND classid::bigint << 32 | objid::bigint = 7302491750618246";

/// The most connections that the user may have on this database.
const CONNECTIONS: &str = "SELECT least(
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
         CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit END,
         CASE WHEN datconnlimit >= 0 AND NOT rolsuper THEN datconnlimit END)
     FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()";

/// The intervals at which the lock is tried and the wait is reported.
const LOOK: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(5);

/// The properties of a migrated database.
pub(super) struct Migrated {
    /// Whether it is a platform's.
    pub(super) platform: bool,
    /// Whether it has a table of samples that the user may read.
    pub(super) has_samples: bool,
    /// The most connections that its user may have.
    pub(super) connections: u32,
}

/// Migrates over a connection of its own, which has these options.
pub(super) async fn migrate(options: &PgConnectOptions, mut db: PgConnection) -> Result<Migrated, Fault> {
    refuse_poolers(options, &mut db).await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET client_min_messages = warning").execute(&mut db).await?;
    lock(&mut db).await?;
    let found = async {
        let connections: i32 = sqlx::query_scalar(CONNECTIONS).fetch_one(&mut db).await?;
        let connections = u32::try_from(connections).unwrap_or(0);
        let platform = run(&mut db, &MIGRATIONS).await?;
        Ok(Migrated { platform, has_samples: schema::can_read_samples(&mut db).await?, connections })
    };
    let found = found.await;
    // Closing releases the lock.
    let _ = db.close().await;
    found
}

/// Rejects a pooler that does not keep a connection for one client. Settings, prepared statements and locks would get
/// lost.
async fn refuse_poolers(options: &PgConnectOptions, db: &mut PgConnection) -> Result<(), Fault> {
    let begun = sqlx::raw_sql("BEGIN").execute(&mut *db).await;
    if begun.as_ref().is_err_and(|error| error.to_string().contains("statement pooling")) {
        return Err(Fault::Refused(OpenError::Pooled("statement")));
    }
    begun?;
    sqlx::raw_sql("ROLLBACK").execute(&mut *db).await?;
    let own = backend(db).await?;
    let Ok(mut other) = PgConnection::connect_with(options).await else { return Ok(()) };
    // Two open sessions of PostgreSQL never share a process.
    sqlx::raw_sql("BEGIN").execute(&mut other).await?;
    let shared = backend(&mut other).await? == own || backend(db).await? != own;
    let _ = other.close().await;
    if shared { Err(Fault::Refused(OpenError::Pooled("transaction"))) } else { Ok(()) }
}

/// Returns the process of a connection, without a prepared statement, which a pooler might reject.
async fn backend(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(db).await?.try_get(0)
}

/// Takes the lock of migrations. A holder that works may take long; one that is idle holds it by mistake.
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

/// Applies the migrations that a database lacks, and checks the result. Returns whether the database is a platform's.
async fn run(db: &mut PgConnection, migrations: &[Migration]) -> Result<bool, Fault> {
    let platform = run_steps(db, migrations).await?;
    schema::complete(db, platform).await?;
    Ok(platform)
}

/// Applies the migrations that a database lacks. Returns whether the database is a platform's.
async fn run_steps(db: &mut PgConnection, migrations: &[Migration]) -> Result<bool, Fault> {
    let known = i32::try_from(migrations.len()).unwrap_or(i32::MAX);
    let marked = sqlx::query_scalar("SELECT to_regclass('usage_schema') IS NOT NULL").fetch_one(&mut *db).await?;
    let found = if marked { None } else { Some(schema::recognize(db).await?) };
    let mut write = db.begin().await?;
    let (version, platform) = match found {
        None => read::schema(&mut write).await?,
        Some(found) => mark(&mut write, &found).await?,
    };
    if version > known {
        let (found, known) = (version.unsigned_abs(), known.unsigned_abs());
        return Err(OpenError::Newer { found, known }.into());
    }
    for (number, migration) in (1..).zip(migrations).skip(usize::try_from(version).unwrap_or_default()) {
        let sql = if platform { migration.platform } else { migration.own };
        sqlx::raw_sql(sql).execute(&mut *write).await?;
        if number == 1 {
            schema::create_tags(&mut write).await?;
        }
        sqlx::query("UPDATE usage_schema SET version = $1").bind(number).execute(&mut *write).await?;
        tracing::info!(version = number, "the schema is migrated");
    }
    write.commit().await?;
    Ok(platform)
}

/// Marks a database that this program sees for the first time. Returns its version and whether it is a platform's.
async fn mark(db: &mut PgConnection, found: &Found) -> sqlx::Result<(i32, bool)> {
    let (version, platform) = match found {
        Found::Empty => (0, false),
        Found::Own => (1, false),
        Found::Platform => (0, true),
    };
    sqlx::raw_sql(include_str!("../../../migrations/postgres/mark.sql")).execute(&mut *db).await?;
    let insert = sqlx::query("INSERT INTO usage_schema (version, platform) VALUES ($1, $2)");
    insert.bind(version).bind(platform).execute(db).await?;
    Ok((version, platform))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::url;

    /// The version that all migrations lead to.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a few migrations")]
    const KNOWN: i32 = MIGRATIONS.len() as i32;

    /// The migrations of a later version.
    fn and_then(step: Migration) -> Vec<Migration> {
        [&MIGRATIONS[..], &[step]].concat()
    }

    const NEXT: Migration = Migration {
        own: "CREATE TABLE IF NOT EXISTS of_our_own (n integer); INSERT INTO of_our_own VALUES (1)",
        platform: "CREATE TABLE IF NOT EXISTS of_a_platform (n integer); INSERT INTO of_a_platform VALUES (1)",
    };

    /// A session, an event and a tag, in columns that both schemas have.
    const DATA: &str = "
        INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, status, started_at)
            VALUES ('sb-1', '00000000-0000-0000-0000-000000000001', 'base', 'use2', 'w-1', 'running', '2026-01-01Z');
        INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at)
            VALUES ('sb-1', '00000000-0000-0000-0000-000000000001', 1024, 100, 20480, '2026-01-01Z');
        INSERT INTO sandbox_tags (sandbox_id, org_id, key, value)
            VALUES ('sb-1', '00000000-0000-0000-0000-000000000001', 'team', 'a');";

    const ORG: &str = "INSERT INTO orgs (id, name, slug) VALUES ('00000000-0000-0000-0000-000000000001', 'org', 'org')";

    /// Creates an empty database, or a platform's.
    async fn database(platform: bool) -> PgConnection {
        let server = std::env::var("TEST_DATABASE_URL").expect("run the tests with `scripts/postgres`");
        let options = url::options(&server).ok().unwrap();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut db = PgConnection::connect_with(&options).await.unwrap();
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut db).await.unwrap();
        let mut db = PgConnection::connect_with(&options.database(&name)).await.unwrap();
        if platform {
            sqlx::raw_sql(include_str!("../../../tests/common/platform.sql")).execute(&mut db).await.unwrap();
            sqlx::raw_sql(ORG).execute(&mut db).await.unwrap();
        }
        db
    }

    async fn version(db: &mut PgConnection) -> i32 {
        read::schema(db).await.unwrap().0
    }

    /// Returns every row of the tenants' tables.
    async fn rows(db: &mut PgConnection) -> Vec<String> {
        let sql = "SELECT row_to_json(one)::text FROM sandbox_sessions AS one
             UNION ALL SELECT row_to_json(one)::text FROM sandbox_scale_events AS one
             UNION ALL SELECT row_to_json(one)::text FROM sandbox_tags AS one ORDER BY 1";
        sqlx::query_scalar(sql).fetch_all(db).await.unwrap()
    }

    async fn exists(db: &mut PgConnection, table: &str) -> bool {
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(db).await.unwrap()
    }

    #[tokio::test]
    async fn a_database_with_data_moves_to_the_next_version_once() {
        for (platform, made, not_made) in
            [(false, "of_our_own", "of_a_platform"), (true, "of_a_platform", "of_our_own")]
        {
            let mut db = database(platform).await;
            assert_eq!(run(&mut db, &MIGRATIONS).await.ok(), Some(platform));
            assert_eq!(version(&mut db).await, KNOWN);
            sqlx::raw_sql(DATA).execute(&mut db).await.unwrap();
            let before = rows(&mut db).await;
            assert_eq!(before.len(), 3);
            for _ in 0..2 {
                assert_eq!(run(&mut db, &and_then(NEXT)).await.ok(), Some(platform));
                assert_eq!(version(&mut db).await, KNOWN + 1);
                assert_eq!(rows(&mut db).await, before);
                assert_eq!((exists(&mut db, made).await, exists(&mut db, not_made).await), (true, false));
                let sql = format!("SELECT count(*) FROM {made}");
                let runs: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap();
                assert_eq!(runs, 1);
            }
            let older = run(&mut db, &MIGRATIONS).await;
            assert!(
                matches!(older, Err(Fault::Refused(OpenError::Newer { found, .. })) if found == KNOWN.unsigned_abs() + 1)
            );
        }
    }

    /// The columns and keys of the table of samples.
    async fn samples(db: &mut PgConnection) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', column_name, data_type, collation_name, is_nullable, column_default)
                 FROM information_schema.columns WHERE table_name = 'sandbox_usage_samples'
             UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index
                 WHERE indrelid = to_regclass('sandbox_usage_samples') ORDER BY 1";
        sqlx::query_scalar(sql).fetch_all(db).await.unwrap()
    }

    #[tokio::test]
    async fn a_database_of_version_1_gets_samples_unless_a_platform_decides_about_them() {
        for (platform, drop, key) in [
            (false, "", "(org_id, sandbox_id, sampled_at)"),
            (true, "", "(sandbox_id, sampled_at)"),
            (true, "DROP TABLE sandbox_usage_samples", ""),
        ] {
            let mut db = database(platform).await;
            sqlx::raw_sql(drop).execute(&mut db).await.unwrap();
            let version_1 = run_steps(&mut db, &MIGRATIONS[..1]).await;
            assert_eq!((version_1.ok(), version(&mut db).await), (Some(platform), 1));
            sqlx::raw_sql(DATA).execute(&mut db).await.unwrap();
            let (before, theirs) = (rows(&mut db).await, samples(&mut db).await);
            assert_eq!(run(&mut db, &MIGRATIONS).await.ok(), Some(platform));
            assert_eq!((version(&mut db).await, rows(&mut db).await), (KNOWN, before));
            let now = samples(&mut db).await;
            assert!(!platform || now == theirs, "{now:#?}");
            assert_eq!(
                now.iter().any(|part| part.contains("UNIQUE") && part.ends_with(key)),
                !key.is_empty(),
                "{now:#?}"
            );
            assert_eq!(schema::can_read_samples(&mut db).await.unwrap(), !key.is_empty());
        }
    }

    #[tokio::test]
    async fn a_new_database_gets_every_version() {
        for platform in [false, true] {
            let mut db = database(platform).await;
            assert_eq!(run(&mut db, &and_then(NEXT)).await.ok(), Some(platform));
            assert_eq!(version(&mut db).await, KNOWN + 1);
            sqlx::raw_sql(DATA).execute(&mut db).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_the_version_and_the_data() {
        const FAILING: Migration = Migration {
            own: "CREATE TABLE half (n integer); SELECT 1 / 0",
            platform: "CREATE TABLE half (n integer); SELECT 1 / 0",
        };
        for platform in [false, true] {
            let mut db = database(platform).await;
            run(&mut db, &MIGRATIONS).await.ok().unwrap();
            sqlx::raw_sql(DATA).execute(&mut db).await.unwrap();
            let before = rows(&mut db).await;
            assert!(matches!(run(&mut db, &and_then(FAILING)).await, Err(Fault::Database(_))));
            assert_eq!((version(&mut db).await, rows(&mut db).await), (KNOWN, before));
            assert!(!exists(&mut db, "half").await);
            run(&mut db, &and_then(NEXT)).await.ok().unwrap();
            assert_eq!(version(&mut db).await, KNOWN + 1);
        }
    }
}
