//! The engine for production: PostgreSQL 14 or later, with a schema of our own or in a platform's database.

mod conditions;
mod connect;
mod dimensions;
mod events;
mod import;
mod latest;
mod lists;
mod migrate;
mod pool;
mod prune;
mod read;
mod schema;
mod series;
mod session;
mod snapshot;
pub(super) mod sql;
mod sums;
mod types;
mod url;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opencomputer_usage_core::limits::{MAX_PAGE_BUCKETS, MAX_PAGE_LIMIT};
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
use sqlx::postgres::PgPoolOptions;
use sqlx::{Postgres as Engine, Transaction};
use uuid::Uuid;

use self::conditions::Few;
use self::events::Events;
use self::events::Products;
use self::migrate::Migrated;
use self::pool::Pool;
use self::schema::Fault;
use self::snapshot::{Snapshot, cancel_if_abandoned};
use super::admission::{self, Abandoned, Queue, Queues};
use super::error::reason;
use super::{
    Caller, Details, Importer, KeyUse, OpenError, PoolUse, Reconciled, Result, SandboxReading, Show, Store, StoreError,
    TagWrite, Tier,
};
use crate::deadline;
use crate::keys::NewKey;

/// The time for which a request waits for a connection, also while the database is unreachable. It is shorter than the
/// wait in a queue, so that the requests in the queue learn the reason.
const PATIENCE: Duration = admission::PATIENCE.saturating_sub(Duration::from_secs(1));
/// The connections for key lookups, short reads, writes and sums. One more is for work without an org, such as
/// `/readyz`, and for cancelling statements.
const KEY_CONNECTIONS: u32 = 3;
const LIGHT_CONNECTIONS: u32 = 3;
const WRITE_CONNECTIONS: u32 = 3;
const HEAVY_CONNECTIONS: u32 = 6;
/// The most connections of one server.
const CONNECTIONS: u32 = KEY_CONNECTIONS + LIGHT_CONNECTIONS + WRITE_CONNECTIONS + HEAVY_CONNECTIONS + 1;

/// The time for which a write of tags waits, without a connection, before it retries its locks.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// A PostgreSQL database.
pub(super) struct Postgres {
    pool: Pool,
    queues: Arc<Queues>,
    /// Whether the tables are a platform's.
    platform: bool,
    /// Whether there is a table of samples, which a platform may lack.
    has_samples: bool,
    /// Whether the storage failed the last write.
    failing: AtomicBool,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, OpenError> {
        let (options, db) = connect::connect(url::options(url)?).await?;
        let found = migrate::migrate(&options, db).await.map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::Database(error) => {
                OpenError::Unreachable { place: connect::place(&options), reason: reason(&error) }
            }
        })?;
        // A pool above the database's limit would wait for connections that never come, while its own are idle. One is
        // left for a command beside the server.
        let size = found.connections.saturating_sub(1).clamp(1, CONNECTIONS);
        if size < CONNECTIONS {
            tracing::warn!("the database allows only {} connections, {size} are used", found.connections);
        }
        let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
        let pool = pool.after_connect(|db, _| Box::pin(session::set_up(db)));
        let pool = pool.connect_lazy_with(options);
        let part = |connections: u32| (connections * size / CONNECTIONS).max(1);
        let queues = Arc::new(Queues {
            keys: Queue::new("key lookups", part(KEY_CONNECTIONS)),
            light: Queue::new("light reads", part(LIGHT_CONNECTIONS)),
            writes: Queue::new("writes", part(WRITE_CONNECTIONS)),
            heavy: Queue::new("heavy reads", part(HEAVY_CONNECTIONS)),
        });
        let pool = Pool { connections: pool, queues: queues.clone() };
        let Migrated { platform, has_samples, .. } = found;
        Ok(Self { pool, queues, platform, has_samples, failing: AtomicBool::new(false) })
    }

    fn events(&self, org: Uuid) -> Events {
        Events { org, platform: self.platform }
    }

    /// Returns the statement that reads samples, or `None` without a table of them.
    fn samples(&self) -> Option<&'static str> {
        self.has_samples.then_some(if self.platform { sql::PLATFORM_SAMPLES } else { sql::SAMPLES })
    }

    async fn snapshot(&self) -> Result<Transaction<'static, Engine>> {
        session::begin(&self.pool, session::SNAPSHOT).await
    }

    /// Replaces tags if the locks are free soon. A write must not hold a connection while it waits.
    async fn try_replace_tags(
        &self,
        org: Uuid,
        id: &SandboxId,
        tags: &TagSet,
        if_match: Option<&str>,
    ) -> Result<TagWrite> {
        let _permit = self.queues.writes.acquire(org).await?;
        let mut write = session::begin(&self.pool, session::BRIEFLY_LOCKED).await?;
        let outcome = write::replace_if(&mut write, org, id, tags, if_match).await?;
        if matches!(outcome, TagWrite::Written(_)) {
            write.commit().await?;
        }
        Ok(outcome)
    }
}

