//! Sums over the events of an org: the aggregate and the rollup.
//!
//! The statements are composed here, because they depend on the query. One expression, in [`measured`], holds the
//! accounting rule. The core adds up the events of a drilldown.
//!
//! The primary key clusters the events by org, sandbox and size. Each statement reads the rows of one org from a single
//! tree and groups them by sandbox in that order, without a sort. Only the few rows that remain are joined with the
//! values of dimensions and grouped again. The engine returns one row per group, because returning a row costs more
//! than summing an event.

use std::collections::HashMap;
use std::fmt::Write as _;

use futures_util::TryStreamExt;
use opencomputer_usage_core::limits::INCLUDED_DISK_MB;
use opencomputer_usage_core::query;
use opencomputer_usage_core::usage::accounting::{Measure, Usage};
use opencomputer_usage_core::usage::dimension::{Dimension, GroupBy, Key};
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::page::{Page, PageSeries, Part};
use opencomputer_usage_core::usage::plan::Plan;
use serde::de::DeserializeOwned;
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::conditions::Conditions;
use super::sql;
use crate::store::statements::{Arguments, Placeholder};
use crate::store::{Result, StoreError, Tier};

/// The message of a sum that does not fit. SQLite has no error code for it alone.
const OVERFLOW: &str = "integer overflow";

/// A composed statement with its arguments.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) arguments: Arguments<SqliteArguments>,
}

impl Statement {
    fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        // The texts are this module's own; values from outside are arguments.
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments.into_inner())
    }

    pub(super) fn query_as<T: for<'r> FromRow<'r, SqliteRow>>(self) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
        // As above.
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

/// The group of a row of `sums`.
struct Keys {
    /// The value of each dimension, null if the sandbox lacks it.
    columns: String,
    /// The tables that hold the values.
    joins: String,
}

impl Keys {
    fn of(group_by: &GroupBy, org: Placeholder, arguments: &mut Arguments<SqliteArguments>) -> Result<Self> {
        let (mut columns, mut joins, mut of_session) = (Vec::new(), String::new(), false);
        for (index, dimension) in group_by.dimensions().iter().enumerate() {
            columns.push(match dimension {
                Dimension::Sandbox => "sums.sandbox_id".to_owned(),
                Dimension::Tag(key) => {
                    let key = arguments.bind(key.as_str().to_owned())?;
                    // Writing to a string cannot fail.
                    let _ = write!(
                        joins,
                        "
         LEFT JOIN sandbox_tags AS tag{index}
             ON tag{index}.org_id = {org} AND tag{index}.sandbox_id = sums.sandbox_id AND tag{index}.key = {key}"
                    );
                    format!("tag{index}.value")
                }
                Dimension::Template | Dimension::Region | Dimension::Status => {
                    of_session = true;
                    format!("NULLIF(session.{}, '')", dimension.kind())
                }
            });
        }
        if of_session {
            let latest = sql::latest_start(org, "sums");
            let _ = write!(
                joins,
                "
         LEFT JOIN sandbox_sessions AS session
             ON session.org_id = {org} AND session.sandbox_id = sums.sandbox_id AND session.started_at = {latest}"
            );
        }
        Ok(Self { columns: columns.join(", "), joins })
    }

    /// Reads the key from the first columns of a row. Returns the number of columns as well.
    fn read(group_by: &GroupBy, row: &SqliteRow) -> sqlx::Result<(Key, usize)> {
        let width = group_by.dimensions().len();
        Ok(((0..width).map(|index| row.try_get(index)).collect::<sqlx::Result<_>>()?, width))
    }
}

