//! Answers: from a status, headers and bytes to a result or a typed error.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::MAX_BODY_BYTES;
use super::retry::retry_after_ms;
use super::walk::Walk;
use super::{ClientError, Kind, NextPage, Operation, Page};
use crate::error::{Code, Violation, quoted};
use crate::host::json::{Json, ToJson};
use crate::query::UsageQuery;
use crate::query::cursor::Cursor;
use crate::sandbox::SandboxId;
use crate::tags::{TagSet, Tags};
use crate::usage::dimension::Dimension;
use crate::usage::window::Timestamp;
use crate::wire::shape::{Shaped as _, rewrite};
use crate::wire::{Sandbox, SandboxTags, SandboxUsage, SandboxUsagePage, TagKeySummary, TagKeys, TagUsagePage};

/// Headers of an answer that are not copied into an error.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "cookie", "proxy-authenticate", "set-cookie", "www-authenticate", "x-api-key"];

/// An HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 if the host hides a redirect.
    pub status: u16,
    /// Headers, at least `retry-after`, `etag` and `x-request-id`; names in any case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The type of a successful answer.
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

/// A host's type for the results of calls.
pub trait Value: Sized {
    /// Decodes the body, which it may take out of the answer; the error describes the fault.
    ///
    /// # Errors
    ///
    /// If the body does not match the reply.
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String>;

    /// The metadata of a page of usage.
    fn page(&self) -> Option<Page>;

    /// The sandbox of [`Reply::SandboxUsage`] and [`Reply::Sandbox`].
    fn sandbox_id(&self) -> Option<&str>;

    /// The user's tags, of [`Reply::Tags`].
    fn user_tags(&self) -> TagSet;
}

/// The result of a call, as Rust values.
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
    /// For `If-Match`; `None` if the server sent none.
    pub etag: Option<String>,
}

impl TagState {
    /// The entity tag, as the condition of a write.
    ///
    /// # Errors
    ///
    /// [`Kind::UnsupportedByServer`] if the server sent none: a write would be unconditional.
    pub fn condition(&self) -> Result<&str, ClientError> {
        let none = "the server sent no `ETag` with these tags, so a write cannot depend on them";
        self.etag.as_deref().ok_or_else(|| ClientError::new(Kind::UnsupportedByServer, none))
    }
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
            Reply::Sandboxes => Self::Sandboxes(answer.json::<Option<_>>()?.unwrap_or_default()),
            Reply::Sandbox => Self::Sandbox(answer.json()?),
        })
    }

    fn page(&self) -> Option<Page> {
        match self {
            Self::TagUsage(page) => Some(page.into()),
            Self::SandboxUsagePage(page) => Some(page.into()),
            _ => None,
        }
    }

    fn sandbox_id(&self) -> Option<&str> {
        match self {
            Self::SandboxUsage(usage) => Some(&usage.sandbox_id),
            Self::Sandbox(sandbox) => Some(&sandbox.sandbox_id),
            _ => None,
        }
    }

    fn user_tags(&self) -> TagSet {
        match self {
            Self::Tags(TagState { state, .. }) => state.tags.user_set(),
            _ => TagSet::default(),
        }
    }
}

/// The result of a call, as JSON text with the members of the contract and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonValue {
    /// The text.
    pub text: String,
    page: Option<Page>,
    sandbox_id: Option<String>,
    user_tags: TagSet,
}