/// Reads a page in a snapshot of its own.
async fn usage(pool: Pool, events: Events, plan: Plan, abandoned: Abandoned) -> Result<(Page, Details)> {
    let mut snapshot = Snapshot::begin(&pool, "").await?;
    let process = snapshot.process();
    let work = usage_at(&mut snapshot, events, &plan);
    let found = cancel_if_abandoned(&pool, process, abandoned, work).await;
    let ended = snapshot.end().await;
    found.and_then(|found| ended.map(|()| found))
}

async fn usage_at(snapshot: &mut Snapshot, events: Events, plan: &Plan) -> Result<(Page, Details)> {
    let page = if let Some(page) = page_at(snapshot, events, plan, Products::Database).await? {
        page
    } else {
        // The failed statement has ended the snapshot. Another one is as good, because nothing is kept from this one.
        snapshot.restart("").await?;
        let page = page_at(snapshot, events, plan, Products::Core).await?;
        page.ok_or_else(|| StoreError::internal("the core's products do not fit"))?
    };
    let mut details = Details::new();
    if plan.group_by.dimensions() == [Dimension::Sandbox] {
        let ids: Vec<_> = page.items.iter().map(Group::name).collect();
        sqlx::raw_sql(session::BY_KEY).execute(&mut **snapshot).await?;
        details = read::details(snapshot, events.org, &ids).await?;
    }
    Ok((page, details))
}

/// Returns `None` if the products do not fit.
async fn page_at(snapshot: &mut Snapshot, events: Events, plan: &Plan, products: Products) -> Result<Option<Page>> {
    let few = Few::find(snapshot, events.org, &plan.conditions).await?;
    let few = few.as_ref();
    // The series of all groups add up to their sums. If there are few, summing first would measure every event twice.
    if let Some(buckets) = &plan.grid.buckets
        && !plan.group_by.dimensions().contains(&Dimension::Sandbox)
    {
        let limit = MAX_PAGE_LIMIT.min(MAX_PAGE_BUCKETS / buckets.len());
        if let Some(groups) = sums::counted(snapshot, events, plan, few, limit).await? {
            let whole = plan.whole(groups);
            let series = series::series(snapshot, events, plan, (&whole, buckets), few, products).await?;
            return Ok(series.map(|series| plan.page_of_series(whole, series)));
        }
    }
    let Some(parts) = sums::parts(snapshot, events, plan, few, products).await? else { return Ok(None) };
    let mut page = plan.page(parts);
    if let Some(buckets) = &plan.grid.buckets {
        page.series = series::series(snapshot, events, plan, (&page, buckets), few, products).await?;
        if page.series.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(page))
}

/// Reads the tag keys in use in a snapshot of its own.
async fn tag_keys(pool: Pool, org: Uuid, abandoned: Abandoned) -> Result<Vec<TagKey>> {
    let mut snapshot = Snapshot::begin(&pool, session::WHOLE_ORG).await?;
    let process = snapshot.process();
    let found = cancel_if_abandoned(&pool, process, abandoned, read::tag_keys(&mut snapshot, org)).await;
    let ended = snapshot.end().await;
    found.and_then(|found| ended.map(|()| found))
}

