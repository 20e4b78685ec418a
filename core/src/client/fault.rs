//! What a call can fail with, as every SDK shows it.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Code, Error};
use crate::tags::Violation;

/// Which class of exception an SDK raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Tags break the rules.
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
    /// Any other status that is no success.
    Api,
    /// No answer came.
    Connection,
    /// No answer came in time.
    Timeout,
    /// An answer came that is not the contract's.
    Decode,
}

/// A call that failed, before sending or after.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientError {
    /// Which class of exception an SDK raises.
    pub kind: Kind,
    /// One sentence.
    pub message: String,
    /// A code of the contract's table; `None` where there is none for it.
    pub code: Option<String>,
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// What finds the request in the server's log.
    pub request_id: Option<String>,
    /// Every broken tag rule.
    pub violations: Vec<Violation>,
    /// The body of the answer: JSON, or a string of what it was.
    pub body: Option<Value>,
}

impl ClientError {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            status: None,
            request_id: None,
            violations: Vec::new(),
            body: None,
        }
    }

    /// A mistake of the caller that no code of the contract names.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }
}

/// A refusal before anything was sent.
impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        let kind = if error.code == Code::InvalidTags { Kind::TagValidation } else { Kind::InvalidRequest };
        Self {
            code: Some(error.code.as_str().to_owned()),
            violations: error.violations,
            ..Self::new(kind, error.message)
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ClientError {}
