//! The conditions of a query as SQL.

use std::fmt::Write as _;

use opencomputer_usage_core::query;
use opencomputer_usage_core::query::filter::Filter;
use opencomputer_usage_core::usage::dimension::Dimension;
use sqlx::sqlite::SqliteArguments;

use super::sql;
use super::types::json_list;
use crate::store::Result;
use crate::store::statements::{Arguments, Placeholder};

/// Conditions on sandboxes, to be appended to a `WHERE`.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// For rows with a column `sandbox_id`. The engine reads only the rows of these sandboxes.
    pub(super) present: String,
    /// For `sums`, which has one row per sandbox. Testing each event instead takes 40% longer.
    pub(super) absent: String,
}

impl Conditions {
    /// Compiles filters and exclusions.
    pub(super) fn compile(
        conditions: &query::Conditions,
        org: Placeholder,
        arguments: &mut Arguments<SqliteArguments>,
    ) -> Result<Self> {
        let mut compiled = Self::default();
        let filters = conditions.filters.iter().map(|(dimension, filter)| (dimension, filter, true));
        let exclusions = conditions.exclusions.iter().map(|(dimension, filter)| (dimension, filter, false));
        for (dimension, filter, keeps) in filters.chain(exclusions) {
            let (values, matches_set) = match filter {
                Filter::AnyOf(values) => (Some(values.as_slice()), true),
                Filter::Absent => (None, false),
            };
            let set = sandboxes(dimension, values, org, arguments)?;
            // A filter keeps the sandboxes that it matches, an exclusion drops them. Writing to a string cannot fail.
            let _ = if keeps == matches_set {
                write!(compiled.present, "\n             AND sandbox_id IN ({set})")
            } else {
                write!(compiled.absent, "\n             AND sums.sandbox_id NOT IN ({set})")
            };
        }
        Ok(compiled)
    }
}

/// Selects the sandboxes that have one of these values of a dimension, or any value.
fn sandboxes(
    dimension: &Dimension,
    values: Option<&[String]>,
    org: Placeholder,
    arguments: &mut Arguments<SqliteArguments>,
) -> Result<String> {
    let key = dimension.tag_key().map(|key| arguments.bind(key.as_str().to_owned())).transpose()?;
    let list = values.map(|values| arguments.bind(json_list(values)?)).transpose()?;
    let list = list.map(|list| format!("SELECT value FROM json_each({list})"));
    Ok(match (dimension, key) {
        (Dimension::Sandbox, _) => list.unwrap_or_else(|| {
            format!("SELECT has.sandbox_id FROM sandbox_scale_events AS has WHERE has.org_id = {org}")
        }),
        (Dimension::Tag(_), Some(key)) => {
            let of_value = list.map_or_else(String::new, |list| format!(" AND has.value IN ({list})"));
            format!(
                "
                 SELECT has.sandbox_id FROM sandbox_tags AS has
                 WHERE has.org_id = {org} AND has.key = {key}{of_value}"
            )
        }
        (session, _) => {
            let (column, latest) = (session.kind(), sql::latest_start(org, "has"));
            let of_value = list.map_or_else(|| "<> ''".to_owned(), |list| format!("IN ({list})"));
            format!(
                "
                 SELECT has.sandbox_id FROM sandbox_sessions AS has
                 WHERE has.org_id = {org} AND has.{column} {of_value} AND has.started_at = {latest}"
            )
        }
    })
}

/// Compiles conditions on the latest sessions of sandboxes, in rows of `session`, to be appended to a `WHERE`. Each row is
/// looked up by itself. The filter of the dimension `done` is left out.
pub(super) fn of_sessions(
    conditions: &query::Conditions,
    done: Option<&Dimension>,
    org: Placeholder,
    arguments: &mut Arguments<SqliteArguments>,
) -> Result<String> {
    let mut sql = String::new();
    // Writing to a string cannot fail.
    for (dimension, filter) in conditions.filters.iter().filter(|(dimension, _)| Some(*dimension) != done) {
        let _ = write!(sql, "\n             AND {}", matches(dimension, filter, org, arguments)?);
    }
    for (dimension, filter) in conditions.exclusions.iter() {
        let _ = write!(sql, "\n             AND NOT ({})", matches(dimension, filter, org, arguments)?);
    }
    Ok(sql)
}

/// Compiles whether a sandbox, by its latest session in a row of `session`, matches a filter; never null.
fn matches(
    dimension: &Dimension,
    filter: &Filter,
    org: Placeholder,
    arguments: &mut Arguments<SqliteArguments>,
) -> Result<String> {
    Ok(match (dimension, filter) {
        (Dimension::Sandbox, Filter::Absent) => "FALSE".to_owned(),
        (Dimension::Tag(key), filter) => {
            let key = arguments.bind(key.as_str().to_owned())?;
            let (not, of_value) = match filter {
                Filter::Absent => ("NOT ", String::new()),
                Filter::AnyOf(values) => {
                    let values = arguments.bind(json_list(values)?)?;
                    // The plus keeps the index by value from being read for each session.
                    ("", format!(" AND +has.value IN (SELECT value FROM json_each({values}))"))
                }
            };
            format!(
                "{not}EXISTS (
                 SELECT 1 FROM sandbox_tags AS has
                 WHERE has.org_id = {org} AND has.sandbox_id = session.sandbox_id AND has.key = {key}{of_value})"
            )
        }
        (Dimension::Template | Dimension::Region | Dimension::Status, Filter::Absent) => {
            format!("session.{} = ''", dimension.kind())
        }
        (dimension, Filter::AnyOf(values)) => {
            let column = if *dimension == Dimension::Sandbox { "sandbox_id" } else { dimension.kind() };
            let values = arguments.bind(json_list(values)?)?;
            format!("+session.{column} IN (SELECT value FROM json_each({values}))")
        }
    })
}

/// Composes the ids of the sandboxes that a filter by values keeps, each once. `None` if no index has them.
pub(super) fn kept(
    dimension: &Dimension,
    filter: &Filter,
    org: Placeholder,
    arguments: &mut Arguments<SqliteArguments>,
) -> Result<Option<String>> {
    Ok(match (dimension, filter) {
        (Dimension::Sandbox, Filter::AnyOf(ids)) => {
            Some(format!("SELECT value AS sandbox_id FROM json_each({})", arguments.bind(json_list(ids)?)?))
        }
        (Dimension::Tag(key), Filter::AnyOf(values)) => {
            let (key, values) = (arguments.bind(key.as_str().to_owned())?, arguments.bind(json_list(values)?)?);
            Some(format!(
                "SELECT has.sandbox_id FROM sandbox_tags AS has
             WHERE has.org_id = {org} AND has.key = {key} AND has.value IN (SELECT value FROM json_each({values}))"
            ))
        }
        _ => None,
    })
}
