//! Time limits of connections, and the check that a file can be written.

use std::time::{Duration, Instant};

use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::{read, write};
use crate::deadline;
use crate::store::admission::Abandoned;

/// The time for which a statement waits for another writer, and a request for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit of a request.
pub(super) const BUDGET: Duration = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
/// The steps of the engine's virtual machine between two looks at the time: a few milliseconds.
const STEPS: i32 = 200_000;
/// The code of a database that is locked by another writer.
const BUSY: u32 = 5;

/// Interrupts the statements of a connection after this time, also if their caller has stopped waiting.
pub(super) async fn limit(db: &mut SqliteConnection, budget: Duration) -> sqlx::Result<()> {
    let deadline = Instant::now() + budget;
    db.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
    Ok(())
}

/// Interrupts the statements of a connection when the request's time is over or its caller has stopped waiting.
pub(super) async fn end_if_abandoned(db: &mut SqliteConnection, mut abandoned: Abandoned) -> sqlx::Result<()> {
    let deadline = Instant::now() + deadline::left(BUDGET);
    let mut handle = db.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || Instant::now() < deadline && !abandoned.now());
    Ok(())
}

/// Fails if the database file cannot be written. The engine opens such a file without an error.
pub(super) async fn check_writable(writer: &SqlitePool) -> sqlx::Result<()> {
    let mut db = writer.acquire().await?;
    // If another writer holds the lock, such as a long import, then the file can be written.
    sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut *db).await?;
    let checked = match try_to_write(&mut db).await {
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.parse() != Ok(BUSY)) => {
            Err(sqlx::Error::Database(error))
        }
        _ => Ok(()),
    };
    let patience = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
    sqlx::raw_sql(AssertSqlSafe(patience)).execute(&mut *db).await?;
    checked
}

/// Writes the version that is there already, and rolls back.
async fn try_to_write(db: &mut SqliteConnection) -> sqlx::Result<()> {
    let mut write = db.begin_with("BEGIN IMMEDIATE").await?;
    let version = read::schema_version(&mut write).await?;
    write::set_schema_version(&mut write, version).await?;
    write.rollback().await
}
