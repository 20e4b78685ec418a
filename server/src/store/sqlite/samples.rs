//! Measured memory: reads and pruning. Imports write it.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use sqlx::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::{import, sql};
use crate::store::samples::{MemoryMinute, whole_minutes};
use crate::store::Result;

/// The most samples that are deleted under one write lock.
const BATCH: u32 = 5_000;

/// Returns the measured memory of one sandbox by UTC minute.
pub(super) async fn memory(
    db: &mut SqliteConnection,
    org: Uuid,
    id: &SandboxId,
    window: Window,
) -> Result<Vec<MemoryMinute>> {
    let (from, to) = whole_minutes(window);
    let query = sqlx::query_as(sql::MEMORY).bind(org.to_string()).bind(id.as_str()).bind(from).bind(to);
    let rows = query.fetch(db).map_ok(|(minute, mb, rest, samples, peak): (i64, i64, i64, i64, i64)| {
        let sum = (u128::from(mb.unsigned_abs()) << 20) + u128::from(rest.unsigned_abs());
        MemoryMinute::new(minute, sum, samples.unsigned_abs(), peak.unsigned_abs())
    });
    Ok(rows.try_collect().await?)
}

/// Deletes the samples before a time, in batches.
pub(super) async fn prune(writer: &SqlitePool, before: Timestamp) -> Result<u64> {
    let orgs: Vec<String> = sqlx::query_scalar(sql::SAMPLED_ORGS).fetch_all(writer).await?;
    let mut pruned = 0;
    for org in orgs {
        loop {
            let started = Instant::now();
            let query = sqlx::query(sql::PRUNE_SAMPLES).bind(&org).bind(before.micros()).bind(BATCH);
            let deleted = query.execute(writer).await?.rows_affected();
            pruned += deleted;
            if deleted < BATCH.into() {
                break;
            }
            // Writers of other processes poll for the lock, so it must be free as long as it was held.
            tokio::time::sleep(started.elapsed().max(Duration::from_millis(10))).await;
        }
    }
    if let Err(error) = import::checkpoint(writer).await {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database file");
    }
    Ok(pruned)
}
