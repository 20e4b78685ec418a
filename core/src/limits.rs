//! The limits of the contract, in one table that every language exports.

/// One limit, for other languages.
#[derive(Debug)]
pub struct Limit {
    /// The name that SDKs export it by.
    pub name: &'static str,
    /// The value.
    pub value: usize,
    /// The doc comment, as one line.
    pub docs: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident = $value:literal as $wire:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: usize = $value;)*

        /// Every limit.
        pub const TABLE: &[Limit] = &[$(Limit { name: $wire, value: $name, docs: concat!($($doc),*) }),*];
    };
}

limits! {
    /// The most user tags on one sandbox.
    MAX_TAGS = 50 as "maxTags";
    /// The most characters (Unicode scalar values) in a tag key.
    MAX_TAG_KEY_CHARACTERS = 128 as "maxTagKeyCharacters";
    /// The most characters in a tag value.
    MAX_TAG_VALUE_CHARACTERS = 256 as "maxTagValueCharacters";
    /// The length in days of a usage window without a start.
    DEFAULT_WINDOW_DAYS = 30 as "defaultWindowDays";
    /// The length in days of the longest usage window.
    MAX_WINDOW_DAYS = 90 as "maxWindowDays";
    /// The number of items on a page without a limit.
    DEFAULT_PAGE_LIMIT = 50 as "defaultPageLimit";
    /// The number of sandboxes or tag values on a page without a limit.
    DEFAULT_LIST_LIMIT = 100 as "defaultListLimit";
    /// The most items on a page.
    MAX_PAGE_LIMIT = 500 as "maxPageLimit";
    /// The most values in one filter, counted before duplicates are dropped.
    MAX_FILTER_VALUES = 100 as "maxFilterValues";
    /// The most filters in one query.
    MAX_FILTERS = 20 as "maxFilters";
    /// The most exclusions in one query.
    MAX_EXCLUSIONS = 20 as "maxExclusions";
    /// The most dimensions in one `groupBy`.
    MAX_GROUP_BY_DIMENSIONS = 3 as "maxGroupByDimensions";
    /// The most bytes in an encoded query string.
    MAX_QUERY_BYTES = 32_768 as "maxQueryBytes";
    /// The most bytes in the body of a tag write.
    MAX_BODY_BYTES = 262_144 as "maxBodyBytes";
    /// The most characters in a sandbox id.
    MAX_SANDBOX_ID_CHARACTERS = 128 as "maxSandboxIdCharacters";
    /// The time limit of a usage request on the server, in seconds.
    QUERY_BUDGET_SECONDS = 10 as "queryBudgetSeconds";
    /// The most buckets of an aggregate.
    MAX_AGGREGATE_BUCKETS = 2_200 as "maxAggregateBuckets";
    /// The largest product of the limit of a page and its number of buckets.
    MAX_PAGE_BUCKETS = 120_000 as "maxPageBuckets";
    /// The most buckets of a drilldown: 30 days of minutes, also if the window cuts the first and the last.
    MAX_DRILLDOWN_BUCKETS = 43_201 as "maxDrilldownBuckets";
    /// The most characters in the name of a time zone.
    MAX_TIME_ZONE_CHARACTERS = 64 as "maxTimeZoneCharacters";
    /// The disk included with every sandbox, in megabytes; only the rest is overage.
    INCLUDED_DISK_MB = 20_480 as "includedDiskMb";
}

/// The prefix of system tag keys. The API can read, group and filter by them, but not write them.
pub const RESERVED_KEY_PREFIX: &str = "oc:";

/// The most violations in one error response. Its `violationCount` counts all of them.
pub const MAX_REPORTED_VIOLATIONS: usize = 1_000;
