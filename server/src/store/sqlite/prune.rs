//! Deletion of old samples, in batches.

use std::time::{Duration, Instant};

use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::SqlitePool;

use super::{import, sql};
use crate::store::Result;

/// The most keys that are read between two deletions, and the most samples that one deletion deletes.
const RANGE: u32 = 10_000;
/// The shortest time between two deletions.
const PAUSE: Duration = Duration::from_millis(10);

/// Deletes the samples before a time, and returns their number.
pub(super) async fn samples(writer: &SqlitePool, before: Timestamp) -> Result<u64> {
    let orgs: Vec<String> = sqlx::query_scalar(sql::SAMPLED_ORGS).fetch_all(writer).await?;
    let mut pruned = 0;
    for org in orgs {
        let mut after = (String::new(), i64::MIN);
        loop {
            let query = sqlx::query_as(sql::SAMPLES_PART).bind(&org).bind(&after.0).bind(after.1).bind(RANGE);
            let Some(last): Option<(String, i64)> = query.fetch_optional(writer).await? else { break };
            let started = Instant::now();
            let query = sqlx::query(sql::PRUNE_SAMPLES).bind(&org).bind(&after.0).bind(after.1);
            let query = query.bind(&last.0).bind(last.1).bind(before.micros());
            let deleted = query.execute(writer).await?.rows_affected();
            pruned += deleted;
            after = last;
            if deleted > 0 {
                // Writers of other processes poll for the lock, so leave it free for as long as it was held.
                tokio::time::sleep(started.elapsed().max(PAUSE)).await;
            }
        }
    }
    if pruned > 0
        && let Err(error) = import::checkpoint(writer).await
    {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database file");
    }
    Ok(pruned)
}
