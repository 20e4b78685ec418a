//! The bodies of answers.
//!
//! Amounts are GB-seconds (1 GB = 1024 MB). Unknown members are ignored, and members that only this project's server
//! sends may be missing (the contract's section 14). The types of an item's parts are parameters, so that a host can
//! read them straight into its own values.

use serde::{Deserialize, Deserializer, Serialize, de};

use super::read::{Object, present};
use super::shape::{Absence, Member, Shape, Shaped};
use crate::tags::Tags;
use crate::usage::window::Timestamp;

/// Declares a JSON object once for both of its readers: a struct for serde and a [`Shape`].
///
/// A member is written `field: Type = "wireName"`. An `=>` in place of the `=` says that it may be null or missing
/// although the type has no `None`: `(empty)` reads that as an empty list, `else group.member = ["group", "member"]` as
/// the member of another object. After an `=` may follow `or other = "otherName"`, the name that some servers use for
/// the same member, and `(omitted)`: `None` is left out when the object is written, instead of being written as null.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$($param:ident = $default:ty),+>)? {
            $(
                $(#[$attr:meta])*
                $field:ident: $type:ty
                    $(= $wire:literal $(or $other:ident = $other_wire:literal)? $(($omitted:ident))?)?
                    $(=> $missing:literal $(($empty:ident))? $(else $group:ident.$member:ident = [$($path:literal),+])?)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct $name $(<$($param = $default),+>)? {
            $($(#[$attr])* $(#[serde(rename = $wire)])? $(#[serde(rename = $missing)])? pub $field: $type,)*
        }

        impl<'de $($(, $param: Deserialize<'de>)+)?> Deserialize<'de> for $name $(<$($param),+>)? {
            #[inline]
            fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                #[derive(Deserialize)]
                #[allow(clippy::struct_field_names, reason = "they are the wire's")]
                struct $name $(<$($param),+>)? {
                    $(
                        $(#[$attr])*
                        $(#[serde(rename = $wire)] $field: $type,
                            $(#[serde(rename = $other_wire)] $other: $type,)?)?
                        $(#[serde(rename = $missing)] $field: Option<$type>,)?
                    )*
                }

                let $name { $($field, $($($other,)?)?)* } = $name::deserialize(Object(deserializer))?;
                Ok(Self {
                    $($field: wire!(@value $field
                        $(= $wire $(or $other)?)?
                        $(=> $missing $($empty)? $(else $group $member)?)?),)*
                })
            }
        }

        impl $(<$($param: Shaped),+>)? Shaped for $name $(<$($param),+>)? {
            const SHAPE: Shape = Shape::Object(&[$(Member {
                name: wire!(@name $($wire)? $($missing)?),
                fallback: &[$($($other_wire)?)? $($($($path),+)?)?],
                absence: wire!(@absence $($($omitted)?)? $($($empty)?)?),
                shape: <$type as Shaped>::SHAPE,
            },)*]);
        }
    )*};
    (@name $name:literal) => { $name };
    (@value $field:ident = $wire:literal) => { $field };
    (@value $field:ident = $wire:literal or $other:ident) => { $field.or($other) };
    (@value $field:ident => $wire:literal empty) => { $field.unwrap_or_default() };
    (@value $field:ident => $wire:literal else $group:ident $member:ident) => {
        match ($field, &$group) {
            (Some(value), _) => value,
            (None, Some(group)) => group.$member,
            (None, None) => return Err(de::Error::missing_field($wire)),
        }
    };
    (@absence omitted) => { Absence::Omitted };
    (@absence empty) => { Absence::EmptyList };
    (@absence) => { Absence::Null };
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
        /// The number of sandboxes.
        sandbox_count: u64 = "sandboxCount",
    }

    /// Usage of the sandboxes that share one value of a tag.
    TagItem<S = String> {
        /// The key that is grouped by.
        tag_key: S = "tagKey",
        /// The shared value.
        tag_value: S = "tagValue",
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The number of sandboxes.
        sandbox_count: u64 = "sandboxCount",
    }

    /// Usage of one sandbox.
    SandboxItem<S = String, M = Tags, T = Timestamp> {
        /// The sandbox.
        sandbox_id: S = "sandboxId",
        /// The user's name for it, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// All tags, system tags among them; `None` if the server does not say.
        tags: Option<M> = "tags",
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
        /// The instant at which running sandboxes were measured; `None` from the platform's own servers.
        as_of: Option<Timestamp> = "asOf",
        /// The dimension, `tag:<key>`.
        group_by: String = "groupBy",
        /// Everything that matches the window and the filters.
        total: Amounts = "total",
        /// The part of the total that lacks the tag; `None` if the server does not say.
        untagged: Option<Untagged> = "untagged",
        /// The groups of this page.
        items: Vec<TagItem<S>> => "items" (empty),
        /// The cursor of the next page; null on the last page.
        next_cursor: Option<String> = "nextCursor",
    }

    /// The answer of `GET /api/usage?groupBy=sandbox`.
    SandboxUsagePage<S = String, M = Tags, T = Timestamp> {
        /// Start of the window, inclusive.
        from: Timestamp = "from",
        /// End of the window, exclusive.
        to: Timestamp = "to",
        /// The instant at which running sandboxes were measured; `None` from the platform's own servers.
        as_of: Option<Timestamp> = "asOf",
        /// The dimension, `sandbox`; `None` if the server does not name it.
        group_by: Option<String> = "groupBy",
        /// Everything that matches the window and the filters.
        total: Amounts = "total",
        /// The sandboxes of this page.
        items: Vec<SandboxItem<S, M, T>> => "items" (empty),
        /// The cursor of the next page; null on the last page.
        next_cursor: Option<String> = "nextCursor",
    }

    /// The answer of `GET /api/sandboxes/{id}/usage`.
    SandboxUsage<S = String, M = Tags> {
        /// The sandbox.
        sandbox_id: S = "sandboxId",
        /// The user's name for it, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, of the latest session.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// Start of the window, inclusive.
        from: Timestamp = "from",
        /// End of the window, exclusive.
        to: Timestamp = "to",
        /// The instant at which a running sandbox was measured; `None` from the platform's own servers.
        as_of: Option<Timestamp> = "asOf",
        /// Memory, GB-seconds.
        memory_gb_seconds: f64 => "memoryGbSeconds"
            else totals.memory_allocated_gb_seconds = ["totals", "memoryAllocatedGbSeconds"],
        /// Disk above the included 20 GB, GB-seconds; `None` if the server does not say.
        disk_overage_gb_seconds: Option<f64> = "diskOverageGbSeconds",
        /// All tags, system tags among them; `None` if the server does not say.
        tags: Option<M> = "tags",
        /// When a tag value last changed; a removed tag leaves no trace.
        tags_last_updated_at: Option<Timestamp> = "tagsLastUpdatedAt",
        /// Start of the first session that meets the window, clamped into it.
        first_started_at: Option<Timestamp> = "firstStartedAt",
        /// End of the last session that meets the window, clamped into it; null while one is open.
        last_ended_at: Option<Timestamp> = "lastEndedAt",
        /// Allocated and used memory over the window; `None` from the platform's servers before June 2026.
        totals: Option<SandboxUsageTotals> = "totals",
        /// The same over time, one point a bucket; `None` from the platform's servers before June 2026.
        points: Option<Vec<UsagePoint>> = "points",
    }

    /// Allocated and used memory of one sandbox, clipped to the window.
    #[derive(Copy, Default)]
    SandboxUsageTotals {
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds: f64 = "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds: f64 = "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds: f64 = "uptimeSeconds",
        /// The largest allocation, MB of 2²⁰ bytes.
        memory_allocated_peak_mb: u64 = "memoryAllocatedPeakMb",
        /// The most memory that was measured, MB of 2²⁰ bytes; 0 without samples.
        memory_used_peak_mb: u64 = "memoryUsedPeakMb",
    }

    /// Allocated and used memory of one sandbox in one bucket of the window.
    #[derive(Copy)]
    UsagePoint {
        /// Start of the bucket.
        ts: Timestamp = "ts",
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds: f64 = "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds: f64 = "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds: f64 = "uptimeSeconds",
        /// Mean of the allocated memory over the bucket, MB of 2²⁰ bytes.
        allocated_memory_mb: u64 = "allocatedMemoryMb",
        /// Mean of the measured memory over the bucket, MB of 2²⁰ bytes.
        used_memory_mb_avg: u64 = "usedMemoryMbAvg",
        /// The most memory that was measured, MB of 2²⁰ bytes.
        used_memory_mb_peak: u64 = "usedMemoryMbPeak",
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
        /// The number of sandboxes that have it.
        sandbox_count: u64 = "sandboxCount",
        /// The number of different values.
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
        /// The region; `None` if the server does not say.
        region: Option<S> = "region",
        /// The worker that runs it; `None` if the server does not say.
        worker_id: Option<S> = "workerID",
        /// The template it was created from; `None` if the server does not say.
        template: Option<S> = "template" or template_id = "templateID",
        /// The start of the latest session.
        started_at: Timestamp = "startedAt",
        /// The user's name for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// All tags; absent if only their look-up failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<M> = "tags" (omitted),
        /// When a tag value last changed, or null; absent if the tags are.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        tags_last_updated_at: Option<Option<Timestamp>> = "tagsLastUpdatedAt" (omitted),
    }
}
