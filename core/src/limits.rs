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
    /// User tags of one sandbox.
    MAX_TAGS = 50 as "maxTags";
    /// Characters (Unicode scalar values) of a tag key.
    MAX_TAG_KEY_CHARACTERS = 128 as "maxTagKeyCharacters";
    /// Characters of a tag value.
    MAX_TAG_VALUE_CHARACTERS = 256 as "maxTagValueCharacters";
    /// Days of a usage window without a start.
    DEFAULT_WINDOW_DAYS = 30 as "defaultWindowDays";
    /// Days of the longest usage window.
    MAX_WINDOW_DAYS = 90 as "maxWindowDays";
    /// Items of a page without a limit.
    DEFAULT_PAGE_LIMIT = 50 as "defaultPageLimit";
    /// Items of the largest page.
    MAX_PAGE_LIMIT = 500 as "maxPageLimit";
    /// Values in one filter, counted before duplicates are dropped.
    MAX_FILTER_VALUES = 100 as "maxFilterValues";
    /// Filters in one query.
    MAX_FILTERS = 20 as "maxFilters";
    /// Bytes of an encoded query string.
    MAX_QUERY_BYTES = 32_768 as "maxQueryBytes";
    /// Bytes of the body of a tag write.
    MAX_BODY_BYTES = 262_144 as "maxBodyBytes";
    /// Characters of a sandbox id.
    MAX_SANDBOX_ID_CHARACTERS = 128 as "maxSandboxIdCharacters";
    /// Seconds that a usage request may take on the server.
    QUERY_BUDGET_SECONDS = 10 as "queryBudgetSeconds";
    /// Megabytes of disk that are included, and not counted as overage.
    INCLUDED_DISK_MB = 20_480 as "includedDiskMb";
}

/// Prefix of system tag keys: readable, groupable and filterable, never writable through the API.
pub const RESERVED_KEY_PREFIX: &str = "oc:";

/// Violations that one error response carries. Its `violationCount` counts all of them.
pub const MAX_REPORTED_VIOLATIONS: usize = 1_000;
