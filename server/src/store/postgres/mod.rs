//! The engine of production: PostgreSQL 14 or later, with a schema of our own or on a platform's database.

mod import;
mod migrate;
mod read;
mod schema;
pub(super) mod sql;
mod types;
mod url;
mod write;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use opencomputer_usage_core::query::filter::Filters;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxTags, TagKeySummary};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Postgres as Engine, Transaction};
use uuid::Uuid;

use self::read::Events;
use self::schema::Fault;
use super::error::reason;
use super::lanes::{Lane, Lanes};
use super::{
    Caller, Details, Importer, KeyUse, OpenError, PoolUse, Reading, Reconciled, Result, SandboxReading, Show, Store,
    StoreError, TagWrite, Tier,
};
use crate::deadline;
use crate::keys::NewKey;

/// How long a request waits for a connection, also while the database is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request may take.
const BUDGET: Duration = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
/// What a request may have taken already before its statements are told.
const LATE: Duration = Duration::from_millis(100);
/// Connections that look up keys, that read little, that write and that sum; and one for what belongs to no org, such
/// as `/readyz`.
const KEY_CONNECTIONS: u32 = 3;
const LIGHT_CONNECTIONS: u32 = 3;
const WRITE_CONNECTIONS: u32 = 3;
const HEAVY_CONNECTIONS: u32 = 6;
/// Most connections of one server.
const CONNECTIONS: u32 = KEY_CONNECTIONS + LIGHT_CONNECTIONS + WRITE_CONNECTIONS + HEAVY_CONNECTIONS + 1;

/// How long a write of tags leaves its connection to others before it tries a lock again that another transaction holds.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// One try: long enough for the writes of one sandbox to pass each other.
const BRIEFLY_LOCKED: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";

/// The settings of every connection.
///
/// No statement outlives the budget of a request. Compiling costs more than it saves at this size, and reading the covering
/// index must not be priced as if from a spinning disk, nor passing groups between workers as if over a network.
///
/// Most statements look rows up by their whole key. Their plans do not know the org: one made for an org that the statistics
/// do not know, or know as it was, expects one row of it and may take an index on a part of the key.
const SESSION: &str = "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
     SET random_page_cost = 1.1; SET parallel_tuple_cost = 0.01; SET client_min_messages = warning;
     SET statement_timeout = ";

/// One snapshot: all that is read in it is of one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// For statements that read a whole org. Their plans know the org, since orgs differ by orders of magnitude; where it
/// is larger than the statistics say, hashing is still linear; a nested loop is not, and a sort costs three times as much.
const WHOLE_ORG: &str = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_nestloop = off;
     SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = on";

/// Ends [`WHOLE_ORG`].
const BY_KEY: &str = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_nestloop = on;
     SET LOCAL enable_sort = on; SET LOCAL enable_seqscan = off";

/// An import waits for its input and writes as long as it takes. It looks up each row of a batch by its whole key: any
/// other join would read the org once a batch.
const UNHURRIED: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
     SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off";

/// A PostgreSQL database.
pub(super) struct Postgres {
    pool: PgPool,
    lanes: Lanes,
    /// Whether orgs, keys, sessions and events are a platform's.
    platform: bool,
    /// Whether the storage has failed a write and none has succeeded since.
    failing: AtomicBool,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, OpenError> {
        let options = url::options(url)?;
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("`{database}` on `{}:{}`", options.get_host(), options.get_port());
        let found = migrate::migrate(&options).await.map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::Database(error) => OpenError::Unreachable { place, reason: reason(&error) },
        })?;
        // A pool that wants more than it can have waits for connections that never come, while its own go idle. One is left
        // for a command that runs beside the server.
        let size = found.connections.saturating_sub(1).clamp(1, CONNECTIONS);
        if size < CONNECTIONS {
            tracing::warn!("the database allows {} connections: {size} are used", found.connections);
        }
        let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
        let pool = pool.after_connect(|db, _| {
            Box::pin(async {
                let session = format!("{SESSION} {}", BUDGET.saturating_sub(deadline::MARGIN).as_millis());
                sqlx::raw_sql(AssertSqlSafe(session)).execute(db).await?;
                Ok(())
            })
        });
        let pool = pool.connect_lazy_with(options);
        let part = |connections: u32| (connections * size / CONNECTIONS).max(1);
        let lanes = Lanes {
            keys: Lane::new("keys", part(KEY_CONNECTIONS)),
            light: Lane::new("light reads", part(LIGHT_CONNECTIONS)),
            writes: Lane::new("writes", part(WRITE_CONNECTIONS)),
            heavy: Lane::new("heavy reads", part(HEAVY_CONNECTIONS)),
        };
        Ok(Self { pool, lanes, platform: found.platform, failing: AtomicBool::new(false) })
    }

    fn events(&self, org: Uuid) -> Events {
        Events { org, platform: self.platform }
    }

    async fn snapshot(&self) -> Result<Transaction<'static, Engine>> {
        begin(&self.pool, SNAPSHOT).await
    }

    /// Replaces tags if the locks can be had at once, or nearly so: a connection is not for waiting in.
    async fn try_replace_tags(
        &self,
        org: Uuid,
        id: &SandboxId,
        tags: &TagSet,
        if_match: Option<&str>,
    ) -> Result<TagWrite> {
        let _slot = self.lanes.writes.enter(org).await?;
        let mut write = begin(&self.pool, BRIEFLY_LOCKED).await?;
        let outcome = write::replace_if(&mut write, org, id, tags, if_match).await?;
        if matches!(outcome, TagWrite::Written(_)) {
            write.commit().await?;
        }
        Ok(outcome)
    }
}