/// Composes the usage of every group, with whether a sandbox is so large or ran so long that its usage became a float.
/// The arithmetic is that of `Usage::of`.
fn by_group(org: Uuid, grid: &Grid, group_by: &GroupBy, conditions: &query::Conditions) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = measured(org, grid)?;
    let included = arguments.bind(i64::try_from(INCLUDED_DISK_MB).unwrap_or(i64::MAX))?;
    let Conditions { present, absent } = Conditions::compile(conditions, org, &mut arguments)?;
    let Keys { columns, joins } = Keys::of(group_by, org, &mut arguments)?;
    let (memory, disk_overage) = (halves("memory"), halves("disk_overage"));
    let sql = format!(
        "WITH sums AS (
             SELECT sandbox_id, SUM(memory_mb * {billed}) AS memory,
                 IFNULL(SUM((disk_mb - {included}) * {billed}) FILTER (WHERE disk_mb > {included}), 0) AS disk_overage
             {counted} {present}
             GROUP BY sandbox_id)
         SELECT {columns}, COUNT(*), {memory}, {disk_overage},
             MAX(typeof(memory) = 'real' OR typeof(disk_overage) = 'real')
         FROM sums {joins}
         WHERE TRUE {absent}
         GROUP BY {columns}"
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of every sandbox by size, with its group: for sandboxes so large or long that products do
/// not fit. The core multiplies.
fn by_size(org: Uuid, grid: &Grid, group_by: &GroupBy, conditions: &query::Conditions) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = measured(org, grid)?;
    let Conditions { present, absent } = Conditions::compile(conditions, org, &mut arguments)?;
    let Keys { columns, joins } = Keys::of(group_by, org, &mut arguments)?;
    let billed = halves(&format!("({billed})"));
    let sql = format!(
        "WITH sums (sandbox_id, memory_mb, disk_mb, high, low) AS (
             SELECT sandbox_id, memory_mb, disk_mb, {billed}
             {counted} {present}
             GROUP BY sandbox_id, memory_mb, disk_mb)
         SELECT {columns}, sums.sandbox_id, memory_mb, disk_mb, high, low
         FROM sums {joins}
         WHERE TRUE {absent}
         ORDER BY sums.sandbox_id"
    );
    Ok(Statement { sql, arguments })
}

