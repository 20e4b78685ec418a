//! Lists: the sandboxes of an org, and the values of a tag. Each page starts at the place in an index where the previous
//! one ended.
//!
//! The statements are composed here, because they depend on the query.

use std::fmt::Write as _;

use opencomputer_usage_core::query::filter::Filter;
use opencomputer_usage_core::query::position::{ListPage, SandboxPosition, Slice, TagValuePosition};
use opencomputer_usage_core::query::{Conditions, Parameters, Prefix, SandboxesQuery, State, TagValuesQuery};
use opencomputer_usage_core::usage::dimension::Dimension;
use opencomputer_usage_core::wire::{Sandbox, TagValue};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use super::conditions;
use super::read::{SessionRow, sandbox_of};
use super::sql;
use super::sums::Statement;
use super::types::json_list;
use crate::store::lists::{self, Lookup, Source};
use crate::store::statements::Arguments;
use crate::store::{Result, StoreError};

const COLUMNS: &str = "session.sandbox_id, session.status, session.region, session.worker_id, session.template,
             session.started_at, session.config ->> 'alias'";

/// The order of the list.
const ORDER: &str = "ORDER BY session.started_at DESC, session.sandbox_id";

/// Composes a page of sandboxes by their latest sessions.
fn sandboxes_from(
    source: Source<'_>,
    org: Uuid,
    query: &SandboxesQuery,
    slice: &Slice<SandboxPosition>,
) -> Result<Statement> {
    let mut arguments = Arguments::new('?');
    let org = arguments.bind(org.to_string())?;
    let (mut place, index) = match query.state {
        State::All => (String::new(), "sandbox_sessions_newest"),
        State::Running => {
            (" AND session.status = 'running' AND session.stopped_at IS NULL".to_owned(), "sandbox_sessions_running")
        }
    };
    if let Some(SandboxPosition { started_at, sandbox_id }) = &slice.after {
        let (started_at, id) = (arguments.bind(*started_at)?, arguments.bind(sandbox_id.clone())?);
        let _ = write!(
            place,
            " AND session.started_at <= {started_at}
                 AND (session.started_at < {started_at} OR session.sandbox_id > {id})"
        );
    }
    let is_latest = format!(
        "NOT EXISTS (
                 SELECT 1 FROM sandbox_sessions AS later
                 WHERE later.org_id = {org} AND later.sandbox_id = session.sandbox_id
                     AND later.started_at > session.started_at)"
    );
    // The planner has no statistics, so the index is named.
    let newest = format!("sandbox_sessions AS session INDEXED BY {index} WHERE session.org_id = {org}{place}");
    // A `CASE` looks for later sessions only where the conditions hold.
    let checked = |done: Option<&Dimension>, arguments: &mut Arguments<SqliteArguments>| -> Result<String> {
        let conditions = conditions::of_sessions(&query.conditions, done, org, arguments)?;
        Ok(if conditions.is_empty() {
            is_latest.clone()
        } else {
            format!("CASE WHEN TRUE{conditions} THEN {is_latest} END")
        })
    };
    let from = match source {
        Source::Newest => {
            let checked = checked(None, &mut arguments)?;
            format!("{newest} AND {checked}")
        }
        Source::Scanned(count) => {
            let checked = checked(None, &mut arguments)?;
            let count = arguments.bind(i64::try_from(count).unwrap_or(i64::MAX))?;
            format!(
                "(
                 SELECT session.* FROM {newest}
                 {ORDER} LIMIT {count}) AS session
             WHERE {checked}"
            )
        }
        Source::Kept(dimension, filter) => {
            let checked = checked(Some(dimension), &mut arguments)?;
            let kept = conditions::kept(dimension, filter, org, &mut arguments)?;
            let kept = kept.ok_or_else(|| StoreError::internal("no index has the sandboxes of the filter"))?;
            // A cross join keeps its order.
            format!(
                "({kept}) AS kept CROSS JOIN sandbox_sessions AS session
             WHERE session.org_id = {org} AND session.sandbox_id = kept.sandbox_id{place} AND {checked}"
            )
        }
    };
    let limit = arguments.bind(i64::try_from(slice.wanted()).unwrap_or(i64::MAX))?;
    let sql = format!("SELECT {COLUMNS} FROM {from} {ORDER} LIMIT {limit}");
    Ok(Statement { sql, arguments })
}

