//! Options of calls that return pages.

use std::fmt;

use opencomputer_usage_core::client::NextPage;
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::query::{Sort, State};
use opencomputer_usage_core::usage::interval::Interval;

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

    /// Adds exact values of a dimension to a map of conditions.
    fn condition<V: AsRef<str>>(self, map: &str, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.insert(map, dimension, list(values))
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
/// use opencomputer_usage::{Interval, Sort, UsageOptions};
///
/// let options = UsageOptions::new()
///     .from("2026-04-01")
///     .to("2026-04-30T12:00:00+02:00")
///     .filter("tag:env", ["prod", "staging"])
///     .filter_absent("tag:team")
///     .exclude("region", ["use2"])
///     .time_zone("Europe/Berlin")
///     .interval(Interval::Day)
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

    /// Sets the start of the window, inclusive: a [`Timestamp`](crate::Timestamp), RFC 3339 with an offset, or
    /// `YYYY-MM-DD`, a day of the time zone.
    #[must_use]
    pub fn from(self, from: impl fmt::Display) -> Self {
        Self(self.0.set("from", from.to_string().as_str().into()))
    }

    /// Sets the end of the window, exclusive; at most [`MAX_WINDOW_DAYS`] after its start.
    ///
    /// [`MAX_WINDOW_DAYS`]: crate::core::limits::MAX_WINDOW_DAYS
    #[must_use]
    pub fn to(self, to: impl fmt::Display) -> Self {
        Self(self.0.set("to", to.to_string().as_str().into()))
    }

    /// Sets the time zone of dates and buckets, by its IANA name such as `Europe/Berlin`; `UTC` by default.
    #[must_use]
    pub fn time_zone(self, name: &str) -> Self {
        Self(self.0.set("timezone", name.into()))
    }

    /// Splits the window into buckets.
    #[must_use]
    pub fn interval(self, interval: Interval) -> Self {
        Self(self.0.set("interval", interval.as_str().into()))
    }

    /// Keeps sandboxes with any of these exact values of a dimension: `tag:<key>`, `template`, `region`, `status` or
    /// `sandbox`.
    #[must_use]
    pub fn filter<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.condition("filter", dimension, values))
    }

    /// Keeps sandboxes that lack a dimension.
    #[must_use]
    pub fn filter_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("filter", dimension, Raw::Null))
    }

    /// Drops sandboxes with any of these exact values of a dimension. Those that lack it are kept.
    #[must_use]
    pub fn exclude<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.condition("exclude", dimension, values))
    }

    /// Drops sandboxes that lack a dimension.
    #[must_use]
    pub fn exclude_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("exclude", dimension, Raw::Null))
    }

    /// Sets the amount that items are ordered by, descending.
    #[must_use]
    pub fn sort(self, sort: Sort) -> Self {
        Self(self.0.set("sort", sort.as_str().into()))
    }

    /// Limits the items of one page, from 1 to [`MAX_PAGE_LIMIT`].
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

    pub(crate) fn params(&self) -> Params {
        self.0.clone()
    }

    pub(crate) fn by_tag(&self, key: &str) -> Params {
        self.params().set("key", key.into())
    }

    pub(crate) fn by<D: AsRef<str>>(&self, dimensions: impl IntoIterator<Item = D>) -> Params {
        self.params().set("groupBy", list(dimensions))
    }
}

/// Options of a drilldown, which are checked before a request is sent; by default the last 30 days without points.
///
/// ```
/// use opencomputer_usage::{DrilldownOptions, Interval};
///
/// let options = DrilldownOptions::new().from("2026-04-01").time_zone("Europe/Berlin").interval(Interval::Hour);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrilldownOptions(Params);

impl DrilldownOptions {
    /// Returns options with every default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the start of the window, inclusive: a [`Timestamp`](crate::Timestamp), RFC 3339 with an offset, or
    /// `YYYY-MM-DD`, a day of the time zone.
    #[must_use]
    pub fn from(self, from: impl fmt::Display) -> Self {
        Self(self.0.set("from", from.to_string().as_str().into()))
    }

    /// Sets the end of the window, exclusive; at most [`MAX_WINDOW_DAYS`] after its start.
    ///
    /// [`MAX_WINDOW_DAYS`]: crate::core::limits::MAX_WINDOW_DAYS
    #[must_use]
    pub fn to(self, to: impl fmt::Display) -> Self {
        Self(self.0.set("to", to.to_string().as_str().into()))
    }

    /// Sets the time zone of dates and buckets, by its IANA name such as `Europe/Berlin`; `UTC` by default.
    #[must_use]
    pub fn time_zone(self, name: &str) -> Self {
        Self(self.0.set("timezone", name.into()))
    }

    /// Splits the window into buckets.
    #[must_use]
    pub fn interval(self, interval: Interval) -> Self {
        Self(self.0.set("interval", interval.as_str().into()))
    }

    pub(crate) fn params(&self, sandbox_id: &str) -> Params {
        self.0.clone().set("sandboxId", sandbox_id.into())
    }
}

fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Raw {
    Raw::List(texts.into_iter().map(|text| text.as_ref().into()).collect())
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

    /// Keeps sandboxes with any of these exact values of a dimension: `tag:<key>`, `template`, `region`, `status` or
    /// `sandbox`.
    #[must_use]
    pub fn filter<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.condition("filter", dimension, values))
    }

    /// Keeps sandboxes that lack a dimension.
    #[must_use]
    pub fn filter_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("filter", dimension, Raw::Null))
    }

    /// Drops sandboxes with any of these exact values of a dimension. Those that lack it are kept.
    #[must_use]
    pub fn exclude<V: AsRef<str>>(self, dimension: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self(self.0.condition("exclude", dimension, values))
    }

    /// Drops sandboxes that lack a dimension.
    #[must_use]
    pub fn exclude_absent(self, dimension: &str) -> Self {
        Self(self.0.insert("exclude", dimension, Raw::Null))
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
