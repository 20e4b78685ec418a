//! Everything that is read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures_util::TryStreamExt;
use opencomputer_usage_core::limits::INCLUDED_DISK_MB;
use opencomputer_usage_core::query::filter::{Filter, Filters};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::accounting::{Measure, Totals, Usage};
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::page::{Part, SandboxSum};
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxTags, TagKeySummary};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres};
use uuid::Uuid;

use super::session::WHOLE_ORG;
use super::sql;
use super::types::{Instant, Sum};
use crate::store::statements::{ABSENCES, FILTERS, TAGGED};
use crate::store::{Caller, Details, Reading, Result, Tier};

/// The code of a number that does not fit.
const OUT_OF_RANGE: &str = "22003";

/// Up to here a float of seconds rounds to the exact microsecond (35 years).
const FLOAT_MICROS: i64 = 1 << 50;

/// Up to this many sandboxes are looked up one by one.
const FEW: u16 = 500;

type Query<'q, T> = QueryAs<'q, Postgres, T, PgArguments>;

/// Whose events are measured, and where they lie.
#[derive(Clone, Copy)]
pub(super) struct Events {
    pub(super) org: Uuid,
    /// In a platform's table.
    pub(super) platform: bool,
}

/// Prepares a measuring statement, whose arguments 1 to 7 are the org and the [`Measure`].
fn measured<T>(sql: &str, events: Events, measure: Measure) -> Query<'static, T>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let Measure { from, as_of, started_before, open_end, last_end } = measure;
    let sql = sql::fitted(sql, events.platform, as_of.saturating_sub(from) >= FLOAT_MICROS);
    // The texts are this module's own; what comes from outside is an argument.
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(events.org).bind(Instant(from)).bind(Instant(as_of));
    let query = query.bind(Instant(started_before)).bind(Instant(open_end)).bind(Instant(last_end));
    query.bind(Instant(as_of.min(last_end)))
}

/// The usage of all that matches, by group; `None` where a sandbox is so large or ran so long that it takes
/// [`sums_by_size`].
pub(super) async fn sums(
    db: &mut PgConnection,
    events: Events,
    plan: &Plan,
    filters: Conditions,
) -> Result<Option<Vec<Part>>> {
    let sql = match plan.query().group_by {
        Dimension::Sandbox => sql::SUMS_BY_SANDBOX,
        Dimension::Tag(_) => sql::SUMS_BY_TAG,
    };
    let mut parts = Vec::new();
    let mut rows = filtered(sql, events, plan, filters).fetch(db);
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => {
                let (name, sandboxes, Sum(memory), disk): (_, i64, _, Option<Sum>) = row;
                let usage = Usage { memory, disk_overage: disk.map_or(0, |Sum(disk)| disk) };
                parts.push(Part { name, sandboxes: sandboxes.unsigned_abs(), usage });
            }
            Ok(None) => return Ok(Some(parts)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OUT_OF_RANGE) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// As [`sums`], however large the sandboxes are.
pub(super) async fn sums_by_size(
    db: &mut PgConnection,
    events: Events,
    plan: &Plan,
    filters: Conditions,
) -> Result<Vec<Part>> {
    let mut sums = BTreeMap::<String, SandboxSum>::new();
    let mut rows = filtered(sql::SUMS_BY_SIZE, events, plan, filters).fetch(db);
    while let Some((sandbox_id, memory_mb, disk_mb, micros, tag_value)) = rows.try_next().await? {
        let (sandbox_id, tag_value): (String, Option<String>) = (sandbox_id, tag_value);
        let first = || SandboxSum { sandbox_id: sandbox_id.clone(), tag_value, usage: Usage::default() };
        let sum = sums.entry(sandbox_id.clone()).or_insert_with(first);
        sum.usage += tier((memory_mb, disk_mb, micros)).usage();
    }
    Ok(sums.into_values().map(|sum| plan.part(sum)).collect())
}

/// Prepares a measuring statement with the key that is grouped by, the included disk and the filters of a plan.
fn filtered<T>(sql: &str, events: Events, plan: &Plan, conditions: Conditions) -> Query<'static, T>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let key = plan.query().group_by.tag_key().map(|key| key.as_str().to_owned());
    let included = i32::try_from(INCLUDED_DISK_MB).unwrap_or(i32::MAX);
    let query = measured(&conditions.put_into(sql), events, plan.measure()).bind(key).bind(included);
    conditions.arguments.into_iter().fold(query, |query, argument| match argument {
        Argument::One(text) => query.bind(text),
        Argument::Many(texts) => query.bind(texts),
    })
}

