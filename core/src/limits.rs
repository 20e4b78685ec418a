//! The limits of the contract, in one table that every language exports.

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $value:literal as $wire:literal;)*) => {
        $($(#[$doc])* pub const $name: usize = $value;)*

        /// Every limit under the name that SDKs export it by.
        pub const TABLE: &[(&str, usize)] = &[$(($wire, $name)),*];
    };
}

limits! {
    /// User tags on one sandbox.
    MAX_TAGS = 50 as "maxTags";
    /// Characters (Unicode scalar values) of a tag key.
    MAX_TAG_KEY_CHARACTERS = 128 as "maxTagKeyCharacters";
    /// Characters of a tag value.
    MAX_TAG_VALUE_CHARACTERS = 256 as "maxTagValueCharacters";
    /// Days of a usage window that was not given a start.
    DEFAULT_WINDOW_DAYS = 30 as "defaultWindowDays";
    /// Days of the longest usage window.
    MAX_WINDOW_DAYS = 90 as "maxWindowDays";
    /// Items of a page that was not given a limit.
    DEFAULT_PAGE_LIMIT = 50 as "defaultPageLimit";
    /// Items of the largest page.
    MAX_PAGE_LIMIT = 500 as "maxPageLimit";
    /// Values in one filter, counted before duplicates are dropped.
    MAX_FILTER_VALUES = 100 as "maxFilterValues";
    /// Filters in one query.
    MAX_FILTERS = 20 as "maxFilters";
    /// Bytes of an encoded query string.
    MAX_QUERY_BYTES = 32_768 as "maxQueryBytes";
    /// Bytes of the body of a tag write (256 KiB).
    MAX_BODY_BYTES = 262_144 as "maxBodyBytes";
    /// Characters of a sandbox id.
    MAX_SANDBOX_ID_CHARACTERS = 128 as "maxSandboxIdCharacters";
    /// Seconds a usage request may take on the server.
    QUERY_BUDGET_SECONDS = 10 as "queryBudgetSeconds";
    /// Megabytes of disk that are not charged for.
    INCLUDED_DISK_MB = 20_480 as "includedDiskMb";
}

/// Prefix of system tag keys: readable, groupable and filterable, never writable through the API.
pub const RESERVED_KEY_PREFIX: &str = "oc:";

/// Violations that one error response carries. Its `violationCount` counts all of them.
pub const MAX_REPORTED_VIOLATIONS: usize = 1_000;
