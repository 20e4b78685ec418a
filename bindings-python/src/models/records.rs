//! The small models. Amounts are GB-seconds (1 GB = 1024 MB), times are RFC 3339 in UTC.

use opencomputer_usage_core::client;
use pyo3::prelude::*;

use crate::errors::raised;
use crate::models::field::{COUNT, Field, Kind, NUMBER, TAGS, TEXT};
use crate::models::model::{Datetime, Model, checked, datetime, model_methods, models, none};
use crate::models::tags;

models! {
    /// One broken tag rule.
    TagViolation {
        /// The broken rule, such as `key_too_long`.
        code: TEXT => "code",
        /// The key; None for `too_many_tags` and for a value that was checked alone.
        key: TEXT.maybe() => "key",
        /// One sentence: the fault, and what is allowed.
        message: TEXT => "message",
    }

    /// A dimension to group by.
    GroupBy {
        /// `tag` or `sandbox`.
        kind: TEXT => "kind",
        /// The key of the tag; None for `sandbox`.
        key = none: TEXT.maybe() => "key" (optional),
    }

    /// The content of a cursor. `s`, `from_`, `to`, `as_of` and `q` are either all set or all None.
    Cursor {
        /// Sort value of the last item of the page, GB-seconds.
        v: NUMBER => "v",
        /// Sandbox id or tag value of that item.
        t: TEXT => "t",
        /// The exact sort value as a decimal integer, MB times µs.
        s = none: TEXT.maybe() => "s" (optional),
        /// Start of the window.
        from_ = none: TEXT.maybe() => "from" (optional),
        /// End of the window.
        to = none: TEXT.maybe() => "to" (optional),
        /// The instant at which running sandboxes were measured.
        as_of = none: TEXT.maybe() => "asOf" (optional),
        /// Digest of the query.
        q = none: TEXT.maybe() => "q" (optional),
    }

    /// Amounts of the two metrics.
    UsageTotals {
        /// Memory, GB-seconds.
        memory_gb_seconds: NUMBER => "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds.
        disk_overage_gb_seconds: NUMBER => "diskOverageGbSeconds",
    }

    /// Usage of the sandboxes that lack the tag.
    UntaggedUsage {
        /// Memory, GB-seconds.
        memory_gb_seconds: NUMBER => "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds.
        disk_overage_gb_seconds: NUMBER => "diskOverageGbSeconds",
        /// The number of sandboxes.
        sandbox_count: COUNT => "sandboxCount",
    }

    /// Usage of the sandboxes that share one value of a tag.
    TagUsageItem {
        /// The key of the tag.
        tag_key: TEXT => "tagKey",
        /// The value that the sandboxes share.
        tag_value: TEXT => "tagValue",
        /// Memory, GB-seconds.
        memory_gb_seconds: NUMBER => "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds.
        disk_overage_gb_seconds: NUMBER => "diskOverageGbSeconds",
        /// The number of sandboxes.
        sandbox_count: COUNT => "sandboxCount",
    }

    /// Allocated and used memory of one sandbox, clipped to the window. MB are of 2²⁰ bytes.
    SandboxUsageTotals {
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds: NUMBER => "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds: NUMBER => "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds: NUMBER => "uptimeSeconds",
        /// The largest allocation, MB.
        memory_allocated_peak_mb: COUNT => "memoryAllocatedPeakMb",
        /// The largest measurement of memory, MB; 0 without samples.
        memory_used_peak_mb: COUNT => "memoryUsedPeakMb",
    }

    /// Allocated and used memory of one sandbox in one bucket of the window. MB are of 2²⁰ bytes.
    UsagePoint {
        /// Start of the bucket.
        ts: TEXT => "ts",
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds: NUMBER => "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds: NUMBER => "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds: NUMBER => "uptimeSeconds",
        /// Mean of the allocated memory over the bucket, MB.
        allocated_memory_mb: COUNT => "allocatedMemoryMb",
        /// Mean of the measured memory over the bucket, MB.
        used_memory_mb_avg: COUNT => "usedMemoryMbAvg",
        /// The largest measurement of memory, MB.
        used_memory_mb_peak: COUNT => "usedMemoryMbPeak",
    } + {
        /// `ts` as an aware datetime.
        #[getter]
        fn ts_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.ts.bind(py)) }
    }

    /// Usage of one sandbox over a window.
    SandboxUsage {
        /// The id of the sandbox.
        sandbox_id: TEXT => "sandboxId",
        /// Start of the window, inclusive.
        from_: TEXT => "from",
        /// End of the window, exclusive.
        to: TEXT => "to",
        /// The instant at which a running sandbox was measured; None from the platform's own servers.
        as_of: TEXT.maybe() => "asOf",
        /// Memory, GB-seconds.
        memory_gb_seconds: NUMBER => "memoryGbSeconds",
        /// Disk beyond the included amount, GB-seconds; None if the server does not send it.
        disk_overage_gb_seconds: NUMBER.maybe() => "diskOverageGbSeconds",
        /// All tags, including system tags (`oc:`); None if the server does not send them.
        tags: TAGS.maybe() => "tags",
        /// The last time that a tag value changed; a removed tag leaves no trace.
        tags_last_updated_at: TEXT.maybe() => "tagsLastUpdatedAt",
        /// Start of the first session that overlaps the window, clamped to the window.
        first_started_at: TEXT.maybe() => "firstStartedAt",
        /// End of the last session that overlaps the window, clamped to the window; None while a session is open.
        last_ended_at: TEXT.maybe() => "lastEndedAt",
        /// The user's name for it, from the latest session.
        alias = none: TEXT.maybe() => "alias" (optional),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, from the latest session.
        status = none: TEXT.maybe() => "status" (optional),
        /// Allocated and used memory over the window; None if the server does not send them.
        totals = none: Kind::one::<SandboxUsageTotals>().maybe() => "totals",
        /// Allocated and used memory over time, one point per bucket; None if the server does not send them.
        points = none: Kind::many::<UsagePoint>().maybe() => "points",
    } + {
        /// The tags that you can write back: all tags except system tags.
        #[getter]
        fn user_tags(&self, py: Python<'_>) -> PyResult<Py<PyAny>> { tags::of_user(self.tags.bind(py)) }

        /// `from_` as an aware datetime.
        #[getter]
        fn from_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.from_.bind(py)) }

        /// `to` as an aware datetime.
        #[getter]
        fn to_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.to.bind(py)) }

        /// `as_of` as an aware datetime.
        #[getter]
        fn as_of_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.as_of.bind(py)) }

        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(self.tags_last_updated_at.bind(py))
        }

        /// `first_started_at` as an aware datetime.
        #[getter]
        fn first_started_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(self.first_started_at.bind(py))
        }

        /// `last_ended_at` as an aware datetime.
        #[getter]
        fn last_ended_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.last_ended_at.bind(py)) }
    }

    /// A tag key in use.
    TagKey {
        /// The key.
        key: TEXT => "key",
        /// The number of sandboxes that have it.
        sandbox_count: COUNT => "sandboxCount",
        /// The number of its distinct values.
        value_count: COUNT => "valueCount",
    }

    /// The tags of one sandbox.
    SandboxTags {
        /// All tags, including system tags (`oc:`).
        tags: TAGS => "tags",
        /// The last time that a tag value changed.
        tags_last_updated_at: TEXT.maybe() => "tagsLastUpdatedAt",
        /// The entity tag, for `if_match`; None if the server sent none.
        etag: TEXT.maybe() => "etag",
    } + {
        /// The tags that you can write back: all tags except system tags.
        #[getter]
        fn user_tags(&self, py: Python<'_>) -> PyResult<Py<PyAny>> { tags::of_user(self.tags.bind(py)) }

        /// Returns the etag for `if_match`, which makes a write depend on these tags.
        ///
        /// Raises:
        ///     UnsupportedByServerError: If the server sent none: a write would be unconditional.
        fn condition(&self, py: Python<'_>) -> PyResult<String> {
            let state = client::SandboxTags { etag: self.etag.extract(py)?, ..client::SandboxTags::default() };
            state.condition().map(str::to_owned).map_err(raised)
        }

        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(self.tags_last_updated_at.bind(py))
        }
    }

    /// One sandbox.
    Sandbox {
        /// The id of the sandbox.
        sandbox_id: TEXT => "sandboxID",
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, from the latest session.
        status: TEXT => "status",
        /// The region that it runs in; None if the server does not send it.
        region: TEXT.maybe() => "region",
        /// The worker that it runs on; None if the server does not send it.
        worker_id: TEXT.maybe() => "workerID",
        /// The template that it was created from; None if the server does not send it.
        template: TEXT.maybe() => "template",
        /// Start of the latest session.
        started_at: TEXT => "startedAt",
        /// The user's name for it, from the latest session.
        alias = none: TEXT.maybe() => "alias" (optional),
        /// All tags, including system tags (`oc:`); None if only their lookup failed.
        tags = none: TAGS.maybe() => "tags" (optional),
        /// The last time that a tag value changed.
        tags_last_updated_at = none: TEXT.maybe() => "tagsLastUpdatedAt" (with "tags"),
    } + {
        /// The tags that you can write back: all tags except system tags.
        #[getter]
        fn user_tags(&self, py: Python<'_>) -> PyResult<Py<PyAny>> { tags::of_user(self.tags.bind(py)) }

        /// `started_at` as an aware datetime.
        #[getter]
        fn started_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.started_at.bind(py)) }

        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(self.tags_last_updated_at.bind(py))
        }
    }

    /// The limits of the API.
    Limits {
        /// User tags of one sandbox.
        max_tags: COUNT => "maxTags",
        /// Characters (Unicode scalar values) of a tag key.
        max_tag_key_characters: COUNT => "maxTagKeyCharacters",
        /// Characters of a tag value.
        max_tag_value_characters: COUNT => "maxTagValueCharacters",
        /// Days of a usage window without a start.
        default_window_days: COUNT => "defaultWindowDays",
        /// Days of the longest usage window.
        max_window_days: COUNT => "maxWindowDays",
        /// Items of a page without a limit.
        default_page_limit: COUNT => "defaultPageLimit",
        /// Items of the largest page.
        max_page_limit: COUNT => "maxPageLimit",
        /// Values in one filter, counted before duplicates are dropped.
        max_filter_values: COUNT => "maxFilterValues",
        /// Filters in one query.
        max_filters: COUNT => "maxFilters",
        /// Bytes of an encoded query string.
        max_query_bytes: COUNT => "maxQueryBytes",
        /// Bytes of the body of a tag write.
        max_body_bytes: COUNT => "maxBodyBytes",
        /// Characters of a sandbox id.
        max_sandbox_id_characters: COUNT => "maxSandboxIdCharacters",
        /// Seconds that a usage request may take on the server.
        query_budget_seconds: COUNT => "queryBudgetSeconds",
        /// Megabytes of disk that are not charged.
        included_disk_mb: COUNT => "includedDiskMb",
    }
}
