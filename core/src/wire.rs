//! What the API answers, as it stands in JSON.
//!
//! Amounts are GB-seconds (1 GB = 1024 MB). Members that a server adds later are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::accounting::Usage;
use crate::dimension::Dimension;
use crate::error::Error;
use crate::etag::etag;
use crate::paging::{Group, Page, Plan};
use crate::tags::{TagSet, Violation};
use crate::window::Timestamp;

/// Amounts of the two metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// Memory, GB-seconds.
    pub memory_gb_seconds: f64,
    /// Disk above the included 20 GB, GB-seconds.
    pub disk_overage_gb_seconds: f64,
}

impl From<Usage> for Amounts {
    fn from(usage: Usage) -> Self {
        Self { memory_gb_seconds: usage.memory_gb_seconds(), disk_overage_gb_seconds: usage.disk_overage_gb_seconds() }
    }
}

/// Usage of the sandboxes that lack the tag that is grouped by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untagged {
    /// Memory, GB-seconds.
    pub memory_gb_seconds: f64,
    /// Disk above the included 20 GB, GB-seconds.
    pub disk_overage_gb_seconds: f64,
    /// How many sandboxes.
    pub sandbox_count: u64,
}

/// Usage of the sandboxes that share one value of a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagItem {
    /// The key that is grouped by.
    pub tag_key: String,
    /// The value they share.
    pub tag_value: String,
    /// Memory, GB-seconds.
    pub memory_gb_seconds: f64,
    /// Disk above the included 20 GB, GB-seconds.
    pub disk_overage_gb_seconds: f64,
    /// How many sandboxes.
    pub sandbox_count: u64,
}

/// Usage of one sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxItem {
    /// The sandbox.
    pub sandbox_id: String,
    /// What and where the sandbox is.
    #[serde(flatten)]
    pub details: SandboxDetails,
    /// Memory, GB-seconds.
    pub memory_gb_seconds: f64,
    /// Disk above the included 20 GB, GB-seconds.
    pub disk_overage_gb_seconds: f64,
}

/// What hydration adds to a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxDetails {
    /// Name that the user gave, of the latest session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// All tags, system tags among them.
    pub tags: BTreeMap<String, String>,
    /// When a tag value last changed; a removed tag leaves no trace.
    pub tags_last_updated_at: Option<Timestamp>,
}

/// The answer of `GET /api/usage?groupBy=tag:…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagUsagePage {
    /// Start of the window, inclusive.
    pub from: Timestamp,
    /// End of the window, exclusive.
    pub to: Timestamp,
    /// When running sandboxes were measured.
    pub as_of: Timestamp,
    /// The dimension, `tag:<key>`.
    pub group_by: String,
    /// All that matches the window and the filters.
    pub total: Amounts,
    /// The part of it that lacks the tag.
    pub untagged: Untagged,
    /// The groups of this page.
    pub items: Vec<TagItem>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// The answer of `GET /api/usage?groupBy=sandbox`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxUsagePage {
    /// Start of the window, inclusive.
    pub from: Timestamp,
    /// End of the window, exclusive.
    pub to: Timestamp,
    /// When running sandboxes were measured.
    pub as_of: Timestamp,
    /// The dimension, `sandbox`.
    pub group_by: String,
    /// All that matches the window and the filters.
    pub total: Amounts,
    /// The sandboxes of this page.
    pub items: Vec<SandboxItem>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Either answer of `GET /api/usage`, as the server renders it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum UsagePage {
    /// Grouped by a tag.
    Tags(TagUsagePage),
    /// Grouped by sandbox.
    Sandboxes(SandboxUsagePage),
}

