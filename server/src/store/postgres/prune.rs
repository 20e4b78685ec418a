//! Deletion of old samples, in batches.

use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use super::types::Instant;
use super::{session, sql};
use crate::store::Result;

/// The most keys that one transaction reads, and the most samples that it deletes.
const RANGE: i64 = 10_000;

/// Deletes the samples before a time, and returns their number.
pub(super) async fn samples(pool: &PgPool, before: Timestamp, platform: bool) -> Result<u64> {
    let sql = if platform { sql::PRUNE_PLATFORM_SAMPLES } else { sql::PRUNE_SAMPLES };
    let (mut pruned, mut next) = (0, Some(Uuid::nil()));
    while let Some(from) = next {
        let found: Option<Uuid> = sqlx::query_scalar(sql::SAMPLED_ORGS).bind(from).fetch_optional(pool).await?;
        let Some(org) = found else { break };
        next = org.as_u128().checked_add(1).map(Uuid::from_u128);
        let mut after = (String::new(), Instant(i64::MIN));
        loop {
            let (id, at) = &after;
            let mut write = pool.begin_with(session::UNHURRIED).await?;
            let query = sqlx::query_as(sql).bind(org).bind(id).bind(at).bind(Instant::from(before)).bind(RANGE);
            let part: Option<(i64, String, Instant)> = query.fetch_optional(&mut *write).await?;
            write.commit().await?;
            let Some((deleted, id, at)) = part else { break };
            pruned += deleted.unsigned_abs();
            after = (id, at);
        }
    }
    Ok(pruned)
}
