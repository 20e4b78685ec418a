//! Measured memory: reads and pruning. Imports write it.

use futures_util::TryStreamExt;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::types::{Instant, Sum};
use super::{session, sql};
use crate::store::Result;
use crate::store::samples::{MemoryMinute, whole_minutes};

/// The most samples that are deleted in one transaction.
const BATCH: i64 = 10_000;

/// Returns the measured memory of one sandbox by UTC minute.
pub(super) async fn memory(
    db: &mut PgConnection,
    org: Uuid,
    id: &SandboxId,
    window: Window,
    platform: bool,
) -> Result<Vec<MemoryMinute>> {
    let (from, to) = whole_minutes(window);
    let sql = if platform { sql::PLATFORM_MEMORY } else { sql::MEMORY };
    let query = sqlx::query_as(sql).bind(org).bind(id.as_str()).bind(Instant(from)).bind(Instant(to));
    let rows = query.fetch(db).map_ok(|(Instant(minute), Sum(sum), samples, peak): (Instant, Sum, i64, i64)| {
        MemoryMinute::new(minute, sum, samples.unsigned_abs(), peak.unsigned_abs())
    });
    Ok(rows.try_collect().await?)
}

/// Deletes the samples before a time, in batches.
pub(super) async fn prune(pool: &PgPool, before: Timestamp) -> Result<u64> {
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
