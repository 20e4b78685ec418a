//! Sums over the events of an org: the aggregate and the rollup.
//!
//! The statements are composed here, because they depend on the schema and on the query. One expression,
//! [`Events::billed`], holds the accounting rule. The core adds up the events of a drilldown.
//!
//! Each reads the covering index of the events once, in its order: one org after the other, and in it one sandbox after
//! the other. It therefore groups by sandbox without a sort, and joins the tags, in the same order of sandboxes, only
//! after that. Reading fewer sandboxes than all looks each of them up in the same index.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use opencomputer_usage_core::limits::INCLUDED_DISK_MB;
use opencomputer_usage_core::query::filter::Filters;
use opencomputer_usage_core::usage::accounting::{Measure, Usage};
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Part;
use opencomputer_usage_core::usage::plan::Plan;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres};
use uuid::Uuid;

use super::conditions::{Conditions, Few};
use super::types::{Instant, Sum};
use crate::store::statements::{Arguments, Placeholder};
use crate::store::{Result, StoreError, Tier};

/// The code of a number that does not fit.
const OUT_OF_RANGE: &str = "22003";

/// Up to this length a float of seconds rounds to the exact microsecond (35 years).
const FLOAT_MICROS: i64 = 1 << 50;

/// The events of an org, and the table that holds them.
#[derive(Clone, Copy)]
pub(super) struct Events {
    pub(super) org: Uuid,
    /// Whether the table is a platform's, which has no column `lasted_micros`.
    pub(super) platform: bool,
}

/// A composed statement with its arguments.
struct Statement {
    sql: String,
    arguments: Arguments<PgArguments>,
}

impl Statement {
    fn query<T: for<'r> FromRow<'r, PgRow>>(self) -> QueryAs<'static, Postgres, T, PgArguments> {
        // The texts are this module's own; values from outside are arguments.
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments.into_inner())
    }
}

/// The pieces that all sums share.
struct Shared {
    arguments: Arguments<PgArguments>,
    org: Placeholder,
    /// The events that count. `IS TRUE` and `IS NOT FALSE` keep conditions that no index can seek by from being looked
    /// up in each entry before the entry is read.
    counted: String,
    /// The billed microseconds of an event.
    billed: String,
}

impl Events {
    /// Binds the measure of a grid and writes the accounting rule with it.
    fn measured(self, grid: &Grid) -> Result<Shared> {
        let Measure { from, as_of, started_before, open_end, last_end } = grid.measure();
        let any_length = as_of.saturating_sub(from) >= FLOAT_MICROS;
        let mut arguments = Arguments::new('$');
        let org = arguments.bind(self.org)?;
        let whole_until = arguments.bind(Instant(as_of.min(last_end)))?;
        let [from, as_of, started_before, open_end, last_end] =
            [from, as_of, started_before, open_end, last_end].map(|at| arguments.bind(Instant(at)));
        let (from, as_of, started_before, open_end, last_end) = (from?, as_of?, started_before?, open_end?, last_end?);
        let counted = format!(
            "FROM sandbox_scale_events
             WHERE org_id = {org} AND (started_at < {started_before}) IS TRUE AND (ended_at > {from}) IS NOT FALSE"
        );
        // Most events lie in the window and have ended: their length is stored.
        let lasted =
            if self.platform { micros("ended_at - started_at", any_length) } else { "lasted_micros".to_owned() };
        let part = format!(
            "CASE WHEN ended_at <= {as_of} THEN least(ended_at, {last_end}) ELSE {open_end} END
                     - greatest(started_at, {from})"
        );
        let billed = format!(
            "CASE WHEN started_at >= {from} AND ended_at <= {whole_until} THEN {lasted}
                 ELSE {} END",
            micros(&part, any_length)
        );
        Ok(Shared { arguments, org, counted, billed })
    }
}

