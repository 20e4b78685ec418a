//! The seam to the database: what the server asks of an engine, and the plain types that cross.
//!
//! All SQL of an engine lives in its own module. Every operation that touches tenant data takes the org.

mod admission;
mod error;
mod postgres;
mod sqlite;
mod statements;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::accounting::{Totals, Usage};
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxDetails, SandboxTags, TagKeySummary};
use uuid::Uuid;

pub use self::error::{OpenError, StoreError};
use crate::keys::NewKey;
use crate::record::{Scale, Session, Tags};

/// What an operation of a store comes back with.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Who asks, and when: the database's clock, read in the same statement.
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
    /// When, by the database's clock.
    pub at: Timestamp,
}

/// How busy one pool of connections is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What the pool is for.
    pub name: &'static str,
    /// Connections that are at work.
    pub in_use: u32,
    /// Connections that wait for work.
    pub idle: u32,
    /// Most connections there may be.
    pub max: u32,
}

impl PoolUse {
    fn of<E: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<E>) -> Self {
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        Self { name, in_use: pool.size().saturating_sub(idle), idle, max: pool.options().get_max_connections() }
    }
}

/// The details of each sandbox that has any, by its id.
pub type Details = BTreeMap<String, SandboxDetails>;

/// The usage of one sandbox and what is known of it.
#[derive(Clone, Debug)]
pub struct SandboxReading {
    /// What it is billed and what it had allocated, exactly.
    pub totals: Totals,
    /// What and where it is.
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
    /// The exact usage of the tier.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::of(self.memory_mb, self.disk_mb, self.micros)
    }
}

/// How a write of tags ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagWrite {
    /// The org has no such sandbox.
    NoSandbox,
    /// `If-Match` names other tags than the current ones.
    Changed,
    /// The tags that are there now.
    Written(SandboxTags),
}

/// What a worker had left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Sessions that were closed.
    pub sessions: u64,
    /// Scale events that were closed.
    pub scales: u64,
}

/// Shows a new key to the one who asked for it.
pub type Show<'a> = &'a mut (dyn FnMut() -> io::Result<()> + Send);

/// A database that holds sessions, scale events and tags.
#[async_trait]
pub trait Store: Send + Sync {
    /// The version of the schema, which opening has brought up to date; 0 where it has gone since.
    async fn schema_version(&self) -> Result<u32>;

    /// The database's clock.
    async fn now(&self) -> Result<Timestamp>;

    /// The owner of a key that has not expired, found by the hash of the whole key.
    async fn authenticate(&self, key_hash: &str) -> Result<Option<Caller>>;

    /// One page of usage, and the details of its sandboxes where sandboxes are the groups.
    async fn usage(&self, org: Uuid, plan: &Plan) -> Result<(Page, Details)>;

    /// The usage of one sandbox; `None` where the org has no such sandbox.
    async fn sandbox_usage(&self, org: Uuid, id: &SandboxId, grid: Grid) -> Result<Option<SandboxReading>>;

    /// The billing rollup; `None` where there is no such org.
    async fn rollup(&self, org: Uuid, grid: Grid) -> Result<Option<Vec<Tier>>>;

    /// Every tag key in use, ordered.
    async fn tag_keys(&self, org: Uuid) -> Result<Vec<TagKeySummary>>;

    /// Whether the org has a session or a scale event of this id.
    async fn has_sandbox(&self, org: Uuid, id: &SandboxId) -> Result<bool>;

    /// The tags of one sandbox; `None` where the org has no such sandbox.
    async fn tags(&self, org: Uuid, id: &SandboxId) -> Result<Option<SandboxTags>>;

    /// The tags of each of these sandboxes that has any.
    async fn tags_of(&self, org: Uuid, ids: &[&str]) -> Result<BTreeMap<String, SandboxTags>>;

    /// Replaces the user tags of one sandbox, atomically and only if `if_match` allows it.
    async fn replace_tags(&self, org: Uuid, id: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Result<TagWrite>;

    /// The newest 100 running sandboxes by their latest session, without tags.
    async fn running_sandboxes(&self, org: Uuid) -> Result<Vec<Sandbox>>;

    /// The latest session of one sandbox, without tags.
    async fn sandbox(&self, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>>;

    /// Stores a new key, and its org if it is unknown.
    async fn create_key(&self, org: Uuid, key: &NewKey) -> Result<()> {
        self.create_key_once_shown(org, key, &mut || Ok(())).await
    }

    /// As [`create_key`](Self::create_key), but nothing is stored if `show` fails.
    async fn create_key_once_shown(&self, org: Uuid, key: &NewKey, show: Show<'_>) -> Result<()>;

    /// Fails where the last write has failed for want of storage and another one, made now, fails, too.
    async fn check_writes(&self) -> Result<()>;

    /// Stores when keys were used; a later use that is stored already stays.
    async fn touch_keys(&self, uses: &[KeyUse]) -> Result<()>;

    /// How busy the connections are; empty where there are none to count.
    fn pools(&self) -> Vec<PoolUse> {
        Vec::new()
    }

    /// Leaves the database as whoever comes next should find it; nothing can be asked of the store afterwards.
    async fn close(&self) {}

    /// Starts an import, creating the org if it is unknown. Nothing is written before [`Importer::commit`].
    async fn importer(&self, org: Uuid) -> Result<Box<dyn Importer>>;

    /// Closes the sessions that a worker left open and their scale events, in every org, where the sandbox's latest
    /// session is on that worker.
    async fn reconcile_worker(&self, worker_id: &str) -> Result<Reconciled>;
}

/// One import under way: a single transaction, rolled back when it is dropped.
#[async_trait]
pub trait Importer: Send {
    /// Adds sessions, or updates those that are known by sandbox and start.
    async fn sessions(&mut self, sessions: &[Session]) -> Result<()>;

    /// Adds scale events, or updates those that are known by sandbox, start and sizes.
    async fn scales(&mut self, events: &[Scale]) -> Result<()>;

    /// Notes what is to replace the user tags of sandboxes, and their system tags where a line has any. Only the last of
    /// each counts, on commit: writing the earlier ones would move `updated_at` there and back at every import.
    async fn tags(&mut self, tags: &[Tags]) -> Result<()>;

    /// Writes the tags and makes it all visible at once.
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

/// Opens an empty database in memory, which lives as long as the store.
pub async fn in_memory() -> Result<Arc<dyn Store>, OpenError> {
    open("sqlite::memory:").await
}

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// In production.
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
