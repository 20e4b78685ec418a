//! The errors of calls, which every SDK maps to its own classes.

use std::fmt::{self, Write as _};
use std::ops::{Deref, DerefMut};

use super::body::MAX_ERROR_BODY_BYTES;
use crate::error::{Code, Error, Refusal, TagViolation};
use crate::host::json::{Json, ToJson, object};

/// The class of exception that an SDK raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The tags are invalid.
    TagValidation,
    /// The request breaks another rule.
    InvalidRequest,
    /// 401.
    Authentication,
    /// 403.
    PermissionDenied,
    /// 404.
    NotFound,
    /// 409 and 412.
    Conflict,
    /// 429.
    RateLimit,
    /// 5xx.
    Server,
    /// Any other unsuccessful status.
    Api,
    /// No response arrived.
    Connection,
    /// No response arrived in time.
    Timeout,
    /// The response does not match the API.
    Decode,
    /// The server does not support the request.
    UnsupportedByServer,
}

/// A call that failed, before sending or after.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientError(Box<Failure>);

/// The content of a [`ClientError`], boxed to keep results small.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The class of exception that an SDK raises.
    pub kind: Kind,
    /// The message, one sentence.
    pub message: String,
    /// The error code; `None` for errors without one.
    pub code: Option<String>,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// The id of the request in the server's log.
    pub request_id: Option<String>,
    /// Every broken tag rule.
    pub violations: Vec<TagViolation>,
    /// The first 64 KiB of the response body, with invalid UTF-8 shown as U+FFFD.
    pub body: Option<String>,
    /// The response headers without secrets, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The seconds that the server asks to wait before the next request.
    pub retry_after: Option<f64>,
}

/// The length of the shortest key that is hidden in errors, in characters.
const SHORTEST_HIDDEN_KEY: usize = 8;

/// Replaces every occurrence of the key. The standard library's string search would add 1 KB to the npm package.
fn without(text: &str, key: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.chars();
    loop {
        if let Some(after) = rest.as_str().strip_prefix(key) {
            masked.push_str("[key]");
            rest = after.chars();
        } else if let Some(next) = rest.next() {
            masked.push(next);
        } else {
            return masked;
        }
    }
}

impl ClientError {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            kind,
            message: message.into(),
            code: None,
            status: None,
            request_id: None,
            violations: Vec::new(),
            body: None,
            headers: Vec::new(),
            retry_after: None,
        }))
    }

    /// Masks a key that a server or a transport echoed.
    pub(super) fn hide(&mut self, key: &str) {
        // Masking a shorter key would hide ordinary words of the message.
        if key.len() < SHORTEST_HIDDEN_KEY {
            return;
        }
        let Failure { message, code, request_id, violations, body, headers, .. } = &mut *self.0;
        let headers = headers.iter_mut().map(|(_, value)| value);
        let violations = violations.iter_mut().flat_map(|violation| {
            let TagViolation { code, key, message } = violation;
            [code, message].into_iter().chain(key)
        });
        for text in headers.chain(violations).chain([message]).chain(code).chain(request_id).chain(body) {
            *text = without(text, key);
        }
    }

    /// Stores the start of a body.
    pub(super) fn with_body(mut self, body: &[u8]) -> Self {
        let start = body.get(..MAX_ERROR_BODY_BYTES).unwrap_or(body);
        self.body = Some(String::from_utf8_lossy(start).into_owned());
        self
    }

    /// Returns whether the body is JSON. The parsers of some languages accept more, such as `NaN`.
    #[must_use]
    pub fn has_json_body(&self) -> bool {
        self.body.as_deref().is_some_and(is_json)
    }

    /// Creates the error of a body that does not match the API, outside of a call.
    #[must_use]
    pub fn undecodable(why: &str, body: &[u8]) -> Self {
        Self::new(Kind::Decode, format!("the body does not match the API: {why}")).with_body(body)
    }

    /// Creates the error of a misuse that has no error code.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }
}

impl Kind {
    /// Returns the name by which SDKs find their class.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TagValidation => "tag_validation",
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimit => "rate_limit",
            Self::Server => "server",
            Self::Api => "api",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Decode => "decode",
            Self::UnsupportedByServer => "unsupported_by_server",
        }
    }
}

/// A body, serialized as it is if it is JSON, otherwise as a string.
struct Body<'a>(&'a str);

impl ToJson for Body<'_> {
    fn write_json(&self, out: &mut String) {
        if is_json(self.0) {
            out.push_str(self.0);
        } else {
            self.0.write_json(out);
        }
    }
}

fn is_json(text: &str) -> bool {
    Json::parse(text).is_ok()
}

/// A duration in seconds, serialized with millisecond precision.
struct Seconds(f64);

impl ToJson for Seconds {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float too large for it saturates")]
    fn write_json(&self, out: &mut String) {
        let ms = (self.0 * 1_000.0).ceil() as u64;
        // Writing to a string cannot fail.
        let _ = write!(out, "{}.{:03}", ms / 1_000, ms % 1_000);
    }
}

impl ToJson for ClientError {
    fn write_json(&self, out: &mut String) {
        object(
            out,
            &[
                ("kind", &self.kind.as_str()),
                ("message", &self.message),
                ("code", &self.code),
                ("status", &self.status),
                ("requestId", &self.request_id),
                ("violations", &self.violations),
                ("body", &self.body.as_deref().map(Body)),
                ("headers", &self.headers),
                ("retryAfter", &self.retry_after.map(Seconds)),
            ],
        );
    }
}

/// Converts an error that was found before sending.
impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        let kind = if error.code == Code::InvalidTags { Kind::TagValidation } else { Kind::InvalidRequest };
        let Refusal { code, message, violations } = error.into();
        let mut error = Self::new(kind, message);
        error.code = Some(code.as_str().to_owned());
        error.violations = violations;
        error
    }
}

impl Deref for ClientError {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl DerefMut for ClientError {
    fn deref_mut(&mut self) -> &mut Failure {
        &mut self.0
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ClientError {}
