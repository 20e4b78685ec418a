//! The embedded engine: one file, or a database in memory.

mod conditions;
mod import;
mod lists;
mod prune;
mod read;
mod schema;
mod session;
pub(super) mod sql;
mod sums;
#[cfg(test)]
mod tests;
mod types;
mod url;
mod write;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opencomputer_usage_core::query::position::{ListPage, SandboxPosition, Slice, TagValuePosition};
use opencomputer_usage_core::query::{SandboxesQuery, TagValuesQuery};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::{Group, Page};
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxTagsBody, TagKey, TagValue};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection as _, Sqlite as Engine, SqliteConnection, Transaction};
use uuid::Uuid;

use self::session::{BUDGET, PATIENCE, check_writable, end_if_abandoned, limit};
use super::admission::{Queue, Queues};
use super::error::reason;
use super::{
    Caller, Details, Importer, KeyUse, OpenError, PoolUse, Reconciled, Result, SandboxReading, Show, Store, StoreError,
    TagWrite, Tier,
};
use crate::deadline;
use crate::keys::NewKey;

/// The steps in order. The version of a database is the number of those that it has.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/sqlite/0001_schema.sql"),
    include_str!("../../../migrations/sqlite/0002_usage_samples.sql"),
    include_str!("../../../migrations/sqlite/0003_newest_sessions.sql"),
];

/// The readers for key lookups, short reads and sums. One more is for work without an org, such as `/readyz`.
const KEY_READERS: u32 = 2;
const LIGHT_READERS: u32 = 4;
const HEAVY_READERS: u32 = 4;
const READERS: u32 = KEY_READERS + LIGHT_READERS + HEAVY_READERS + 1;

/// An SQLite database.
pub(super) struct Sqlite {
    readers: SqlitePool,
    /// SQLite has one writer at a time. Waiting in its queue is fair and cheap.
    writer: SqlitePool,
    queues: Queues,
    /// Whether the storage failed the last write.
    failing: AtomicBool,
    /// Keeps a database in memory alive. No request uses this connection, so none can close it.
    _anchor: Option<Mutex<SqliteConnection>>,
}

impl Sqlite {
    pub(super) async fn open(url: &str) -> Result<Self, OpenError> {
        let place = format!("`{}`", url.trim_start_matches("sqlite:").trim_start_matches("//"));
        Self::start(url::options(url)?, place, false).await
    }

    /// Opens an empty database that lives in memory until the store is dropped.
    pub(super) async fn in_memory() -> Result<Self, OpenError> {
        Self::start(url::in_memory(), "a database in memory".to_owned(), true).await
    }

    async fn start(options: SqliteConnectOptions, place: String, in_memory: bool) -> Result<Self, OpenError> {
        let unreachable = |error: sqlx::Error| OpenError::Unreachable { place: place.clone(), reason: reason(&error) };
        let options =
            options.create_if_missing(true).foreign_keys(true).busy_timeout(PATIENCE).disable_statement_logging();
        let anchor = if in_memory { Some(Mutex::new(options.connect().await.map_err(&unreachable)?)) } else { None };
        let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
        let writer = pool(1).before_acquire(|db, _| Box::pin(async { Ok(!db.is_in_transaction()) }));
        let writer = writer.connect_with(options.clone()).await.map_err(&unreachable)?;
        check_writable(&writer).await.map_err(&unreachable)?;
        let readers = pool(READERS)
            .after_connect(|db, _| Box::pin(limit(db, deadline::left(BUDGET))))
            .before_acquire(|db, _| {
                Box::pin(async {
                    limit(db, deadline::left(BUDGET)).await?;
                    Ok(!db.is_in_transaction())
                })
            })
            .connect_lazy_with(options.pragma("query_only", "ON"));
        let queues = Queues {
            keys: Queue::new("key lookups", KEY_READERS),
            light: Queue::new("light reads", LIGHT_READERS),
            writes: Queue::new("writes", 1),
            heavy: Queue::new("heavy reads", HEAVY_READERS),
        };
        let store = Self { readers, writer, queues, failing: AtomicBool::new(false), _anchor: anchor };
        store.migrate(&MIGRATIONS, unreachable).await?;
        Ok(store)
    }