/// Reads a page of sandboxes in a snapshot of its own.
async fn sandboxes(
    pool: Pool,
    org: Uuid,
    query: SandboxesQuery,
    slice: Slice<SandboxPosition>,
    abandoned: Abandoned,
) -> Result<ListPage<Sandbox, SandboxPosition>> {
    let mut snapshot = Snapshot::begin(&pool, lists::IN_ORDER).await?;
    let process = snapshot.process();
    let work = lists::sandboxes(&mut snapshot, org, &query, &slice);
    let found = cancel_if_abandoned(&pool, process, abandoned, work).await;
    let ended = snapshot.end().await;
    found.and_then(|found| ended.map(|()| found))
}

/// Reads a page of the values of a tag in a snapshot of its own.
async fn tag_values(
    pool: Pool,
    org: Uuid,
    query: TagValuesQuery,
    slice: Slice<TagValuePosition>,
    abandoned: Abandoned,
) -> Result<ListPage<TagValue, TagValuePosition>> {
    let mut snapshot = Snapshot::begin(&pool, lists::IN_ORDER).await?;
    let process = snapshot.process();
    let work = lists::tag_values(&mut snapshot, org, &query, &slice);
    let found = cancel_if_abandoned(&pool, process, abandoned, work).await;
    let ended = snapshot.end().await;
    found.and_then(|found| ended.map(|()| found))
}

#[async_trait]
impl Store for Postgres {
    async fn schema_version(&self) -> Result<u32> {
        let (version, _) = read::schema(&mut *self.pool.acquire().await?).await?;
        Ok(version.unsigned_abs())
    }

    async fn now(&self) -> Result<Timestamp> {
        read::now(&mut *self.pool.acquire().await?).await
    }

    async fn authenticate(&self, key_hash: &str) -> Result<Option<Caller>> {
        let _permit = self.queues.acquire_for_key(key_hash).await?;
        read::caller(&mut *self.pool.acquire().await?, key_hash).await
    }

    async fn usage(&self, org: Uuid, plan: &Plan) -> Result<(Page, Details)> {
        let permit = self.queues.heavy.acquire(org).await?;
        let (pool, events, plan) = (self.pool.clone(), self.events(org), plan.clone());
        permit.finish(|abandoned| usage(pool, events, plan, abandoned)).await
    }

    async fn sandbox_usage(&self, org: Uuid, id: &SandboxId, grid: &Grid) -> Result<Option<SandboxReading>> {
        let _permit = self.queues.light.acquire(org).await?;
        let mut snapshot = self.snapshot().await?;
        if !read::has_sandbox(&mut snapshot, org, id).await? {
            return Ok(None);
        }
        let (totals, points) = read::sandbox_totals(&mut snapshot, org, id, grid, self.samples()).await?;
        let (first_started_at, last_ended_at) = read::session_span(&mut snapshot, org, id, grid).await?;
        let details = read::details(&mut snapshot, org, &[id.as_str()]).await?.remove(id.as_str());
        snapshot.commit().await?;
        let details = details.unwrap_or_default();
        Ok(Some(SandboxReading { totals, points, details, first_started_at, last_ended_at }))
    }

    async fn rollup(&self, org: Uuid, grid: &Grid) -> Result<Option<Vec<Tier>>> {
        let mut snapshot = self.snapshot().await?;
        if !read::has_org(&mut snapshot, org).await? {
            return Ok(None);
        }
        sqlx::raw_sql(session::WHOLE_ORG).execute(&mut *snapshot).await?;
        sums::tiers(&mut snapshot, self.events(org), grid).await.map(Some)
    }

    async fn tag_keys(&self, org: Uuid) -> Result<Vec<TagKey>> {
        let permit = self.queues.heavy.acquire(org).await?;
        let pool = self.pool.clone();
        permit.finish(|abandoned| tag_keys(pool, org, abandoned)).await
    }

    async fn tag_values(
        &self,
        org: Uuid,
        query: &TagValuesQuery,
        slice: &Slice<TagValuePosition>,
    ) -> Result<ListPage<TagValue, TagValuePosition>> {
        let permit = self.queues.heavy.acquire(org).await?;
        let (pool, query, slice) = (self.pool.clone(), query.clone(), slice.clone());
        permit.finish(|abandoned| tag_values(pool, org, query, slice, abandoned)).await
    }