/// Returns a page of sandboxes, without tags.
pub(super) async fn sandboxes(
    db: &mut SqliteConnection,
    org: Uuid,
    query: &SandboxesQuery,
    slice: &Slice<SandboxPosition>,
) -> Result<ListPage<Sandbox, SandboxPosition>> {
    let mut lookups = Vec::new();
    let most = lists::countable(slice.wanted());
    for (dimension, filter) in lists::lookups(&query.conditions.filters) {
        lookups.push(Lookup { dimension, filter, kept: kept(db, org, dimension, filter, most).await? });
    }
    let mut rows: Vec<SessionRow> = Vec::new();
    for source in lists::sources(&lookups, slice.wanted()) {
        rows = sandboxes_from(source, org, query, slice)?.query_as().fetch_all(&mut *db).await?;
        if rows.len() == slice.wanted() {
            break;
        }
    }
    let position = |row: &SessionRow| SandboxPosition { started_at: row.5, sandbox_id: row.0.clone() };
    Ok(slice.page(rows.into_iter().map(|row| (position(&row), sandbox_of(row)))))
}

/// Returns the number of sandboxes that a filter keeps, at most `most`.
async fn kept(
    db: &mut SqliteConnection,
    org: Uuid,
    dimension: &Dimension,
    filter: &Filter,
    most: usize,
) -> Result<usize> {
    Ok(match (dimension, filter) {
        (Dimension::Sandbox, Filter::AnyOf(ids)) => ids.len(),
        (Dimension::Tag(key), Filter::AnyOf(values)) => {
            let query =
                sqlx::query_scalar(sql::COUNT_TAGGED).bind(org.to_string()).bind(key.as_str()).bind(json_list(values)?);
            let count: i64 = query.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_one(db).await?;
            usize::try_from(count).unwrap_or_default()
        }
        _ => most,
    })
}

/// Composes a page of the values of a tag.
fn tag_values_from(org: Uuid, query: &TagValuesQuery, slice: &Slice<TagValuePosition>) -> Result<Statement> {
    let mut arguments = Arguments::new('?');
    let (org, key) = (arguments.bind(org.to_string())?, arguments.bind(query.key.as_str().to_owned())?);
    let mut place = String::new();
    let prefix = query.prefix.as_ref();
    for (comparison, bound) in [
        (">=", prefix.map(|prefix| prefix.as_str().to_owned())),
        ("<", prefix.and_then(Prefix::end)),
        (">", slice.after.as_ref().map(|TagValuePosition(value)| value.clone())),
    ] {
        if let Some(bound) = bound {
            let _ = write!(place, " AND value {comparison} {}", arguments.bind(bound)?);
        }
    }
    let limit = arguments.bind(i64::try_from(slice.wanted()).unwrap_or(i64::MAX))?;
    let sql = format!(
        "SELECT value, COUNT(*) FROM sandbox_tags WHERE org_id = {org} AND key = {key}{place}
             GROUP BY value ORDER BY value LIMIT {limit}"
    );
    Ok(Statement { sql, arguments })
}

/// Returns a page of the values of a tag.
pub(super) async fn tag_values(
    db: &mut SqliteConnection,
    org: Uuid,
    query: &TagValuesQuery,
    slice: &Slice<TagValuePosition>,
) -> Result<ListPage<TagValue, TagValuePosition>> {
    let rows: Vec<(String, i64)> = tag_values_from(org, query, slice)?.query_as().fetch_all(db).await?;
    Ok(slice.page(rows.into_iter().map(|(value, count)| {
        (TagValuePosition(value.clone()), TagValue { value, sandbox_count: count.unsigned_abs() })
    })))
}

/// Returns every kind of composed statement with its name.
pub(super) fn texts(conditions: &Conditions) -> Result<Vec<(&'static str, String)>> {
    let org = Uuid::nil();
    let plain = SandboxesQuery::default();
    let query = SandboxesQuery { conditions: conditions.clone(), state: State::All, ..plain.clone() };
    let mut slice = query.slice().map_err(StoreError::internal)?;
    let first = slice.clone();
    slice.after = Some(SandboxPosition { started_at: 0, sandbox_id: "sb-1".to_owned() });
    let mut texts = vec![
        ("sandboxes", sandboxes_from(Source::Newest, org, &plain, &first)?),
        ("sandboxes with conditions", sandboxes_from(Source::Newest, org, &query, &slice)?),
        ("the newest sandboxes with conditions", sandboxes_from(Source::Scanned(1), org, &query, &slice)?),
    ];
    for (dimension, filter) in lists::lookups(&conditions.filters) {
        texts.push(("sandboxes of a filter", sandboxes_from(Source::Kept(dimension, filter), org, &query, &slice)?));
    }
    let key = conditions.filters.iter().find_map(|(dimension, _)| dimension.tag_key());
    if let Some(key) = key {
        let query =
            TagValuesQuery::parse(key.clone(), &Parameters::decode("prefix=a")).map_err(StoreError::internal)?;
        let mut slice = query.slice().map_err(StoreError::internal)?;
        slice.after = Some(TagValuePosition("ab".to_owned()));
        texts.push(("tag values", tag_values_from(org, &query, &slice)?));
    }
    Ok(texts.into_iter().map(|(name, statement)| (name, statement.sql)).collect())
}
