//! The interface between the server and its database engines.
//!
//! All SQL of an engine is in its own module. Every operation on tenant data takes the org.

mod admission;
mod error;
mod lists;
mod postgres;
mod samples;
mod sqlite;
mod statements;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use opencomputer_usage_core::query::position::{ListPage, SandboxPosition, Slice, TagValuePosition};
use opencomputer_usage_core::query::{SandboxesQuery, TagValuesQuery};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::accounting::Usage;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::tally::{Point, Totals};
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxDetails, SandboxTagsBody, TagKey, TagValue};
use uuid::Uuid;

pub use self::error::{OpenError, StoreError};
use crate::keys::NewKey;
use crate::record::{Sample, Scale, Session, Tags};

/// The result of an operation of a store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The org that a request belongs to, and the database's time, read in the same statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The org that the key belongs to.
    pub org: Uuid,
    /// The instant at which this request measures.
    pub now: Timestamp,
}

/// One use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The org that the key belongs to.
    pub org: Uuid,
    /// The hash of the whole key.
    pub key_hash: String,
    /// The time of the use, by the database's clock.
    pub at: Timestamp,
}

/// The use of one pool of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// The name of the pool.
    pub name: &'static str,
    /// Connections in use.
    pub in_use: u32,
    /// Idle connections.
    pub idle: u32,
    /// The most connections.
    pub max: u32,
}

impl PoolUse {
    fn of<E: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<E>) -> Self {
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        Self { name, in_use: pool.size().saturating_sub(idle), idle, max: pool.options().get_max_connections() }
    }
}

/// The details of sandboxes that have any, by id.
pub type Details = BTreeMap<String, SandboxDetails>;

/// The usage and details of one sandbox.
#[derive(Clone, Debug)]
pub struct SandboxReading {
    /// Its exact billed, allocated and measured usage.
    pub totals: Totals,
    /// Its memory in each bucket; empty without an interval.
    pub points: Vec<Point>,
    /// Its alias, status and tags.
    pub details: SandboxDetails,
    /// Start of its first session in the window, clamped into it.
    pub first_started_at: Option<Timestamp>,
    /// End of its last session in the window, clamped into it; `None` while one is open.
    pub last_ended_at: Option<Timestamp>,
}

/// The billed time of all sandboxes at one memory and disk size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Memory in MB.
    pub memory_mb: u64,
    /// Disk in MB.
    pub disk_mb: u64,
    /// Billed microseconds.
    pub micros: u128,
}

impl Tier {
    /// Returns the exact usage of the tier.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::of(self.memory_mb, self.disk_mb, self.micros)
    }
}

/// The outcome of a write of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagWrite {
    /// The org has no such sandbox.
    NoSandbox,
    /// `If-Match` does not match the current tags.
    Changed,
    /// The tags after the write.
    Written(SandboxTagsBody),
}

/// The numbers of sessions and events that a worker had left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The number of closed sessions.
    pub sessions: u64,
    /// The number of closed scale events.
    pub scales: u64,
}

/// Shows a new key to the operator.
pub type Show<'a> = &'a mut (dyn FnMut() -> io::Result<()> + Send);