/// The filters of a query as conditions on `sandbox_id`.
#[derive(Default)]
pub(super) struct Conditions {
    sql: String,
    /// What is told from the sums, which are few, better than from the events.
    absences: String,
    /// What restricts the tags that are grouped by.
    tagged: String,
    /// From the tenth on.
    arguments: Vec<Argument>,
}

enum Argument {
    One(String),
    Many(Vec<String>),
}

impl Conditions {
    /// Finds out whether a filter leaves only a few sandboxes, which then are looked up one by one; otherwise the whole org
    /// is read. Sets the mode of the statement that is to follow.
    pub(super) async fn choose(db: &mut PgConnection, org: Uuid, filters: &Filters) -> Result<Self> {
        for (dimension, filter) in filters.iter() {
            let ids = match (dimension, filter) {
                (_, Filter::Absent) => continue,
                (Dimension::Sandbox, Filter::AnyOf(ids)) => ids.clone(),
                (Dimension::Tag(key), Filter::AnyOf(values)) => {
                    let query = sqlx::query_scalar(sql::TAGGED).bind(org).bind(key.as_str()).bind(values);
                    query.bind(i64::from(FEW) + 1).fetch_all(&mut *db).await?
                }
            };
            if ids.len() <= usize::from(FEW) {
                return Ok(Self::of_few(ids, dimension, filters));
            }
        }
        sqlx::raw_sql(WHOLE_ORG).execute(db).await?;
        Ok(Self::of(filters))
    }

    /// The conditions where the filter of one dimension has left only these sandboxes.
    pub(super) fn of_few(ids: Vec<String>, left_by: &Dimension, filters: &Filters) -> Self {
        let mut all = Self::default();
        let ids = all.bind(Argument::Many(ids));
        // Writing to a string cannot fail.
        let _ = write!(all.sql, " AND sandbox_id COLLATE \"C\" = ANY (${ids})");
        let _ = write!(all.tagged, " AND tag.sandbox_id COLLATE \"C\" = ANY (${ids})");
        all.add(filters.iter().filter(|(dimension, _)| *dimension != left_by));
        all
    }

    pub(super) fn of(filters: &Filters) -> Self {
        let mut all = Self::default();
        all.add(filters.iter());
        all
    }

    fn add<'a>(&mut self, filters: impl Iterator<Item = (&'a Dimension, &'a Filter)>) {
        // Writing to a string cannot fail.
        let all = self;
        for (dimension, filter) in filters {
            match (dimension, filter) {
                (Dimension::Sandbox, Filter::AnyOf(ids)) => {
                    let ids = all.bind(Argument::Many(ids.clone()));
                    let _ = write!(all.sql, " AND sandbox_id COLLATE \"C\" = ANY (${ids})");
                }
                (Dimension::Sandbox, Filter::Absent) => all.sql.push_str(" AND FALSE"),
                (Dimension::Tag(key), Filter::AnyOf(values)) => {
                    let key = all.bind(Argument::One(key.as_str().to_owned()));
                    let values = all.bind(Argument::Many(values.clone()));
                    let _ = write!(
                        all.sql,
                        " AND sandbox_id COLLATE \"C\" IN (SELECT has.sandbox_id COLLATE \"C\" FROM sandbox_tags AS has
                         WHERE has.org_id = $1 AND has.key = ${key} AND has.value = ANY (${values}))"
                    );
                }
                (Dimension::Tag(key), Filter::Absent) => {
                    let key = all.bind(Argument::One(key.as_str().to_owned()));
                    let _ = write!(
                        all.absences,
                        " AND NOT EXISTS (SELECT 1 FROM sandbox_tags AS has
                         WHERE has.org_id = $1 AND has.key = ${key} AND has.sandbox_id COLLATE \"C\" = sums.sandbox_id)"
                    );
                }
            }
        }
    }

    /// Puts the conditions into a statement.
    pub(super) fn put_into(&self, sql: &str) -> String {
        sql.replace(FILTERS, &self.sql).replace(ABSENCES, &self.absences).replace(TAGGED, &self.tagged)
    }

    fn bind(&mut self, argument: Argument) -> usize {
        self.arguments.push(argument);
        self.arguments.len() + 9
    }
}

