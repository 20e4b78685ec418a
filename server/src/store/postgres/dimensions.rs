//! The values of dimensions as SQL: tags, and columns of the latest session.

use std::fmt::Write as _;

use opencomputer_usage_core::usage::dimension::Dimension;
use sqlx::postgres::PgArguments;

use super::conditions::Conditions;
use super::latest::latest_sessions;
use crate::store::Result;
use crate::store::statements::{Arguments, Placeholder};

/// Joins that look up the values of dimensions.
pub(super) struct Joined {
    pub(super) joins: String,
    /// The value of each dimension, null where a sandbox lacks it.
    pub(super) values: Vec<String>,
}

/// Composes the joins of dimensions to `sums`, which has one row per sandbox.
pub(super) fn join(
    dimensions: &[Dimension],
    conditions: &Conditions,
    org: Placeholder,
    arguments: &mut Arguments<PgArguments>,
) -> Result<Joined> {
    let (mut joins, mut values) = (String::new(), Vec::new());
    if dimensions.iter().any(is_of_session) {
        let latest = latest_sessions(org, conditions.few);
        // Writing to a string cannot fail.
        let _ = write!(
            joins,
            "
             LEFT JOIN ({latest}) AS latest ON latest.sandbox_id = sums.sandbox_id"
        );
    }
    for (index, dimension) in dimensions.iter().enumerate() {
        let Some(key) = dimension.tag_key() else {
            let table = if is_of_session(dimension) { "latest" } else { "sums" };
            values.push(format!("{table}.{}", column(dimension)));
            continue;
        };
        let (tag, key) = (format!("tag_{index}"), arguments.bind(key.as_str().to_owned())?);
        // A few are looked up by sandbox only: stale statistics may favor the index by value for a whole key.
        let _ = if conditions.few.is_some() {
            write!(
                joins,
                r#"
             LEFT JOIN LATERAL (
                 SELECT one.key, one.value FROM sandbox_tags AS one
                 WHERE one.org_id = {org} AND one.sandbox_id COLLATE "C" = sums.sandbox_id OFFSET 0) AS {tag}
                 ON {tag}.key = {key}"#
            )
        } else {
            write!(
                joins,
                r#"
             LEFT JOIN sandbox_tags AS {tag}
                 ON {tag}.org_id = {org} AND {tag}.sandbox_id COLLATE "C" = sums.sandbox_id AND {tag}.key = {key}"#
            )
        };
        values.push(format!(r#"{tag}.value COLLATE "C""#));
    }
    Ok(Joined { joins, values })
}

/// Composes the values of the sandboxes that have any of the dimensions: one row per sandbox, with the columns
/// `sandbox_id`, `value_0`, `value_1` and so on.
pub(super) fn valued(
    dimensions: &[Dimension],
    conditions: &Conditions,
    org: Placeholder,
    arguments: &mut Arguments<PgArguments>,
) -> Result<String> {
    let mut sources = Vec::new();
    for (index, dimension) in dimensions.iter().enumerate() {
        let (value, source) = if let Some(key) = dimension.tag_key() {
            let key = arguments.bind(key.as_str().to_owned())?;
            let source = match conditions.few {
                // Looks up by sandbox only: stale statistics may favor the index by value for a whole key.
                Some(ids) => format!(
                    r#"(
             SELECT few.sandbox_id, known.value FROM unnest({ids}::text[]) AS few (sandbox_id) CROSS JOIN LATERAL (
                 SELECT one.key, one.value FROM sandbox_tags AS one
                 WHERE one.org_id = {org} AND one.sandbox_id COLLATE "C" = few.sandbox_id OFFSET 0) AS known
             WHERE known.key = {key}) AS tag"#
                ),
                None => format!("sandbox_tags AS tag WHERE tag.org_id = {org} AND tag.key = {key}"),
            };
            (r#"tag.value COLLATE "C""#.to_owned(), source)
        } else {
            let latest = latest_sessions(org, conditions.few);
            let value = format!("tag.{}", column(dimension));
            let source = format!("({latest}) AS tag WHERE {value} IS NOT NULL");
            (value, source)
        };
        let values = (0..dimensions.len()).map(|place| {
            let value = if place == index { value.as_str() } else { "NULL::text" };
            format!("{value} AS value_{place}")
        });
        let values = values.collect::<Vec<_>>().join(", ");
        sources.push(format!(r#"SELECT tag.sandbox_id COLLATE "C" AS sandbox_id, {values} FROM {source}"#));
    }
    let all = sources.join("\n                 UNION ALL ");
    if dimensions.len() == 1 {
        return Ok(all);
    }
    let values = (0..dimensions.len()).map(|place| format!("max(value_{place}) AS value_{place}"));
    let values = values.collect::<Vec<_>>().join(", ");
    Ok(format!("SELECT sandbox_id, {values} FROM ({all}) AS tag GROUP BY sandbox_id"))
}

/// Returns the column of `sums` or of the latest session that contains a dimension.
fn column(dimension: &Dimension) -> &'static str {
    if *dimension == Dimension::Sandbox { "sandbox_id" } else { dimension.kind() }
}

fn is_of_session(dimension: &Dimension) -> bool {
    matches!(dimension, Dimension::Template | Dimension::Region | Dimension::Status)
}