/// A database that holds sessions, scale events, tags and samples.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns the version of the schema, or 0 if the schema is missing.
    async fn schema_version(&self) -> Result<u32>;

    /// Returns the time by the database's clock.
    async fn now(&self) -> Result<Timestamp>;

    /// Returns the owner of a key that has not expired, looked up by its hash.
    async fn authenticate(&self, key_hash: &str) -> Result<Option<Caller>>;

    /// Returns one page of usage, with the details of its sandboxes if it is grouped by sandbox.
    async fn usage(&self, org: Uuid, plan: &Plan) -> Result<(Page, Details)>;

    /// Returns the usage of one sandbox, or `None` if the org has no such sandbox.
    async fn sandbox_usage(&self, org: Uuid, id: &SandboxId, grid: &Grid) -> Result<Option<SandboxReading>>;

    /// Returns the billing rollup, or `None` if there is no such org.
    async fn rollup(&self, org: Uuid, grid: &Grid) -> Result<Option<Vec<Tier>>>;

    /// Returns every tag key in use, in order.
    async fn tag_keys(&self, org: Uuid) -> Result<Vec<TagKey>>;

    /// Returns a page of the values of a tag, in order.
    async fn tag_values(
        &self,
        org: Uuid,
        query: &TagValuesQuery,
        slice: &Slice<TagValuePosition>,
    ) -> Result<ListPage<TagValue, TagValuePosition>>;

    /// Returns whether the org has a session or a scale event of this id.
    async fn has_sandbox(&self, org: Uuid, id: &SandboxId) -> Result<bool>;

    /// Returns the tags of one sandbox, or `None` if the org has no such sandbox.
    async fn tags(&self, org: Uuid, id: &SandboxId) -> Result<Option<SandboxTagsBody>>;

    /// Returns the tags of these sandboxes, by id. Sandboxes without tags are omitted.
    async fn tags_of(&self, org: Uuid, ids: &[&str]) -> Result<BTreeMap<String, SandboxTagsBody>>;

    /// Replaces the user tags of one sandbox atomically, if `if_match` matches the current ones.
    async fn replace_tags(&self, org: Uuid, id: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Result<TagWrite>;

    /// Returns a page of sandboxes by their latest session, newest first, without tags.
    async fn sandboxes(
        &self,
        org: Uuid,
        query: &SandboxesQuery,
        slice: &Slice<SandboxPosition>,
    ) -> Result<ListPage<Sandbox, SandboxPosition>>;

    /// Returns the latest session of one sandbox, without tags.
    async fn sandbox(&self, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>>;

    /// Stores a new key. Creates its org if it is unknown.
    async fn create_key(&self, org: Uuid, key: &NewKey) -> Result<()> {
        self.create_key_once_shown(org, key, &mut || Ok(())).await
    }

    /// Stores a new key like [`create_key`](Self::create_key), but nothing if `show` fails.
    async fn create_key_once_shown(&self, org: Uuid, key: &NewKey, show: Show<'_>) -> Result<()>;

    /// Fails if the storage failed the last write and also fails a write that is made now.
    async fn check_writes(&self) -> Result<()>;

    /// Stores when keys were used. A stored time never moves back.
    async fn touch_keys(&self, uses: &[KeyUse]) -> Result<()>;

    /// Returns the use of connections. By default there are none.
    fn pools(&self) -> Vec<PoolUse> {
        Vec::new()
    }

    /// Closes the database. The store cannot be used afterwards.
    async fn close(&self) {}

    /// Starts an import, creating the org if it is unknown. Nothing is written before [`Importer::commit`].
    async fn importer(&self, org: Uuid) -> Result<Box<dyn Importer>>;

    /// Closes the sessions that a worker left open and their scale events, in every org, if the sandbox's latest
    /// session is on that worker.
    async fn reconcile_worker(&self, worker_id: &str) -> Result<Reconciled>;

    /// Deletes the samples of every org from before this time, and returns their number. Each batch is committed
    /// separately, so other writers do not wait long, and an interrupted call keeps its progress.
    async fn prune_samples(&self, before: Timestamp) -> Result<u64>;
}

/// A running import: a single transaction, rolled back when it is dropped.
#[async_trait]
pub trait Importer: Send {
    /// Adds sessions, or updates known ones by sandbox and start.
    async fn sessions(&mut self, sessions: &[Session]) -> Result<()>;

    /// Adds scale events, or updates known ones by sandbox, start and sizes.
    async fn scales(&mut self, events: &[Scale]) -> Result<()>;

    /// Stages the new user tags of sandboxes, and their new system tags if a line has any. Only the last set of each is
    /// written, on commit, because writing earlier sets would change `updated_at` on every import.
    async fn tags(&mut self, tags: &[Tags]) -> Result<()>;

    /// Adds samples, or updates known ones by sandbox and time.
    async fn samples(&mut self, samples: &[Sample]) -> Result<()>;

    /// Writes the tags and commits.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens the database that a URL names and brings its schema up to date.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(postgres::Postgres::open(url).await?));
    }
    if !url.starts_with("sqlite:") {
        return Err(OpenError::Unsupported("the database URL must start with `sqlite://` or `postgres://`".to_owned()));
    }
    Ok(Arc::new(sqlite::Sqlite::open(url).await?))
}

/// Opens an empty database in memory that lives as long as the store.
pub async fn in_memory() -> Result<Arc<dyn Store>, OpenError> {
    Ok(Arc::new(sqlite::Sqlite::in_memory().await?))
}

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded engine.
    Sqlite,
    /// The engine for production.
    Postgres,
}

/// Returns every statement that an engine can issue once its schema is complete, by name, so that a test can audit how
/// tenants are kept apart.
pub fn statements(engine: Engine, plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    match engine {
        Engine::Sqlite => sqlite::statements(plan),
        Engine::Postgres => postgres::statements(plan),
    }
}
