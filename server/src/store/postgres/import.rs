//! The writes of an import: whole batches of rows, column by column, in one transaction.

use async_trait::async_trait;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use sqlx::{Connection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::types::Instant;
use super::{sql, write};
use crate::record::{Sample, Scale, Session, Tags};
use crate::store::{Importer, Result, StoreError};

/// The number of imported events above which a vacuum is worthwhile.
const MANY: usize = 10_000;

/// A running import.
pub(super) struct Import {
    pub(super) write: Transaction<'static, Postgres>,
    pub(super) org: Uuid,
    pub(super) scales: usize,
    pub(super) samples: usize,
    pub(super) platform: bool,
    /// Whether the database has a table of samples.
    pub(super) has_samples: bool,
    /// The pool for refreshing statistics afterwards.
    pub(super) pool: PgPool,
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
        let platform = [sql::UPDATE_SESSIONS, sql::INSERT_SESSIONS];
        for sql in if self.platform { &platform[..] } else { &[sql::UPSERT_SESSIONS] } {
            let query = sqlx::query(*sql).bind(self.org).bind(&ids).bind(&templates).bind(&regions).bind(&workers);
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
        // Records are checked to fit.
        let sizes = |of: fn(&Scale) -> u64| -> Vec<_> {
            events.iter().map(|one| i32::try_from(of(one)).unwrap_or(i32::MAX)).collect()
        };
        let (memory, cpu, disk) = (sizes(|one| one.memory_mb), sizes(|one| one.cpu_percent), sizes(|one| one.disk_mb));
        let starts: Vec<_> = events.iter().map(|one| Instant::from(one.started_at)).collect();
        let ends: Vec<_> = events.iter().map(|one| one.ended_at.map(Instant::from)).collect();
        let platform = [sql::UPDATE_SCALES, sql::INSERT_SCALES];
        for sql in if self.platform { &platform[..] } else { &[sql::UPSERT_SCALES] } {
            let query = sqlx::query(*sql).bind(self.org).bind(&ids).bind(&memory).bind(&cpu).bind(&disk);
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

    async fn samples(&mut self, samples: &[Sample]) -> Result<()> {
        if samples.is_empty() {
            return Ok(());
        }
        if !self.has_samples {
            return Err(StoreError::NoSamples);
        }
        self.samples += samples.len();
        let ids: Vec<_> = samples.iter().map(|one| one.sandbox_id.as_str()).collect();
        let times: Vec<_> = samples.iter().map(|one| Instant::from(one.sampled_at)).collect();
        // Records are checked to fit.
        let long = |of: fn(&Sample) -> u64| -> Vec<_> { samples.iter().map(|one| of(one).cast_signed()).collect() };
        let short = |of: fn(&Sample) -> u64| -> Vec<_> {
            samples.iter().map(|one| i32::try_from(of(one)).unwrap_or(i32::MAX)).collect()
        };
        let (bytes, cpu) = (long(|one| one.memory_bytes), long(|one| one.cpu_usec));
        let (memory, pids) = (short(|one| one.memory_mb), short(|one| one.pids));
        let platform = [sql::UPDATE_SAMPLES, sql::INSERT_SAMPLES];
        for sql in if self.platform { &platform[..] } else { &[sql::UPSERT_SAMPLES] } {
            let query = sqlx::query(*sql).bind(self.org).bind(&ids).bind(&times).bind(&bytes).bind(&memory);
            let written = query.bind(&cpu).bind(&pids).execute(&mut *self.write).await;
            written.map_err(|error| match error.as_database_error() {
                Some(cause) if cause.is_unique_violation() => StoreError::SampleOfAnotherOrg,
                _ => error.into(),
            })?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let delete = sqlx::query(sql::DELETE_STAGED_TAGS).bind(self.org).bind(RESERVED_KEY_PREFIX);
        delete.execute(&mut *self.write).await?;
        sqlx::query(sql::UPSERT_STAGED_TAGS).bind(self.org).execute(&mut *self.write).await?;
        // Last, because other imports and new keys of the same org wait for this row.
        write::ensure_org(&mut self.write, self.org, self.platform).await?;
        self.write.commit().await?;
        let refreshed = refresh(&self.pool, !self.platform && self.scales >= MANY, self.samples > 0).await;
        if let Err(error) = refreshed {
            tracing::warn!(%error, "the statistics of the imported tables could not be refreshed");
        }
        Ok(())
    }
}

/// Refreshes the planner's statistics, which describe the tables before this import.
async fn refresh(pool: &PgPool, vacuum: bool, samples: bool) -> sqlx::Result<()> {
    // The connection is closed afterwards because of its settings.
    let mut db = pool.acquire().await?.detach();
    // Without the right to analyze a platform's tables, the database warns and skips them.
    let unhurried = "SET statement_timeout = 0; SET lock_timeout = '10s'; SET client_min_messages = error";
    sqlx::raw_sql(unhurried).execute(&mut db).await?;
    // Sums can skip the table only for pages that vacuum has marked all-visible.
    let events = if vacuum { "VACUUM (ANALYZE) sandbox_scale_events" } else { "ANALYZE sandbox_scale_events" };
    let samples = samples.then_some("ANALYZE sandbox_usage_samples");
    for sql in [events, "ANALYZE sandbox_tags", "ANALYZE sandbox_sessions"].into_iter().chain(samples) {
        sqlx::raw_sql(sql).execute(&mut db).await?;
    }
    db.close().await
}
