//! What the API answers, as it stands in JSON.
//!
//! Amounts are GB-seconds (1 GB = 1024 MB). Members that a server adds later are ignored. What items are made of is a
//! parameter of the types, so that a host can read them straight into values of its own.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};

use crate::accounting::Usage;
use crate::dimension::Dimension;
use crate::error::{Error, Refusal};
use crate::etag::etag;
use crate::paging::{Group, Page, Plan};
use crate::shape::{Member, Shape, Shaped};
use crate::tags::{TagSet, Violation};
use crate::window::Timestamp;

/// Tags by their keys.
pub type Tags = BTreeMap<String, String>;

/// Declares what stands in JSON, once for both ways of reading it: as a struct of serde's and as a [`Shape`].
/// A member that is `omitted` is not written where it is `None`; any other is null then.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$($param:ident = $default:ty),+>)? {
            $($(#[$attr:meta])* $field:ident: $type:ty = $wire:literal $(($omitted:ident))?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct $name $(<$($param = $default),+>)? {
            $($(#[$attr])* #[serde(rename = $wire)] pub $field: $type,)*
        }

        impl<'de $($(, $param: Deserialize<'de>)+)?> Deserialize<'de> for $name $(<$($param),+>)? {
            #[inline]
            fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                #[derive(Deserialize)]
                #[allow(clippy::struct_field_names, reason = "they are the wire's")]
                struct $name $(<$($param),+>)? {
                    $($(#[$attr])* #[serde(rename = $wire)] $field: $type,)*
                }

                let $name { $($field),* } = $name::deserialize(Object(deserializer))?;
                Ok(Self { $($field),* })
            }
        }

        impl $(<$($param: Shaped),+>)? Shaped for $name $(<$($param),+>)? {
            const SHAPE: Shape = Shape::Object(&[$(Member {
                name: $wire,
                omitted: wire!(@omitted $($omitted)?),
                shape: <$type as Shaped>::SHAPE,
            },)*]);
        }
    )*};
    (@omitted omitted) => { true };
    (@omitted) => { false };
}