/// Begins a transaction of a request, whose statements end when the request does.
async fn begin(pool: &PgPool, how: &'static str) -> Result<Transaction<'static, Engine>> {
    let mut begun = pool.begin_with(how).await?;
    let left = deadline::left(BUDGET);
    // Most requests come here at once: then the limit of the session is theirs.
    if left + LATE < BUDGET.saturating_sub(deadline::MARGIN) {
        let limit = format!("SET LOCAL statement_timeout = {}", left.as_millis());
        sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *begun).await?;
    }
    Ok(begun)
}

/// A snapshot for statements that read a whole org.
async fn snapshot_of_org(pool: &PgPool) -> Result<Transaction<'static, Engine>> {
    let mut snapshot = begin(pool, SNAPSHOT).await?;
    sqlx::raw_sql(WHOLE_ORG).execute(&mut *snapshot).await?;
    Ok(snapshot)
}

async fn usage(pool: PgPool, events: Events, plan: Plan) -> Result<(Page, Details)> {
    let mut snapshot = begin(&pool, SNAPSHOT).await?;
    let filters = read::Conditions::choose(&mut snapshot, events.org, &plan.query().filters).await?;
    let parts = if let Some(parts) = read::sums(&mut snapshot, events, &plan, filters).await? {
        parts
    } else {
        // The failed statement has ended the snapshot; another is as good, for nothing was taken from it yet.
        snapshot.rollback().await?;
        snapshot = begin(&pool, SNAPSHOT).await?;
        let filters = read::Conditions::choose(&mut snapshot, events.org, &plan.query().filters).await?;
        read::sums_by_size(&mut snapshot, events, &plan, filters).await?
    };
    let page = plan.page(parts);
    let mut details = Details::new();
    if plan.query().group_by == Dimension::Sandbox {
        let ids: Vec<_> = page.items.iter().map(|group| group.name.as_str()).collect();
        sqlx::raw_sql(BY_KEY).execute(&mut *snapshot).await?;
        details = read::details(&mut snapshot, events.org, &ids).await?;
    }
    snapshot.commit().await?;
    Ok((page, details))
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
        let _slot = self.lanes.enter_for_key(key_hash).await?;
        read::caller(&mut *self.pool.acquire().await?, key_hash).await
    }

    async fn usage(&self, org: Uuid, plan: &Plan) -> Result<(Page, Details)> {
        let slot = self.lanes.heavy.enter(org).await?;
        slot.finish(usage(self.pool.clone(), self.events(org), plan.clone())).await
    }

    async fn sandbox_usage(&self, org: Uuid, id: &SandboxId, reading: Reading) -> Result<Option<SandboxReading>> {
        let _slot = self.lanes.light.enter(org).await?;
        let mut snapshot = self.snapshot().await?;
        if !read::has_sandbox(&mut snapshot, org, id).await? {
            return Ok(None);
        }
        let totals = read::sandbox_totals(&mut snapshot, org, id, reading).await?;
        let (first_started_at, last_ended_at) = read::session_span(&mut snapshot, org, id, reading).await?;
        let details = read::details(&mut snapshot, org, &[id.as_str()]).await?.remove(id.as_str());
        snapshot.commit().await?;
        let details = details.unwrap_or_default();
        Ok(Some(SandboxReading { totals, details, first_started_at, last_ended_at }))
    }

    async fn rollup(&self, org: Uuid, reading: Reading) -> Result<Option<Vec<Tier>>> {
        let mut snapshot = snapshot_of_org(&self.pool).await?;
        if !read::has_org(&mut snapshot, org).await? {
            return Ok(None);
        }
        read::tiers(&mut snapshot, self.events(org), reading).await.map(Some)
    }

    async fn tag_keys(&self, org: Uuid) -> Result<Vec<TagKeySummary>> {
        let slot = self.lanes.heavy.enter(org).await?;
        let pool = self.pool.clone();
        slot.finish(async move { read::tag_keys(&mut *snapshot_of_org(&pool).await?, org).await }).await
    }

    async fn has_sandbox(&self, org: Uuid, id: &SandboxId) -> Result<bool> {
        let _slot = self.lanes.light.enter(org).await?;
        read::has_sandbox(&mut *self.pool.acquire().await?, org, id).await
    }

    async fn tags(&self, org: Uuid, id: &SandboxId) -> Result<Option<SandboxTags>> {
        let _slot = self.lanes.light.enter(org).await?;
        let mut snapshot = self.snapshot().await?;
        if !read::has_sandbox(&mut snapshot, org, id).await? {
            return Ok(None);
        }
        read::tags(&mut snapshot, org, id).await.map(Some)
    }

    async fn tags_of(&self, org: Uuid, ids: &[&str]) -> Result<BTreeMap<String, SandboxTags>> {
        let _slot = self.lanes.light.enter(org).await?;
        read::tags_of(&mut *self.pool.acquire().await?, org, ids).await
    }

    async fn replace_tags(&self, org: Uuid, id: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Result<TagWrite> {
        let (started, patience) = (Instant::now(), deadline::left(BUDGET));
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

    async fn running_sandboxes(&self, org: Uuid) -> Result<Vec<Sandbox>> {
        let _slot = self.lanes.light.enter(org).await?;
        read::running(&mut *self.pool.acquire().await?, org).await
    }

    async fn sandbox(&self, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
        let _slot = self.lanes.light.enter(org).await?;
        read::sandbox(&mut *self.pool.acquire().await?, org, id).await
    }

    async fn create_key_once_shown(&self, org: Uuid, key: &NewKey, show: Show<'_>) -> Result<()> {
        let mut write = self.pool.begin().await?;
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
            write::probe(&mut *self.pool.acquire().await?).await?;
            self.failing.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn pools(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("all", &self.pool)]
    }

    async fn close(&self) {
        // A connection that is still at work is cut off.
        let _ = tokio::time::timeout(PATIENCE, self.pool.close()).await;
    }

    async fn importer(&self, org: Uuid) -> Result<Box<dyn Importer>> {
        let mut write = self.pool.begin_with(UNHURRIED).await?;
        if self.platform && !read::has_org(&mut write, org).await? {
            return Err(StoreError::UnknownOrg(org));
        }
        sqlx::query(sql::LOCK_ORG).bind(org).execute(&mut *write).await?;
        sqlx::query(sql::STAGE).execute(&mut *write).await?;
        Ok(Box::new(import::Import { write, org, scales: 0, platform: self.platform, pool: self.pool.clone() }))
    }

    async fn reconcile_worker(&self, worker_id: &str) -> Result<Reconciled> {
        let mut write = self.pool.begin_with(UNHURRIED).await?;
        let reconciled = write::reconcile(&mut write, worker_id).await?;
        write.commit().await?;
        Ok(reconciled)
    }
}

/// Every statement with its name; measuring by filters shows all their kinds.
pub(super) fn statements(filters: &Filters) -> Vec<(&'static str, String)> {
    let conditions = read::Conditions::of(filters);
    let few = read::Conditions::of_few(Vec::new(), &Dimension::Sandbox, filters);
    let all = sql::ALL.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
    let filtered = [
        ("SUMS_BY_SANDBOX with filters", conditions.put_into(sql::SUMS_BY_SANDBOX)),
        ("SUMS_BY_TAG with filters", conditions.put_into(sql::SUMS_BY_TAG)),
        ("SUMS_BY_SANDBOX of a few", few.put_into(sql::SUMS_BY_SANDBOX)),
        ("SUMS_BY_TAG of a few", few.put_into(sql::SUMS_BY_TAG)),
        ("SUMS_BY_TAG on a platform", sql::fitted(&conditions.put_into(sql::SUMS_BY_TAG), true, false)),
        ("SUMS_BY_TAG of long events", sql::fitted(&conditions.put_into(sql::SUMS_BY_TAG), true, true)),
        ("SUMS_BY_SIZE with filters", conditions.put_into(sql::SUMS_BY_SIZE)),
    ];
    all.chain(filtered).collect()
}