impl UsagePage {
    /// Renders a page. `details` is asked once for each sandbox of a page that is grouped by sandbox.
    pub fn render(plan: &Plan, page: Page, mut details: impl FnMut(&str) -> SandboxDetails) -> Self {
        let (from, to, as_of) = (plan.window().from(), plan.window().to(), plan.as_of());
        let group_by = plan.query().group_by.to_string();
        let (total, next_cursor) = (page.total.into(), page.next_cursor);
        match &plan.query().group_by {
            Dimension::Tag(key) => {
                let item = |group: Group| TagItem {
                    tag_key: key.as_str().to_owned(),
                    tag_value: group.name,
                    memory_gb_seconds: group.usage.memory_gb_seconds(),
                    disk_overage_gb_seconds: group.usage.disk_overage_gb_seconds(),
                    sandbox_count: group.sandboxes,
                };
                let untagged = Untagged {
                    memory_gb_seconds: page.untagged.usage.memory_gb_seconds(),
                    disk_overage_gb_seconds: page.untagged.usage.disk_overage_gb_seconds(),
                    sandbox_count: page.untagged.sandboxes,
                };
                let items = page.items.into_iter().map(item).collect();
                Self::Tags(TagUsagePage { from, to, as_of, group_by, total, untagged, items, next_cursor })
            }
            Dimension::Sandbox => {
                let item = |group: Group| SandboxItem {
                    details: details(&group.name),
                    memory_gb_seconds: group.usage.memory_gb_seconds(),
                    disk_overage_gb_seconds: group.usage.disk_overage_gb_seconds(),
                    sandbox_id: group.name,
                };
                let items = page.items.into_iter().map(item).collect();
                Self::Sandboxes(SandboxUsagePage { from, to, as_of, group_by, total, items, next_cursor })
            }
        }
    }
}

/// The answer of `GET /api/sandboxes/{id}/usage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxUsage {
    /// The sandbox.
    pub sandbox_id: String,
    /// What and where the sandbox is.
    #[serde(flatten)]
    pub details: SandboxDetails,
    /// Start of the window, inclusive.
    pub from: Timestamp,
    /// End of the window, exclusive.
    pub to: Timestamp,
    /// When a running sandbox was measured.
    pub as_of: Timestamp,
    /// Memory, GB-seconds.
    pub memory_gb_seconds: f64,
    /// Disk above the included 20 GB, GB-seconds.
    pub disk_overage_gb_seconds: f64,
    /// Start of the first session that meets the window, clamped into it.
    pub first_started_at: Option<Timestamp>,
    /// End of the last session that meets the window, clamped into it; null while one is open.
    pub last_ended_at: Option<Timestamp>,
}

/// The answer of `GET /api/tags`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagKeys {
    /// Every key in use, ordered by its UTF-8 bytes.
    pub keys: Vec<TagKeySummary>,
}

/// One key in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagKeySummary {
    /// The key.
    pub key: String,
    /// How many sandboxes have it.
    pub sandbox_count: u64,
    /// How many different values it has.
    pub value_count: u64,
}

/// The answer of `GET` and `PUT /api/sandboxes/{id}/tags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxTags {
    /// All tags, system tags among them.
    pub tags: BTreeMap<String, String>,
    /// When a tag value last changed.
    pub tags_last_updated_at: Option<Timestamp>,
}

impl SandboxTags {
    /// The entity tag, which covers the user's tags only.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(&TagSet::user_part(&self.tags))
    }
}

/// One sandbox of `GET /api/sandboxes` and `GET /api/sandboxes/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// The sandbox.
    #[serde(rename = "sandboxID")]
    pub sandbox_id: String,
    /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
    pub status: String,
    /// Where it runs.
    pub region: String,
    /// The worker it runs on.
    #[serde(rename = "workerID")]
    pub worker_id: String,
    /// What it was made from.
    pub template: String,
    /// When its latest session started.
    pub started_at: Timestamp,
    /// Name that the user gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its tags; absent where only their look-up failed.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub tags: Option<SandboxTags>,
}

/// The body of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// One sentence: what was wrong and what is allowed.
    pub error: String,
    /// The code, of the contract's table.
    pub code: &'static str,
    /// What finds the request in the server's log.
    pub request_id: String,
    /// Every broken tag rule, with `invalid_tags`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

impl ErrorBody {
    /// Renders an error for one request.
    #[must_use]
    pub fn new(error: Error, request_id: String) -> Self {
        Self { error: error.message, code: error.code.as_str(), request_id, violations: error.violations }
    }
}