/// Returns the expression for the microseconds of an interval, at least 0. `date_part` is several times as fast as
/// `extract`, but a float of seconds.
fn micros(interval: &str, any_length: bool) -> String {
    let seconds = if any_length {
        format!("extract(epoch FROM ({interval}))")
    } else {
        format!("date_part('epoch', ({interval}))")
    };
    format!("greatest(({seconds} * 1000000)::bigint, 0)")
}

/// Returns the included disk in MB; only the excess counts.
fn included_disk() -> i32 {
    i32::try_from(INCLUDED_DISK_MB).unwrap_or(i32::MAX)
}

/// Composes the usage of every group. Products of `bigint` raise an error on overflow; their sums are `numeric` and
/// cannot overflow. The arithmetic is that of `Usage::of`.
fn by_group(shared: Shared, dimension: &Dimension, filters: &Filters, few: Option<Few<'_>>) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = shared;
    let included = arguments.bind(included_disk())?;
    let Conditions { present, absent, tags } = Conditions::compile(filters, few, org, &mut arguments)?;
    let by_sandbox = format!(
        r#"SELECT sandbox_id COLLATE "C" AS sandbox_id,
                 sum(memory_mb * {billed}) AS memory,
                 sum((disk_mb - {included}) * {billed}) FILTER (WHERE disk_mb > {included}) AS disk_overage
             {counted} {present}
             GROUP BY sandbox_id COLLATE "C""#
    );
    let sql = match dimension {
        Dimension::Sandbox => format!(
            "SELECT sums.sandbox_id, 1::bigint, memory, disk_overage
             FROM ({by_sandbox}) AS sums
             WHERE TRUE {absent}"
        ),
        Dimension::Template | Dimension::Region | Dimension::Status => {
            return Err(StoreError::internal("the dimension is not supported yet"));
        }
        Dimension::Tag(key) => {
            let key = arguments.bind(key.as_str().to_owned())?;
            format!(
                r#"SELECT tag.value COLLATE "C", count(*), sum(memory), sum(disk_overage)
             FROM ({by_sandbox}) AS sums
             LEFT JOIN sandbox_tags AS tag
                 ON tag.org_id = {org} AND tag.sandbox_id COLLATE "C" = sums.sandbox_id AND tag.key = {key} {tags}
             WHERE TRUE {absent}
             GROUP BY tag.value COLLATE "C""#
            )
        }
    };
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of every sandbox by size, with its value of a tag: for sandboxes so large or long that
/// products do not fit. The core multiplies.
fn by_size(shared: Shared, dimension: &Dimension, filters: &Filters, few: Option<Few<'_>>) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed } = shared;
    let key = arguments.bind(dimension.tag_key().map(|key| key.as_str().to_owned()))?;
    let Conditions { present, absent, tags } = Conditions::compile(filters, few, org, &mut arguments)?;
    let sql = format!(
        r#"SELECT sums.sandbox_id, memory_mb::bigint, disk_mb::bigint, micros, tag.value
             FROM (
                 SELECT sandbox_id COLLATE "C" AS sandbox_id, memory_mb, disk_mb, sum({billed}) AS micros
                 {counted} {present}
                 GROUP BY sandbox_id COLLATE "C", memory_mb, disk_mb) AS sums
             LEFT JOIN sandbox_tags AS tag
                 ON tag.org_id = {org} AND tag.sandbox_id COLLATE "C" = sums.sandbox_id AND tag.key = {key} {tags}
             WHERE TRUE {absent}"#
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of an org by size.
fn by_tier(Shared { arguments, counted, billed, .. }: Shared) -> Statement {
    let sql = format!(
        "SELECT memory_mb::bigint, disk_mb::bigint, sum({billed})
             {counted}
             GROUP BY memory_mb, disk_mb"
    );
    Statement { sql, arguments }
}

/// Returns the usage of all that matches, by group. Returns `None` if a sandbox is so large or ran so long that it
/// takes [`parts_by_size`].
pub(super) async fn parts(db: &mut PgConnection, events: Events, plan: &Plan) -> Result<Option<Vec<Part>>> {
    let few = Few::find(db, events.org, &plan.conditions.filters).await?;
    let dimension = only(plan)?;
    let statement = by_group(events.measured(&plan.grid)?, dimension, &plan.conditions.filters, few)?;
    let mut parts = Vec::new();
    let mut rows = statement.query().fetch(db);
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => {
                let (value, sandboxes, Sum(memory), disk): (_, i64, _, Option<Sum>) = row;
                let usage = Usage { memory, disk_overage: disk.map_or(0, |Sum(disk)| disk) };
                parts.push(Part { key: vec![value], sandboxes: sandboxes.unsigned_abs(), usage });
            }
            Ok(None) => return Ok(Some(parts)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OUT_OF_RANGE) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the same as [`parts`], however large the sandboxes are.
pub(super) async fn parts_by_size(db: &mut PgConnection, events: Events, plan: &Plan) -> Result<Vec<Part>> {
    let few = Few::find(db, events.org, &plan.conditions.filters).await?;
    let dimension = only(plan)?;
    let statement = by_size(events.measured(&plan.grid)?, dimension, &plan.conditions.filters, few)?;
    let mut sums = BTreeMap::<String, (Option<String>, Usage)>::new();
    let mut rows = statement.query().fetch(db);
    while let Some((sandbox_id, memory_mb, disk_mb, micros, tag_value)) = rows.try_next().await? {
        let (sandbox_id, tag_value): (String, Option<String>) = (sandbox_id, tag_value);
        let (_, sum) = sums.entry(sandbox_id).or_insert((tag_value, Usage::default()));
        *sum += tier((memory_mb, disk_mb, micros)).usage();
    }
    let part = |(sandbox_id, (tag_value, usage))| {
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
pub(super) async fn tiers(db: &mut PgConnection, events: Events, grid: &Grid) -> Result<Vec<Tier>> {
    let rows = by_tier(events.measured(grid)?).query().fetch_all(db).await?;
    let mut tiers: Vec<_> = rows.into_iter().map(tier).collect();
    tiers.sort_unstable_by_key(|tier| (tier.memory_mb, tier.disk_mb));
    Ok(tiers)
}

fn tier((memory_mb, disk_mb, Sum(micros)): (i64, i64, Sum)) -> Tier {
    Tier { memory_mb: memory_mb.unsigned_abs(), disk_mb: disk_mb.unsigned_abs(), micros }
}

/// Returns every kind of composed statement with its name.
pub(super) fn texts(plan: &Plan) -> Result<Vec<(&'static str, String)>> {
    let dimension = only(plan)?;
    let few = || Some(Few { ids: Vec::new(), dimension: &Dimension::Sandbox });
    let tag = plan.conditions.filters.iter().map(|(dimension, _)| dimension).find(|one| one.tag_key().is_some());
    let tag = tag.unwrap_or(dimension);
    let events = |platform| Events { org: Uuid::nil(), platform }.measured(&plan.grid);
    let filters = &plan.conditions.filters;
    let none = &Filters::default();
    let all = [
        ("sums by sandbox", by_group(events(false)?, &Dimension::Sandbox, none, None)?),
        ("sums by tag", by_group(events(false)?, tag, none, None)?),
        ("sums by sandbox with filters", by_group(events(false)?, &Dimension::Sandbox, filters, None)?),
        ("sums by tag with filters", by_group(events(false)?, tag, filters, None)?),
        ("sums by sandbox of a few", by_group(events(false)?, &Dimension::Sandbox, filters, few())?),
        ("sums by tag of a few", by_group(events(false)?, tag, filters, few())?),
        ("sums by tag on a platform", by_group(events(true)?, tag, filters, None)?),
        ("sums by size", by_size(events(false)?, tag, none, None)?),
        ("sums by size with filters", by_size(events(false)?, tag, filters, None)?),
        ("tiers", by_tier(events(false)?)),
        ("tiers on a platform", by_tier(events(true)?)),
    ];
    Ok(all.into_iter().map(|(name, statement)| (name, statement.sql)).collect())
}
