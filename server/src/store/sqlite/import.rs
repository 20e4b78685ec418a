//! The writes of an import: whole batches of rows as one JSON argument, in one transaction.

use async_trait::async_trait;
use opencomputer_usage_core::window::Timestamp;
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::json_list;
use super::write::{self, Part};
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
        let sql = "INSERT INTO sandbox_sessions
                 (org_id, sandbox_id, template, region, worker_id, status, started_at, stopped_at, config)
             SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                 json_patch('{}', json_object('alias', value ->> 7))
             FROM json_each(?2) WHERE TRUE
             ON CONFLICT (org_id, sandbox_id, started_at) DO UPDATE SET
                 template = excluded.template, region = excluded.region, worker_id = excluded.worker_id,
                 status = excluded.status, stopped_at = excluded.stopped_at,
                 config = json_patch(config, json_object('alias', excluded.config ->> 'alias'))";
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
        self.execute(sql, &sessions.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn scales(&mut self, events: &[Scale]) -> Result<()> {
        let sql = "INSERT INTO sandbox_scale_events
                 (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
             SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
             FROM json_each(?2) WHERE TRUE
             ON CONFLICT (org_id, sandbox_id, started_at, memory_mb, disk_mb) DO UPDATE SET
                 cpu_percent = excluded.cpu_percent, ended_at = excluded.ended_at";
        let row = |one: &Scale| {
            let (start, end) = (one.started_at.micros(), one.ended_at.map(Timestamp::micros));
            (one.sandbox_id.as_str().to_owned(), one.memory_mb, one.cpu_percent, one.disk_mb, start, end)
        };
        self.execute(sql, &events.iter().map(row).collect::<Vec<_>>()).await
    }

    async fn tags(&mut self, tags: &Tags) -> Result<()> {
        write::replace(&mut self.write, self.org, &tags.sandbox_id, Part::User, tags.user.as_map()).await?;
        if !tags.system.is_empty() {
            write::replace(&mut self.write, self.org, &tags.sandbox_id, Part::System, &tags.system).await?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.write.commit().await?)
    }
}
