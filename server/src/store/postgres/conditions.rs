//! The conditions of a query as SQL.

use std::fmt::Write as _;

use opencomputer_usage_core::query::filter::{Filter, Filters};
use opencomputer_usage_core::usage::dimension::Dimension;
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

use super::session::WHOLE_ORG;
use super::sql;
use crate::store::statements::{Arguments, Placeholder};
use crate::store::{Result, StoreError};

/// Up to this many sandboxes are looked up one by one.
const FEW: u16 = 500;

/// The few sandboxes that the filter of one dimension keeps.
pub(super) struct Few<'p> {
    pub(super) ids: Vec<String>,
    pub(super) dimension: &'p Dimension,
}

impl<'p> Few<'p> {
    /// Finds out whether a filter keeps only a few sandboxes. If none does, the settings for reading a whole org are
    /// made for the statements that follow.
    pub(super) async fn find(db: &mut PgConnection, org: Uuid, filters: &'p Filters) -> Result<Option<Self>> {
        for (dimension, filter) in filters.iter() {
            let ids = match (dimension, filter) {
                (_, Filter::Absent) | (Dimension::Template | Dimension::Region | Dimension::Status, _) => continue,
                (Dimension::Sandbox, Filter::AnyOf(ids)) => ids.clone(),
                (Dimension::Tag(key), Filter::AnyOf(values)) => {
                    let query = sqlx::query_scalar(sql::TAGGED).bind(org).bind(key.as_str()).bind(values);
                    query.bind(i64::from(FEW) + 1).fetch_all(&mut *db).await?
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

/// Conditions on sandboxes, to be appended to a `WHERE`.
pub(super) struct Conditions {
    /// For rows with a column `sandbox_id`: keeps sandboxes that have one of the requested values.
    pub(super) present: String,
    /// For `sums`, which has one row per sandbox: sandboxes without a tag are cheaper to find there than in the events.
    pub(super) absent: String,
    /// For the rows of `tag`: reads only the tags of a few sandboxes.
    pub(super) tags: String,
}

impl Conditions {
    /// Compiles filters. The sandboxes in `few` stand for the filter that they were found by.
    pub(super) fn compile(
        filters: &Filters,
        few: Option<Few<'_>>,
        org: Placeholder,
        arguments: &mut Arguments<PgArguments>,
    ) -> Result<Self> {
        let (mut present, mut absent, mut tags) = (String::new(), String::new(), String::new());
        let done = few.as_ref().map(|few| few.dimension);
        // Writing to a string cannot fail.
        for (dimension, filter) in filters.iter().filter(|(dimension, _)| Some(*dimension) != done) {
            let _ = match (dimension, filter) {
                (Dimension::Sandbox, Filter::AnyOf(ids)) => {
                    let ids = arguments.bind(ids.clone())?;
                    write!(present, r#" AND sandbox_id COLLATE "C" = ANY ({ids})"#)
                }
                (Dimension::Template | Dimension::Region | Dimension::Status, _) => {
                    return Err(StoreError::internal("the dimension is not supported yet"));
                }
                (Dimension::Sandbox, Filter::Absent) => write!(present, " AND FALSE"),
                (Dimension::Tag(key), Filter::AnyOf(values)) => {
                    let (key, values) = (arguments.bind(key.as_str().to_owned())?, arguments.bind(values.clone())?);
                    write!(
                        present,
                        r#"
             AND sandbox_id COLLATE "C" IN (
                 SELECT has.sandbox_id COLLATE "C" FROM sandbox_tags AS has
                 WHERE has.org_id = {org} AND has.key = {key} AND has.value = ANY ({values}))"#
                    )
                }
                (Dimension::Tag(key), Filter::Absent) => {
                    let key = arguments.bind(key.as_str().to_owned())?;
                    write!(
                        absent,
                        r#"
             AND NOT EXISTS (
                 SELECT 1 FROM sandbox_tags AS has
                 WHERE has.org_id = {org} AND has.key = {key} AND has.sandbox_id COLLATE "C" = sums.sandbox_id)"#
                    )
                }
            };
        }
        if let Some(few) = few {
            let ids = arguments.bind(few.ids)?;
            let _ = write!(present, r#" AND sandbox_id COLLATE "C" = ANY ({ids})"#);
            let _ = write!(tags, r#" AND tag.sandbox_id COLLATE "C" = ANY ({ids})"#);
        }
        Ok(Self { present, absent, tags })
    }
}
