//! The small models. Amounts are GB-seconds (1 GB = 1024 MB), times are RFC 3339 in UTC.

use pyo3::prelude::*;

use crate::model::{Datetime, Field, Model, datetime, model_methods, models, none};
use crate::tags::frozen;

models! {
    /// One broken tag rule.
    TagViolation {
        /// Which rule, such as `key_too_long`.
        code => "code",
        /// The key at fault; None for `too_many_tags` and for a value that was checked alone.
        key => "key",
        /// What was wrong and what is allowed.
        message => "message",
    }

    /// A dimension to group by.
    GroupBy {
        /// `tag` or `sandbox`.
        kind => "kind",
        /// The tag's key, for a tag.
        key = none() => "key" (optional),
    }

    /// What a cursor holds; the exact value, window, instant and digest come together or not at all.
    Cursor {
        /// Sort value of the page's last item, GB-seconds.
        v => "v",
        /// Its sandbox id or tag value.
        t => "t",
        /// The exact sort value, MB times µs, in decimal.
        s = none() => "s" (optional),
        /// Start of the window.
        from_ = none() => "from" (optional),
        /// End of the window.
        to = none() => "to" (optional),
        /// When running sandboxes were measured.
        as_of = none() => "asOf" (optional),
        /// Digest of the query.
        q = none() => "q" (optional),
    }

    /// Usage, in GB-seconds.
    Amounts {
        /// Memory, GB-seconds.
        memory_gb_seconds => "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds => "diskOverageGbSeconds",
    }

    /// Usage of the sandboxes that lack the tag that is grouped by.
    Untagged {
        /// Memory, GB-seconds.
        memory_gb_seconds => "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds => "diskOverageGbSeconds",
        /// How many sandboxes.
        sandbox_count => "sandboxCount",
    }

    /// Usage of the sandboxes that share one value of a tag.
    TagItem {
        /// The key that is grouped by.
        tag_key => "tagKey",
        /// The value they share.
        tag_value => "tagValue",
        /// Memory, GB-seconds.
        memory_gb_seconds => "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds.
        disk_overage_gb_seconds => "diskOverageGbSeconds",
        /// How many sandboxes.
        sandbox_count => "sandboxCount",
    }

    /// Allocated and used memory of one sandbox, clipped to the window. MB are of 2²⁰ bytes.
    SandboxUsageTotals {
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds => "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds => "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds => "uptimeSeconds",
        /// The most memory that was allocated at once, MB.
        memory_allocated_peak_mb => "memoryAllocatedPeakMb",
        /// The most memory that was measured, MB; 0 without samples.
        memory_used_peak_mb => "memoryUsedPeakMb",
    }

    /// Allocated and used memory of one sandbox in one bucket of the window. MB are of 2²⁰ bytes.
    UsagePoint {
        /// Start of the bucket.
        ts => "ts",
        /// Allocated memory, GB-seconds.
        memory_allocated_gb_seconds => "memoryAllocatedGbSeconds",
        /// Measured memory, GB-seconds; 0 without samples.
        memory_used_gb_seconds => "memoryUsedGbSeconds",
        /// Time during which memory was allocated, seconds.
        uptime_seconds => "uptimeSeconds",
        /// Mean of the allocated memory over the bucket, MB.
        allocated_memory_mb => "allocatedMemoryMb",
        /// Mean of the measured memory over the bucket, MB.
        used_memory_mb_avg => "usedMemoryMbAvg",
        /// The most memory that was measured, MB.
        used_memory_mb_peak => "usedMemoryMbPeak",
    } + {
        /// `ts` as an aware datetime.
        #[getter]
        fn ts_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> { datetime(self.ts.bind(py)) }
    }

    /// Usage of one sandbox in a window.
    SandboxUsage {
        /// The sandbox.
        sandbox_id => "sandboxId",
        /// Start of the window, inclusive.
        from_ => "from",
        /// End of the window, exclusive.
        to => "to",
        /// When a running sandbox was measured; None from the platform's own servers.
        as_of => "asOf",
        /// Memory, GB-seconds.
        memory_gb_seconds => "memoryGbSeconds",
        /// Disk above the included 20 GB, GB-seconds; None where the server does not say.
        disk_overage_gb_seconds => "diskOverageGbSeconds",
        /// All tags, system tags among them; None where the server does not say.
        tags => "tags",
        /// When a tag value last changed; a removed tag leaves no trace.
        tags_last_updated_at => "tagsLastUpdatedAt",
        /// Start of the first session that meets the window, clamped into it.
        first_started_at => "firstStartedAt",
        /// End of the last session that meets the window, clamped into it; None while one is open.
        last_ended_at => "lastEndedAt",
        /// Name that the user gave.
        alias = none() => "alias" (optional),
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
        status = none() => "status" (optional),
        /// Allocated and used memory over the window; None where the server does not say.
        totals = none() => "totals",
        /// The same over time, one point a bucket; None where the server does not say.
        points = none() => "points",
    } + {
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
    TagKeySummary {
        /// The key.
        key => "key",
        /// How many sandboxes have it.
        sandbox_count => "sandboxCount",
        /// How many different values it has.
        value_count => "valueCount",
    }

    /// The tags of one sandbox.
    SandboxTags {
        /// All tags, system tags among them.
        tags => "tags",
        /// When a tag value last changed.
        tags_last_updated_at => "tagsLastUpdatedAt",
        /// For `if_match`; None where the server sent none.
        etag => "etag",
    } + {
        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(self.tags_last_updated_at.bind(py))
        }
    }

    /// A sandbox.
    Sandbox {
        /// The sandbox.
        sandbox_id => "sandboxID",
        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
        status => "status",
        /// Where it runs; None where the server does not say.
        region => "region",
        /// The worker it runs on; None where the server does not say.
        worker_id => "workerID",
        /// What it was made from; None where the server does not say.
        template => "template",
        /// When its latest session started.
        started_at => "startedAt",
        /// Name that the user gave.
        alias = none() => "alias" (optional),
        /// All tags; None where only their look-up failed.
        tags = none() => "tags" (optional),
        /// When a tag value last changed.
        tags_last_updated_at = none() => "tagsLastUpdatedAt" (with "tags"),
    } + {
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
        /// User tags on one sandbox.
        max_tags => "maxTags",
        /// Characters (Unicode scalar values) of a tag key.
        max_tag_key_characters => "maxTagKeyCharacters",
        /// Characters of a tag value.
        max_tag_value_characters => "maxTagValueCharacters",
        /// Days of a usage window that was not given a start.
        default_window_days => "defaultWindowDays",
        /// Days of the longest usage window.
        max_window_days => "maxWindowDays",
        /// Items of a page that was not given a limit.
        default_page_limit => "defaultPageLimit",
        /// Items of the largest page.
        max_page_limit => "maxPageLimit",
        /// Values in one filter, counted before duplicates are dropped.
        max_filter_values => "maxFilterValues",
        /// Filters in one query.
        max_filters => "maxFilters",
        /// Bytes of an encoded query string.
        max_query_bytes => "maxQueryBytes",
        /// Bytes of the body of a tag write (256 KiB).
        max_body_bytes => "maxBodyBytes",
        /// Characters of a sandbox id.
        max_sandbox_id_characters => "maxSandboxIdCharacters",
        /// Seconds a usage request may take on the server.
        query_budget_seconds => "queryBudgetSeconds",
        /// Megabytes of disk that are not charged for.
        included_disk_mb => "includedDiskMb",
    }
}
