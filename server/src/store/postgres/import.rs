//! The writes of an import: whole batches of rows, column by column, in one transaction.

use async_trait::async_trait;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::sql;
use super::types::Instant;
use crate::record::{Scale, Session, Tags};
use crate::store::{Importer, Result, StoreError};

/// From so many events on, it pays to tell the database at once that they are there.
const MANY: usize = 10_000;

/// An import under way.
pub(super) struct Import {
    pub(super) write: Transaction<'static, Postgres>,
    pub(super) org: Uuid,
    pub(super) scales: usize,
    /// Where to tidy up afterwards; none on a platform's database, which sees to its tables itself.
    pub(super) tidy: Option<PgPool>,
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

    async fn tags(&mut self, tags: &[Tags]) -> Result<()> {
        if tags.is_empty() {
            return Ok(());
        }
        let (mut ids, mut systems, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for one in tags {
            for (system, set) in one.sets() {
                ids.push(one.sandbox_id.as_str());
                systems.push(system);
                sets.push(serde_json::to_string(&set).map_err(StoreError::internal)?);
            }
        }
        sqlx::query(sql::STAGE_TAGS).bind(ids).bind(systems).bind(sets).execute(&mut *self.write).await?;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let delete = sqlx::query(sql::DELETE_STAGED_TAGS).bind(self.org).bind(RESERVED_KEY_PREFIX);
        delete.execute(&mut *self.write).await?;
        sqlx::query(sql::UPSERT_STAGED_TAGS).bind(self.org).execute(&mut *self.write).await?;
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
