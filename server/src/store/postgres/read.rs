//! Reads, except for sums.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::accounting::Measure;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::tally::{Point, Totals};
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxTagsBody, TagKey};
use sqlx::PgConnection;
use uuid::Uuid;

use super::sql;
use super::types::{Instant, Sum};
use crate::store::samples::{mean, whole_minutes};
use crate::store::{Caller, Details, Result};

/// Returns the totals and points of one sandbox. `samples` is the statement that reads its samples, if there are any.
pub(super) async fn sandbox_totals(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    grid: &Grid,
    samples: Option<&'static str>,
) -> Result<(Totals, Vec<Point>)> {
    let Measure { from, started_before, .. } = grid.measure();
    let query = sqlx::query_as(sql::SANDBOX_EVENTS).bind(org).bind(id.as_str());
    let mut rows = query.bind(Instant(from)).bind(Instant(started_before)).fetch(&mut *db);
    let mut tally = grid.tally();
    while let Some(row) = rows.try_next().await? {
        let (memory_mb, disk_mb, Instant(started_at), ended_at): (i32, i32, _, Option<Instant>) = row;
        // Sizes are never negative.
        let [memory_mb, disk_mb] = [memory_mb, disk_mb].map(|size| u64::from(size.unsigned_abs()));
        tally.add(memory_mb, disk_mb, started_at, ended_at.map(|Instant(micros)| micros));
    }
    drop(rows);
    if let Some(sql) = samples {
        let (from, to) = whole_minutes(grid.window);
        let query = sqlx::query_as(sql).bind(org).bind(id.as_str()).bind(Instant(from)).bind(Instant(to));
        let mut rows = query.fetch(db);
        while let Some((Instant(minute), Sum(sum), samples, peak)) = rows.try_next().await? {
            let (samples, peak): (i64, i64) = (samples, peak);
            tally.sample(minute, mean(sum, samples.unsigned_abs()), peak.unsigned_abs());
        }
    }
    Ok(tally.finish())
}

/// Returns the start and end of a sandbox's sessions in the window, clamped into it.
pub(super) async fn session_span(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    grid: &Grid,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let Measure { from, started_before, open_end, .. } = grid.measure();
    let query = sqlx::query_as(sql::SESSION_SPAN).bind(org).bind(id.as_str()).bind(Instant(from));
    let query = query.bind(Instant(started_before)).bind(Instant(open_end)).bind(Instant::from(grid.window.to()));
    let (first, last, open): (Option<Instant>, Option<Instant>, Option<bool>) = query.fetch_one(db).await?;
    let last = last.filter(|_| open != Some(true));
    Ok((first.map(Instant::timestamp), last.map(Instant::timestamp)))
}

/// Returns the details of sandboxes, with two statements in all.
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

/// Returns the tags of sandboxes.
pub(super) async fn tags_of(
    db: &mut PgConnection,
    org: Uuid,
    ids: &[&str],
) -> Result<BTreeMap<String, SandboxTagsBody>> {
    let query = sqlx::query_as(sql::TAGS_OF).bind(org).bind(ids);
    let mut rows = query.fetch(db);
    let mut all = BTreeMap::<String, SandboxTagsBody>::new();
    while let Some((id, key, value, updated_at)) = rows.try_next().await? {
        let (id, key, value, updated_at): (String, String, String, Instant) = (id, key, value, updated_at);
        let one = all.entry(id).or_default();
        one.tags_last_updated_at = one.tags_last_updated_at.max(Some(updated_at.timestamp()));
        one.tags.insert(key, value);
    }
    Ok(all)
}

/// Returns the tags of one sandbox.
pub(super) async fn tags(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<SandboxTagsBody> {
    Ok(tags_of(db, org, &[id.as_str()]).await?.remove(id.as_str()).unwrap_or_default())
}

/// Returns every tag key with its numbers of sandboxes and values.
pub(super) async fn tag_keys(db: &mut PgConnection, org: Uuid) -> Result<Vec<TagKey>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql::TAG_KEYS).bind(org).fetch_all(db).await?;
    let summary = |(key, sandboxes, values): (String, i64, i64)| TagKey {
        key,
        sandbox_count: sandboxes.unsigned_abs(),
        value_count: values.unsigned_abs(),
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// Returns whether the org has a session or a scale event of this id.
pub(super) async fn has_sandbox(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_SANDBOX).bind(org).bind(id.as_str()).fetch_one(db).await?)
}

pub(super) async fn has_org(db: &mut PgConnection, org: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_ORG).bind(org).fetch_one(db).await?)
}

pub(super) type SessionRow = (String, String, String, String, String, Instant, Option<String>);

/// Returns one sandbox by its latest session.
pub(super) async fn sandbox(db: &mut PgConnection, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
    let row: Option<SessionRow> = sqlx::query_as(sql::SANDBOX).bind(org).bind(id.as_str()).fetch_optional(db).await?;
    Ok(row.map(sandbox_of))
}

/// Makes a sandbox of its latest session, without tags.
pub(super) fn sandbox_of((sandbox_id, status, region, worker_id, template, started_at, alias): SessionRow) -> Sandbox {
    let started_at = started_at.timestamp();
    let (tags, tags_last_updated_at) = (None, None);
    let (region, worker_id, template) = (Some(region), Some(worker_id), Some(template));
    Sandbox { sandbox_id, status, region, worker_id, template, started_at, alias, tags, tags_last_updated_at }
}

/// Returns the owner of a key, and the time. This lookup cannot know the org.
pub(super) async fn caller(db: &mut PgConnection, key_hash: &str) -> Result<Option<Caller>> {
    let row: Option<(Uuid, Instant)> = sqlx::query_as(sql::CALLER).bind(key_hash).fetch_optional(db).await?;
    Ok(row.map(|(org, now)| Caller { org, now: now.timestamp() }))
}

/// Returns the time by the database's clock.
pub(super) async fn now(db: &mut PgConnection) -> Result<Timestamp> {
    let now: Instant = sqlx::query_scalar(sql::NOW).fetch_one(db).await?;
    Ok(now.timestamp())
}

/// Returns the version of the schema, and whether the database is a platform's.
pub(super) async fn schema(db: &mut PgConnection) -> sqlx::Result<(i32, bool)> {
    sqlx::query_as(sql::SCHEMA).fetch_one(db).await
}
