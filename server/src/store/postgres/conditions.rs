//! The conditions of a query as SQL.

use std::fmt::Write as _;

use opencomputer_usage_core::query;
use opencomputer_usage_core::query::filter::Filter;
use opencomputer_usage_core::usage::dimension::Dimension;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::latest::latest_sessions;
use super::session::WHOLE_ORG;
use super::sql;
use crate::store::Result;
use crate::store::statements::{Arguments, Placeholder};

/// Up to this many sandboxes are looked up one by one.
const FEW: u16 = 500;

/// The sandbox of a row of `sandbox_scale_events AS event`.
pub(super) const SANDBOX_OF_EVENT: &str = r#"event.sandbox_id COLLATE "C""#;

/// The few sandboxes that the filter of one dimension keeps.
pub(super) struct Few<'p> {
    pub(super) ids: Vec<String>,
    pub(super) dimension: &'p Dimension,
}

impl<'p> Few<'p> {
    /// Finds a filter that keeps only a few sandboxes. If there is none, applies the settings for reading a whole org
    /// to the statements that follow.
    pub(super) async fn find(
        db: &mut PgConnection,
        org: Uuid,
        conditions: &'p query::Conditions,
    ) -> Result<Option<Self>> {
        for (dimension, filter) in conditions.filters.iter() {
            let Filter::AnyOf(values) = filter else { continue };
            let ids = match dimension {
                Dimension::Sandbox => values.clone(),
                Dimension::Tag(key) => {
                    let query = sqlx::query_scalar(sql::TAGGED).bind(org).bind(key.as_str()).bind(values);
                    query.bind(i64::from(FEW) + 1).fetch_all(&mut *db).await?
                }
                Dimension::Template | Dimension::Region | Dimension::Status => {
                    let (sql, arguments) = by_latest_session(org, dimension, values)?;
                    let query = sqlx::query_scalar_with(AssertSqlSafe(sql), arguments.into_inner());
                    query.fetch_all(&mut *db).await?
                }
            };
            if ids.len() <= usize::from(FEW) {
                return Ok(Some(Self { ids, dimension }));
            }
        }
        sqlx::raw_sql(WHOLE_ORG).execute(db).await?;
        Ok(None)
    }
}

/// Composes the sandboxes whose latest session has one of these values, at most one more than [`FEW`].
pub(super) fn by_latest_session(
    org: Uuid,
    dimension: &Dimension,
    values: &[String],
) -> Result<(String, Arguments<PgArguments>)> {
    let mut arguments = Arguments::new('$');
    let org = arguments.bind(org)?;
    let having = having(dimension, Some(values), None, org, &mut arguments)?;
    let limit = arguments.bind(i64::from(FEW) + 1)?;
    Ok((format!("SELECT has.sandbox_id {having} LIMIT {limit}"), arguments))
}

/// Conditions on sandboxes, to be appended to a `WHERE`.
pub(super) struct Conditions {
    /// For rows of `event`: keeps sandboxes that have one of the requested values.
    pub(super) kept: String,
    /// For rows with one row per sandbox: drops sandboxes, which is cheaper than dropping each of their events.
    pub(super) left_out: String,
    /// The ids of the sandboxes, if they are few.
    pub(super) few: Option<Placeholder>,
}

impl Conditions {
    /// Compiles conditions. The sandboxes in `few` replace the filter that they were found by. `sandbox` is the id in
    /// the rows of `left_out`.
    pub(super) fn compile(
        conditions: &query::Conditions,
        few: Option<&Few<'_>>,
        sandbox: &str,
        org: Placeholder,
        arguments: &mut Arguments<PgArguments>,
    ) -> Result<Self> {
        let (mut kept, mut left_out) = (String::new(), String::new());
        let done = few.map(|few| few.dimension);
        let few = few.map(|few| arguments.bind(few.ids.clone())).transpose()?;
        let filters = conditions.filters.iter().filter(|(dimension, _)| Some(*dimension) != done);
        let conditions = filters.map(|one| (true, one)).chain(conditions.exclusions.iter().map(|one| (false, one)));
        // Writing to a string cannot fail.
        for (keep, (dimension, filter)) in conditions {
            let values = match filter {
                Filter::AnyOf(values) => Some(values.as_slice()),
                Filter::Absent => None,
            };
            let _ = match (dimension, values) {
                (Dimension::Sandbox, Some(ids)) => {
                    let (ids, is) = (arguments.bind(ids.to_vec())?, if keep { "= ANY" } else { "<> ALL" });
                    write!(kept, " AND {SANDBOX_OF_EVENT} {is} ({ids})")
                }
                // No sandbox lacks an id.
                (Dimension::Sandbox, None) => write!(kept, " AND {}", if keep { "FALSE" } else { "TRUE" }),
                // Keeps sandboxes with a value. All other conditions keep sandboxes that lack the dimension, so they
                // leave out those with a value.
                _ if keep == values.is_some() => {
                    let having = having(dimension, values, few, org, arguments)?;
                    write!(
                        kept,
                        r#"
             AND {SANDBOX_OF_EVENT} IN (
                 SELECT has.sandbox_id COLLATE "C" {having})"#
                    )
                }
                _ => {
                    let having = having(dimension, values, few, org, arguments)?;
                    write!(
                        left_out,
                        r#"
             AND NOT EXISTS (
                 SELECT 1 {having} AND has.sandbox_id COLLATE "C" = {sandbox})"#
                    )
                }
            };
        }
        let mut conditions = Self { kept, left_out, few };
        conditions.kept += &conditions.only_few("event.sandbox_id");
        Ok(conditions)
    }

