//! Everything that is written outside an import. Each function runs in the transaction of its caller.

use std::collections::BTreeMap;

use opencomputer_usage_core::etag;
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::window::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Connection, clock, json_list, read};
use crate::keys::NewKey;
use crate::store::{KeyUse, Result, TagWrite};

/// Which tags of a sandbox a write replaces.
#[derive(Clone, Copy)]
pub(super) enum Part {
    User,
    System,
}

/// Replaces the user tags where the sandbox exists and `if_match` names its current tags.
pub(super) async fn replace_if(
    db: &mut Connection,
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
    replace(db, org, id, Part::User, tags.as_map()).await?;
    read::tags(db, org, id).await.map(TagWrite::Written)
}

/// Makes one part of a sandbox's tags equal to `tags`, touching only rows that differ.
pub(super) async fn replace(
    db: &mut Connection,
    org: Uuid,
    id: &SandboxId,
    part: Part,
    tags: &BTreeMap<String, String>,
) -> Result<()> {
    let delete = "DELETE FROM sandbox_tags WHERE org_id = ?1 AND sandbox_id = ?2
             AND key NOT IN (SELECT key FROM json_each(?3)) AND (substr(key, 1, length(?4)) = ?4) = ?5";
    // `WHERE TRUE` keeps the parser from taking ON CONFLICT for a join.
    let upsert = concat!(
        "INSERT INTO sandbox_tags (org_id, sandbox_id, key, value, updated_at)
         SELECT ?1, ?2, key, value, ",
        clock!(),
        " FROM json_each(?3) WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, key) DO UPDATE
             SET value = excluded.value, updated_at = excluded.updated_at
             WHERE value <> excluded.value",
    );
    let tags = json_list(tags)?;
    let replace = |sql| sqlx::query(sql).bind(org.to_string()).bind(id.as_str()).bind(&tags);
    let delete = replace(delete).bind(RESERVED_KEY_PREFIX).bind(matches!(part, Part::System));
    delete.execute(&mut *db).await?;
    replace(upsert).execute(db).await?;
    Ok(())
}

/// Creates the org if it is unknown.
pub(super) async fn ensure_org(db: &mut Connection, org: Uuid) -> Result<()> {
    let sql = concat!("INSERT INTO orgs (id, created_at) VALUES (?1, ", clock!(), ") ON CONFLICT DO NOTHING");
    sqlx::query(sql).bind(org.to_string()).execute(db).await?;
    Ok(())
}

pub(super) async fn insert_key(db: &mut Connection, org: Uuid, key: &NewKey) -> Result<()> {
    let sql = concat!(
        "INSERT INTO api_keys (org_id, key_hash, key_prefix, name, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ",
        clock!(),
        ")",
    );
    let query = sqlx::query(sql).bind(org.to_string()).bind(&key.hash);
    let query = query.bind(&key.prefix).bind(&key.name).bind(key.expires_at.map(Timestamp::micros));
    query.execute(db).await?;
    Ok(())
}

pub(super) async fn touch_keys(db: &mut Connection, uses: &[KeyUse]) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used = used.at
         FROM (SELECT value ->> 0 AS org_id, value ->> 1 AS key_hash, value ->> 2 AS at FROM json_each(?1)) AS used
         WHERE api_keys.org_id = used.org_id AND api_keys.key_hash = used.key_hash
             AND (last_used IS NULL OR last_used < used.at)";
    let rows: Vec<_> = uses.iter().map(|one| (one.org.to_string(), &one.key_hash, one.at.micros())).collect();
    sqlx::query(sql).bind(json_list(&rows)?).execute(db).await?;
    Ok(())
}

pub(super) async fn set_schema_version(db: &mut Connection, version: u32) -> sqlx::Result<()> {
    // A pragma takes no arguments.
    sqlx::query(AssertSqlSafe(format!("PRAGMA user_version = {version}"))).execute(db).await?;
    Ok(())
}
