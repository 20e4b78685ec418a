//! Writes outside of imports. Each function runs in the transaction of its caller.

use opencomputer_usage_core::etag;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::types::Instant;
use super::{read, sql};
use crate::keys::NewKey;
use crate::store::{KeyUse, Reconciled, Result, StoreError, TagWrite};

/// Replaces the user tags if the sandbox exists and `if_match` matches its current tags.
pub(super) async fn replace_if(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    tags: &TagSet,
    if_match: Option<&str>,
) -> Result<TagWrite> {
    // Each statement after this one sees the commit of the previous writer.
    sqlx::query(sql::LOCK_TAGS).bind(org).bind(id.as_str()).execute(&mut *db).await?;
    if !read::has_sandbox(db, org, id).await? {
        return Ok(TagWrite::NoSandbox);
    }
    if let Some(if_match) = if_match
        && !etag::matches(if_match, &read::tags(db, org, id).await?.etag())
    {
        return Ok(TagWrite::Changed);
    }
    // Only rows that differ are written.
    let (keys, values): (Vec<_>, Vec<_>) = tags.to_map().into_iter().unzip();
    let delete = sqlx::query(sql::DELETE_TAGS).bind(org).bind(id.as_str()).bind(&keys).bind(RESERVED_KEY_PREFIX);
    delete.execute(&mut *db).await?;
    let upsert = sqlx::query(sql::UPSERT_TAGS).bind(org).bind(id.as_str()).bind(&keys).bind(&values);
    upsert.execute(&mut *db).await?;
    read::tags(db, org, id).await.map(TagWrite::Written)
}

/// Creates the org if it is unknown. In a platform's database it must exist.
pub(super) async fn ensure_org(db: &mut PgConnection, org: Uuid, platform: bool) -> Result<()> {
    if !platform {
        sqlx::query(sql::ENSURE_ORG).bind(org).execute(db).await?;
    } else if !read::has_org(db, org).await? {
        return Err(StoreError::UnknownOrg(org));
    }
    Ok(())
}

pub(super) async fn insert_key(db: &mut PgConnection, org: Uuid, key: &NewKey) -> Result<()> {
    let query = sqlx::query(sql::INSERT_KEY).bind(org).bind(&key.hash);
    let query = query.bind(&key.prefix).bind(&key.name).bind(key.expires_at.map(Instant::from));
    query.execute(db).await?;
    Ok(())
}

pub(super) async fn touch_keys(db: &mut PgConnection, uses: &[KeyUse]) -> Result<()> {
    let orgs: Vec<_> = uses.iter().map(|one| one.org).collect();
    let hashes: Vec<_> = uses.iter().map(|one| one.key_hash.as_str()).collect();
    let times: Vec<_> = uses.iter().map(|one| Instant::from(one.at)).collect();
    sqlx::query(sql::TOUCH_KEYS).bind(orgs).bind(hashes).bind(times).execute(db).await?;
    Ok(())
}

/// Closes the sessions and events that a worker left open.
pub(super) async fn reconcile(db: &mut PgConnection, worker_id: &str) -> Result<Reconciled> {
    if sqlx::query_scalar(sql::HAS_HIBERNATIONS).fetch_one(&mut *db).await? {
        return Err(StoreError::PlatformReconciles);
    }
    let left_open: Vec<(Uuid, String)> = sqlx::query_as(sql::LEFT_OPEN).bind(worker_id).fetch_all(&mut *db).await?;
    let (orgs, ids): (Vec<_>, Vec<_>) = left_open.into_iter().unzip();
    let sessions = sqlx::query(sql::CLOSE_SESSIONS).bind(worker_id).bind(&orgs).bind(&ids).execute(&mut *db).await?;
    let scales = sqlx::query(sql::CLOSE_SCALES).bind(&orgs).bind(&ids).execute(db).await?;
    Ok(Reconciled { sessions: sessions.rows_affected(), scales: scales.rows_affected() })
}

/// Checks that the storage takes writes, with a write that leaves nothing behind.
pub(super) async fn probe(write: Transaction<'static, Postgres>) -> Result<()> {
    const NOT_ALLOWED: &str = "42501";
    match try_to_write(write).await {
        // The table belongs to another user, who has migrated. The database at least answers.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_ALLOWED) => Ok(()),
        written => Ok(written?),
    }
}

async fn try_to_write(mut write: Transaction<'static, Postgres>) -> sqlx::Result<()> {
    sqlx::query(sql::PROBE_ROOM).execute(&mut *write).await?;
    sqlx::query(sql::PROBE).execute(&mut *write).await?;
    write.commit().await
}
