//! Sums over the events of an org: the aggregate and the rollup.
//!
//! The statements are composed here, because they depend on the query. One expression, in [`measured`], holds the
//! accounting rule. The core adds up the events of a drilldown.
//!
//! The primary key clusters the events by org, sandbox and size. Each statement reads the rows of one org from a single
//! tree and groups them by sandbox in that order, without a sort. Only the few rows that remain are joined with tags and
//! grouped again. The engine returns one row per group, because a row costs more on its way to the caller than an event
//! costs in the sum.

use opencomputer_usage_core::limits::INCLUDED_DISK_MB;
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

/// The message of a sum that does not fit. Its code is that of any fault of a statement.
const OVERFLOW: &str = "integer overflow";

/// A composed statement with its arguments.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) arguments: Arguments<SqliteArguments>,
}

impl Statement {
    pub(super) fn query<T: for<'r> FromRow<'r, SqliteRow>>(self) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
        // The texts are this module's own; values from outside are arguments.
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments.into_inner())
    }
}

/// The pieces that all sums share.
struct Shared {
    arguments: Arguments<SqliteArguments>,
    org: Placeholder,
    /// The events that count. Conditions may follow.
    counted: String,
    /// The billed microseconds of an event.
    billed: String,
}

/// Binds the measure of a grid and writes the accounting rule with it.
fn measured(org: Uuid, grid: &Grid) -> Result<Shared> {
    let Measure { from, as_of, started_before, open_end, last_end } = grid.measure();
    let mut arguments = Arguments::new('?');
    let org = arguments.bind(org.to_string())?;
    let whole_until = arguments.bind(as_of.min(last_end))?;
    let [from, as_of, started_before, open_end, last_end] =
        [from, as_of, started_before, open_end, last_end].map(|at| arguments.bind(at));
    let (from, as_of, started_before, open_end, last_end) = (from?, as_of?, started_before?, open_end?, last_end?);
    let counted = format!(
        "FROM sandbox_scale_events
             WHERE org_id = {org} AND started_at < {started_before} AND (ended_at > {from} OR ended_at IS NULL)"
    );
    // Most events lie in the window and have ended. Calls of MIN and MAX take a third of the time of a sum.
    let billed = format!(
        "CASE WHEN started_at >= {from} AND ended_at BETWEEN started_at AND {whole_until} THEN ended_at - started_at
                 ELSE MAX(0, CASE WHEN ended_at <= {as_of} THEN MIN(ended_at, {last_end}) ELSE {open_end} END
                     - MAX(started_at, {from})) END"
    );
    Ok(Shared { arguments, org, counted, billed })
}

/// Sums a column in two halves. A single sum would overflow: SQLite's `SUM` has 63 bits.
fn halves(column: &str) -> String {
    format!("SUM({column} >> 32), SUM({column} & 4294967295)")
}

/// Composes the usage of every group, with whether a sandbox is so large or ran so long that its usage became a float.
/// The arithmetic is that of `Usage::of`.
fn by_group(org: Uuid, grid: &Grid, dimension: &Dimension, filters: &Filters) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = measured(org, grid)?;
    let included = arguments.bind(i64::try_from(INCLUDED_DISK_MB).unwrap_or(i64::MAX))?;
    let conditions = conditions::compile(filters, org, &mut arguments)?;
    let by_sandbox = format!(
        "SELECT sandbox_id, SUM(memory_mb * {billed}) AS memory,
                 IFNULL(SUM((disk_mb - {included}) * {billed}) FILTER (WHERE disk_mb > {included}), 0) AS disk_overage
             {counted} {conditions}
             GROUP BY sandbox_id"
    );
    let (key, tags) = match dimension {
        Dimension::Sandbox => ("sums.sandbox_id", String::new()),
        Dimension::Tag(key) => {
            let key = arguments.bind(key.as_str().to_owned())?;
            let tags = format!(
                "LEFT JOIN sandbox_tags AS tag
             ON tag.org_id = {org} AND tag.sandbox_id = sums.sandbox_id AND tag.key = {key}"
            );
            ("tag.value", tags)
        }
        _ => return Err(StoreError::internal("the dimension is not supported yet")),
    };
    let (memory, disk_overage) = (halves("memory"), halves("disk_overage"));
    let sql = format!(
        "WITH sums AS ({by_sandbox})
         SELECT {key}, COUNT(*), {memory}, {disk_overage},
             MAX(typeof(memory) = 'real' OR typeof(disk_overage) = 'real')
         FROM sums {tags}
         GROUP BY {key}"
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of every sandbox by size, with its value of a tag: for sandboxes so large or long that
/// products do not fit. The core multiplies.
fn by_size(org: Uuid, grid: &Grid, dimension: &Dimension, filters: &Filters) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = measured(org, grid)?;
    let key = arguments.bind(dimension.tag_key().map(|key| key.as_str().to_owned()))?;
    let conditions = conditions::compile(filters, org, &mut arguments)?;
    let billed = halves(&format!("({billed})"));
    let sql = format!(
        "WITH sums (sandbox_id, memory_mb, disk_mb, high, low) AS (
             SELECT sandbox_id, memory_mb, disk_mb, {billed}
             {counted} {conditions}
             GROUP BY sandbox_id, memory_mb, disk_mb)
         SELECT sums.sandbox_id, memory_mb, disk_mb, high, low, tag.value
         FROM sums LEFT JOIN sandbox_tags AS tag
             ON tag.org_id = {org} AND tag.sandbox_id = sums.sandbox_id AND tag.key = {key}
         ORDER BY sums.sandbox_id"
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of an org by size. Grouping by sandbox first needs no sort of the events.
fn by_tier(org: Uuid, grid: &Grid) -> Result<Statement> {
    let Shared { arguments, counted, billed, .. } = measured(org, grid)?;
    let billed = halves(&format!("({billed})"));
    let sql = format!(
        "WITH sums (memory_mb, disk_mb, high, low) AS (
             SELECT memory_mb, disk_mb, {billed}
             {counted}
             GROUP BY sandbox_id, memory_mb, disk_mb)
         SELECT memory_mb, disk_mb, SUM(high), SUM(low)
         FROM sums GROUP BY memory_mb, disk_mb ORDER BY memory_mb, disk_mb"
    );
    Ok(Statement { sql, arguments })
}

