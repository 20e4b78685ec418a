//! The conditions of a query as SQL.

use std::fmt::Write as _;

use opencomputer_usage_core::query;
use opencomputer_usage_core::query::filter::{Filter, Filters};
use opencomputer_usage_core::usage::dimension::Dimension;
use sqlx::sqlite::SqliteArguments;

use super::types::json_list;
use crate::store::statements::{Arguments, Placeholder};
use crate::store::{Result, StoreError};

/// Compiles filters to conditions on rows that have a column `sandbox_id`, to be appended to a `WHERE`.
pub(super) fn compile(
    filters: &Filters,
    org: Placeholder,
    arguments: &mut Arguments<SqliteArguments>,
) -> Result<String> {
    let mut sql = String::new();
    // Writing to a string cannot fail.
    for (dimension, filter) in filters.iter() {
        let _ = match (dimension, filter) {
            (Dimension::Sandbox, Filter::AnyOf(ids)) => {
                let ids = arguments.bind(json_list(ids)?)?;
                write!(sql, " AND sandbox_id IN (SELECT value FROM json_each({ids}))")
            }
            (Dimension::Template | Dimension::Region | Dimension::Status, _) => {
                return Err(StoreError::internal("the dimension is not supported yet"));
            }
            (Dimension::Sandbox, Filter::Absent) => write!(sql, " AND FALSE"),
            (Dimension::Tag(key), Filter::AnyOf(values)) => {
                let (key, values) = (arguments.bind(key.as_str().to_owned())?, arguments.bind(json_list(values)?)?);
                write!(
                    sql,
                    " AND sandbox_id IN (
                 SELECT sandbox_id FROM sandbox_tags AS has
                 WHERE org_id = {org} AND key = {key} AND value IN (SELECT value FROM json_each({values})))"
                )
            }
            (Dimension::Tag(key), Filter::Absent) => {
                let key = arguments.bind(key.as_str().to_owned())?;
                write!(
                    sql,
                    " AND sandbox_id NOT IN (
                 SELECT sandbox_id FROM sandbox_tags AS has WHERE org_id = {org} AND key = {key})"
                )
            }
        };
    }
    Ok(sql)
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
