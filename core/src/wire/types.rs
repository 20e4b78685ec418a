//! The bodies of responses.
//!
//! Amounts are GB-seconds (1 GB = 1024 MB). Unknown members are ignored, and members that only this project's server
//! sends may be missing (section 14 of the contract). The types of an item's parts are parameters, so that a host can
//! deserialize them directly into its own values.

use serde::{Deserialize, Deserializer, Serialize, de};

use super::describe::{Described, Description, MemberDescription, Presence};
use super::group::GroupValues;
use super::read::{Object, present};
use super::shape::{Absence, Member, Shape, Shaped};
use crate::error::TagViolation;
use crate::tags::Tags;
use crate::usage::window::Timestamp;

/// Declares JSON objects: for each a struct for serde, a [`Shape`] for hosts without it, and a [`Description`].
///
/// A member is written `field: Type = "wireName"`, followed by
///
/// - `or other = "otherName"`, if some servers have another name for the same member;
/// - `(omitted)`, if `None` is omitted from the JSON instead of being written as null;
/// - `(interval)`, if the member is sent for a query with an interval, and omitted in the same way otherwise;
/// - `(always)`, if this project's server always sends the member, so `None` means that another server omitted it.
///
/// With `=>` instead of `=`, the member may be null or missing although its type has no `None`: `(empty)` reads it as
/// an empty list, `else group.member = ["group", "member"]` reads it from a member of another object.
///
/// A doc comment ends with `Example:` and a JSON value. The examples of objects and lists of objects are assembled from
/// their members. The types and schemas of other languages are generated from the doc comments and examples.
macro_rules! wire {
    ($(
        $(#[$($meta:tt)*])*
        $name:ident $(<$($param:ident = $default:ty),+>)? {
            $(
                $(#[$($attr:tt)*])*
                $field:ident: $type:ty
                    $(= $wire:literal $(or $other:ident = $other_wire:literal)? $(($presence:ident))?)?
                    $(=> $missing:literal $(($empty:ident))? $(else $group:ident.$member:ident = [$($path:literal),+])?)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[$($meta)*])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct $name $(<$($param = $default),+>)? {
            $($(#[$($attr)*])* $(#[serde(rename = $wire)])? $(#[serde(rename = $missing)])? pub $field: $type,)*
        }

        impl<'de $($(, $param: Deserialize<'de>)+)?> Deserialize<'de> for $name $(<$($param),+>)? {
            #[inline]
            fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                #[derive(Deserialize)]
                #[allow(clippy::struct_field_names, reason = "they are the wire's")]
                struct $name $(<$($param),+>)? {
                    $(
                        $(#[$($attr)*])*
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
                absence: wire!(@absence $($($presence)?)? $($($empty)?)?),
                shape: <$type as Shaped>::SHAPE,
            },)*]);
        }

        impl Described for $name {
            const DESCRIPTION: Option<&'static Description> = {
                $($(type $param = $default;)+)?
                Some(&Description {
                    name: stringify!($name),
                    docs: wire!(@docs $(#[$($meta)*])*),
                    members: &[$(MemberDescription {
                        field: stringify!($field),
                        name: wire!(@name $($wire)? $($missing)?),
                        docs: wire!(@docs $(#[$($attr)*])*),
                        shape: <$type as Shaped>::SHAPE,
                        object: <$type as Described>::DESCRIPTION,
                        presence: wire!(@presence $($($presence)?)? $($($empty)?)?),
                    },)*],
                })
            };
        }
    )*

        /// The descriptions of every type.
        pub const DESCRIPTIONS: &[Option<&Description>] =
            &[$(<$name as Described>::DESCRIPTION,)* TagViolation::DESCRIPTION];
    };
    (@docs $(#[doc = $doc:literal])* $(#[derive $($derive:tt)*])* $(#[serde $($serde:tt)*])*) => {
        concat!($($doc),*)
    };
    (@presence omitted) => { Presence::Omitted };
    (@presence interval) => { Presence::WithInterval };
    (@presence always) => { Presence::Always };
    (@presence $($empty:ident)?) => { Presence::Required };
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
    (@absence interval) => { Absence::Omitted };
    (@absence empty) => { Absence::EmptyList };
    (@absence $(always)?) => { Absence::Null };
}

wire! {
    /// Amounts of the two metrics.
    #[derive(Default)]
    UsageTotals {
        /// Memory, GB-seconds. Example: `19000.0`
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `340.0`
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The amounts by bucket, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<UsageSeries> = "series" (interval),
    }

    /// The amounts of the two metrics over time, one number per bucket. They add up to the amounts beside them.
    #[derive(Default)]
    UsageSeries {
        /// Memory, GB-seconds. Example: `[9000.0,10000.0]`
        memory_gb_seconds: Vec<f64> = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `[160.0,180.0]`
        disk_overage_gb_seconds: Vec<f64> = "diskOverageGbSeconds",
    }

    /// A part of the window, from one boundary of the interval to the next.
    #[derive(Copy, Eq)]
    UsageBucket {
        /// Start of the bucket, inclusive. Example: `"2026-04-19T00:00:00Z"`
        from: Timestamp = "from",
        /// End of the bucket, exclusive. Example: `"2026-04-19T14:00:00Z"`
        to: Timestamp = "to",
        /// True if the window cuts the bucket, so that it is shorter than its interval; absent otherwise. Example:
        /// `true`
        #[serde(skip_serializing_if = "Option::is_none")]
        partial: Option<bool> = "partial" (omitted),
    }

    /// Usage of the sandboxes that lack every dimension of `groupBy`.
    UntaggedUsage {
        /// Memory, GB-seconds. Example: `1000.0`
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `20.0`
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The number of sandboxes. Example: `2`
        sandbox_count: u64 = "sandboxCount",
        /// The amounts by bucket, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<UsageSeries> = "series" (interval),
    }

    /// Usage of the sandboxes that share one value of a tag.
    TagUsageItem<S = String> {
        /// The key of the tag. Example: `"team"`
        tag_key: S = "tagKey",
        /// The value that the sandboxes share. Example: `"payments"`
        tag_value: S = "tagValue",
        /// Memory, GB-seconds. Example: `18000.0`
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `320.0`
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The number of sandboxes. Example: `12`
        sandbox_count: u64 = "sandboxCount",
        /// The amounts by bucket, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<UsageSeries> = "series" (interval),
    }

    /// Usage of the sandboxes that share a value of each dimension.
    GroupUsageItem<G = GroupValues> {
        /// The value of each dimension, in the order of `groupBy`; null if the sandboxes lack it. Example:
        /// `{"tag:team":"payments","region":null}`
        group: G = "group",
        /// Memory, GB-seconds. Example: `18000.0`
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `320.0`
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The number of sandboxes. Example: `12`
        sandbox_count: u64 = "sandboxCount",
        /// The amounts by bucket, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<UsageSeries> = "series" (interval),
    }

    /// Usage of one sandbox.
    SandboxUsageItem<S = String, M = Tags, T = Timestamp> {
        /// The id of the sandbox. Example: `"sb-abc"`
        sandbox_id: S = "sandboxId",
        /// The alias, from the latest session. Example: `"my-agent"`
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another status of the platform, from the latest session.
        /// Example: `"running"`
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// All tags, including system tags (`oc:`); `None` if the server does not send them. Example:
        /// `{"env":"prod"}`
        tags: Option<M> = "tags" (always),
        /// The last time that a tag value changed; removing a tag does not count. Example: `"2026-04-19T14:02:00Z"`
        tags_last_updated_at: Option<T> = "tagsLastUpdatedAt",
        /// Memory, GB-seconds. Example: `8000.0`
        memory_gb_seconds: f64 = "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds. Example: `120.0`
        disk_overage_gb_seconds: f64 = "diskOverageGbSeconds",
        /// The amounts by bucket, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<UsageSeries> = "series" (interval),
    }

    /// The response of `GET /api/usage?groupBy=tag:…`.
    TagUsagePage<S = String> {
        /// Start of the window, inclusive. Example: `"2026-03-20T00:00:00Z"`
        from: Timestamp = "from",
        /// End of the window, exclusive. Example: `"2026-04-19T00:00:00Z"`
        to: Timestamp = "to",
        /// The instant at which running sandboxes were measured; `None` from the platform's own servers. Example:
        /// `"2026-04-19T14:02:00.123456Z"`
        as_of: Option<Timestamp> = "asOf" (always),
        /// The interval of the buckets, if the query has one. Example: `"1d"`
        #[serde(skip_serializing_if = "Option::is_none")]
        interval: Option<String> = "interval" (interval),
        /// The time zone of the buckets, if the query has an interval. Example: `"Europe/Berlin"`
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String> = "timezone" (interval),
        /// The buckets, contiguous and in order, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<Vec<UsageBucket>> = "buckets" (interval),
        /// The dimension, `tag:<key>`. Example: `"tag:team"`
        group_by: String = "groupBy",
        /// Usage of all sandboxes that match, not only of those on this page.
        total: UsageTotals = "total",
        /// Usage of the sandboxes that lack the tag; `None` if the server does not send it.
        untagged: Option<UntaggedUsage> = "untagged" (always),
        /// The groups of this page.
        items: Vec<TagUsageItem<S>> => "items" (empty),
        /// The cursor of the next page; null on the last page. Example: `null`
        next_cursor: Option<String> = "nextCursor",
    }

    /// The response of `GET /api/usage` for several dimensions, or for `template`, `region` or `status`.
    GroupUsagePage<G = GroupValues> {
        /// Start of the window, inclusive. Example: `"2026-03-20T00:00:00Z"`
        from: Timestamp = "from",
        /// End of the window, exclusive. Example: `"2026-04-19T00:00:00Z"`
        to: Timestamp = "to",
        /// The instant at which running sandboxes were measured; `None` from the platform's own servers. Example:
        /// `"2026-04-19T14:02:00.123456Z"`
        as_of: Option<Timestamp> = "asOf" (always),
        /// The interval of the buckets, if the query has one. Example: `"1d"`
        #[serde(skip_serializing_if = "Option::is_none")]
        interval: Option<String> = "interval" (interval),
        /// The time zone of the buckets, if the query has an interval. Example: `"Europe/Berlin"`
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String> = "timezone" (interval),
        /// The buckets, contiguous and in order, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<Vec<UsageBucket>> = "buckets" (interval),
        /// The dimensions, separated by commas. Example: `"tag:team,region"`
        group_by: String = "groupBy",
        /// Usage of all sandboxes that match, not only of those on this page.
        total: UsageTotals = "total",
        /// Usage of the sandboxes that lack every dimension; `None` if the server does not send it.
        untagged: Option<UntaggedUsage> = "untagged" (always),
        /// The groups of this page.
        items: Vec<GroupUsageItem<G>> => "items" (empty),
        /// The cursor of the next page; null on the last page. Example: `null`
        next_cursor: Option<String> = "nextCursor",
    }

    /// The response of `GET /api/usage?groupBy=sandbox`.
    SandboxUsagePage<S = String, M = Tags, T = Timestamp> {
        /// Start of the window, inclusive. Example: `"2026-03-20T00:00:00Z"`
        from: Timestamp = "from",
        /// End of the window, exclusive. Example: `"2026-04-19T00:00:00Z"`
        to: Timestamp = "to",
        /// The instant at which running sandboxes were measured; `None` from the platform's own servers. Example:
        /// `"2026-04-19T14:02:00.123456Z"`
        as_of: Option<Timestamp> = "asOf" (always),
        /// The interval of the buckets, if the query has one. Example: `"1d"`
        #[serde(skip_serializing_if = "Option::is_none")]
        interval: Option<String> = "interval" (interval),
        /// The time zone of the buckets, if the query has an interval. Example: `"Europe/Berlin"`
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String> = "timezone" (interval),
        /// The buckets, contiguous and in order, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<Vec<UsageBucket>> = "buckets" (interval),
        /// The dimension, `sandbox`; `None` if the server does not name it. Example: `"sandbox"`
        group_by: Option<String> = "groupBy" (always),
        /// Usage of all sandboxes that match, not only of those on this page.
        total: UsageTotals = "total",
        /// The sandboxes of this page.
        items: Vec<SandboxUsageItem<S, M, T>> => "items" (empty),
        /// The cursor of the next page; null on the last page. Example: `"eyJ2Ijo4MDAwLjAsInQiOiJzYi1hYmMifQ"`
        next_cursor: Option<String> = "nextCursor",
    }

    /// Usage of one sandbox over a window: the response of `GET /api/sandboxes/{id}/usage`.
    SandboxUsage<S = String, M = Tags> {
        /// The id of the sandbox. Example: `"sb-abc"`
        sandbox_id: S = "sandboxId",
        /// The alias, from the latest session. Example: `"my-agent"`
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// `running`, `hibernated`, `stopped`, `error` or another status of the platform, from the latest session.
        /// Example: `"stopped"`
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<S> = "status" (omitted),
        /// Start of the window, inclusive. Example: `"2026-03-20T00:00:00Z"`
        from: Timestamp = "from",
        /// End of the window, exclusive. Example: `"2026-04-19T00:00:00Z"`
        to: Timestamp = "to",
        /// The instant at which a running sandbox was measured; `None` from the platform's own servers. Example:
        /// `"2026-04-19T14:02:00.123456Z"`
        as_of: Option<Timestamp> = "asOf" (always),
        /// The interval of the buckets, if the query has one. Example: `"1d"`
        #[serde(skip_serializing_if = "Option::is_none")]
        interval: Option<String> = "interval" (interval),
        /// The time zone of the buckets, if the query has an interval. Example: `"Europe/Berlin"`
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String> = "timezone" (interval),
        /// The buckets, contiguous and in order, if the query has an interval.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<Vec<UsageBucket>> = "buckets" (interval),
        /// Memory, GB-seconds. Example: `8000.0`
        memory_gb_seconds: f64 => "memoryGbSeconds"
            else totals.memory_allocated_gb_seconds = ["totals", "memoryAllocatedGbSeconds"],
        /// Disk beyond the included amount, GB-seconds; `None` if the server does not send it. Example: `120.0`
        disk_overage_gb_seconds: Option<f64> = "diskOverageGbSeconds" (always),
        /// All tags, including system tags (`oc:`); `None` if the server does not send them. Example:
        /// `{"env":"prod"}`
        tags: Option<M> = "tags" (always),
        /// The last time that a tag value changed; removing a tag does not count. Example: `"2026-04-19T14:02:00Z"`
        tags_last_updated_at: Option<Timestamp> = "tagsLastUpdatedAt",
        /// Start of the first session that overlaps the window, clamped to the window; null without such a session.
        /// Example: `"2026-03-22T08:00:00Z"`
        first_started_at: Option<Timestamp> = "firstStartedAt",
        /// End of the last session that overlaps the window, clamped to the window; null while a session is open and
        /// without such a session. Example: `"2026-04-02T17:30:00Z"`
        last_ended_at: Option<Timestamp> = "lastEndedAt",
        /// Allocated and used memory over the window; `None` from the platform's servers before June 2026.
        totals: Option<SandboxUsageTotals> = "totals" (always),
        /// Allocated and used memory over time, one point per bucket; `None` from the platform's servers before June
        /// 2026. Example: `[]`
        points: Option<Vec<UsagePoint>> = "points" (always),
    }

    /// Allocated and used memory of one sandbox, clipped to the window.
    #[derive(Copy, Default)]
    SandboxUsageTotals {
        /// Allocated memory, GB-seconds. Example: `8000.0`
        memory_allocated_gb_seconds: f64 = "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples. Example: `0.0`
        memory_used_gb_seconds: f64 = "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds; overlapping events count once. Example: `2000.0`
        uptime_seconds: f64 = "uptimeSeconds",
        /// The largest allocation, MB of 2²⁰ bytes. Example: `4096`
        memory_allocated_peak_mb: u64 = "memoryAllocatedPeakMb",
        /// The largest sample of used memory, MB of 2²⁰ bytes; 0 without samples. Example: `0`
        memory_used_peak_mb: u64 = "memoryUsedPeakMb",
    }

    /// Allocated and used memory of one sandbox in one bucket of the window.
    #[derive(Copy)]
    UsagePoint {
        /// Start of the bucket. Example: `"2026-03-22T08:00:00Z"`
        ts: Timestamp = "ts",
        /// Allocated memory, GB-seconds. Example: `240.0`
        memory_allocated_gb_seconds: f64 = "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples. Example: `0.0`
        memory_used_gb_seconds: f64 = "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds. Example: `60.0`
        uptime_seconds: f64 = "uptimeSeconds",
        /// Mean of the allocated memory over the bucket, MB of 2²⁰ bytes. Example: `4096`
        allocated_memory_mb: u64 = "allocatedMemoryMb",
        /// Mean of the measured memory over the bucket, MB of 2²⁰ bytes. Example: `0`
        used_memory_mb_avg: u64 = "usedMemoryMbAvg",
        /// The largest sample of used memory, MB of 2²⁰ bytes. Example: `0`
        used_memory_mb_peak: u64 = "usedMemoryMbPeak",
    }

    /// The response of `GET /api/tags`.
    #[derive(Eq)]
    TagKeys<S = String> {
        /// Every key in use, ordered by its UTF-8 bytes.
        keys: Vec<TagKey<S>> = "keys",
    }

    /// A tag key in use.
    #[derive(Eq)]
    TagKey<S = String> {
        /// The key. Example: `"team"`
        key: S = "key",
        /// The number of sandboxes that have it. Example: `280`
        sandbox_count: u64 = "sandboxCount",
        /// The number of its distinct values. Example: `6`
        value_count: u64 = "valueCount",
    }

    /// The response of `GET /api/tags/{key}`: the values of one tag.
    #[derive(Eq)]
    TagValues<S = String> {
        /// The key of the tag. Example: `"team"`
        key: S = "key",
        /// The values of this page, ordered by their UTF-8 bytes.
        values: Vec<TagValue<S>> => "values" (empty),
        /// The cursor of the next page; null on the last page. Example: `null`
        next_cursor: Option<String> = "nextCursor",
    }

    /// A value of a tag key.
    #[derive(Eq)]
    TagValue<S = String> {
        /// The value. Example: `"payments"`
        value: S = "value",
        /// The number of sandboxes that have it. Example: `12`
        sandbox_count: u64 = "sandboxCount",
    }

    /// The tags of one sandbox: the response of `GET` and `PUT /api/sandboxes/{id}/tags`.
    #[derive(Default, Eq)]
    SandboxTagsBody<M = Tags> {
        /// All tags, including system tags (`oc:`). Example: `{"env":"prod","oc:plan":"pro","team":"payments"}`
        tags: M = "tags",
        /// The last time that a tag value changed; null without tags. Example: `"2026-04-19T14:02:00Z"`
        tags_last_updated_at: Option<Timestamp> = "tagsLastUpdatedAt",
    }

    /// The body of an error.
    #[derive(Eq)]
    ErrorBody {
        /// A message for people: the fault, and the allowed values. Example: `"tags are invalid"`
        error: String = "error",
        /// The error code, for programs. Example: `"invalid_tags"`
        code: String = "code",
        /// The id of the request in the server's log. Example: `"5f0c6cf3a1a94f0e8f4d2c5b7e9a1d30"`
        request_id: String = "requestId",
        /// The broken tag rules, for `invalid_tags`. A long list is truncated; `violationCount` is the full number.
        #[serde(skip_serializing_if = "Option::is_none")]
        violations: Option<Vec<TagViolation>> = "violations" (omitted),
        /// The total number of broken tag rules, for `invalid_tags`. Example: `1`
        #[serde(skip_serializing_if = "Option::is_none")]
        violation_count: Option<u64> = "violationCount" (omitted),
    }

    /// One sandbox, as `GET /api/sandboxes` and `GET /api/sandboxes/{id}` return it.
    #[derive(Eq)]
    Sandbox<S = String, M = Tags> {
        /// The id of the sandbox. Example: `"sb-abc"`
        sandbox_id: S = "sandboxID",
        /// `running`, `hibernated`, `stopped`, `error` or another status of the platform, from the latest session.
        /// Example: `"running"`
        status: S = "status",
        /// The region that it runs in; `None` if the server does not send it. Example: `"use2"`
        region: Option<S> = "region" (always),
        /// The worker that it runs on; `None` if the server does not send it. Example: `"w-1"`
        worker_id: Option<S> = "workerID" (always),
        /// The template that it was created from; `None` if the server does not send it. Example: `"base"`
        template: Option<S> = "template" or template_id = "templateID" (always),
        /// Start of the latest session. Example: `"2026-04-19T14:00:00Z"`
        started_at: Timestamp = "startedAt",
        /// The alias, from the latest session. Example: `"my-agent"`
        #[serde(skip_serializing_if = "Option::is_none")]
        alias: Option<S> = "alias" (omitted),
        /// All tags, including system tags (`oc:`); absent if their lookup failed. Example: `{"env":"prod"}`
        #[serde(skip_serializing_if = "Option::is_none")]
        tags: Option<M> = "tags" (omitted),
        /// The last time that a tag value changed, or null; absent if the tags are absent. Example:
        /// `"2026-04-19T14:02:00Z"`
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        tags_last_updated_at: Option<Option<Timestamp>> = "tagsLastUpdatedAt" (omitted),
    }
}
