//! Options of usage calls.

use std::fmt;

use opencomputer_usage_core::client::NextPage;
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::query::Sort;

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
pub struct UsageOptions {
    scalars: Vec<(Text, Raw)>,
    filters: Vec<(Text, Raw)>,
}

impl UsageOptions {
    /// Returns options with every default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, name: &str, value: Raw) -> Self {
        self.scalars.retain(|(known, _)| known.as_str() != Some(name));
        self.scalars.push((name.into(), value));
        self
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
    pub fn filter<V: AsRef<str>>(mut self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(|value| value.as_ref().into()).collect();
        self.filters.push((dimension.into(), Raw::List(values)));
        self
    }

    /// Keeps sandboxes that lack a tag, `tag:<key>`.
    #[must_use]
    pub fn filter_absent(mut self, dimension: &str) -> Self {
        self.filters.push((dimension.into(), Raw::Null));
        self
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

    /// Returns the options of the next page.
    pub(crate) fn continued(self, next: NextPage) -> Self {
        next.into_params().fold(self, |options, (name, value)| options.set(name, value.as_str().into()))
    }

    pub(crate) fn params(&self, key: Option<&str>) -> Raw {
        let key = key.map(|key| ("key".into(), key.into()));
        let filters = ("filter".into(), Raw::Map(self.filters.clone()));
        Raw::Map(self.scalars.iter().cloned().chain([filters]).chain(key).collect())
    }
}

/// Selects the sandboxes that [`Sandboxes::list`](crate::Sandboxes::list) returns. There are no filters yet.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SandboxQuery {}

impl SandboxQuery {
    /// Selects the newest running sandboxes.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}