    async fn has_sandbox(&self, org: Uuid, id: &SandboxId) -> Result<bool> {
        let _permit = self.queues.light.acquire(org).await?;
        read::has_sandbox(&mut *self.pool.acquire().await?, org, id).await
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
        read::tags_of(&mut *self.pool.acquire().await?, org, ids).await
    }

    async fn replace_tags(&self, org: Uuid, id: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Result<TagWrite> {
        let (started, patience) = (Instant::now(), deadline::left(session::BUDGET));
        let replaced = loop {
            let tried = Instant::now();
            match self.try_replace_tags(org, id, tags, if_match).await {
                Err(StoreError::Locked { .. }) if started.elapsed() + tried.elapsed() + LOCK_PAUSE < patience => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(StoreError::Locked { .. }) => break Err(StoreError::Locked { waited: started.elapsed() }),
                replaced => break replaced,
            }
        };
        match &replaced {
            Ok(TagWrite::Written(_)) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if error.is_of_storage() => self.failing.store(true, Ordering::Relaxed),
            _ => (),
        }
        replaced
    }

    async fn sandboxes(
        &self,
        org: Uuid,
        query: &SandboxesQuery,
        slice: &Slice<SandboxPosition>,
    ) -> Result<ListPage<Sandbox, SandboxPosition>> {
        let queue = if query.conditions.is_empty() { &self.queues.light } else { &self.queues.heavy };
        let permit = queue.acquire(org).await?;
        let (pool, query, slice) = (self.pool.clone(), query.clone(), slice.clone());
        permit.finish(|abandoned| sandboxes(pool, org, query, slice, abandoned)).await
    }

    async fn sandbox(&self, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
        let _permit = self.queues.light.acquire(org).await?;
        read::sandbox(&mut *self.pool.acquire().await?, org, id).await
    }

    async fn create_key_once_shown(&self, org: Uuid, key: &NewKey, show: Show<'_>) -> Result<()> {
        let mut write = self.pool.begin_with("BEGIN").await?;
        write::ensure_org(&mut write, org, self.platform).await?;
        write::insert_key(&mut write, org, key).await?;
        show().map_err(StoreError::NotShown)?;
        Ok(write.commit().await?)
    }

    async fn touch_keys(&self, uses: &[KeyUse]) -> Result<()> {
        write::touch_keys(&mut *self.pool.acquire().await?, uses).await
    }

    async fn check_writes(&self) -> Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            write::probe(self.pool.begin_with("BEGIN").await?).await?;
            self.failing.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn pools(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("all", &self.pool.connections)]
    }

    async fn close(&self) {
        // Connections that are still in use are dropped.
        let _ = tokio::time::timeout(PATIENCE, self.pool.connections.close()).await;
    }

    async fn importer(&self, org: Uuid) -> Result<Box<dyn Importer>> {
        let mut write = self.pool.begin_with(session::UNHURRIED).await?;
        if self.platform && !read::has_org(&mut write, org).await? {
            return Err(StoreError::UnknownOrg(org));
        }
        sqlx::query(sql::LOCK_ORG).bind(org).execute(&mut *write).await?;
        sqlx::query(sql::STAGE).execute(&mut *write).await?;
        let (platform, has_samples) = (self.platform, self.has_samples);
        Ok(Box::new(import::Import {
            write,
            org,
            scales: 0,
            samples: 0,
            platform,
            has_samples,
            pool: self.pool.connections.clone(),
        }))
    }

    async fn reconcile_worker(&self, worker_id: &str) -> Result<Reconciled> {
        let mut write = self.pool.begin_with(session::UNHURRIED).await?;
        let reconciled = write::reconcile(&mut write, worker_id).await?;
        write.commit().await?;
        Ok(reconciled)
    }

    async fn prune_samples(&self, before: Timestamp) -> Result<u64> {
        if !self.has_samples {
            return Err(StoreError::NoSamples);
        }
        prune::samples(&self.pool.connections, before, self.platform).await
    }
}

/// Returns every statement with its name. The composed ones have the conditions of a plan.
pub(super) fn statements(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let fixed = sql::ALL.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
    Ok(fixed.chain(sums::texts(plan)?).chain(lists::texts(&plan.conditions)?).collect())
}
