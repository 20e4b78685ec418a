//! The writes of an import: whole batches of rows as one JSON argument, in one transaction.

use async_trait::async_trait;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use super::session::PATIENCE;
use super::sql;
use super::types::json_list;
use crate::record::{Sample, Scale, Session, Tags};
use crate::store::{Importer, Result};

/// A running import.
pub(super) struct Import {
    pub(super) write: Transaction<'static, Sqlite>,
    pub(super) org: Uuid,
    /// The pool for the checkpoint afterwards.
    pub(super) writer: SqlitePool,
}

impl Import {
    async fn execute(&mut self, sql: &'static str, rows: &impl serde::Serialize) -> Result<()> {
        let query = sqlx::query(sql).bind(self.org.to_string()).bind(json_list(rows)?);
        query.execute(&mut *self.write).await?;
        Ok(())
    }
}

#[async_trait]
impl Importer for Import {
    async fn sessions(&mut self, sessions: &[Session]) -> Result<()> {
        let row = |one: &Session| {
            let (start, stop) = (one.started_at.micros(), one.stopped_at.map(Timestamp::micros));
            serde_json::json!([
                one.sandbox_id.as_str(),
                one.template,
                one.region,
                one.worker_id,
                one.status,
                start,
                stop,
                one.alias,
            ])
        };
        self.execute(sql::UPSERT_SESSIONS, &sessions.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn scales(&mut self, events: &[Scale]) -> Result<()> {
        let row = |one: &Scale| {
            let (start, end) = (one.started_at.micros(), one.ended_at.map(Timestamp::micros));
            (one.sandbox_id.as_str().to_owned(), one.memory_mb, one.cpu_percent, one.disk_mb, start, end)
        };
        self.execute(sql::UPSERT_SCALES, &events.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn tags(&mut self, tags: &[Tags]) -> Result<()> {
        let sets = tags.iter().flat_map(|one| one.sets().map(|(system, set)| (one.sandbox_id.as_str(), system, set)));
        let sets = json_list(&sets.collect::<Vec<_>>())?;
        sqlx::query(sql::STAGE_TAGS).bind(sets).execute(&mut *self.write).await?;
        Ok(())
    }

    async fn samples(&mut self, samples: &[Sample]) -> Result<()> {
        let row = |one: &Sample| {
            let id = one.sandbox_id.as_str().to_owned();
            (id, one.sampled_at.micros(), one.memory_bytes, one.memory_mb, one.cpu_usec, one.pids)
        };
        self.execute(sql::UPSERT_SAMPLES, &samples.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let delete = sqlx::query(sql::DELETE_STAGED_TAGS).bind(self.org.to_string()).bind(RESERVED_KEY_PREFIX);
        delete.execute(&mut *self.write).await?;
        sqlx::query(sql::UPSERT_STAGED_TAGS).bind(self.org.to_string()).execute(&mut *self.write).await?;
        sqlx::query(sql::UNSTAGE).execute(&mut *self.write).await?;
        self.write.commit().await?;
        if let Err(error) = checkpoint(&self.writer).await {
            tracing::warn!(%error, "the write-ahead log of this import could not be moved into the database file");
        }
        Ok(())
    }
}

/// Moves the write-ahead log into the database file and truncates it. Otherwise that happens only when the last
/// connection closes, which beside a server is late.
pub(super) async fn checkpoint(writer: &SqlitePool) -> sqlx::Result<()> {
    let mut db = writer.acquire().await?;
    // The first step blocks nobody. Truncating waits for readers, and writers wait for it.
    let patience = PATIENCE.as_millis();
    let sql = format!(
        "PRAGMA wal_checkpoint(PASSIVE); PRAGMA busy_timeout = 500; PRAGMA wal_checkpoint(TRUNCATE);
         PRAGMA busy_timeout = {patience}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
    Ok(())
}