    /// Applies the migrations that the database lacks.
    async fn migrate(
        &self,
        migrations: &[&'static str],
        unreachable: impl Fn(sqlx::Error) -> OpenError,
    ) -> Result<(), OpenError> {
        let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
        // Usually there is nothing to do. Then this does not wait for another writer, such as a long import.
        let mut db = self.writer.acquire().await.map_err(&unreachable)?;
        if read::schema_version(&mut db).await.map_err(&unreachable)? == known {
            let missing = schema::complete(&mut db, migrations).await.map_err(&unreachable)?;
            return missing.map_or(Ok(()), |part| Err(OpenError::Damaged(part)));
        }
        let mut write = db.begin_with("BEGIN IMMEDIATE").await.map_err(&unreachable)?;
        let found = read::schema_version(&mut write).await.map_err(&unreachable)?;
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        for migration in migrations.iter().skip(found as usize) {
            sqlx::raw_sql(*migration).execute(&mut *write).await.map_err(&unreachable)?;
        }
        if found < known {
            write::set_schema_version(&mut write, known).await.map_err(&unreachable)?;
        }
        write.commit().await.map_err(&unreachable)
    }

    /// Begins a snapshot, in which all reads see the same moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Engine>> {
        Ok(self.readers.begin().await?)
    }

    /// Remembers whether the storage takes writes.
    fn noted<T>(&self, written: Result<T>) -> Result<T> {
        match &written {
            Ok(_) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if error.is_of_storage() => self.failing.store(true, Ordering::Relaxed),
            Err(_) => (),
        }
        written
    }

