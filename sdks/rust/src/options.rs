//! Options of calls that return pages.

use std::fmt;

use opencomputer_usage_core::client::NextPage;
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::query::{Sort, State};

/// The parameters of a call by name, as the core takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(Vec<(Text, Raw)>);

impl Params {
    pub(crate) fn set(mut self, name: &str, value: Raw) -> Self {
        self.0.retain(|(known, _)| known.as_str() != Some(name));
        self.0.push((name.into(), value));
        self
    }

    /// Adds an entry to a map. The core rejects a map with the same key twice.
    fn insert(mut self, map: &str, key: &str, value: Raw) -> Self {
        match self.0.iter_mut().find(|(known, _)| known.as_str() == Some(map)) {
            Some((_, Raw::Map(entries))) => entries.push((key.into(), value)),
            _ => self.0.push((map.into(), Raw::Map(vec![(key.into(), value)]))),
        }
        self
    }

    fn filter<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(|value| value.as_ref().into()).collect();
        self.insert("filter", dimension, Raw::List(values))
    }

    /// Returns the parameters of the next page.
    pub(crate) fn continued(self, next: NextPage) -> Self {
        next.into_params().fold(self, |params, (name, value)| params.set(name, value.as_str().into()))
    }

    pub(crate) fn into_raw(self) -> Raw {
        Raw::Map(self.0)
    }
}

/// Options of a usage call, which are checked before a request is sent. The server has a default for each of them.
///
/// ```
/// use opencomputer_usage::{Sort, UsageOptions};
///
/// let options = UsageOptions::new()
///     .from("2026-04-01")
///     .to("2026-04-30T12:00:00+02:00")
///     .filter("tag:env", ["prod", "staging"])
///     .filter_absent("tag:team")
///     .sort(Sort::DiskOverage)
///     .limit(200);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageOptions(Params);

impl UsageOptions {
    /// Returns options with every default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn set(self, name: &str, value: Raw) -> Self {
        Self(self.0.set(name, value))
    }

    /// Sets the start of the window, inclusive: a [`Timestamp`](crate::Timestamp), RFC 3339 with an offset, or `YYYY-MM-DD`.
    #[must_use]
    pub fn from(self, from: impl fmt::Display) -> Self {
        self.set("from", from.to_string().as_str().into())
    }

    /// Sets the end of the window, exclusive; at most [`MAX_WINDOW_DAYS`] after its start.
    ///
    /// [`MAX_WINDOW_DAYS`]: crate::core::limits::MAX_WINDOW_DAYS
    #[must_use]
    pub fn to(self, to: impl fmt::Display) -> Self {
        self.set("to", to.to_string().as_str().into())
    }

    /// Keeps sandboxes with any of these exact values of a dimension, `tag:<key>` or `sandbox`.
    #[must_use]
    pub fn filter<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.filter(dimension, values))
    }

    /// Keeps sandboxes that lack a tag, `tag:<key>`.
    #[must_use]
    pub fn filter_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("filter", dimension, Raw::Null))
    }

    /// Sets the amount that items are ordered by, descending.
    #[must_use]
    pub fn sort(self, sort: Sort) -> Self {
        self.set("sort", sort.as_str().into())
    }

    /// Limits the items of one page, from 1 to [`MAX_PAGE_LIMIT`].
    ///
    /// [`MAX_PAGE_LIMIT`]: crate::core::limits::MAX_PAGE_LIMIT
    #[must_use]
    pub fn limit(self, limit: u16) -> Self {
        self.set("limit", Raw::Number(limit.into()))
    }

    /// Continues after a page of the same query: its `next_cursor`.
    #[must_use]
    pub fn cursor(self, cursor: &str) -> Self {
        self.set("cursor", cursor.into())
    }

    pub(crate) fn params(&self, key: Option<&str>) -> Params {
        let params = self.0.clone();
        match key {
            Some(key) => params.set("key", key.into()),
            None => params,
        }
    }
}

/// Selects the sandboxes of a list; by default the newest running ones.
///
/// ```
/// use opencomputer_usage::{SandboxQuery, State};
///
/// let query = SandboxQuery::new().filter("tag:team", ["payments"]).state(State::All).limit(500);
/// # let _ = query;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SandboxQuery(pub(crate) Params);

impl SandboxQuery {
    /// Selects the newest running sandboxes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps sandboxes with any of these exact values of a dimension, `tag:<key>` or `sandbox`.
    #[must_use]
    pub fn filter<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.filter(dimension, values))
    }

    /// Keeps sandboxes that lack a tag, `tag:<key>`.
    #[must_use]
    pub fn filter_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("filter", dimension, Raw::Null))
    }

    /// Selects running sandboxes only, or all.
    #[must_use]
    pub fn state(self, state: State) -> Self {
        Self(self.0.set("state", state.as_str().into()))
    }

    /// Limits the sandboxes of one page, from 1 to [`MAX_PAGE_LIMIT`].
    ///
    /// [`MAX_PAGE_LIMIT`]: crate::core::limits::MAX_PAGE_LIMIT
    #[must_use]
    pub fn limit(self, limit: u16) -> Self {
        Self(self.0.set("limit", Raw::Number(limit.into())))
    }

    /// Continues after a page of the same query: its `next_cursor`.
    #[must_use]
    pub fn cursor(self, cursor: &str) -> Self {
        Self(self.0.set("cursor", cursor.into()))
    }
}

/// Selects the values of a tag; by default all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagValueQuery(Params);

impl TagValueQuery {
    /// Selects every value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the values that start with this text.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self(self.0.set("prefix", prefix.into()))
    }

    /// Limits the values of one page, from 1 to [`MAX_PAGE_LIMIT`].
    ///
    /// [`MAX_PAGE_LIMIT`]: crate::core::limits::MAX_PAGE_LIMIT
    #[must_use]
    pub fn limit(self, limit: u16) -> Self {
        Self(self.0.set("limit", Raw::Number(limit.into())))
    }

    /// Continues after a page of the same query: its `next_cursor`.
    #[must_use]
    pub fn cursor(self, cursor: &str) -> Self {
        Self(self.0.set("cursor", cursor.into()))
    }

    pub(crate) fn params(&self, key: &str) -> Params {
        self.0.clone().set("key", key.into())
    }
}
