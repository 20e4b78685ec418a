//! Deletion of old samples, in batches.

use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use super::types::Instant;
use super::{session, sql};
use crate::store::Result;

/// The most samples that are deleted in one transaction.
const BATCH: i64 = 10_000;

/// Deletes the samples before a time, and returns their number.
pub(super) async fn samples(pool: &PgPool, before: Timestamp) -> Result<u64> {
    let orgs: Vec<Uuid> = sqlx::query_scalar(sql::SAMPLED_ORGS).fetch_all(pool).await?;
    let mut pruned = 0;
    for org in orgs {
        let mut newest = Some(Instant(i64::MIN));
        while let Some(from) = newest {
            let mut write = pool.begin_with(session::UNHURRIED).await?;
            let query = sqlx::query_as(sql::PRUNE_SAMPLES).bind(org).bind(from).bind(Instant::from(before)).bind(BATCH);
            let (deleted, last): (i64, Option<Instant>) = query.fetch_one(&mut *write).await?;
            write.commit().await?;
            pruned += deleted.unsigned_abs();
            newest = last;
        }
    }
    Ok(pruned)
}