    /// Begins the only write.
    async fn write(&self) -> Result<Transaction<'static, Engine>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn schema_version(&self) -> Result<u32> {
        Ok(read::schema_version(&mut *self.readers.acquire().await?).await?)
    }

    async fn now(&self) -> Result<Timestamp> {
        read::now(&mut *self.readers.acquire().await?).await
    }

    async fn authenticate(&self, key_hash: &str) -> Result<Option<Caller>> {
        let _permit = self.queues.acquire_for_key(key_hash).await?;
        read::caller(&mut *self.readers.acquire().await?, key_hash).await
    }

    async fn usage(&self, org: Uuid, plan: &Plan) -> Result<(Page, Details)> {
        let permit = self.queues.heavy.acquire(org).await?;
        let (readers, plan) = (self.readers.clone(), plan.clone());
        permit
            .finish(|abandoned| async move {
                let mut snapshot = readers.begin().await?;
                end_if_abandoned(&mut snapshot, abandoned).await?;
                let parts = match sums::parts(&mut snapshot, org, &plan).await? {
                    Some(parts) => parts,
                    None => sums::parts_by_size(&mut snapshot, org, &plan).await?,
                };
                let mut page = plan.page(parts);
                if let Some(buckets) = &plan.grid.buckets {
                    page.series = Some(sums::series(&mut snapshot, org, &plan, buckets, &page).await?);
                }
                if plan.group_by.dimensions() != [Dimension::Sandbox] {
                    return Ok((page, Details::new()));
                }
                let ids: Vec<_> = page.items.iter().map(Group::name).collect();
                let details = read::details(&mut snapshot, org, &ids).await?;
                Ok((page, details))
            })
            .await
    }

    async fn sandbox_usage(&self, org: Uuid, id: &SandboxId, grid: &Grid) -> Result<Option<SandboxReading>> {
        let _permit = self.queues.light.acquire(org).await?;
        let mut snapshot = self.snapshot().await?;
        if !read::has_sandbox(&mut snapshot, org, id).await? {
            return Ok(None);
        }
        let (totals, points) = read::sandbox_totals(&mut snapshot, org, id, grid).await?;
        let (first_started_at, last_ended_at) = read::session_span(&mut snapshot, org, id, grid).await?;
        let details = read::details(&mut snapshot, org, &[id.as_str()]).await?.remove(id.as_str());
        let details = details.unwrap_or_default();
        Ok(Some(SandboxReading { totals, points, details, first_started_at, last_ended_at }))
    }

    async fn rollup(&self, org: Uuid, grid: &Grid) -> Result<Option<Vec<Tier>>> {
        let mut snapshot = self.snapshot().await?;
        if !read::has_org(&mut snapshot, org).await? {
            return Ok(None);
        }
        sums::tiers(&mut snapshot, org, grid).await.map(Some)
    }

    async fn tag_keys(&self, org: Uuid) -> Result<Vec<TagKey>> {
        let permit = self.queues.heavy.acquire(org).await?;
        let readers = self.readers.clone();
        permit
            .finish(|abandoned| async move {
                let mut db = readers.acquire().await?;
                end_if_abandoned(&mut db, abandoned).await?;
                read::tag_keys(&mut db, org).await
            })
            .await
    }

    async fn tag_values(
        &self,
        org: Uuid,
        query: &TagValuesQuery,
        slice: &Slice<TagValuePosition>,
    ) -> Result<ListPage<TagValue, TagValuePosition>> {
        let permit = self.queues.heavy.acquire(org).await?;
        let (readers, query, slice) = (self.readers.clone(), query.clone(), slice.clone());
        permit
            .finish(|abandoned| async move {
                let mut db = readers.acquire().await?;
                end_if_abandoned(&mut db, abandoned).await?;
                lists::tag_values(&mut db, org, &query, &slice).await
            })
            .await
    }

    async fn has_sandbox(&self, org: Uuid, id: &SandboxId) -> Result<bool> {
        let _permit = self.queues.light.acquire(org).await?;
        read::has_sandbox(&mut *self.readers.acquire().await?, org, id).await
    }

    async fn tags(&self, org: Uuid, id: &SandboxId) -> Result<Option<SandboxTagsBody>> {
        let _permit = self.queues.light.acquire(org).await?;
        let mut snapshot = self.snapshot().await?;
        if !read::has_sandbox(&mut snapshot, org, id).await? {
            return Ok(None);
        }
        read::tags(&mut snapshot, org, id).await.map(Some)
    }

    async fn tags_of(&self, org: Uuid, ids: &[&str]) -> Result<BTreeMap<String, SandboxTagsBody>> {
        let _permit = self.queues.light.acquire(org).await?;
        read::tags_of(&mut *self.readers.acquire().await?, org, ids).await
    }

    async fn replace_tags(&self, org: Uuid, id: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Result<TagWrite> {
        let _permit = self.queues.writes.acquire(org).await?;
        let replaced = async {
            let mut write = self.write().await?;
            let outcome = write::replace_if(&mut write, org, id, tags, if_match).await?;
            let written = matches!(outcome, TagWrite::Written(_));
            if written {
                write.commit().await?;
            }
            Ok((outcome, written))
        };
        match replaced.await {
            Ok((outcome, false)) => Ok(outcome),
            replaced => self.noted(replaced.map(|(outcome, _)| outcome)),
        }
    }

    async fn sandboxes(
        &self,
        org: Uuid,
        query: &SandboxesQuery,
        slice: &Slice<SandboxPosition>,
    ) -> Result<ListPage<Sandbox, SandboxPosition>> {
        let queue = if query.conditions.is_empty() { &self.queues.light } else { &self.queues.heavy };
        let permit = queue.acquire(org).await?;
        let (readers, query, slice) = (self.readers.clone(), query.clone(), slice.clone());
        permit
            .finish(|abandoned| async move {
                let mut db = readers.acquire().await?;
                end_if_abandoned(&mut db, abandoned).await?;
                lists::sandboxes(&mut db, org, &query, &slice).await
            })
            .await
    }

    async fn sandbox(&self, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
        let _permit = self.queues.light.acquire(org).await?;
        read::sandbox(&mut *self.readers.acquire().await?, org, id).await
    }

    async fn create_key_once_shown(&self, org: Uuid, key: &NewKey, show: Show<'_>) -> Result<()> {
        let created = async {
            let mut write = self.write().await?;
            write::ensure_org(&mut write, org).await?;
            write::insert_key(&mut write, org, key).await?;
            show().map_err(StoreError::NotShown)?;
            Ok(write.commit().await?)
        };
        self.noted(created.await)
    }

    async fn touch_keys(&self, uses: &[KeyUse]) -> Result<()> {
        let touched = async { write::touch_keys(&mut *self.writer.acquire().await?, uses).await };
        self.noted(touched.await)
    }

    async fn check_writes(&self) -> Result<()> {
        if !self.failing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let written = async {
            let mut write = self.write().await?;
            let version = read::schema_version(&mut write).await?;
            write::set_schema_version(&mut write, version).await?;
            Ok(write.commit().await?)
        };
        self.noted(written.await)
    }

    fn pools(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("read", &self.readers), PoolUse::of("write", &self.writer)]
    }

    async fn close(&self) {
        // The last connection to close moves the log into the database file, and only the writer may.
        let closed = async {
            self.readers.close().await;
            self.writer.close().await;
        };
        if tokio::time::timeout(PATIENCE, closed).await.is_err() {
            tracing::warn!("the database is still in use: the last writes are in its write-ahead log");
        }
    }

    async fn importer(&self, org: Uuid) -> Result<Box<dyn Importer>> {
        let mut write = self.write().await?;
        write::ensure_org(&mut write, org).await?;
        sqlx::query(sql::STAGE).execute(&mut *write).await?;
        Ok(Box::new(import::Import { write, org, writer: self.writer.clone() }))
    }

    async fn reconcile_worker(&self, worker_id: &str) -> Result<Reconciled> {
        let mut write = self.write().await?;
        let reconciled = write::reconcile(&mut write, worker_id).await?;
        write.commit().await?;
        Ok(reconciled)
    }

    async fn prune_samples(&self, before: Timestamp) -> Result<u64> {
        prune::samples(&self.writer, before).await
    }
}

/// Returns every statement with its name. The composed ones have the conditions of a plan.
pub(super) fn statements(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let fixed = sql::ALL.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
    Ok(fixed.chain(sums::texts(plan)?).chain(lists::texts(&plan.conditions)?).collect())
}
