//! Reads, except for sums.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::accounting::Measure;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::tally::{Point, Totals};
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{Sandbox, SandboxTagsBody, TagKey};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::sql;
use super::types::json_list;
use crate::store::samples::{mean, whole_minutes};
use crate::store::{Caller, Details, Result, StoreError};

/// Returns the totals and points of one sandbox.
pub(super) async fn sandbox_totals(
    db: &mut SqliteConnection,
    org: Uuid,
    id: &SandboxId,
    grid: &Grid,
) -> Result<(Totals, Vec<Point>)> {
    let Measure { from, started_before, .. } = grid.measure();
    let query = sqlx::query_as(sql::SANDBOX_EVENTS).bind(org.to_string()).bind(id.as_str());
    let mut rows = query.bind(from).bind(started_before).fetch(&mut *db);
    let mut tally = grid.tally();
    while let Some((memory_mb, disk_mb, started_at, ended_at)) = rows.try_next().await? {
        let (memory_mb, disk_mb, ended_at): (i64, i64, Option<i64>) = (memory_mb, disk_mb, ended_at);
        tally.add(memory_mb.unsigned_abs(), disk_mb.unsigned_abs(), started_at, ended_at);
    }
    drop(rows);
    let (from, to) = whole_minutes(grid.window);
    let query = sqlx::query_as(sql::SAMPLES).bind(org.to_string()).bind(id.as_str()).bind(from).bind(to);
    let mut rows = query.fetch(db);
    while let Some((minute, mb, rest, samples, peak)) = rows.try_next().await? {
        let (mb, rest, samples, peak): (i64, i64, i64, i64) = (mb, rest, samples, peak);
        let sum = (u128::from(mb.unsigned_abs()) << 20) + u128::from(rest.unsigned_abs());
        tally.sample(minute, mean(sum, samples.unsigned_abs()), peak.unsigned_abs());
    }
    Ok(tally.finish())
}

/// Returns the start and end of a sandbox's sessions in the window, clamped into it.
pub(super) async fn session_span(
    db: &mut SqliteConnection,
    org: Uuid,
    id: &SandboxId,
    grid: &Grid,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let Measure { from, started_before, open_end, .. } = grid.measure();
    let query =
        sqlx::query_as(sql::SESSION_SPAN).bind(org.to_string()).bind(id.as_str()).bind(from).bind(started_before);
    let (first, last, open): (Option<i64>, Option<i64>, Option<bool>) =
        query.bind(open_end).bind(grid.window.to().micros()).fetch_one(db).await?;
    let last = last.filter(|_| open != Some(true));
    Ok((first.map(Timestamp::nearest), last.map(Timestamp::nearest)))
}

/// Returns the details of sandboxes, with two statements in all.
pub(super) async fn details(db: &mut SqliteConnection, org: Uuid, ids: &[&str]) -> Result<Details> {
    let query = sqlx::query_as(sql::LATEST_SESSIONS).bind(org.to_string()).bind(json_list(ids)?);
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
    db: &mut SqliteConnection,
    org: Uuid,
    ids: &[&str],
) -> Result<BTreeMap<String, SandboxTagsBody>> {
    let query = sqlx::query_as(sql::TAGS_OF).bind(org.to_string()).bind(json_list(ids)?);
    let mut rows = query.fetch(db);
    let mut all = BTreeMap::<String, SandboxTagsBody>::new();
    while let Some((id, key, value, updated_at)) = rows.try_next().await? {
        let (id, key, value, updated_at): (String, String, String, i64) = (id, key, value, updated_at);
        let one = all.entry(id).or_default();
        one.tags_last_updated_at = one.tags_last_updated_at.max(Some(Timestamp::nearest(updated_at)));
        one.tags.insert(key, value);
    }
    Ok(all)
}

/// Returns the tags of one sandbox.
pub(super) async fn tags(db: &mut SqliteConnection, org: Uuid, id: &SandboxId) -> Result<SandboxTagsBody> {
    Ok(tags_of(db, org, &[id.as_str()]).await?.remove(id.as_str()).unwrap_or_default())
}

/// Returns every tag key with its numbers of sandboxes and values.
pub(super) async fn tag_keys(db: &mut SqliteConnection, org: Uuid) -> Result<Vec<TagKey>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql::TAG_KEYS).bind(org.to_string()).fetch_all(db).await?;
    let summary = |(key, sandboxes, values): (String, i64, i64)| TagKey {
        key,
        sandbox_count: sandboxes.unsigned_abs(),
        value_count: values.unsigned_abs(),
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// Returns whether the org has a session or a scale event of this id.
pub(super) async fn has_sandbox(db: &mut SqliteConnection, org: Uuid, id: &SandboxId) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_SANDBOX).bind(org.to_string()).bind(id.as_str()).fetch_one(db).await?)
}

pub(super) async fn has_org(db: &mut SqliteConnection, org: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(sql::HAS_ORG).bind(org.to_string()).fetch_one(db).await?)
}

pub(super) type SessionRow = (String, String, String, String, String, i64, Option<String>);

/// Returns one sandbox by its latest session.
pub(super) async fn sandbox(db: &mut SqliteConnection, org: Uuid, id: &SandboxId) -> Result<Option<Sandbox>> {
    let query = sqlx::query_as(sql::SANDBOX).bind(org.to_string()).bind(id.as_str());
    let row: Option<SessionRow> = query.fetch_optional(db).await?;
    Ok(row.map(sandbox_of))
}

/// Makes a sandbox of its latest session, without tags.
pub(super) fn sandbox_of((sandbox_id, status, region, worker_id, template, started_at, alias): SessionRow) -> Sandbox {
    let started_at = Timestamp::nearest(started_at);
    let (tags, tags_last_updated_at) = (None, None);
    let (region, worker_id, template) = (Some(region), Some(worker_id), Some(template));
    Sandbox { sandbox_id, status, region, worker_id, template, started_at, alias, tags, tags_last_updated_at }
}

/// Returns the owner of a key, and the time. This lookup cannot know the org.
pub(super) async fn caller(db: &mut SqliteConnection, key_hash: &str) -> Result<Option<Caller>> {
    let row: Option<(String, i64)> = sqlx::query_as(sql::CALLER).bind(key_hash).fetch_optional(db).await?;
    let Some((org, now)) = row else {
        return Ok(None);
    };
    Ok(Some(Caller {
        org: org.parse().map_err(|error: uuid::Error| StoreError::internal(error))?,
        now: Timestamp::nearest(now),
    }))
}

/// Returns the time by the database's clock.
pub(super) async fn now(db: &mut SqliteConnection) -> Result<Timestamp> {
    Ok(Timestamp::nearest(sqlx::query_scalar(sql::NOW).fetch_one(db).await?))
}

pub(super) async fn schema_version(db: &mut SqliteConnection) -> sqlx::Result<u32> {
    sqlx::query_scalar(sql::SCHEMA_VERSION).fetch_one(db).await
}