/// Adds the two halves of a sum.
fn whole(high: i64, low: i64) -> u128 {
    // Neither is negative.
    (u128::from(high.unsigned_abs()) << 32) + u128::from(low.unsigned_abs())
}

/// Returns the usage of all that matches, by group. Returns `None` if a sandbox is so large or ran so long that it
/// takes [`parts_by_size`].
pub(super) async fn parts(db: &mut SqliteConnection, org: Uuid, plan: &Plan) -> Result<Option<Vec<Part>>> {
    type Row = (Option<String>, i64, i64, i64, i64, i64, bool);
    let dimension = only(plan)?;
    let statement = by_group(org, &plan.grid, dimension, &plan.conditions.filters)?;
    let rows: Vec<Row> = match statement.query().fetch_all(db).await {
        Err(sqlx::Error::Database(error)) if error.message() == OVERFLOW => return Ok(None),
        rows => rows?,
    };
    let part = |(value, sandboxes, high, low, disk_high, disk_low, is_float): Row| {
        let usage = Usage { memory: whole(high, low), disk_overage: whole(disk_high, disk_low) };
        (!is_float).then_some(Part { key: vec![value], sandboxes: sandboxes.unsigned_abs(), usage })
    };
    Ok(rows.into_iter().map(part).collect())
}

/// Returns the same as [`parts`], however large the sandboxes are.
pub(super) async fn parts_by_size(db: &mut SqliteConnection, org: Uuid, plan: &Plan) -> Result<Vec<Part>> {
    let dimension = only(plan)?;
    let statement = by_size(org, &plan.grid, dimension, &plan.conditions.filters)?;
    let rows: Vec<(String, i64, i64, i64, i64, Option<String>)> = statement.query().fetch_all(db).await?;
    let mut sums = Vec::<(String, Option<String>, Usage)>::new();
    for (sandbox_id, memory_mb, disk_mb, high, low, tag_value) in rows {
        let usage = tier((memory_mb, disk_mb, high, low)).usage();
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

fn only(plan: &Plan) -> Result<&Dimension> {
    match plan.group_by.dimensions() {
        [dimension] => Ok(dimension),
        _ => Err(StoreError::internal("several dimensions are not supported yet")),
    }
}

/// Returns the billed time of an org by memory and disk size.
pub(super) async fn tiers(db: &mut SqliteConnection, org: Uuid, grid: &Grid) -> Result<Vec<Tier>> {
    Ok(by_tier(org, grid)?.query().fetch_all(db).await?.into_iter().map(tier).collect())
}

fn tier((memory_mb, disk_mb, high, low): (i64, i64, i64, i64)) -> Tier {
    Tier { memory_mb: memory_mb.unsigned_abs(), disk_mb: disk_mb.unsigned_abs(), micros: whole(high, low) }
}

/// Returns every kind of composed statement with its name.
pub(super) fn texts(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let dimension = only(plan)?;
    let (org, grid, none, filters) = (Uuid::nil(), &plan.grid, &Filters::default(), &plan.conditions.filters);
    let all = [
        ("sums by sandbox", by_group(org, grid, &Dimension::Sandbox, none)?),
        ("sums by sandbox with filters", by_group(org, grid, &Dimension::Sandbox, filters)?),
        ("sums by tag", by_group(org, grid, dimension, none)?),
        ("sums by tag with filters", by_group(org, grid, dimension, filters)?),
        ("sums by size", by_size(org, grid, dimension, none)?),
        ("sums by size with filters", by_size(org, grid, dimension, filters)?),
        ("tiers", by_tier(org, grid)?),
    ];
    Ok(all.into_iter().map(|(name, statement)| (name, statement.sql)).collect())
}