    /// Returns a condition that reads only the rows of a few sandboxes, if the query keeps only a few.
    pub(super) fn only_few(&self, sandbox: &str) -> String {
        self.few.map(|ids| format!(r#" AND {sandbox} COLLATE "C" = ANY ({ids})"#)).unwrap_or_default()
    }
}

/// Composes the source `has` of the sandboxes that have a dimension, with one of `values` if there are any.
fn having(
    dimension: &Dimension,
    values: Option<&[String]>,
    few: Option<Placeholder>,
    org: Placeholder,
    arguments: &mut Arguments<PgArguments>,
) -> Result<String> {
    let (source, value) = match dimension.tag_key() {
        Some(key) => {
            let key = arguments.bind(key.as_str().to_owned())?;
            (format!("FROM sandbox_tags AS has WHERE has.org_id = {org} AND has.key = {key}"), "value")
        }
        None => (format!("FROM ({}) AS has WHERE TRUE", latest_sessions(org, few)), dimension.kind()),
    };
    Ok(match values {
        Some(values) => format!("{source} AND has.{value} = ANY ({})", arguments.bind(values.to_vec())?),
        None => format!("{source} AND has.{value} IS NOT NULL"),
    })
}

/// Compiles conditions on the latest sessions of sandboxes, in rows of `session`, to be appended to a `WHERE`. Each row is
/// looked up by itself. The filter of the dimension `done` is left out.
pub(super) fn of_sessions(
    conditions: &query::Conditions,
    done: Option<&Dimension>,
    org: Placeholder,
    arguments: &mut Arguments<PgArguments>,
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
    arguments: &mut Arguments<PgArguments>,
) -> Result<String> {
    Ok(match (dimension, filter) {
        (Dimension::Sandbox, Filter::AnyOf(ids)) => {
            format!(r#"session.sandbox_id COLLATE "C" = ANY ({})"#, arguments.bind(ids.clone())?)
        }
        (Dimension::Sandbox, Filter::Absent) => "FALSE".to_owned(),
        (Dimension::Tag(key), filter) => {
            let key = arguments.bind(key.as_str().to_owned())?;
            let (not, of_value) = match filter {
                Filter::Absent => ("NOT ", String::new()),
                Filter::AnyOf(values) => ("", format!(" AND has.value = ANY ({})", arguments.bind(values.clone())?)),
            };
            format!(
                r#"{not}EXISTS (
                 SELECT 1 FROM sandbox_tags AS has
                 WHERE has.org_id = {org} AND has.sandbox_id COLLATE "C" = session.sandbox_id COLLATE "C"
                     AND has.key = {key}{of_value} OFFSET 0)"#
            )
        }
        (Dimension::Template | Dimension::Region | Dimension::Status, filter) => {
            let value = format!("coalesce(session.{}::text, '')", dimension.kind());
            match filter {
                Filter::Absent => format!("{value} = ''"),
                Filter::AnyOf(values) => format!("{value} = ANY ({})", arguments.bind(values.clone())?),
            }
        }
    })
}

/// Composes the ids of the sandboxes that a filter by values keeps, each once. `None` if no index has them.
pub(super) fn kept(
    dimension: &Dimension,
    filter: &Filter,
    org: Placeholder,
    arguments: &mut Arguments<PgArguments>,
) -> Result<Option<String>> {
    Ok(match (dimension, filter) {
        (Dimension::Sandbox, Filter::AnyOf(ids)) => {
            let ids = arguments.bind(ids.clone())?;
            Some(format!("SELECT sandbox_id FROM unnest({ids}::text[]) AS wanted (sandbox_id)"))
        }
        (Dimension::Tag(key), Filter::AnyOf(values)) => {
            let (key, values) = (arguments.bind(key.as_str().to_owned())?, arguments.bind(values.clone())?);
            Some(format!(
                r#"SELECT has.sandbox_id COLLATE "C" AS sandbox_id FROM sandbox_tags AS has
             WHERE has.org_id = {org} AND has.key = {key} AND has.value = ANY ({values})"#
            ))
        }
        _ => None,
    })
}
