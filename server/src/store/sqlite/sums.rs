//! Sums over the events of an org: the aggregate and the rollup.
//!
//! The statements are composed here, because they depend on the query. One expression, in [`measured`], holds the
//! accounting rule. The core adds up the events of a drilldown.
//!
//! The primary key clusters the events by org and sandbox, so each statement reads the rows of one org from a single
//! tree, in the order in which it groups them.

use opencomputer_usage_core::query::filter::Filters;
use opencomputer_usage_core::usage::accounting::{Measure, Usage};
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Part;
use opencomputer_usage_core::usage::plan::Plan;
use sqlx::query::QueryAs;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::conditions;
use crate::store::statements::{Arguments, Placeholder};
use crate::store::{Result, StoreError, Tier};

/// A composed statement with its arguments.
struct Statement {
    sql: String,
    arguments: Arguments<SqliteArguments>,
}

impl Statement {
    fn query<T: for<'r> FromRow<'r, SqliteRow>>(self) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
        // The texts are this module's own; values from outside are arguments.
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments.into_inner())
    }
}

/// The sum of `d` in two columns. A single one would overflow: SQLite's `SUM` has 63 bits and turns products into
/// floats.
const SUM: &str = "SUM(d >> 20) AS high, SUM(d & 1048575) AS low";

/// Selects the events of an org that count, each with its billed microseconds `d`. Conditions may follow.
fn measured(org: Uuid, grid: &Grid) -> Result<(String, Placeholder, Arguments<SqliteArguments>)> {
    let Measure { from, as_of, started_before, open_end, last_end } = grid.measure();
    let mut arguments = Arguments::new('?');
    let org = arguments.bind(org.to_string())?;
    let [from, as_of, started_before, open_end, last_end] =
        [from, as_of, started_before, open_end, last_end].map(|at| arguments.bind(at));
    let (from, as_of, started_before, open_end, last_end) = (from?, as_of?, started_before?, open_end?, last_end?);
    let sql = format!(
        "SELECT sandbox_id, memory_mb, disk_mb,
                     MAX(0, CASE WHEN ended_at IS NULL OR ended_at > {as_of} THEN {open_end}
                         ELSE MIN(ended_at, {last_end}) END - MAX(started_at, {from})) AS d
                 FROM sandbox_scale_events
                 WHERE org_id = {org} AND started_at < {started_before} AND (ended_at IS NULL OR ended_at > {from})"
    );
    Ok((sql, org, arguments))
}

/// Composes the billed time of every sandbox by size, with its value of the tag in `groupBy`.
fn by_sandbox(org: Uuid, grid: &Grid, dimension: &Dimension, filters: &Filters) -> Result<Statement> {
    let (measured, org, mut arguments) = measured(org, grid)?;
    let key = arguments.bind(dimension.tag_key().map(|key| key.as_str().to_owned()))?;
    let conditions = conditions::compile(filters, org, &mut arguments)?;
    let sql = format!(
        "WITH sums AS (
             SELECT sandbox_id, memory_mb, disk_mb, {SUM}
             FROM ({measured} {conditions})
             GROUP BY sandbox_id, memory_mb, disk_mb)
         SELECT sums.sandbox_id, memory_mb, disk_mb, high, low, tag.value
         FROM sums LEFT JOIN sandbox_tags AS tag
             ON tag.org_id = {org} AND tag.sandbox_id = sums.sandbox_id AND tag.key = {key}
         ORDER BY sums.sandbox_id"
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of an org by size.
fn by_tier(org: Uuid, grid: &Grid) -> Result<Statement> {
    let (measured, _, arguments) = measured(org, grid)?;
    let sql = format!(
        "SELECT memory_mb, disk_mb, {SUM}
         FROM ({measured})
         GROUP BY memory_mb, disk_mb ORDER BY memory_mb, disk_mb"
    );
    Ok(Statement { sql, arguments })
}

fn micros(high: i64, low: i64) -> u128 {
    // Neither sum is negative.
    (u128::from(high.unsigned_abs()) << 20) + u128::from(low.unsigned_abs())
}

/// Returns the usage of every sandbox that matches.
pub(super) async fn parts(db: &mut SqliteConnection, org: Uuid, plan: &Plan) -> Result<Vec<Part>> {
    let [dimension] = plan.group_by.dimensions() else {
        return Err(StoreError::internal("several dimensions are not supported yet"));
    };
    let statement = by_sandbox(org, &plan.grid, dimension, &plan.conditions.filters)?;
    let rows: Vec<(String, i64, i64, i64, i64, Option<String>)> = statement.query().fetch_all(db).await?;
    let mut sums = Vec::<(String, Option<String>, Usage)>::new();
    for (sandbox_id, memory_mb, disk_mb, high, low, tag_value) in rows {
        let usage = Usage::of(memory_mb.unsigned_abs(), disk_mb.unsigned_abs(), micros(high, low));
        match sums.last_mut().filter(|(last, ..)| *last == sandbox_id) {
            Some((.., sum)) => *sum += usage,
            None => sums.push((sandbox_id, tag_value, usage)),
        }
    }
    let part = |(sandbox_id, tag_value, usage)| {
        let value = if *dimension == Dimension::Sandbox { Some(sandbox_id) } else { tag_value };
        Part { key: vec![value], sandboxes: 1, usage }
    };
    Ok(sums.into_iter().map(part).collect())
}

/// Returns the billed time of an org by memory and disk size.
pub(super) async fn tiers(db: &mut SqliteConnection, org: Uuid, grid: &Grid) -> Result<Vec<Tier>> {
    Ok(by_tier(org, grid)?.query().fetch_all(db).await?.into_iter().map(tier).collect())
}

fn tier((memory_mb, disk_mb, high, low): (i64, i64, i64, i64)) -> Tier {
    Tier { memory_mb: memory_mb.unsigned_abs(), disk_mb: disk_mb.unsigned_abs(), micros: micros(high, low) }
}

/// Returns every kind of composed statement with its name.
pub(super) fn texts(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let dimension = plan.group_by.dimensions().first().unwrap_or(&Dimension::Sandbox);
    let all = [
        ("sums", by_sandbox(Uuid::nil(), &plan.grid, dimension, &Filters::default())?),
        ("sums with filters", by_sandbox(Uuid::nil(), &plan.grid, dimension, &plan.conditions.filters)?),
        ("tiers", by_tier(Uuid::nil(), &plan.grid)?),
    ];
    Ok(all.into_iter().map(|(name, statement)| (name, statement.sql)).collect())
}
