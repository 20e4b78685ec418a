//! Plans: a query with its window, instant, accounting rule and position.

use super::accounting::Rule;
use super::dimension::{GroupBy, Key};
use super::grid::Grid;
use super::window::Timestamp;
use crate::error::{Error, quoted};
use crate::host::json::{Json, ToJson as _};
use crate::query::cursor::{self, Cursor, CursorText};
use crate::query::parameter::Digest;
use crate::query::{Conditions, Limit, Sort, UsageQuery};

/// The end of the previous page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Position {
    Exact { sum: u128, key: Key },
    Approximate { value: f64, key: Key },
}

/// An executable query: its dimensions, time, conditions and page.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The dimensions to group by.
    pub group_by: GroupBy,
    /// The time that is measured.
    pub grid: Grid,
    /// The conditions on sandboxes.
    pub conditions: Conditions,
    pub(crate) sort: Sort,
    pub(crate) limit: Limit,
    pub(crate) after: Option<Position>,
    /// The digest that distinguishes the walks of different queries.
    pub(crate) digest: String,
}

impl UsageQuery {
    /// Plans the query. The window and instant come from the cursor, or from a new walk that starts `now`.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` if the cursor belongs to another query, the codes of a window, and `too_many_buckets`.
    pub fn plan(&self, now: Timestamp, rule: Rule) -> Result<Plan, Error> {
        let digest = self.walk_digest(rule);
        let (window, as_of, after) = match self.cursor.as_ref().map(CursorText::cursor) {
            None => (self.span.window(now)?, now, None),
            Some(Cursor { value, tie, walk: None }) => {
                let after = Position::Approximate { value: value.get(), key: self.key(tie)? };
                (self.span.window(now)?, now, Some(after))
            }
            Some(Cursor { tie, walk: Some(walk), .. }) => {
                if walk.digest != digest {
                    return Err(cursor::invalid("it belongs to another query"));
                }
                self.span.check_pinned(walk.window)?;
                let after = Position::Exact { sum: walk.sum, key: self.key(tie)? };
                (walk.window, walk.as_of, Some(after))
            }
        };
        let grid = self.span.grid(window, as_of, rule)?;
        grid.buckets.iter().try_for_each(|buckets| buckets.fit_a_page_of(self.limit.get()))?;
        Ok(Plan {
            group_by: self.group_by.clone(),
            grid,
            conditions: self.conditions.clone(),
            sort: self.sort,
            limit: self.limit,
            after,
            digest,
        })
    }

    /// Parses the tie-break of a cursor, which must be a possible key of the query's groups.
    fn key(&self, tie: &str) -> Result<Key, Error> {
        let dimensions = self.group_by.dimensions();
        let key = match dimensions {
            [_] => Some(vec![Some(tie.to_owned())]),
            _ => Json::parse(tie).ok().as_ref().and_then(values),
        };
        let key = key.filter(|key| key.len() == dimensions.len() && key.iter().any(Option::is_some));
        let key = key.ok_or_else(|| {
            cursor::invalid(&format!("its tie-break {} is not a value for each of the dimensions", quoted(tie)))
        })?;
        let fault = dimensions.iter().zip(&key).find_map(|(dimension, value)| dimension.value_fault(value.as_ref()?));
        match fault {
            None => Ok(key),
            Some(fault) => Err(cursor::invalid(&fault)),
        }
    }

    /// Returns 16 hex digits that distinguish the walks of different queries.
    fn walk_digest(&self, rule: Rule) -> String {
        let mut digest = Digest::default();
        self.digest(&mut digest);
        digest.field(rule.as_str());
        digest.finish()
    }
}

/// Returns the tie-break of a cursor: the value of the only dimension, or a JSON list of several values.
pub(super) fn tie(key: &Key) -> String {
    match key.as_slice() {
        [Some(value)] => value.clone(),
        values => values.to_json(),
    }
}

/// Returns the strings and nulls of a JSON list.
fn values(json: &Json<'_>) -> Option<Key> {
    let Json::List(values) = json else {
        return None;
    };
    let value = |value: &Json<'_>| match value {
        Json::Null => Some(None),
        value => value.as_str().map(|value| Some(value.to_owned())),
    };
    values.iter().map(value).collect()
}
