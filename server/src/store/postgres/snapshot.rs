//! Snapshots for statements that may run for long: their work is cancelled in the database when the caller stops
//! waiting.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Postgres, Row as _};

use super::pool::Pool;
use super::session::{SNAPSHOT, time_limit};
use super::sql;
use crate::store::Result;
use crate::store::admission::Abandoned;

/// How long cancelled work may take to end before it is cancelled again: a request to cancel has no effect while the
/// database waits for the next statement.
const AGAIN: Duration = Duration::from_millis(100);

/// A read-only transaction in which all statements see the same moment.
///
/// Call [`end`](Self::end): a snapshot that is dropped closes its connection.
pub(super) struct Snapshot {
    db: PoolConnection<Postgres>,
    process: i32,
    ended: bool,
}

impl Snapshot {
    /// Begins a snapshot with the settings that `mode` makes.
    pub(super) async fn begin(pool: &Pool, mode: &str) -> Result<Self> {
        let mut snapshot = Self { db: pool.acquire().await?, process: 0, ended: false };
        snapshot.start(mode).await?;
        Ok(snapshot)
    }

    /// Ends the transaction, also one that has failed, and begins another.
    pub(super) async fn restart(&mut self, mode: &str) -> Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(&mut *self.db).await?;
        self.start(mode).await
    }

    /// Begins the transaction, in one round trip.
    async fn start(&mut self, mode: &str) -> Result<()> {
        let limit = time_limit().unwrap_or_default();
        let sql = format!("{SNAPSHOT}; {limit}; {mode}; SELECT pg_backend_pid()");
        self.process = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut *self.db).await?.try_get(0)?;
        Ok(())
    }

    /// Ends the transaction and returns the connection to the pool.
    pub(super) async fn end(mut self) -> Result<()> {
        sqlx::raw_sql("COMMIT").execute(&mut *self.db).await?;
        self.ended = true;
        Ok(())
    }

    /// Returns the process of the database that executes the snapshot's statements.
    pub(super) const fn process(&self) -> i32 {
        self.process
    }
}

/// Waits for work whose statements a process of the database executes. If `abandoned` says first that nobody waits for
/// the result, the statement is cancelled.
///
/// The connection must not be used for anything but `work` before this returns. Then no other statement can be hit:
/// when [`cancel`] returns, its signal has taken effect or has been ignored for want of a statement.
pub(super) async fn cancel_if_abandoned<T>(
    pool: &Pool,
    process: i32,
    abandoned: Abandoned,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = pin!(work);
    tokio::select! {
        result = &mut work => return result,
        () = abandoned.wait() => (),
    }
    loop {
        cancel(pool, process).await;
        if let Ok(result) = tokio::time::timeout(AGAIN, &mut work).await {
            return result;
        }
    }
}

/// Cancels the statement that a process of the database executes. If that fails, the statement ends at its time limit.
async fn cancel(pool: &Pool, process: i32) {
    let cancelled = async { sqlx::query(sql::CANCEL).bind(process).execute(&mut *pool.acquire().await?).await };
    if let Err(error) = cancelled.await {
        tracing::debug!(%error, "the statement of a client that has disconnected could not be cancelled");
    }
}

impl Deref for Snapshot {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.db
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.db
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.ended {
            // The next user would be in this transaction.
            self.db.close_on_drop();
        }
    }
}
