//! The conditions of a query as SQL.

use std::fmt::Write as _;

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
