//! Sums over the events of an org: the aggregate and the rollup.
//!
//! The statements are composed here, because they depend on the schema and on the query. One expression,
//! [`Shared::billed`], holds the accounting rule. The core adds up the events of a drilldown.
//!
//! Each statement reads one org's range of the covering index of the events once, in the order of its sandboxes. It
//! therefore groups by sandbox without a sort, and joins the dimensions only after that. If a filter keeps only a few
//! sandboxes, the statement looks each of them up in the same index.
//!
//! For a page with series of few groups, [`counted`] only counts sandboxes: the series of all groups add up to the sums.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use opencomputer_usage_core::query;
use opencomputer_usage_core::usage::accounting::Usage;
use opencomputer_usage_core::usage::dimension::{Dimension, Key};
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Part;
use opencomputer_usage_core::usage::plan::Plan;
use sqlx::PgConnection;
use uuid::Uuid;

use super::conditions::{Conditions, Few, by_latest_session};
use super::dimensions::{self, Joined};
use super::events::{Events, Products, Selection, Shared, Statement, fitting, included_disk};
use super::series;
use super::types::Sum;
use crate::store::{Result, Tier};

/// Composes the usage of every group. Products of `bigint` raise an error on overflow; their sums are `numeric` and
/// cannot overflow. The arithmetic is that of `Usage::of`.
fn by_group(
    shared: Shared,
    group_by: &[Dimension],
    conditions: &query::Conditions,
    few: Option<&Few<'_>>,
) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed, .. } = shared;
    let included = arguments.bind(included_disk())?;
    let conditions = Conditions::compile(conditions, few, "sums.sandbox_id", org, &mut arguments)?;
    let Conditions { kept, left_out, .. } = &conditions;
    let by_sandbox = format!(
        r#"SELECT event.sandbox_id COLLATE "C" AS sandbox_id,
                 sum(event.memory_mb * {billed}) AS memory,
                 sum((event.disk_mb - {included}) * {billed}) FILTER (WHERE event.disk_mb > {included}) AS disk_overage
             FROM sandbox_scale_events AS event
             WHERE {counted}{kept}
             GROUP BY event.sandbox_id COLLATE "C""#
    );
    let sql = if group_by == [Dimension::Sandbox] {
        format!(
            "SELECT ARRAY[sums.sandbox_id], 1::bigint, memory, disk_overage
             FROM ({by_sandbox}) AS sums
             WHERE TRUE{left_out}"
        )
    } else {
        let Joined { joins, values } = dimensions::join(group_by, &conditions, org, &mut arguments)?;
        let values = values.join(", ");
        format!(
            "SELECT ARRAY[{values}], count(*), sum(memory), sum(disk_overage)
             FROM ({by_sandbox}) AS sums{joins}
             WHERE TRUE{left_out}
             GROUP BY {values}"
        )
    };
    Ok(Statement { sql, arguments })
}