/// Composes the events of every sandbox as lists, with its group. One row per sandbox is several times as fast as one
/// per event, and needs no sort by bucket.
fn by_event(org: Uuid, grid: &Grid, group_by: &GroupBy, conditions: &query::Conditions) -> Result<Statement> {
    let Shared { mut arguments, org, counted, .. } = measured(org, grid)?;
    let Conditions { present, absent } = Conditions::compile(conditions, org, &mut arguments)?;
    let Keys { columns, joins } = Keys::of(group_by, org, &mut arguments)?;
    let sql = format!(
        "WITH sums AS (
             SELECT sandbox_id, json_group_array(memory_mb) AS memory_mb, json_group_array(disk_mb) AS disk_mb,
                 json_group_array(started_at) AS started_at, json_group_array(ended_at) AS ended_at
             {counted} {present}
             GROUP BY sandbox_id)
         SELECT {columns}, sums.memory_mb, sums.disk_mb, sums.started_at, sums.ended_at
         FROM sums {joins}
         WHERE TRUE {absent}"
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
fn whole(high: u64, low: u64) -> u128 {
    (u128::from(high) << 32) + u128::from(low)
}

/// Returns the usage of all that matches, by group. Returns `None` if a sandbox is so large or ran so long that it
/// takes [`parts_by_size`].
pub(super) async fn parts(db: &mut SqliteConnection, org: Uuid, plan: &Plan) -> Result<Option<Vec<Part>>> {
    let statement = by_group(org, &plan.grid, &plan.group_by, &plan.conditions)?;
    let rows = match statement.query().fetch_all(db).await {
        Err(sqlx::Error::Database(error)) if error.message() == OVERFLOW => return Ok(None),
        rows => rows?,
    };
    let mut parts = Vec::with_capacity(rows.len());
    for row in rows {
        let (key, at) = Keys::read(&plan.group_by, &row)?;
        let [sandboxes, memory_high, memory_low, disk_high, disk_low] = integers(&row, at)?;
        if row.try_get(at + 5)? {
            return Ok(None);
        }
        let usage = Usage { memory: whole(memory_high, memory_low), disk_overage: whole(disk_high, disk_low) };
        parts.push(Part { key, sandboxes, usage });
    }
    Ok(Some(parts))
}

/// Returns the same as [`parts`], however large the sandboxes are.
pub(super) async fn parts_by_size(db: &mut SqliteConnection, org: Uuid, plan: &Plan) -> Result<Vec<Part>> {
    let statement = by_size(org, &plan.grid, &plan.group_by, &plan.conditions)?;
    let mut rows = statement.query().fetch(db);
    let mut parts = Vec::<Part>::new();
    let mut last = String::new();
    while let Some(row) = rows.try_next().await? {
        let (key, at) = Keys::read(&plan.group_by, &row)?;
        let sandbox_id: String = row.try_get(at)?;
        let [memory_mb, disk_mb, high, low] = integers(&row, at + 1)?;
        let usage = Usage::of(memory_mb, disk_mb, whole(high, low));
        match parts.last_mut().filter(|_| last == sandbox_id) {
            Some(part) => part.usage += usage,
            None => parts.push(Part { key, sandboxes: 1, usage }),
        }
        last = sandbox_id;
    }
    Ok(parts)
}

/// Returns the usage of a page by bucket.
pub(super) async fn series(
    db: &mut SqliteConnection,
    org: Uuid,
    plan: &Plan,
    buckets: &Buckets,
    page: &Page,
) -> Result<PageSeries> {
    let slots: HashMap<&Key, usize> = page.items.iter().enumerate().map(|(slot, group)| (&group.key, slot)).collect();
    let slot_of = |key: &Key| match slots.get(key) {
        Some(slot) => *slot,
        None if *key == page.untagged.key => page.untagged_slot(),
        None => page.rest_slot(),
    };
    let measure = plan.grid.measure();
    let mut tally = page.series_tally(buckets);
    let mut rows = by_event(org, &plan.grid, &plan.group_by, &plan.conditions)?.query().fetch(db);
    while let Some(row) = rows.try_next().await? {
        let (key, at) = Keys::read(&plan.group_by, &row)?;
        let Some(series) = tally.slot(slot_of(&key)) else { continue };
        let (memory_mb, disk_mb): (Vec<u64>, Vec<u64>) = (list(&row, at)?, list(&row, at + 1)?);
        let (started_at, ended_at): (Vec<i64>, Vec<Option<i64>>) = (list(&row, at + 2)?, list(&row, at + 3)?);
        for ((memory_mb, disk_mb), (started_at, ended_at)) in
            memory_mb.into_iter().zip(disk_mb).zip(started_at.into_iter().zip(ended_at))
        {
            if let Some((start, end)) = measure.billed_span(started_at, ended_at).filter(|(start, end)| start < end) {
                series.add(memory_mb, disk_mb, start, end);
            }
        }
    }
    Ok(tally.finish())
}

/// Reads integers that are never negative from consecutive columns.
fn integers<const N: usize>(row: &SqliteRow, first: usize) -> sqlx::Result<[u64; N]> {
    let mut integers = [0; N];
    for (index, integer) in integers.iter_mut().enumerate() {
        *integer = row.try_get::<i64, _>(first + index)?.unsigned_abs();
    }
    Ok(integers)
}

/// Reads a list from a column of JSON.
fn list<T: DeserializeOwned>(row: &SqliteRow, index: usize) -> Result<Vec<T>> {
    serde_json::from_str(row.try_get(index)?).map_err(StoreError::internal)
}

/// Returns the billed time of an org by memory and disk size.
pub(super) async fn tiers(db: &mut SqliteConnection, org: Uuid, grid: &Grid) -> Result<Vec<Tier>> {
    let rows = by_tier(org, grid)?.query().fetch_all(db).await?;
    let tier = |row: SqliteRow| {
        let [memory_mb, disk_mb, high, low] = integers(&row, 0)?;
        Ok(Tier { memory_mb, disk_mb, micros: whole(high, low) })
    };
    rows.into_iter().map(tier).collect()
}

/// Returns every kind of composed statement with its name.
pub(super) fn texts(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let (org, grid, conditions) = (Uuid::nil(), &plan.grid, &plan.conditions);
    let dimensions = plan.group_by.dimensions().iter().filter(|one| one.tag_key().is_some()).cloned();
    let groups = GroupBy::new(dimensions.take(1).chain([Dimension::Template, Dimension::Region]).collect());
    let (sandbox, groups) = (&GroupBy::from(Dimension::Sandbox), &groups.map_err(StoreError::internal)?);
    let all = [
        ("sums by sandbox", by_group(org, grid, sandbox, &query::Conditions::default())?),
        ("sums by sandbox with conditions", by_group(org, grid, sandbox, conditions)?),
        ("sums by group", by_group(org, grid, groups, &query::Conditions::default())?),
        ("sums by group with conditions", by_group(org, grid, groups, conditions)?),
        ("sums by size", by_size(org, grid, groups, conditions)?),
        ("events of groups", by_event(org, grid, groups, conditions)?),
        ("events of sandboxes", by_event(org, grid, sandbox, conditions)?),
        ("tiers", by_tier(org, grid)?),
    ];
    Ok(all.into_iter().map(|(name, statement)| (name, statement.sql)).collect())
}
