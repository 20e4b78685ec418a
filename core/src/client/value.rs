//! Results of calls, in the types of each host.

use super::Answer;
use crate::host::json::{Json, Numbers, ToJson};
use crate::tags::TagSet;
use crate::usage::window::Timestamp;
use crate::wire::reply::{Facts, Form, Headers, Host, List, Outcome, Page, Reply, SandboxFacts};
use crate::wire::shape::{Shape, rewrite};
use crate::wire::utf8;

/// A host's type for the results of calls.
pub trait Value: Sized {
    /// Decodes the body, which it may take out of the response. The error describes the fault.
    ///
    /// # Errors
    ///
    /// If the body does not match the reply.
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String>;

    /// Returns the body, if [`read`](Self::read) took it out of the response.
    fn taken_body(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the metadata of a page of usage.
    fn page(&self) -> Option<Page>;

    /// Returns the metadata of a page of a list.
    fn list(&self) -> Option<List>;

    /// Returns facts about the sandbox of [`Reply::SandboxUsage`] and [`Reply::Sandbox`].
    fn sandbox(&self) -> Option<SandboxFacts>;

    /// Returns the user tags of [`Reply::Tags`].
    fn user_tags(&self) -> TagSet;
}

impl<P: Host> Value for Outcome<P> {
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String> {
        let headers = reply.headers(answer)?;
        let body = &mut answer.body;
        Self::decode(reply, body, headers).map_err(|fault| P::explain(reply, body, fault))
    }

    fn taken_body(&self) -> Option<&[u8]> {
        match self {
            Self::SandboxUsagePage(page) => page.taken_body(),
            _ => None,
        }
    }

    fn page(&self) -> Option<Page> {
        self.page()
    }

    fn list(&self) -> Option<List> {
        self.list()
    }

    fn sandbox(&self) -> Option<SandboxFacts> {
        self.sandbox()
    }

    fn user_tags(&self) -> TagSet {
        self.user_tags()
    }
}

impl Reply {
    /// Reads the headers that belong to the result.
    fn headers(self, answer: &Answer) -> Result<Headers, String> {
        let etag = answer.etag().map(str::to_owned);
        let next_cursor = if self == Self::Sandboxes { answer.next_cursor()? } else { None };
        Ok(Headers { etag, next_cursor })
    }
}

/// The result of a call as JSON text, with only the members of the contract.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonValue {
    /// The text. In place of a list of numbers it may have the list's position in `numbers`.
    pub text: String,
    /// The lists that the text refers to.
    pub numbers: Numbers,
    page: Option<Page>,
    list: Option<List>,
    sandbox: Option<SandboxFacts>,
    user_tags: TagSet,
}

impl Value for JsonValue {
    fn read(reply: Reply, answer: &mut Answer) -> Result<Self, String> {
        let Headers { etag, next_cursor } = reply.headers(answer)?;
        let text = utf8(&answer.body)?;
        let mut numbers = Numbers::default();
        let body = Json::parse_with(text, &mut numbers).map_err(|at| format!("it is not valid JSON at byte {at}"))?;
        let form = reply.form();
        let mut text = String::new();
        form.write(&body, &mut text)?;
        let mut value = Self { text, numbers, page: None, list: None, sandbox: None, user_tags: TagSet::default() };
        match form.facts {
            Facts::None => {}
            Facts::Page => value.page = Page::of(&body),
            Facts::Sandbox(id) => value.sandbox = SandboxFacts::of(&body, id),
            Facts::Tags => {
                if let Ok(Some(Json::Map(tags))) = body.member("tags") {
                    let tags = tags.iter().filter_map(|(key, value)| Some((&**key, value.as_str()?)));
                    value.user_tags = TagSet::user_part(tags);
                }
                value.text.pop();
                value.text.push_str(",\"etag\":");
                etag.write_json(&mut value.text);
                value.text.push('}');
            }
            Facts::List => {
                let text = |name| body.text(name).map(str::to_owned);
                let items = match body.member("values") {
                    Ok(Some(Json::List(values))) => values.len(),
                    _ => 0,
                };
                value.list = Some(List { key: text("key"), next_cursor: text("nextCursor"), items, all_tagged: true });
            }
            Facts::Items => {
                value.text.insert_str(0, "{\"items\":");
                value.text.push_str(",\"nextCursor\":");
                next_cursor.write_json(&mut value.text);
                value.text.push('}');
                let sandboxes = if let Json::List(sandboxes) = &body { sandboxes.as_slice() } else { &[] };
                let is_tagged = |sandbox: &Json<'_>| matches!(sandbox.member("tags"), Ok(Some(Json::Map(_))));
                let (items, all_tagged) = (sandboxes.len(), sandboxes.iter().all(is_tagged));
                value.list = Some(List { key: None, next_cursor, items, all_tagged });
            }
        }
        Ok(value)
    }

    fn page(&self) -> Option<Page> {
        self.page.clone()
    }

    fn list(&self) -> Option<List> {
        self.list.clone()
    }

    fn sandbox(&self) -> Option<SandboxFacts> {
        self.sandbox.clone()
    }

    fn user_tags(&self) -> TagSet {
        self.user_tags.clone()
    }
}

impl ToJson for JsonValue {
    fn write_json(&self, out: &mut String) {
        out.push_str(&self.text);
    }
}

impl Form {
    /// Appends the result in a body. The error describes the fault.
    fn write(&self, body: &Json<'_>, out: &mut String) -> Result<(), String> {
        let result = match self.member {
            Some(member) => body.member(member).ok().flatten().ok_or(Some(member)),
            None if *body == Json::Null && matches!(self.shape, Shape::List(_)) => {
                out.push_str("[]");
                return Ok(());
            }
            None => Ok(body),
        };
        let written = result.and_then(|result| rewrite(result, &self.shape, out));
        written.map_err(|misfit| match misfit {
            Some(member) => format!("`{member}` is missing or has the wrong type"),
            None => "it has the wrong type".to_owned(),
        })
    }
}

impl Page {
    fn of(body: &Json<'_>) -> Option<Self> {
        let time = |name| body.text(name).and_then(Timestamp::read);
        let text = |name| body.text(name).map(str::to_owned);
        let (group_by, next_cursor) = (text("groupBy"), text("nextCursor"));
        let has_buckets = matches!(body.member("buckets"), Ok(Some(Json::List(_))));
        Some(Self { from: time("from")?, to: time("to")?, as_of: time("asOf"), group_by, has_buckets, next_cursor })
    }
}

impl SandboxFacts {
    fn of(body: &Json<'_>, id: &str) -> Option<Self> {
        let has = |name| matches!(body.member(name), Ok(Some(Json::List(items))) if !items.is_empty());
        Some(Self {
            id: body.text(id)?.to_owned(),
            has_as_of: body.text("asOf").is_some(),
            has_buckets: has("buckets"),
            has_points: has("points"),
        })
    }
}
