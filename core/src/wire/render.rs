//! Conversions from the engine's values to the wire types, for the server.

use std::iter;

use serde::Serialize;

use super::types::{
    ErrorBody, GroupUsageItem, GroupUsagePage, SandboxTagsBody, SandboxUsageItem, SandboxUsagePage, SandboxUsageTotals,
    TagUsageItem, TagUsagePage, UntaggedUsage, UsageBucket, UsagePoint, UsageSeries, UsageTotals,
};
use crate::error::{Error, Refusal};
use crate::etag::etag;
use crate::limits::MAX_REPORTED_VIOLATIONS;
use crate::tags::Tags;
use crate::usage::accounting::{Usage, byte_gb_seconds, gb_seconds, seconds};
use crate::usage::dimension::{Form, Key};
use crate::usage::grid::{Bucket, Buckets, Grid};
use crate::usage::page::{Group, Page, PageSeries};
use crate::usage::plan::Plan;
use crate::usage::tally::{Point, Totals};
use crate::usage::window::Timestamp;

impl From<Usage> for UsageTotals {
    fn from(usage: Usage) -> Self {
        Self {
            memory_gb_seconds: usage.memory_gb_seconds(),
            disk_overage_gb_seconds: usage.disk_overage_gb_seconds(),
            series: None,
        }
    }
}

impl From<Totals> for SandboxUsageTotals {
    fn from(totals: Totals) -> Self {
        Self {
            memory_allocated_gb_seconds: gb_seconds(totals.allocated),
            memory_used_gb_seconds: byte_gb_seconds(totals.used),
            uptime_seconds: seconds(totals.uptime_micros),
            memory_allocated_peak_mb: totals.peak_mb,
            memory_used_peak_mb: totals.used_peak_mb(),
        }
    }
}

impl From<Point> for UsagePoint {
    fn from(point: Point) -> Self {
        Self {
            ts: point.start,
            memory_allocated_gb_seconds: gb_seconds(point.allocated),
            memory_used_gb_seconds: byte_gb_seconds(point.used),
            uptime_seconds: seconds(point.uptime_micros),
            allocated_memory_mb: point.allocated_mb(),
            used_memory_mb_avg: point.used_mb(),
            used_memory_mb_peak: point.used_peak_mb(),
        }
    }
}

/// The details of a sandbox that hydration adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxDetails {
    /// The alias, from the latest session.
    pub alias: Option<String>,
    /// `running`, `hibernated`, `stopped`, `error` or another status of the platform, from the latest session.
    pub status: Option<String>,
    /// All tags, including system tags.
    pub tags: Tags,
    /// The last time that a tag value changed; removing a tag does not count.
    pub tags_last_updated_at: Option<Timestamp>,
}

/// A response of `GET /api/usage`, as the server renders it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum UsagePage {
    /// Grouped by a tag.
    Tags(TagUsagePage),
    /// Grouped by sandbox.
    Sandboxes(SandboxUsagePage),
    /// Grouped by another dimension, or by several.
    Groups(GroupUsagePage),
}

