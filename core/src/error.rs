//! The core's error type and the table of error codes, from which every language is generated.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::host::json::{Json, ToJson, object};
use crate::limits::{
    MAX_BODY_BYTES, MAX_GROUP_BY_DIMENSIONS, MAX_PAGE_LIMIT, MAX_QUERY_BYTES, MAX_WINDOW_DAYS, QUERY_BUDGET_SECONDS,
};

const MAX_BODY_KIB: usize = MAX_BODY_BYTES / 1_024;

macro_rules! code_table {
    ($($name:ident $code:literal $status:literal $meaning:literal;)*) => {
        /// An error code. The table is section 12 of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`, HTTP ", stringify!($status))] $name,)*
        }

        impl Code {
            /// All codes, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the wire name, such as `invalid_group_by`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns the HTTP status that carries this code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Returns the sentence for the documentation. It is also the message of errors without further detail.
            #[must_use]
            pub fn meaning(self) -> String {
                match self { $(Self::$name => format!($meaning),)* }
            }
        }
    };
}

code_table! {
    MissingGroupBy "missing_group_by" 400 "`groupBy` is missing, allowed: `sandbox`, or up to {MAX_GROUP_BY_DIMENSIONS} of `tag:<key>`, `template`, `region` and `status`";
    InvalidGroupBy "invalid_group_by" 400 "`groupBy` is not `sandbox`, or up to {MAX_GROUP_BY_DIMENSIONS} of `tag:<key>`, `template`, `region` and `status`";
    InvalidFilter "invalid_filter" 400 "a filter or an exclusion has an unknown dimension or invalid values";
    DuplicateFilter "duplicate_filter" 400 "the same dimension is filtered or excluded twice";
    UnknownParameter "unknown_parameter" 400 "the endpoint has no such parameter";
    DuplicateParameter "duplicate_parameter" 400 "a parameter is given twice";
    InvalidTimestamp "invalid_timestamp" 400 "a timestamp is not RFC 3339 with an offset or `YYYY-MM-DD`";
    InvalidWindow "invalid_window" 400 "the window ends before it starts or is empty";
    WindowTooLarge "window_too_large" 400 "the window is longer than {MAX_WINDOW_DAYS} days";
    InvalidTimezone "invalid_timezone" 400 "`timezone` is not a name of the IANA time zone database";
    InvalidInterval "invalid_interval" 400 "`interval` is not `1m`, `1h`, `1d`, `1w` or `1mo`";
    TooManyBuckets "too_many_buckets" 400 "the interval splits the window into too many buckets";
    InvalidState "invalid_state" 400 "`state` is not `running` or `all`";
    InvalidTagKey "invalid_tag_key" 400 "the tag key is invalid";
    InvalidPrefix "invalid_prefix" 400 "`prefix` is empty or cannot be the start of a tag value";
    InvalidSort "invalid_sort" 400 "`sort` is not `-memoryGbSeconds` or `-diskOverageGbSeconds`";
    InvalidLimit "invalid_limit" 400 "`limit` is not a whole number from 1 to {MAX_PAGE_LIMIT}";
    InvalidCursor "invalid_cursor" 400 "the cursor is malformed or belongs to another query";
    InvalidBody "invalid_body" 400 "the body is not a flat JSON object of tags";
    InvalidTags "invalid_tags" 400 "tags are invalid";
    InvalidSandboxId "invalid_sandbox_id" 400 "the sandbox id is invalid";
    Unauthorized "unauthorized" 401 "the API key is missing, unknown or expired";
    SandboxNotFound "sandbox_not_found" 404 "no such sandbox";
    RouteNotFound "route_not_found" 404 "no such route";
    MethodNotAllowed "method_not_allowed" 405 "the route does not support this method";
    TagsChanged "tags_changed" 412 "`If-Match` does not match the current tags";
    PayloadTooLarge "payload_too_large" 413 "the body is larger than {MAX_BODY_KIB} KiB";
    QueryTooLong "query_too_long" 414 "the encoded query string is longer than {MAX_QUERY_BYTES} bytes";
    UnsupportedMediaType "unsupported_media_type" 415 "the media type of the body must be `application/json`";
    RateLimited "rate_limited" 429 "too many requests, retry after the time in `Retry-After`";
    Internal "internal" 500 "the server failed, its log has the cause under the request id";
    Unavailable "unavailable" 503 "the database is temporarily unavailable, retry later";
    QueryTimeout "query_timeout" 504 "the request took longer than {QUERY_BUDGET_SECONDS} s, try a narrower window or more filters";
}

impl Code {
    /// Creates an error with the code's own message.
    #[must_use]
    pub fn plain(self) -> Error {
        self.error(self.meaning())
    }

    /// Creates an error with a message.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> Error {
        Error(Box::new(Refusal { code: self, message: message.into(), violations: Vec::new() }))
    }
}

/// A broken rule: its code, a message, and for tags every violation.
///
/// ```
/// use opencomputer_usage_core::{Code, usage::window::Timestamp};
///
/// let error = "2026-02-30".parse::<Timestamp>().unwrap_err();
/// assert_eq!(error.code, Code::InvalidTimestamp);
/// assert!(error.to_string().contains("`2026-02-30`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub(crate) Box<Refusal>);

/// The content of an [`Error`], boxed to keep results small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, which determines the HTTP status.
    pub code: Code,
    /// One sentence with the fault and the allowed values.
    pub message: String,
    /// Every broken tag rule; empty unless the code is [`Code::InvalidTags`].
    pub violations: Vec<TagViolation>,
}

impl Deref for Error {
    type Target = Refusal;

    fn deref(&self) -> &Refusal {
        &self.0
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        *error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// One broken tag rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagViolation {
    /// The code of the broken rule. A string, so that clients accept rules that are added later.
    pub code: String,
    /// The key, lone surrogates shown as U+FFFD; `None` for `too_many_tags` and for a value that was checked alone.
    pub key: Option<String>,
    /// One sentence with the fault and the allowed values.
    pub message: String,
}

impl ToJson for TagViolation {
    fn write_json(&self, out: &mut String) {
        object(out, &[("code", &self.code), ("key", &self.key), ("message", &self.message)]);
    }
}

impl TagViolation {
    /// Parses the violations that a server reports; `None` if one of them is malformed.
    pub(crate) fn read_all(list: &[Json<'_>]) -> Option<Vec<Self>> {
        let mut violations = Vec::new();
        for json in list {
            let key = match json.member("key").ok()? {
                None | Some(Json::Null) => None,
                Some(key) => Some(key.as_str()?.to_owned()),
            };
            violations.push(Self {
                code: json.text("code")?.to_owned(),
                key,
                message: json.text("message")?.to_owned(),
            });
        }
        Some(violations)
    }
}

/// Formats the user's input for an error message: in backticks, cut after 64 characters.
pub(crate) fn quoted(input: &str) -> String {
    const SHOWN: usize = 64;
    match input.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", input.get(..end).unwrap_or_default()),
        None => format!("`{input}`"),
    }
}