/// The totals of one sandbox.
pub(super) async fn sandbox_totals(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    reading: Reading,
) -> Result<Totals> {
    let Measure { from, started_before, .. } = reading.measure();
    let query = sqlx::query_as(sql::SANDBOX_EVENTS).bind(org).bind(id.as_str());
    let mut rows = query.bind(Instant(from)).bind(Instant(started_before)).fetch(db);
    let mut tally = reading.tally();
    while let Some(row) = rows.try_next().await? {
        let (memory_mb, disk_mb, Instant(started_at), ended_at): (i32, i32, _, Option<Instant>) = row;
        // No size is negative.
        let [memory_mb, disk_mb] = [memory_mb, disk_mb].map(|size| u64::from(size.unsigned_abs()));
        tally.add(memory_mb, disk_mb, started_at, ended_at.map(|Instant(micros)| micros));
    }
    Ok(tally.totals())
}

/// The billed time of an org by memory and disk size.
pub(super) async fn tiers(db: &mut PgConnection, events: Events, reading: Reading) -> Result<Vec<Tier>> {
    let query = measured(sql::TIERS, events, reading.measure());
    let mut tiers: Vec<_> = query.fetch_all(db).await?.into_iter().map(tier).collect();
    tiers.sort_unstable_by_key(|tier| (tier.memory_mb, tier.disk_mb));
    Ok(tiers)
}

fn tier((memory_mb, disk_mb, Sum(micros)): (i64, i64, Sum)) -> Tier {
    Tier { memory_mb: memory_mb.unsigned_abs(), disk_mb: disk_mb.unsigned_abs(), micros }
}

/// When the sessions of a sandbox that meet the window start and end, clamped into it.
pub(super) async fn session_span(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    reading: Reading,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let Measure { from, started_before, open_end, .. } = reading.measure();
    let query = sqlx::query_as(sql::SESSION_SPAN).bind(org).bind(id.as_str()).bind(Instant(from));
    let query = query.bind(Instant(started_before)).bind(Instant(open_end)).bind(Instant::from(reading.window.to()));
    let (first, last, open): (Option<Instant>, Option<Instant>, Option<bool>) = query.fetch_one(db).await?;
    let last = last.filter(|_| open != Some(true));
    Ok((first.map(Instant::timestamp), last.map(Instant::timestamp)))
}

/// What and where these sandboxes are: two statements, however many they are.
pub(super) async fn details(db: &mut PgConnection, org: Uuid, ids: &[&str]) -> Result<Details> {
    let query = sqlx::query_as(sql::LATEST_SESSIONS).bind(org).bind(ids);
    let sessions: Vec<(String, String, Option<String>)> = query.fetch_all(&mut *db).await?;
    let mut details = Details::new();
    for (id, tags) in tags_of(db, org, ids).await? {
        let one = details.entry(id).or_default();
        (one.tags, one.tags_last_updated_at) = (tags.tags, tags.tags_last_updated_at);
    }
    for (id, status, alias) in sessions {
        let one = details.entry(id).or_default();
        (one.status, one.alias) = (Some(status), alias);
    }
    Ok(details)
}

