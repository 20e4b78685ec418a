//! The writes of an import: whole batches of rows as one JSON argument, in one transaction.

use async_trait::async_trait;
use opencomputer_usage_core::window::Timestamp;
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::write::{self, Part};
use super::{json_list, sql};
use crate::record::{Scale, Session, Tags};
use crate::store::{Importer, Result};

/// An import under way.
pub(super) struct Import {
    pub(super) write: Transaction<'static, Sqlite>,
    pub(super) org: Uuid,
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

    async fn tags(&mut self, tags: &Tags) -> Result<()> {
        write::replace(&mut self.write, self.org, &tags.sandbox_id, Part::User, &tags.user.to_map()).await?;
        if !tags.system.is_empty() {
            write::replace(&mut self.write, self.org, &tags.sandbox_id, Part::System, &tags.system).await?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.write.commit().await?)
    }
}
