//! Plans: a query with the window, instant, accounting rule and position that it is measured with.

use super::accounting::{Measure, Rule};
use super::dimension::Dimension;
use super::window::{Timestamp, Window};
use crate::error::Error;
use crate::query::UsageQuery;
use crate::query::cursor::{self, Cursor, CursorText};
use crate::query::parameter::Digest;
use crate::{sandbox, tags};

/// The end of the page before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Position {
    Exact { sum: u128, tie: String },
    Approximate { value: f64, tie: String },
}

/// A query with everything that the server adds: window, instant, accounting rule and position.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(crate) query: UsageQuery,
    pub(crate) window: Window,
    pub(crate) as_of: Timestamp,
    pub(crate) rule: Rule,
    pub(crate) after: Option<Position>,
    pub(crate) digest: String,
}

impl Plan {
    /// The query.
    #[must_use]
    pub const fn query(&self) -> &UsageQuery {
        &self.query
    }

    /// The window that is measured.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The instant at which running sandboxes are measured.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// How events are measured.
    #[must_use]
    pub fn measure(&self) -> Measure {
        Measure::new(self.rule, self.window, self.as_of)
    }
}

impl UsageQuery {
    /// Plans the query: the window and instant of the cursor's walk, or those of a new one.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` for one of another query, `invalid_window` or `window_too_large`.
    pub fn plan(&self, now: Timestamp, rule: Rule) -> Result<Plan, Error> {
        let digest = self.walk_digest(rule);
        let (window, as_of, after) = match self.cursor.as_ref().map(CursorText::cursor) {
            None => (self.period.resolve(now)?, now, None),
            Some(Cursor { value, tie, walk: None }) => {
                let after = Position::Approximate { value: value.get(), tie: self.tie(tie)? };
                (self.period.resolve(now)?, now, Some(after))
            }
            Some(Cursor { tie, walk: Some(walk), .. }) => {
                if walk.digest != digest {
                    return Err(cursor::invalid("it belongs to another query"));
                }
                let moved = |given: Option<Timestamp>, pinned| given.is_some_and(|given| given != pinned);
                if moved(self.period.from(), walk.window.from()) || moved(self.period.to(), walk.window.to()) {
                    return Err(cursor::invalid("it belongs to a walk over another window"));
                }
                let after = Position::Exact { sum: walk.sum, tie: self.tie(tie)? };
                (walk.window, walk.as_of, Some(after))
            }
        };
        Ok(Plan { query: self.clone(), window, as_of, rule, after, digest })
    }

    /// The tie-break of a cursor must be one that an item of this query can have.
    fn tie(&self, tie: &str) -> Result<String, Error> {
        let fault = match self.group_by {
            Dimension::Sandbox => sandbox::fault(tie),
            Dimension::Tag(_) => tags::value_fault(tie),
        };
        fault.map_or_else(|| Ok(tie.to_owned()), |fault| Err(cursor::invalid(&fault)))
    }

    /// 16 hex digits that tell this walk's query from another.
    fn walk_digest(&self, rule: Rule) -> String {
        let mut digest = Digest::default();
        self.digest(&mut digest);
        digest.field(rule.as_str());
        digest.finish()
    }
}