/// Composes the number of sandboxes of every group, without their usage. Returns no more than `limit` groups.
fn counts(
    Selection { mut arguments, org, counted, .. }: Selection,
    group_by: &[Dimension],
    conditions: &query::Conditions,
    few: Option<&Few<'_>>,
    limit: i64,
) -> Result<Statement> {
    let conditions = Conditions::compile(conditions, few, "sums.sandbox_id", org, &mut arguments)?;
    let Joined { joins, values } = dimensions::join(group_by, &conditions, org, &mut arguments)?;
    let (Conditions { kept, left_out, .. }, values) = (&conditions, values.join(", "));
    let limit = arguments.bind(limit)?;
    let sql = format!(
        r#"SELECT ARRAY[{values}], count(*)
             FROM (
                 SELECT event.sandbox_id COLLATE "C" AS sandbox_id
                 FROM sandbox_scale_events AS event
                 WHERE {counted}{kept}
                 GROUP BY event.sandbox_id COLLATE "C") AS sums{joins}
             WHERE TRUE{left_out}
             GROUP BY {values}
             LIMIT {limit}"#
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of every sandbox by size, with its group.
fn by_size(
    shared: Shared,
    group_by: &[Dimension],
    conditions: &query::Conditions,
    few: Option<&Few<'_>>,
) -> Result<Statement> {
    let Shared { mut arguments, org, counted, billed, .. } = shared;
    let conditions = Conditions::compile(conditions, few, "sums.sandbox_id", org, &mut arguments)?;
    let Joined { joins, values } = dimensions::join(group_by, &conditions, org, &mut arguments)?;
    let (Conditions { kept, left_out, .. }, values) = (&conditions, values.join(", "));
    let sql = format!(
        r#"SELECT sums.sandbox_id, memory_mb::bigint, disk_mb::bigint, micros, ARRAY[{values}]
             FROM (
                 SELECT event.sandbox_id COLLATE "C" AS sandbox_id, event.memory_mb, event.disk_mb,
                     sum({billed}) AS micros
                 FROM sandbox_scale_events AS event
                 WHERE {counted}{kept}
                 GROUP BY event.sandbox_id COLLATE "C", event.memory_mb, event.disk_mb) AS sums{joins}
             WHERE TRUE{left_out}"#
    );
    Ok(Statement { sql, arguments })
}

/// Composes the billed time of an org by size.
fn by_tier(Shared { arguments, counted, billed, .. }: Shared) -> Statement {
    let sql = format!(
        "SELECT memory_mb::bigint, disk_mb::bigint, sum({billed})
             FROM sandbox_scale_events AS event
             WHERE {counted}
             GROUP BY memory_mb, disk_mb"
    );
    Statement { sql, arguments }
}

/// Returns the usage of all that matches, by group. Returns `None` if the products of the database do not fit.
pub(super) async fn parts(
    db: &mut PgConnection,
    events: Events,
    plan: &Plan,
    few: Option<&Few<'_>>,
    products: Products,
) -> Result<Option<Vec<Part>>> {
    let (shared, group_by) = (events.measured(&plan.grid)?, plan.group_by.dimensions());
    if products == Products::Core {
        return parts_by_size(db, by_size(shared, group_by, &plan.conditions, few)?).await.map(Some);
    }
    let mut parts = Vec::new();
    let mut rows = by_group(shared, group_by, &plan.conditions, few)?.query().fetch(db);
    loop {
        let Some(row) = fitting(rows.try_next().await)? else { return Ok(None) };
        let Some((key, sandboxes, Sum(memory), disk)) = row else { return Ok(Some(parts)) };
        let (sandboxes, disk): (i64, Option<Sum>) = (sandboxes, disk);
        let usage = Usage { memory, disk_overage: disk.map_or(0, |Sum(disk)| disk) };
        parts.push(Part { key, sandboxes: sandboxes.unsigned_abs(), usage });
    }
}

/// Returns all groups without their usage if there are at most `limit`, otherwise `None`.
pub(super) async fn counted(
    db: &mut PgConnection,
    events: Events,
    plan: &Plan,
    few: Option<&Few<'_>>,
    limit: usize,
) -> Result<Option<Vec<Part>>> {
    let group_by = plan.group_by.dimensions();
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let statement = counts(events.counted(&plan.grid)?, group_by, &plan.conditions, few, more)?;
    let rows: Vec<(Key, i64)> = statement.query().fetch_all(db).await?;
    let part = |(key, sandboxes): (_, i64)| Part { key, sandboxes: sandboxes.unsigned_abs(), usage: Usage::default() };
    Ok((rows.len() <= limit).then(|| rows.into_iter().map(part).collect()))
}

async fn parts_by_size(db: &mut PgConnection, statement: Statement) -> Result<Vec<Part>> {
    let mut sums = BTreeMap::<String, (Key, Usage)>::new();
    let mut rows = statement.query().fetch(db);
    while let Some((sandbox_id, memory_mb, disk_mb, micros, key)) = rows.try_next().await? {
        let (_, sum) = sums.entry(sandbox_id).or_insert((key, Usage::default()));
        *sum += tier((memory_mb, disk_mb, micros)).usage();
    }
    Ok(sums.into_values().map(|(key, usage)| Part { key, sandboxes: 1, usage }).collect())
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
    let few = Few { ids: Vec::new(), dimension: &Dimension::Sandbox };
    let (none, all) = (&query::Conditions::default(), &plan.conditions);
    let (sandbox, groups) = (&[Dimension::Sandbox][..], plan.group_by.dimensions());
    let shared = |platform| Events { org: Uuid::nil(), platform }.measured(&plan.grid);
    let (own, platform) = (|| shared(false), || shared(true));
    let counted = |conditions, few| {
        let counted = Events { org: Uuid::nil(), platform: false }.counted(&plan.grid)?;
        counts(counted, groups, conditions, few, 1).map(|statement| statement.sql)
    };
    let mut texts = vec![
        ("sums by sandbox", by_group(own()?, sandbox, none, None)?.sql),
        ("sums by group", by_group(own()?, groups, none, None)?.sql),
        ("sums by sandbox with conditions", by_group(own()?, sandbox, all, None)?.sql),
        ("sums by group with conditions", by_group(own()?, groups, all, None)?.sql),
        ("sums by sandbox of a few", by_group(own()?, sandbox, all, Some(&few))?.sql),
        ("sums by group of a few", by_group(own()?, groups, all, Some(&few))?.sql),
        ("sums by group on a platform", by_group(platform()?, groups, all, None)?.sql),
        ("counts by group", counted(none, None)?),
        ("counts by group with conditions", counted(all, None)?),
        ("counts by group of a few", counted(all, Some(&few))?),
        ("sums by size", by_size(own()?, groups, none, None)?.sql),
        ("sums by size with conditions", by_size(own()?, groups, all, None)?.sql),
        ("tiers", by_tier(own()?).sql),
        ("tiers on a platform", by_tier(platform()?).sql),
        ("by latest session", by_latest_session(Uuid::nil(), &Dimension::Region, &[])?.0),
    ];
    texts.extend(series::texts(plan, own, &few)?);
    Ok(texts)
}
