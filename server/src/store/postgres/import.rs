//! The writes of an import: whole batches of rows, column by column, in one transaction.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::sql;
use super::types::Instant;
use super::write::Replacement;
use crate::record::{Scale, Session, Tags};
use crate::store::{Importer, Result};

/// Tag lines that travel at once.
const TAG_BATCH: usize = 500;
/// From so many events on, it pays to tell the database at once that they are there.
const MANY: usize = 10_000;

/// An import under way.
pub(super) struct Import {
    pub(super) write: Transaction<'static, Postgres>,
    pub(super) org: Uuid,
    /// The last lines of each sandbox that are not written yet: its user tags, and its system tags.
    pub(super) tags: BTreeMap<String, (Option<Tags>, Option<Tags>)>,
    pub(super) scales: usize,
    /// Where to tidy up afterwards; none on a platform's database, which sees to its tables itself.
    pub(super) tidy: Option<PgPool>,
}

impl Import {
    async fn flush_tags(&mut self) -> Result<()> {
        let mut replacement = Replacement::default();
        for (user, system) in std::mem::take(&mut self.tags).into_values() {
            if let Some(Tags { sandbox_id, user, .. }) = &user {
                replacement.add(sandbox_id, false, &user.to_map());
            }
            if let Some(Tags { sandbox_id, system, .. }) = &system {
                replacement.add(sandbox_id, true, system);
            }
        }
        replacement.write(&mut self.write, self.org).await
    }
}

#[async_trait]
impl Importer for Import {
    async fn sessions(&mut self, sessions: &[Session]) -> Result<()> {
        if sessions.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Session) -> &str| sessions.iter().map(of).collect::<Vec<_>>();
        let ids = column(|one| one.sandbox_id.as_str());
        let (templates, regions) = (column(|one| &one.template), column(|one| &one.region));
        let (workers, statuses) = (column(|one| &one.worker_id), column(|one| &one.status));
        let starts: Vec<_> = sessions.iter().map(|one| Instant::from(one.started_at)).collect();
        let stops: Vec<_> = sessions.iter().map(|one| one.stopped_at.map(Instant::from)).collect();
        let aliases: Vec<_> = sessions.iter().map(|one| one.alias.as_deref()).collect();
        for sql in [sql::UPDATE_SESSIONS, sql::INSERT_SESSIONS] {
            let query = sqlx::query(sql).bind(self.org).bind(&ids).bind(&templates).bind(&regions).bind(&workers);
            let query = query.bind(&statuses).bind(&starts).bind(&stops).bind(&aliases);
            query.execute(&mut *self.write).await?;
        }
        Ok(())
    }

    async fn scales(&mut self, events: &[Scale]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.scales += events.len();
        let ids: Vec<_> = events.iter().map(|one| one.sandbox_id.as_str()).collect();
        // Records hold no size that does not fit.
        let sizes = |of: fn(&Scale) -> u64| -> Vec<_> {
            events.iter().map(|one| i32::try_from(of(one)).unwrap_or(i32::MAX)).collect()
        };
        let (memory, cpu, disk) = (sizes(|one| one.memory_mb), sizes(|one| one.cpu_percent), sizes(|one| one.disk_mb));
        let starts: Vec<_> = events.iter().map(|one| Instant::from(one.started_at)).collect();
        let ends: Vec<_> = events.iter().map(|one| one.ended_at.map(Instant::from)).collect();
        for sql in [sql::UPDATE_SCALES, sql::INSERT_SCALES] {
            let query = sqlx::query(sql).bind(self.org).bind(&ids).bind(&memory).bind(&cpu).bind(&disk);
            query.bind(&starts).bind(&ends).execute(&mut *self.write).await?;
        }
        Ok(())
    }

    async fn tags(&mut self, tags: &Tags) -> Result<()> {
        let (user, system) = self.tags.entry(tags.sandbox_id.to_string()).or_default();
        *user = Some(tags.clone());
        if !tags.system.is_empty() {
            *system = Some(tags.clone());
        }
        if self.tags.len() >= TAG_BATCH { self.flush_tags().await } else { Ok(()) }
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.flush_tags().await?;
        self.write.commit().await?;
        if let Some(pool) = self.tidy.filter(|_| self.scales >= MANY) {
            // Sums read the index alone only where the table's pages are known to be all visible.
            let tidied = async {
                let mut db = pool.acquire().await?;
                sqlx::raw_sql("SET statement_timeout = 0").execute(&mut *db).await?;
                sqlx::raw_sql("VACUUM (ANALYZE) sandbox_scale_events").execute(&mut *db).await?;
                sqlx::raw_sql("ANALYZE sandbox_tags").execute(&mut *db).await?;
                db.close().await
            };
            if let Err(error) = tidied.await {
                tracing::warn!(%error, "the imported tables are not vacuumed");
            }
        }
        Ok(())
    }
}
