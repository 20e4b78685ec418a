//! Every endpoint of the API, in one table.
//!
//! The client builds its requests from the table, the `OpenAPI` document is generated from it, and a test of the server
//! compares its routes with it.

use crate::error::Code::{
    self, DuplicateFilter, DuplicateParameter, Internal, InvalidBody, InvalidCursor, InvalidFilter, InvalidGroupBy,
    InvalidInterval, InvalidLimit, InvalidPrefix, InvalidSandboxId, InvalidSort, InvalidState, InvalidTagKey,
    InvalidTags, InvalidTimestamp, InvalidTimezone, InvalidWindow, MethodNotAllowed, MissingGroupBy, PayloadTooLarge,
    QueryTimeout, QueryTooLong, RateLimited, RouteNotFound, SandboxNotFound, TagsChanged, TooManyBuckets, Unauthorized,
    Unavailable, UnknownParameter, UnsupportedMediaType, WindowTooLarge,
};
use crate::query::{self, Names};
use crate::wire::reply::Reply;

/// Declares the endpoints. The first paragraph of a doc comment is the summary, the rest the description.
macro_rules! endpoints {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident {
            request: $method:ident $path:literal,
            query: $query:expr,
            $(condition: $condition:literal,)?
            $(body: $body:literal,)?
            replies: [$($reply:ident),*],
            codes: [$($code:ident),* $(,)?],
        }
    )*) => {
        /// An endpoint: a method of a path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Endpoint {
            $($(#[doc = $doc])* $name,)*
        }

        impl Endpoint {
            /// Every endpoint.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the HTTP method.
            #[must_use]
            pub const fn method(self) -> Method {
                match self { $(Self::$name => Method::$method,)* }
            }

            /// Returns the path. `{id}` stands for the percent-encoded id of a sandbox, `{key}` for that of a tag key.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }

            /// Returns the names of the query parameters.
            #[must_use]
            pub const fn query(self) -> Names {
                match self { $(Self::$name => $query,)* }
            }

            /// Returns the request header that makes a write conditional.
            #[must_use]
            pub const fn condition(self) -> Option<&'static str> {
                match self { $(Self::$name => endpoints!(@optional $($condition)?),)* }
            }

            /// Returns the name of the schema of the request body.
            #[must_use]
            pub const fn body(self) -> Option<&'static str> {
                match self { $(Self::$name => endpoints!(@optional $($body)?),)* }
            }

            /// Returns the kinds of responses. If there are several, the query decides.
            #[must_use]
            pub const fn replies(self) -> &'static [Reply] {
                match self { $(Self::$name => &[$(Reply::$reply),*],)* }
            }

            /// Returns the codes of its errors, without [`Self::COMMON_CODES`].
            #[must_use]
            pub const fn codes(self) -> &'static [Code] {
                match self { $(Self::$name => &[$($code),*],)* }
            }

            /// Returns the name of the variant.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns the documentation: a summary, an empty line and a description.
            #[must_use]
            pub const fn documentation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),*),)* }
            }
        }
    };
    (@optional) => { None };
    (@optional $value:literal) => { Some($value) };
}

endpoints! {
    /// Usage, grouped by sandbox, tags or other dimensions
    ///
    /// `total` and `untagged` cover everything that matches, not only the page: `total` is the sum of all `items` and
    /// `untagged`. A parameter that is not listed is rejected.
    GetUsage {
        request: Get "/api/usage",
        query: query::USAGE,
        replies: [TagUsage, GroupUsage, SandboxUsagePage],
        codes: [
            MissingGroupBy, InvalidGroupBy, InvalidFilter, DuplicateFilter, UnknownParameter, DuplicateParameter,
            InvalidTimezone, InvalidTimestamp, InvalidWindow, WindowTooLarge, InvalidInterval, InvalidSort, InvalidLimit,
            InvalidCursor, TooManyBuckets,
        ],
    }

    /// Usage of one sandbox
    ///
    /// Also available after the sandbox was torn down.
    GetSandboxUsage {
        request: Get "/api/sandboxes/{id}/usage",
        query: query::DRILLDOWN,
        replies: [SandboxUsage],
        codes: [
            InvalidSandboxId, UnknownParameter, DuplicateParameter, InvalidTimezone, InvalidTimestamp, InvalidWindow,
            WindowTooLarge, InvalidInterval, TooManyBuckets, SandboxNotFound, RouteNotFound,
        ],
    }

    /// Every tag key in use
    ///
    /// Ordered by the UTF-8 bytes of the key.
    GetTagKeys {
        request: Get "/api/tags",
        query: query::NOTHING,
        replies: [TagKeys],
        codes: [UnknownParameter],
    }

    /// The values of one tag
    ///
    /// Ordered by the UTF-8 bytes of the value. A key that is not in use has no values.
    GetTagValues {
        request: Get "/api/tags/{key}",
        query: query::TAG_VALUES,
        replies: [TagValues],
        codes: [
            InvalidTagKey, UnknownParameter, DuplicateParameter, InvalidPrefix, InvalidLimit, InvalidCursor,
            RouteNotFound,
        ],
    }

    /// The tags of one sandbox
    ///
    /// System tags (`oc:`) are included.
    GetSandboxTags {
        request: Get "/api/sandboxes/{id}/tags",
        query: query::NOTHING,
        replies: [Tags],
        codes: [InvalidSandboxId, UnknownParameter, SandboxNotFound, RouteNotFound],
    }

    /// Replace all user tags of one sandbox
    ///
    /// The write is atomic and never changes tags under `oc:`. With `If-Match` it makes *read, change, write back*
    /// safe.
    ReplaceSandboxTags {
        request: Put "/api/sandboxes/{id}/tags",
        query: query::NOTHING,
        condition: "If-Match",
        body: "UserTags",
        replies: [Tags],
        codes: [
            InvalidSandboxId, UnknownParameter, InvalidBody, InvalidTags, SandboxNotFound, RouteNotFound, TagsChanged,
            PayloadTooLarge, UnsupportedMediaType,
        ],
    }

    /// Sandboxes, newest first
    ///
    /// One entry per sandbox, from its latest session. By default, the newest 100 that are running. If more follow,
    /// the header `Link` links to the next page.
    ListSandboxes {
        request: Get "/api/sandboxes",
        query: query::SANDBOXES,
        replies: [Sandboxes],
        codes: [
            InvalidFilter, DuplicateFilter, UnknownParameter, DuplicateParameter, InvalidState, InvalidLimit,
            InvalidCursor,
        ],
    }

    /// One sandbox
    ///
    /// Returns a sandbox in any state, which is that of its latest session.
    GetSandbox {
        request: Get "/api/sandboxes/{id}",
        query: query::NOTHING,
        replies: [Sandbox],
        codes: [InvalidSandboxId, UnknownParameter, SandboxNotFound, RouteNotFound],
    }
}

impl Endpoint {
    /// Codes that every endpoint may return.
    pub const COMMON_CODES: &[Code] =
        &[Unauthorized, MethodNotAllowed, QueryTooLong, RateLimited, Internal, Unavailable, QueryTimeout];
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `PUT`
    Put,
}

impl Method {
    /// Returns the name, in upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}
