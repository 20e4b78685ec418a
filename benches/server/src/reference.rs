//! The reference plan: three float statements over live data, as the platform writes them. It uses the accounting rule
//! `clipped`, as the server does by default and the platform's rollup since June 2026.

use anyhow::Result;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::data::WINDOW;

/// The two sums of a statement.
const SUMS: &str = "
    coalesce(sum(e.memory_mb / 1024.0
        * EXTRACT(EPOCH FROM (LEAST(COALESCE(e.ended_at, now()), $3) - GREATEST(e.started_at, $2)))), 0)::float8 AS memory,
    coalesce(sum(GREATEST(e.disk_mb - 20480, 0) / 1024.0
        * EXTRACT(EPOCH FROM (LEAST(COALESCE(e.ended_at, now()), $3) - GREATEST(e.started_at, $2)))), 0)::float8 AS disk";
const MATCHING: &str = "e.org_id = $1 AND e.started_at < $3 AND (e.ended_at IS NULL OR e.ended_at > $2)";
const TAGGED: &str = "reference.sandbox_scale_events e LEFT JOIN reference.sandbox_tags t
    ON t.org_id = e.org_id AND t.sandbox_id = e.sandbox_id AND t.key = $4";

/// The results of the three statements that group by tag: items, untagged and total, in GB-seconds of memory.
pub(crate) struct ByTag {
    pub(crate) items: Vec<(String, f64, f64, i64)>,
    pub(crate) untagged: (f64, f64, i64),
    pub(crate) total: (f64, f64),
}

/// Queries items, untagged and total, one after the other.
pub(crate) async fn by_tag(db: &mut PgConnection, org: Uuid, key: &str) -> Result<ByTag> {
    let items = format!(
        "SELECT t.value, {SUMS}, COUNT(DISTINCT e.sandbox_id) FROM {TAGGED}
         WHERE {MATCHING} AND t.value IS NOT NULL
         GROUP BY t.value ORDER BY memory DESC, t.value LIMIT 51"
    );
    let untagged =
        format!("SELECT {SUMS}, COUNT(DISTINCT e.sandbox_id) FROM {TAGGED} WHERE {MATCHING} AND t.sandbox_id IS NULL");
    let items = sqlx::query_as(AssertSqlSafe(windowed(&items))).bind(org).bind(key).fetch_all(&mut *db).await?;
    let untagged = sqlx::query_as(AssertSqlSafe(windowed(&untagged))).bind(org).bind(key).fetch_one(&mut *db).await?;
    Ok(ByTag { items, untagged, total: total(db, org).await? })
}

/// Queries the first page by sandbox, and the total.
pub(crate) async fn by_sandbox(db: &mut PgConnection, org: Uuid) -> Result<(Vec<(String, f64, f64)>, (f64, f64))> {
    let items = format!(
        "SELECT e.sandbox_id, {SUMS} FROM reference.sandbox_scale_events e WHERE {MATCHING}
         GROUP BY e.sandbox_id ORDER BY memory DESC, e.sandbox_id LIMIT 51"
    );
    let items = sqlx::query_as(AssertSqlSafe(windowed(&items))).bind(org).fetch_all(&mut *db).await?;
    Ok((items, total(db, org).await?))
}

async fn total(db: &mut PgConnection, org: Uuid) -> Result<(f64, f64)> {
    let sql = format!("SELECT {SUMS} FROM reference.sandbox_scale_events e WHERE {MATCHING}");
    Ok(sqlx::query_as(AssertSqlSafe(windowed(&sql))).bind(org).fetch_one(db).await?)
}

/// Queries the usual plan of series: the days of the window joined to the events. Returns the value, the number of the
/// day, and GB-seconds of memory and disk overage.
pub(crate) async fn by_tag_and_day(
    db: &mut PgConnection,
    org: Uuid,
    key: &str,
) -> Result<Vec<(Option<String>, i32, f64, f64)>> {
    let [from, to] = WINDOW;
    let seconds = "EXTRACT(EPOCH FROM (LEAST(COALESCE(e.ended_at, now()), b.bucket + interval '1 day')
        - GREATEST(e.started_at, b.bucket)))";
    let sql = format!(
        "SELECT t.value, EXTRACT(DAY FROM b.bucket - '{from}'::timestamptz)::int,
             coalesce(sum(e.memory_mb / 1024.0 * {seconds}), 0)::float8,
             coalesce(sum(GREATEST(e.disk_mb - 20480, 0) / 1024.0 * {seconds}), 0)::float8
         FROM generate_series('{from}'::timestamptz, '{to}'::timestamptz - interval '1 day', interval '1 day') AS b (bucket)
         JOIN reference.sandbox_scale_events e
             ON e.org_id = $1 AND e.started_at < b.bucket + interval '1 day'
                 AND (e.ended_at IS NULL OR e.ended_at > b.bucket)
         LEFT JOIN reference.sandbox_tags t ON t.org_id = e.org_id AND t.sandbox_id = e.sandbox_id AND t.key = $2
         GROUP BY t.value, b.bucket ORDER BY t.value, b.bucket"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(org).bind(key).fetch_all(db).await?)
}

/// The window is a literal in the text, which can only help the planner.
fn windowed(sql: &str) -> String {
    let [from, to] = WINDOW;
    let sql = sql.replace("$2", &format!("'{from}'::timestamptz")).replace("$3", &format!("'{to}'::timestamptz"));
    sql.replace("$4", "$2")
}
