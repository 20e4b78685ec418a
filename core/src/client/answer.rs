//! From a status, headers and bytes to a result or a typed error.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClientError, Kind, Operation};
use crate::cursor::Cursor;
use crate::dimension::Dimension;
use crate::error::Code;
use crate::query::CursorText;
use crate::tags::Violation;
use crate::wire::{Sandbox, SandboxTags, SandboxUsage, SandboxUsagePage, TagKeySummary, TagKeys, TagUsagePage};

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 where the host hides a redirect.
    pub status: u16,
    /// Headers, at least `retry-after`, `etag` and `x-request-id`; names in any case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What a call returns.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// `usage.by_tag`
    TagUsage(TagUsagePage),
    /// `usage.by_sandbox`
    SandboxUsagePage(SandboxUsagePage),
    /// `usage.for_sandbox`
    SandboxUsage(SandboxUsage),
    /// `tags.list_keys`
    TagKeys(Vec<TagKeySummary>),
    /// `tags.get`, `tags.set`, `tags.update`
    Tags(TagState),
    /// `sandboxes.list`
    Sandboxes(Vec<Sandbox>),
    /// `sandboxes.get`
    Sandbox(Sandbox),
}

/// A sandbox's tags and the entity tag to write them back with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TagState {
    /// The tags.
    #[serde(flatten)]
    pub state: SandboxTags,
    /// For `If-Match`; `None` where the server sent none.
    pub etag: Option<String>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The result of `operation`, where the status says success.
    pub(super) fn decode(&self, operation: &Operation) -> Result<Outcome, ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(self.error());
        }
        Ok(match operation {
            Operation::Usage(query) => {
                let (outcome, next) = match query.group_by {
                    Dimension::Tag(_) => {
                        let page: TagUsagePage = self.object()?;
                        let next = page.next_cursor.clone();
                        (Outcome::TagUsage(page), next)
                    }
                    Dimension::Sandbox => {
                        let page: SandboxUsagePage = self.object()?;
                        let next = page.next_cursor.clone();
                        (Outcome::SandboxUsagePage(page), next)
                    }
                };
                let sent = query.cursor.as_ref().map(CursorText::as_str);
                if next.is_some_and(|next| Some(next.as_str()) == sent || Cursor::decode(&next).is_err()) {
                    return Err(self.undecodable("its `nextCursor` leads nowhere"));
                }
                outcome
            }
            Operation::SandboxUsage(..) => Outcome::SandboxUsage(self.object()?),
            Operation::ListTagKeys => Outcome::TagKeys(self.object::<TagKeys>()?.keys),
            Operation::GetTags(_) | Operation::SetTags(..) | Operation::UpdateTags(_) => Outcome::Tags(self.tags()?),
            Operation::ListSandboxes => Outcome::Sandboxes(self.json()?),
            Operation::GetSandbox(_) => Outcome::Sandbox(self.object()?),
        })
    }

    pub(super) fn tags(&self) -> Result<TagState, ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(self.error());
        }
        Ok(TagState { state: self.object()?, etag: self.header("etag").map(str::to_owned) })
    }

    fn object<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        // A struct would also be read from an array.
        if self.body.trim_ascii_start().starts_with(b"[") {
            return Err(self.undecodable("it is an array in place of an object"));
        }
        self.json()
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| self.undecodable(&error.to_string()))
    }

    pub(super) fn undecodable(&self, why: &str) -> ClientError {
        let message = format!("the answer (HTTP {}) is not what the API promises: {why}", self.status);
        ClientError {
            status: Some(self.status),
            request_id: self.header("x-request-id").map(str::to_owned),
            body: Some(self.value()),
            ..ClientError::new(Kind::Decode, message)
        }
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&self.body).into_owned()))
    }

    /// The error that a status other than success stands for.
    pub(super) fn error(&self) -> ClientError {
        let body = self.value();
        let text = |name| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("code");
        let is_tags = code.as_deref() == Some(Code::InvalidTags.as_str());
        let kind = match self.status {
            400 if is_tags => Kind::TagValidation,
            400 => Kind::InvalidRequest,
            401 => Kind::Authentication,
            403 => Kind::PermissionDenied,
            404 => Kind::NotFound,
            409 | 412 => Kind::Conflict,
            429 => Kind::RateLimit,
            500..=599 => Kind::Server,
            _ => Kind::Api,
        };
        let redirect = matches!(self.status, 0 | 300..=399);
        let message = text("error").unwrap_or_else(|| match self.status {
            _ if redirect => "the server redirects, which is never followed: check the base URL".to_owned(),
            status => format!("the server answered HTTP {status}"),
        });
        let violations = body.get("violations").and_then(|list| Vec::<Violation>::deserialize(list).ok());
        ClientError {
            code,
            status: Some(self.status).filter(|&status| status != 0),
            request_id: text("requestId").or_else(|| self.header("x-request-id").map(str::to_owned)),
            violations: violations.unwrap_or_default(),
            body: Some(body),
            ..ClientError::new(kind, message)
        }
    }
}