impl UsagePage {
    /// Renders a page. `details` is called once for each sandbox of a page that is grouped by sandbox.
    pub fn render(plan: &Plan, page: Page, mut details: impl FnMut(&str) -> SandboxDetails) -> Self {
        let Grid { window, as_of, buckets, .. } = &plan.grid;
        let (from, to, as_of) = (window.from(), window.to(), Some(*as_of));
        let interval = buckets.as_ref().map(|buckets| buckets.interval().to_string());
        let timezone = buckets.as_ref().map(|buckets| buckets.time_zone().to_string());
        let buckets = buckets.as_ref().map(Buckets::to_wire);
        let group_by = plan.group_by.to_string();
        let Page { total, untagged, items, series, next_cursor } = page;
        let (total_series, untagged_series, item_series) = match series {
            Some(PageSeries { total, untagged, items }) => (Some(total), Some(untagged), Some(items)),
            None => (None, None, None),
        };
        let total = UsageTotals { series: total_series.map(UsageSeries::from), ..total.into() };
        let untagged = Some(UntaggedUsage { series: untagged_series.map(UsageSeries::from), ..untagged.into() });
        let series = item_series.into_iter().flatten().map(|series| Some(series.into())).chain(iter::repeat(None));
        let items = items.into_iter().zip(series);
        match plan.group_by.form() {
            Form::Tag(key) => {
                let items = items.map(|(Group { key: values, usage, sandboxes }, series)| TagUsageItem {
                    tag_key: key.as_str().to_owned(),
                    tag_value: only(values),
                    memory_gb_seconds: usage.memory_gb_seconds(),
                    disk_overage_gb_seconds: usage.disk_overage_gb_seconds(),
                    sandbox_count: sandboxes,
                    series,
                });
                let items = items.collect();
                Self::Tags(TagUsagePage {
                    from,
                    to,
                    as_of,
                    interval,
                    timezone,
                    buckets,
                    group_by,
                    total,
                    untagged,
                    items,
                    next_cursor,
                })
            }
            Form::Sandboxes => {
                let items = items.map(|(Group { key, usage, .. }, series)| {
                    let sandbox_id = only(key);
                    let SandboxDetails { alias, status, tags, tags_last_updated_at } = details(&sandbox_id);
                    SandboxUsageItem {
                        sandbox_id,
                        alias,
                        status,
                        tags: Some(tags),
                        tags_last_updated_at,
                        memory_gb_seconds: usage.memory_gb_seconds(),
                        disk_overage_gb_seconds: usage.disk_overage_gb_seconds(),
                        series,
                    }
                });
                let (items, group_by) = (items.collect(), Some(group_by));
                Self::Sandboxes(SandboxUsagePage {
                    from,
                    to,
                    as_of,
                    interval,
                    timezone,
                    buckets,
                    group_by,
                    total,
                    items,
                    next_cursor,
                })
            }
            Form::Groups => {
                let dimensions = plan.group_by.dimensions();
                let items = items.map(|(Group { key, usage, sandboxes }, series)| GroupUsageItem {
                    group: dimensions.iter().map(ToString::to_string).zip(key).collect(),
                    memory_gb_seconds: usage.memory_gb_seconds(),
                    disk_overage_gb_seconds: usage.disk_overage_gb_seconds(),
                    sandbox_count: sandboxes,
                    series,
                });
                let items = items.collect();
                Self::Groups(GroupUsagePage {
                    from,
                    to,
                    as_of,
                    interval,
                    timezone,
                    buckets,
                    group_by,
                    total,
                    untagged,
                    items,
                    next_cursor,
                })
            }
        }
    }
}

impl From<Vec<Usage>> for UsageSeries {
    fn from(buckets: Vec<Usage>) -> Self {
        Self {
            memory_gb_seconds: buckets.iter().map(|usage| usage.memory_gb_seconds()).collect(),
            disk_overage_gb_seconds: buckets.iter().map(|usage| usage.disk_overage_gb_seconds()).collect(),
        }
    }
}

impl Buckets {
    /// Renders the buckets.
    #[must_use]
    pub fn to_wire(&self) -> Vec<UsageBucket> {
        let bucket = |Bucket { from, to, partial }| UsageBucket { from, to, partial: partial.then_some(true) };
        self.iter().map(bucket).collect()
    }
}

impl From<Group> for UntaggedUsage {
    fn from(Group { usage, sandboxes, .. }: Group) -> Self {
        Self {
            memory_gb_seconds: usage.memory_gb_seconds(),
            disk_overage_gb_seconds: usage.disk_overage_gb_seconds(),
            sandbox_count: sandboxes,
            series: None,
        }
    }
}

/// Returns the value of the only dimension, which every group on a page has.
fn only(key: Key) -> String {
    key.into_iter().flatten().next().unwrap_or_default()
}

impl ErrorBody {
    /// Renders an error for one request.
    #[must_use]
    pub fn new(error: Error, request_id: String) -> Self {
        let Refusal { code, message, mut violations } = error.into();
        let violation_count = Some(violations.len() as u64).filter(|&count| count > 0);
        violations.truncate(MAX_REPORTED_VIOLATIONS);
        let violations = violation_count.map(|_| violations);
        Self { error: message, code: code.as_str().to_owned(), request_id, violations, violation_count }
    }
}

impl SandboxTagsBody {
    /// Returns the entity tag, which covers the user's tags only.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(&self.tags.user_set())
    }
}
