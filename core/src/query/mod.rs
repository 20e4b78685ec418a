//! A usage query: from the parameters of a URL or the options of an SDK, and back.

mod parameters;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::accounting::Rule;
use crate::cursor::{self, Cursor};
use crate::dimension::Dimension;
use crate::error::{Code, Error, quoted};
use crate::filter::{Filter, Filters};
use crate::limits::{DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT};
use crate::paging::{Plan, Position};
use crate::window::{Period, Timestamp};
use crate::{sandbox, tags};

pub use parameters::{Parameters, check_length, parse_nothing, parse_period};
pub(crate) use parameters::{QueryString, percent_encode, text_of};

/// What items are ordered by, descending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// `-memoryGbSeconds`
    #[default]
    Memory,
    /// `-diskOverageGbSeconds`
    DiskOverage,
}

impl Sort {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "-memoryGbSeconds",
            Self::DiskOverage => "-diskOverageGbSeconds",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        [Self::Memory, Self::DiskOverage].into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let text = quoted(text);
            Code::InvalidSort
                .error(format!("invalid `sort` {text}, allowed are `-memoryGbSeconds` and `-diskOverageGbSeconds`"))
        })
    }
}

/// How many items a page holds: 1 to 500, by default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(usize);

impl Limit {
    /// The number of items.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Error> {
        text.parse()
            .ok()
            .filter(|limit: &usize| (1..=MAX_PAGE_LIMIT).contains(limit) && limit.to_string() == text)
            .map(Self)
            .ok_or_else(|| {
                let text = quoted(text);
                Code::InvalidLimit
                    .error(format!("invalid `limit` {text}, allowed are whole numbers from 1 to {MAX_PAGE_LIMIT}"))
            })
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_PAGE_LIMIT)
    }
}

/// A cursor that was read, with the text that goes out again unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct CursorText {
    text: String,
    cursor: Cursor,
}

impl CursorText {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { text: text.to_owned(), cursor: Cursor::decode(text)? })
    }
}

/// A valid query for aggregated usage.
///
/// ```
/// use opencomputer_usage_core::query::{Parameters, UsageQuery};
///
/// let query = UsageQuery::parse(&Parameters::decode("groupBy=tag:team&filter[tag:env]=prod&limit=10"), None)?;
/// assert_eq!(query.encode(), "groupBy=tag%3Ateam&filter%5Btag%3Aenv%5D=prod&limit=10");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UsageQuery {
    /// What items are.
    pub group_by: Dimension,
    /// What is kept.
    pub filters: Filters,
    /// The window as asked for.
    pub period: Period,
    /// The order of items.
    pub sort: Sort,
    /// The size of a page.
    pub limit: Limit,
    /// Where to go on.
    pub cursor: Option<CursorText>,
}

impl UsageQuery {
    /// Reads parameters, in the order of checks of the contract's section 7; the first fault is the answer.
    /// With `now` (the server's asOf) a window that was left open is checked as it will be measured; without
    /// it (in a client) only what was given is.
    ///
    /// # Errors
    ///
    /// Every code of a query, from `unknown_parameter` to `invalid_cursor`.
    pub fn parse(parameters: &Parameters, now: Option<Timestamp>) -> Result<Self, Error> {
        parameters.known(parameters.usage_names(), true)?;
        let group_by = match parameters.group_by() {
            None => return Err(Code::MissingGroupBy.plain()),
            Some(Ok(text)) => text.parse()?,
            Some(Err(fault)) => return Err(Code::InvalidGroupBy.error(format!("invalid `groupBy`: {fault}"))),
        };
        let filters = parameters.filters()?;
        let cursor = parameters.read("cursor", Code::InvalidCursor, CursorText::parse);
        let period = parameters.period()?;
        let pinned = matches!(&cursor, Ok(Some(CursorText { cursor, .. })) if cursor.walk.is_some());
        if let (Some(now), false) = (now, pinned) {
            period.resolve(now)?;
        }
        let sort = parameters.read("sort", Code::InvalidSort, Sort::parse)?.unwrap_or_default();
        let limit = parameters.read("limit", Code::InvalidLimit, Limit::parse)?.unwrap_or_default();
        Ok(Self { group_by, filters, period, sort, limit, cursor: cursor? })
    }

    /// The encoded query string. Defaults are left out; parsing it gives the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut query = QueryString::default();
        query.push("groupBy", &self.group_by.to_string());
        for (dimension, filter) in self.filters.iter() {
            query.push(&format!("filter[{dimension}]"), &filter.write());
        }
        query.push_period(self.period);
        if self.sort != Sort::default() {
            query.push("sort", self.sort.as_str());
        }
        if self.limit != Limit::default() {
            query.push("limit", &self.limit.0.to_string());
        }
        if let Some(cursor) = &self.cursor {
            query.push("cursor", &cursor.text);
        }
        query.0
    }

    /// What the server measures: the window and instant of the cursor's walk, or those of a new one.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` for one of another query, `invalid_window` or `window_too_large`.
    pub fn plan(&self, now: Timestamp, rule: Rule) -> Result<Plan, Error> {
        let digest = self.digest(rule);
        let (window, as_of, after) = match self.cursor.as_ref().map(|text| &text.cursor) {
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

    /// 16 hex digits that tell this walk's query from another: SHA-256 over length-prefixed fields.
    fn digest(&self, rule: Rule) -> String {
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        let mut filters: Vec<_> = self.filters.iter().collect();
        filters.sort_by_key(|(dimension, _)| *dimension);
        field(&self.group_by.to_string());
        for (dimension, filter) in filters {
            field(&dimension.to_string());
            if let Filter::AnyOf(values) = filter {
                let mut values: Vec<_> = values.iter().collect();
                values.sort();
                for value in values {
                    field(&format!("={value}"));
                }
            }
        }
        field(self.sort.as_str());
        field(rule.as_str());
        hex(hash.finalize().iter().take(8))
    }
}

/// Lower-case hex.
pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
