//! From a status, headers and bytes to a result or a typed error.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ClientError, Kind, Operation};
use crate::cursor::Cursor;
use crate::dimension::Dimension;
use crate::error::Code;
use crate::json::{Json, ToJson};
use crate::query::CursorText;
use crate::shape::{Shaped as _, rewrite};
use crate::tags::{TagSet, Violation};
use crate::wire::{Sandbox, SandboxTags, SandboxUsage, SandboxUsagePage, TagKeySummary, TagKeys, TagUsagePage, Tags};

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

/// What a call is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A [`TagUsagePage`].
    TagUsage,
    /// A [`SandboxUsagePage`].
    SandboxUsagePage,
    /// A [`SandboxUsage`].
    SandboxUsage,
    /// [`TagKeys`].
    TagKeys,
    /// [`SandboxTags`].
    Tags,
    /// A list of [`Sandbox`].
    Sandboxes,
    /// A [`Sandbox`].
    Sandbox,
}

/// What a host makes of the answers that succeed.
pub trait Value: Sized {
    /// Reads a body, which it may take out of the answer; the error says in words what is wrong with it.
    ///
    /// # Errors
    ///
    /// Where the body is not what the call is answered with.
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String>;

    /// The cursor of a page.
    fn next_cursor(&self) -> Option<&str>;

    /// The user's tags, of [`Reply::Tags`].
    fn user_tags(&self) -> TagSet;
}

/// What a call returns, as values of Rust.
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

impl Value for Outcome {
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String> {
        Ok(match reply {
            Reply::TagUsage => Self::TagUsage(answer.json()?),
            Reply::SandboxUsagePage => Self::SandboxUsagePage(answer.json()?),
            Reply::SandboxUsage => Self::SandboxUsage(answer.json()?),
            Reply::TagKeys => Self::TagKeys(answer.json::<TagKeys>()?.keys),
            Reply::Tags => {
                let etag = answer.etag().map(str::to_owned);
                Self::Tags(TagState { state: answer.json()?, etag })
            }
            Reply::Sandboxes => Self::Sandboxes(answer.json()?),
            Reply::Sandbox => Self::Sandbox(answer.json()?),
        })
    }

    fn next_cursor(&self) -> Option<&str> {
        match self {
            Self::TagUsage(page) => page.next_cursor.as_deref(),
            Self::SandboxUsagePage(page) => page.next_cursor.as_deref(),
            _ => None,
        }
    }

    fn user_tags(&self) -> TagSet {
        match self {
            Self::Tags(TagState { state, .. }) => TagSet::user_part(state.tags.iter().map(|(k, v)| (&**k, &**v))),
            _ => TagSet::default(),
        }
    }
}

/// What a call returns, as JSON text with the members of the contract and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonValue {
    /// The text.
    pub text: String,
    next_cursor: Option<String>,
    user_tags: TagSet,
}

impl Value for JsonValue {
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String> {
        let text = str::from_utf8(&answer.body).map_err(|_| "it is not UTF-8")?;
        let body = Json::parse(text).map_err(|at| format!("it is no JSON, from byte {at} on"))?;
        let (value, shape) = match reply {
            Reply::TagUsage => (Ok(Some(&body)), TagUsagePage::<String>::SHAPE),
            Reply::SandboxUsagePage => (Ok(Some(&body)), SandboxUsagePage::<String>::SHAPE),
            Reply::SandboxUsage => (Ok(Some(&body)), SandboxUsage::<String>::SHAPE),
            Reply::TagKeys => (body.member("keys"), Vec::<TagKeySummary>::SHAPE),
            Reply::Tags => (Ok(Some(&body)), SandboxTags::<Tags>::SHAPE),
            Reply::Sandboxes => (Ok(Some(&body)), Vec::<Sandbox>::SHAPE),
            Reply::Sandbox => (Ok(Some(&body)), Sandbox::<String>::SHAPE),
        };
        let mut text = String::new();
        let written = value.ok().flatten().ok_or(Some("keys")).and_then(|value| rewrite(value, &shape, &mut text));
        written.map_err(|misfit| match misfit {
            Some(member) => format!("`{member}` is missing or of another type"),
            None => "it is of another type".to_owned(),
        })?;
        if reply == Reply::Tags && text.pop().is_some() {
            text.push_str(",\"etag\":");
            answer.etag().write_json(&mut text);
            text.push('}');
        }
        let tags = match body.member("tags") {
            Ok(Some(Json::Map(tags))) if reply == Reply::Tags => tags.as_slice(),
            _ => &[],
        };
        let user_tags = TagSet::user_part(tags.iter().filter_map(|(key, value)| Some((&**key, value.as_str()?))));
        Ok(Self { text, next_cursor: body.text("nextCursor").map(str::to_owned), user_tags })
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn user_tags(&self) -> TagSet {
        self.user_tags.clone()
    }
}

impl Operation {
    const fn reply(&self) -> Reply {
        match self {
            Self::Usage(query) => match query.group_by {
                Dimension::Tag(_) => Reply::TagUsage,
                Dimension::Sandbox => Reply::SandboxUsagePage,
            },
            Self::SandboxUsage(..) => Reply::SandboxUsage,
            Self::ListTagKeys => Reply::TagKeys,
            Self::GetTags(_) | Self::SetTags(..) | Self::UpdateTags(_) => Reply::Tags,
            Self::ListSandboxes => Reply::Sandboxes,
            Self::GetSandbox(_) => Reply::Sandbox,
        }
    }

    fn sent_cursor(&self) -> Option<&str> {
        match self {
            Self::Usage(query) => query.cursor.as_ref().map(CursorText::as_str),
            _ => None,
        }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The entity tag.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header("etag")
    }

    /// The result of `operation`, where the status says success.
    pub(super) fn decode<V: Value>(&mut self, operation: &Operation) -> Result<V, ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(self.error());
        }
        let value = V::read(operation.reply(), self).map_err(|why| self.undecodable(&why))?;
        let leads_nowhere = |next| Some(next) == operation.sent_cursor() || Cursor::decode(next).is_err();
        if value.next_cursor().is_some_and(leads_nowhere) {
            return Err(self.undecodable("its `nextCursor` leads nowhere"));
        }
        Ok(value)
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    pub(super) fn undecodable(&self, why: &str) -> ClientError {
        let message = format!("the answer (HTTP {}) is not what the API promises: {why}", self.status);
        let mut error = ClientError::new(Kind::Decode, message);
        error.status = Some(self.status);
        error.request_id = self.header("x-request-id").map(str::to_owned);
        error.body = Some(self.text());
        error
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The error that a status other than success stands for.
    pub(super) fn error(&self) -> ClientError {
        let text = self.text();
        let body = Json::parse(&text).unwrap_or(Json::Null);
        let member = |name| body.text(name).map(str::to_owned);
        let code = member("code");
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
        let message = member("error").unwrap_or_else(|| match self.status {
            _ if redirect => "the server redirects, which is never followed: check the base URL".to_owned(),
            status => format!("the server answered HTTP {status}"),
        });
        let violations = match body.member("violations") {
            Ok(Some(Json::List(violations))) => violations.iter().map(Violation::read).collect(),
            _ => None,
        };
        let mut error = ClientError::new(kind, message);
        error.status = Some(self.status).filter(|&status| status != 0);
        error.request_id = member("requestId").or_else(|| self.header("x-request-id").map(str::to_owned));
        error.violations = violations.unwrap_or_default();
        error.code = code;
        error.body = Some(text);
        error
    }
}

impl ToJson for JsonValue {
    fn write_json(&self, out: &mut String) {
        out.push_str(&self.text);
    }
}