wire! {
    /// Amounts of the two metrics.
    #[derive(Copy, Default)]
    Amounts {
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
    }

    /// Usage of the sandboxes that lack the tag that is grouped by.
    Untagged {
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// How many sandboxes.
        sandbox_count: u64 = "sandboxCount",
    }

    /// Usage of the sandboxes that share one value of a tag.
    TagItem<S = String> {
        /// The key that is grouped by.
        tag_key: S = "tagKey",
        /// The value they share.
        tag_value: S = "tagValue",
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// How many sandboxes.
        sandbox_count: u64 = "sandboxCount",
    }

    /// Usage of one sandbox.
    SandboxItem<S = String, M = Tags, T = Timestamp> {
        /// The sandbox.
        sandbox_id: S = "sandboxId",
        /// Name that the user gave, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// All tags, system tags among them.
        tags: M = "tags",
        /// When a tag value last changed; a removed tag leaves no trace.
        tags_last_updated_at: Option<T> = "tagsLastUpdatedAt",
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
    }

    /// The answer of `GET /api/usage?groupBy=tag:…`.
    TagUsagePage<S = String> {
        /// Start of the window, inclusive.
        from: Timestamp = "from",
        /// End of the window, exclusive.
        to: Timestamp = "to",
        /// When running sandboxes were measured.
        as_of: Timestamp = "asOf",
        /// The dimension, `tag:<key>`.
        group_by: String = "groupBy",
        /// All that matches the window and the filters.
        total: Amounts = "total",
        /// The part of it that lacks the tag.
        untagged: Untagged = "untagged",
        /// The groups of this page.
        items: Vec<TagItem<S>> = "items",
        /// Where the next page starts.
        next_cursor: Option<String> = "nextCursor",
    }

    /// The answer of `GET /api/usage?groupBy=sandbox`.
    SandboxUsagePage<S = String, M = Tags, T = Timestamp> {
        /// Start of the window, inclusive.
        from: Timestamp = "from",
        /// End of the window, exclusive.
        to: Timestamp = "to",
        /// When running sandboxes were measured.
        as_of: Timestamp = "asOf",
        /// The dimension, `sandbox`.
        group_by: String = "groupBy",
        /// All that matches the window and the filters.
        total: Amounts = "total",
        /// The sandboxes of this page.
        items: Vec<SandboxItem<S, M, T>> = "items",
        /// Where the next page starts.
        next_cursor: Option<String> = "nextCursor",
    }

    /// The answer of `GET /api/sandboxes/{id}/usage`.
    SandboxUsage<S = String, M = Tags> {
        /// The sandbox.
        sandbox_id: S = "sandboxId",
        /// Name that the user gave, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// Start of the window, inclusive.
        from: Timestamp = "from",
        /// End of the window, exclusive.
        to: Timestamp = "to",
        /// When a running sandbox was measured.
        as_of: Timestamp = "asOf",
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// All tags, system tags among them.
        tags: M = "tags",
        /// When a tag value last changed; a removed tag leaves no trace.
        tags_last_updated_at: Option<Timestamp> = "tagsLastUpdatedAt",
        /// Start of the first session that meets the window, clamped into it.
        first_started_at: Option<Timestamp> = "firstStartedAt",
        /// End of the last session that meets the window, clamped into it; null while one is open.
        last_ended_at: Option<Timestamp> = "lastEndedAt",
    }

    /// The answer of `GET /api/tags`.
    #[derive(Eq)]
    TagKeys<S = String> {
        /// Every key in use, ordered by its UTF-8 bytes.
        keys: Vec<TagKeySummary<S>> = "keys",
    }

    /// One key in use.
    #[derive(Eq)]
    TagKeySummary<S = String> {
        /// The key.
        key: S = "key",
        /// How many sandboxes have it.
        sandbox_count: u64 = "sandboxCount",
        /// How many different values it has.
        value_count: u64 = "valueCount",
    }

    /// The answer of `GET` and `PUT /api/sandboxes/{id}/tags`.
    #[derive(Default, Eq)]
    SandboxTags<M = Tags> {
        /// All tags, system tags among them.
        tags: M = "tags",
        /// When a tag value last changed.
        tags_last_updated_at: Option<Timestamp> = "tagsLastUpdatedAt",
    }

    /// One sandbox of `GET /api/sandboxes` and `GET /api/sandboxes/{id}`.
    #[derive(Eq)]
    Sandbox<S = String, M = Tags> {
        /// The sandbox.
        sandbox_id: S = "sandboxID",
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
        status: S = "status",
        /// Where it runs.
        region: S = "region",
        /// The worker it runs on.
        worker_id: S = "workerID",
        /// What it was made from.
        template: S = "template",
        /// When its latest session started.
        started_at: Timestamp = "startedAt",
        /// Name that the user gave.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// Its tags; absent where only their look-up failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<M> = "tags" (omitted),
        /// When a tag value last changed, which may be never; absent where the tags are.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        tags_last_updated_at: Option<Option<Timestamp>> = "tagsLastUpdatedAt" (omitted),
    }
}

/// What a struct is read from: an object, where serde would also take an array of its members.
struct Object<De>(De);

impl<'de, De: Deserializer<'de>> Deserializer<'de> for Object<De> {
    type Error = De::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, De::Error> {
        self.0.deserialize_map(Members(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What takes members by their names, and nothing else.
struct Members<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Members<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(members)
    }
}

/// Tells null from absent.
#[allow(clippy::option_option, reason = "there are three cases")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<Usage> for Amounts {
    fn from(usage: Usage) -> Self {
        Self { memory_gb_seconds: usage.memory_gb_seconds(), disk_overage_gb_seconds: usage.disk_overage_gb_seconds() }
    }
}

/// What hydration adds to a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxDetails {
    /// Name that the user gave, of the latest session.
    pub alias: Option<String>,
    /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
    pub status: Option<String>,
    /// All tags, system tags among them.
    pub tags: Tags,
    /// When a tag value last changed; a removed tag leaves no trace.
    pub tags_last_updated_at: Option<Timestamp>,
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
                let item = |group: Group| {
                    let SandboxDetails { alias, status, tags, tags_last_updated_at } = details(&group.name);
                    SandboxItem {
                        alias,
                        status,
                        tags,
                        tags_last_updated_at,
                        memory_gb_seconds: group.usage.memory_gb_seconds(),
                        disk_overage_gb_seconds: group.usage.disk_overage_gb_seconds(),
                        sandbox_id: group.name,
                    }
                };
                let items = page.items.into_iter().map(item).collect();
                Self::Sandboxes(SandboxUsagePage { from, to, as_of, group_by, total, items, next_cursor })
            }
        }
    }
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
        let Refusal { code, message, violations } = error.into();
        Self { error: message, code: code.as_str(), request_id, violations }
    }
}

impl SandboxTags {
    /// The entity tag, which covers the user's tags only.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(&TagSet::user_part(self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }
}