/// The tags of these sandboxes.
pub(super) async fn tags_of(db: &mut PgConnection, org: Uuid, ids: &[&str]) -> Result<BTreeMap<String, SandboxTags>> {
    let query = sqlx::query_as(sql::TAGS_OF).bind(org).bind(ids);
    let mut rows = query.fetch(db);
    let mut all = BTreeMap::<String, SandboxTags>::new();
    while let Some((id, key, value, updated_at)) = rows.try_next().await? {
        let (id, key, value, updated_at): (String, String, String, Instant) = (id, key, value, updated_at);
        let one = all.entry(id).or_default();
        one.tags_last_updated_at = one.tags_last_updated_at.max(Some(updated_at.timestamp()));
        one.tags.insert(key, value);
    }
    Ok(all)
}

/// The tags of one sandbox.
pub(super) async fn tags(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<SandboxTags> {
    Ok(tags_of(db, org, &[id.as_str()]).await?.remove(id.as_str()).unwrap_or_default())
}

/// Every tag key, with how many sandboxes have it and in how many values.
pub(super) async fn tag_keys(db: &mut PgConnection, org: Uuid) -> Result<Vec<TagKeySummary>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql::TAG_KEYS).bind(org).fetch_all(db).await?;
    let summary = |(key, sandboxes, values): (String, i64, i64)| TagKeySummary {
        key,
        sandbox_count: sandboxes.unsigned_abs(),
        value_count: values.unsigned_abs(),
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// Whether the org has a session or a scale event of this id.
pub(super) async fn has_sandbox(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_SANDBOX).bind(org).bind(id.as_str()).fetch_one(db).await?)
}

pub(super) async fn has_org(db: &mut PgConnection, org: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_ORG).bind(org).fetch_one(db).await?)
}

type SessionRow = (String, String, String, String, String, Instant, Option<String>);

/// The newest running sandboxes: those whose latest session runs.
pub(super) async fn running(db: &mut PgConnection, org: Uuid) -> Result<Vec<Sandbox>> {
    let rows: Vec<SessionRow> = sqlx::query_as(sql::RUNNING).bind(org).fetch_all(db).await?;
    Ok(rows.into_iter().map(sandbox_of).collect())
}

/// One sandbox as its latest session has it.
pub(super) async fn sandbox(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
    let row: Option<SessionRow> = sqlx::query_as(sql::SANDBOX).bind(org).bind(id.as_str()).fetch_optional(db).await?;
    Ok(row.map(sandbox_of))
}

fn sandbox_of((sandbox_id, status, region, worker_id, template, started_at, alias): SessionRow) -> Sandbox {
    let started_at = started_at.timestamp();
    let (tags, tags_last_updated_at) = (None, None);
    let (region, worker_id, template) = (Some(region), Some(worker_id), Some(template));
    Sandbox { sandbox_id, status, region, worker_id, template, started_at, alias, tags, tags_last_updated_at }
}

/// The owner of a key, and the time. The one look-up that cannot know the org.
pub(super) async fn caller(db: &mut PgConnection, key_hash: &str) -> Result<Option<Caller>> {
    let row: Option<(Uuid, Instant)> = sqlx::query_as(sql::CALLER).bind(key_hash).fetch_optional(db).await?;
    Ok(row.map(|(org, now)| Caller { org, now: now.timestamp() }))
}

/// The database's clock.
pub(super) async fn now(db: &mut PgConnection) -> Result<Timestamp> {
    let now: Instant = sqlx::query_scalar(sql::NOW).fetch_one(db).await?;
    Ok(now.timestamp())
}

/// The version of the schema, and whether the database is a platform's.
pub(super) async fn schema(db: &mut PgConnection) -> sqlx::Result<(i32, bool)> {
    sqlx::query_as(sql::SCHEMA).fetch_one(db).await
}
