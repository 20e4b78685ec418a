//! Writes outside of imports. Each function runs in the transaction of its caller.

use opencomputer_usage_core::etag;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::types::json_list;
use super::{read, sql};
use crate::keys::NewKey;
use crate::store::{KeyUse, Reconciled, Result, StoreError, TagWrite};

/// Replaces the user tags if the sandbox exists and `if_match` matches its current tags.
pub(super) async fn replace_if(
    db: &mut SqliteConnection,
    org: Uuid,
    id: &SandboxId,
    tags: &TagSet,
    if_match: Option<&str>,
) -> Result<TagWrite> {
    if !read::has_sandbox(db, org, id).await? {
        return Ok(TagWrite::NoSandbox);
    }
    if let Some(if_match) = if_match
        && !etag::matches(if_match, &read::tags(db, org, id).await?.etag())
    {
        return Ok(TagWrite::Changed);
    }
    // Only rows that differ are written.
    let tags = json_list(&tags.to_map())?;
    let replace = |sql| sqlx::query(sql).bind(org.to_string()).bind(id.as_str()).bind(&tags);
    replace(sql::DELETE_TAGS).bind(RESERVED_KEY_PREFIX).execute(&mut *db).await?;
    replace(sql::UPSERT_TAGS).execute(&mut *db).await?;
    read::tags(db, org, id).await.map(TagWrite::Written)
}

/// Creates the org if it is unknown.
pub(super) async fn ensure_org(db: &mut SqliteConnection, org: Uuid) -> Result<()> {
    sqlx::query(sql::ENSURE_ORG).bind(org.to_string()).execute(db).await?;
    Ok(())
}

pub(super) async fn insert_key(db: &mut SqliteConnection, org: Uuid, key: &NewKey) -> Result<()> {
    let query = sqlx::query(sql::INSERT_KEY).bind(org.to_string()).bind(&key.hash);
    let query = query.bind(&key.prefix).bind(&key.name).bind(key.expires_at.map(Timestamp::micros));
    query.execute(db).await?;
    Ok(())
}

pub(super) async fn touch_keys(db: &mut SqliteConnection, uses: &[KeyUse]) -> Result<()> {
    let rows: Vec<_> = uses.iter().map(|one| (one.org.to_string(), &one.key_hash, one.at.micros())).collect();
    sqlx::query(sql::TOUCH_KEYS).bind(json_list(&rows)?).execute(db).await?;
    Ok(())
}

/// Closes the sessions and events that a worker left open.
pub(super) async fn reconcile(db: &mut SqliteConnection, worker_id: &str) -> Result<Reconciled> {
    if sqlx::query_scalar(sql::HAS_HIBERNATIONS).fetch_one(&mut *db).await? {
        return Err(StoreError::PlatformReconciles);
    }
    let left_open: Vec<(String, String)> = sqlx::query_as(sql::LEFT_OPEN).bind(worker_id).fetch_all(&mut *db).await?;
    let left_open = json_list(&left_open)?;
    let sessions = sqlx::query(sql::CLOSE_SESSIONS).bind(&left_open).bind(worker_id).execute(&mut *db).await?;
    let scales = sqlx::query(sql::CLOSE_SCALES).bind(&left_open).execute(db).await?;
    Ok(Reconciled { sessions: sessions.rows_affected(), scales: scales.rows_affected() })
}

pub(super) async fn set_schema_version(db: &mut SqliteConnection, version: u32) -> sqlx::Result<()> {
    // A pragma takes no arguments.
    sqlx::query(AssertSqlSafe(format!("PRAGMA user_version = {version}"))).execute(db).await?;
    Ok(())
}
