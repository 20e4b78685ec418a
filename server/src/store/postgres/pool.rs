//! The pool of connections.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{Error, Postgres, SqlStr, Transaction};

use crate::store::admission::Queues;

/// A pool whose users wait in queues. If the database is unreachable, the first user to find out ends the wait of all
/// others.
///
/// Cloning is cheap.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) connections: PgPool,
    pub(super) queues: Arc<Queues>,
}

impl Pool {
    pub(super) async fn acquire(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.noted(self.connections.acquire().await)
    }

    /// Begins a transaction, which is rolled back if it is dropped before it is committed.
    pub(super) async fn begin_with(&self, how: &'static str) -> sqlx::Result<Transaction<'static, Postgres>> {
        let connection = self.acquire().await?;
        // sqlx 0.9.0 counts a transaction only when the database has begun it. If the caller left before that, the
        // connection would return to the pool with a transaction that nobody ends, and the next statements would run
        // in it (https://github.com/transact-rs/sqlx/issues/4393). A task goes on without its caller.
        let begun = tokio::spawn(Transaction::begin(connection, Some(SqlStr::from_static(how))));
        begun.await.map_err(|_| Error::WorkerCrashed)?
    }

    fn noted<T>(&self, acquired: sqlx::Result<T>) -> sqlx::Result<T> {
        // If all connections are in use, the database is only busy.
        let in_use = self.connections.size() >= self.connections.options().get_max_connections();
        if matches!(acquired, Err(Error::PoolTimedOut)) && !in_use {
            self.queues.refuse_waiting();
        }
        acquired
    }
}