impl Value for JsonValue {
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String> {
        let text = str::from_utf8(&answer.body).map_err(|_| match answer.body.as_slice() {
            [0x1f, 0x8b, ..] => "it is compressed with gzip, which was not asked for",
            _ => "it is not UTF-8",
        })?;
        let body = Json::parse(text).map_err(|at| format!("it is no JSON, from byte {at} on"))?;
        let (value, shape) = match reply {
            Reply::TagUsage => (Ok(Some(&body)), TagUsagePage::<String>::SHAPE),
            Reply::SandboxUsagePage => (Ok(Some(&body)), SandboxUsagePage::<String>::SHAPE),
            Reply::SandboxUsage => (Ok(Some(&body)), SandboxUsage::<String>::SHAPE),
            Reply::TagKeys => (body.member("keys"), Vec::<TagKeySummary>::SHAPE),
            Reply::Tags => (Ok(Some(&body)), SandboxTags::<Tags>::SHAPE),
            Reply::Sandboxes if body == Json::Null => (Ok(Some(&Json::List(Vec::new()))), Vec::<Sandbox>::SHAPE),
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
        let page = matches!(reply, Reply::TagUsage | Reply::SandboxUsagePage).then(|| Page::of(&body)).flatten();
        let sandbox_id = match reply {
            Reply::SandboxUsage => body.text("sandboxId"),
            Reply::Sandbox => body.text("sandboxID"),
            _ => None,
        };
        let sandbox_id = sandbox_id.map(str::to_owned);
        Ok(Self { text, page, sandbox_id, user_tags })
    }

    fn page(&self) -> Option<Page> {
        self.page.clone()
    }

    fn sandbox_id(&self) -> Option<&str> {
        self.sandbox_id.as_deref()
    }

    fn user_tags(&self) -> TagSet {
        self.user_tags.clone()
    }
}

impl Page {
    fn of(body: &Json<'_>) -> Option<Self> {
        let time = |name| body.text(name).and_then(Timestamp::read);
        let text = |name| body.text(name).map(str::to_owned);
        let (group_by, next_cursor) = (text("groupBy"), text("nextCursor"));
        Some(Self { from: time("from")?, to: time("to")?, as_of: time("asOf"), group_by, next_cursor })
    }
}

impl<S> From<&TagUsagePage<S>> for Page {
    fn from(page: &TagUsagePage<S>) -> Self {
        let (group_by, next_cursor) = (Some(page.group_by.clone()), page.next_cursor.clone());
        Self { from: page.from, to: page.to, as_of: page.as_of, group_by, next_cursor }
    }
}

impl<S, M, T> From<&SandboxUsagePage<S, M, T>> for Page {
    fn from(page: &SandboxUsagePage<S, M, T>) -> Self {
        let (group_by, next_cursor) = (page.group_by.clone(), page.next_cursor.clone());
        Self { from: page.from, to: page.to, as_of: page.as_of, group_by, next_cursor }
    }
}

impl Operation {
    const fn reply(&self) -> Reply {
        match self {
            Self::Usage(query, _) => match query.group_by {
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

    const fn sandbox(&self) -> Option<&SandboxId> {
        match self {
            Self::SandboxUsage(sandbox, _) | Self::GetSandbox(sandbox) => Some(sandbox),
            _ => None,
        }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The entity tag. An empty one and `*` identify no state and count as missing.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header("etag").map(str::trim).filter(|etag| !matches!(*etag, "" | "*" | "\"\"" | "W/\"\""))
    }

    /// The milliseconds that the server asks the client to wait.
    pub(super) fn retry_after_ms(&self, now_ms: f64) -> Option<f64> {
        retry_after_ms(self.header("retry-after")?, now_ms)
    }

    /// Decodes the result of `operation` and the parameters of the next page, if the status is a success.
    pub(super) fn decode<V: Value>(
        &mut self,
        operation: &Operation,
        now_ms: f64,
    ) -> Result<(V, Option<NextPage>), ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(self.error(now_ms));
        }
        let value = V::read(operation.reply(), self).map_err(|why| self.undecodable(&why))?;
        if let (Some(asked), Some(got)) = (operation.sandbox(), value.sandbox_id())
            && asked.as_str() != got
        {
            return Err(self.undecodable(&format!("it is about sandbox {}", quoted(got))));
        }
        let next = match (operation, value.page()) {
            (Operation::Usage(query, walk), Some(page)) => self.check_page(query, walk, &page)?,
            _ => None,
        };
        Ok((value, next))
    }

    /// Checks that a page answers the query, and returns the parameters of the next one.
    fn check_page(&self, query: &UsageQuery, walk: &Walk, page: &Page) -> Result<Option<NextPage>, ClientError> {
        let asked = query.group_by.to_string();
        if let Some(got) = page.group_by.as_ref().filter(|got| **got != asked) {
            return Err(self.undecodable(&format!("it is grouped by {}, asked for was `{asked}`", quoted(got))));
        }
        if page.as_of.is_some() {
            let moved = |asked: Option<Timestamp>, got| asked.is_some_and(|asked| asked != got);
            if moved(query.period.from(), page.from) || moved(query.period.to(), page.to) {
                let (from, to) = (page.from, page.to);
                return Err(self.undecodable(&format!("its window, from {from} to {to}, is not the one asked for")));
            }
        } else if let Some((dimension, _)) = query.filters.iter().find(|(_, filter)| filter.is_quoted()) {
            return Err(self.unsupported(&format!(
                "the server does not understand quotes in filters, so its report ignores a value of `filter[{dimension}]`"
            )));
        }
        if walk.as_of().is_some_and(|first| page.as_of != Some(first)) {
            return Err(self.undecodable("it was measured at another instant than the pages before it"));
        }
        let Some(cursor) = &page.next_cursor else {
            return Ok(None);
        };
        if Cursor::decode(cursor).is_err() {
            return Err(self.undecodable("its `nextCursor` is no cursor"));
        }
        let next = walk.next(query, page, cursor);
        next.map(Some).ok_or_else(|| self.undecodable("its `nextCursor` leads back to a page that was read before"))
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    pub(super) fn undecodable(&self, why: &str) -> ClientError {
        self.fault(Kind::Decode, format!("the answer (HTTP {}) is not what the API promises: {why}", self.status))
    }

    pub(super) fn unsupported(&self, why: &str) -> ClientError {
        self.fault(Kind::UnsupportedByServer, why.to_owned())
    }

    fn fault(&self, kind: Kind, message: String) -> ClientError {
        let mut error = ClientError::new(kind, message).with_body(&self.body);
        error.status = Some(self.status).filter(|&status| status != 0);
        error.request_id = self.header("x-request-id").map(str::to_owned);
        let shown = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        error.headers = shown.filter(|(name, _)| !SECRET_HEADERS.contains(&name.as_str())).collect();
        error
    }

    /// Builds the error of a status that is not a success, at `now_ms` since the epoch.
    pub(super) fn error(&self, now_ms: f64) -> ClientError {
        let text = String::from_utf8_lossy(self.body.get(..MAX_BODY_BYTES).unwrap_or(&self.body));
        // Some of the platform's handlers write a second document after the first.
        let body = Json::parse_first(&text).unwrap_or(Json::Null);
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
        let redirect = matches!(self.status, 0 | 300..=303 | 305..=399);
        let message = member("error").or_else(|| member("message")).or_else(|| sentence(&text));
        let mut message = message.unwrap_or_else(|| match self.status {
            _ if redirect => "the server redirects, which is never followed: check the base URL".to_owned(),
            status => format!("the server answered HTTP {status}"),
        });
        let is_route = code.as_deref() == Some(Code::RouteNotFound.as_str());
        if kind == Kind::NotFound && (is_route || body.text("error").is_none()) {
            message.push_str(": check the base URL, requests go to `/api/…` below it");
        }
        let violations = match body.member("violations") {
            Ok(Some(Json::List(violations))) => violations.iter().map(Violation::read).collect(),
            _ => None,
        };
        let mut error = self.fault(kind, message);
        error.request_id = member("requestId").or(error.request_id.take());
        error.violations = violations.unwrap_or_default();
        error.code = code;
        error.retry_after = self.retry_after_ms(now_ms).map(|ms| ms / 1_000.0);
        error
    }
}

/// Returns a body of plain text that is short enough to be a message.
fn sentence(body: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let text = body.trim();
    let plain = !text.starts_with(['<', '{', '[', '"']) && !text.chars().any(char::is_control);
    (plain && !text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

impl ToJson for JsonValue {
    fn write_json(&self, out: &mut String) {
        out.push_str(&self.text);
    }
}
