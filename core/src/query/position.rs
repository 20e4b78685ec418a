//! `cursor` of a list: the last item of a page, bound to its query.

use super::cursor::{self, NAME, invalid, is_digest};
use super::parameter::{Digest, Parameter, QueryString};
use super::parameters::Parameters;
use crate::base64url;
use crate::error::{Code, Error, quoted};
use crate::host::json::{Json, ToJson, object};
use crate::sandbox;
use crate::tags;

/// A place in the order of a list.
pub trait Position: Sized {
    /// Returns the name of the item, by which items of equal rank are ordered.
    fn name(&self) -> &str;

    /// Returns the number by which items are ordered first, if the list has one.
    fn rank(&self) -> Option<i64>;

    /// Creates the position. The error describes the fault.
    ///
    /// # Errors
    ///
    /// If no item of the list can have this position.
    fn new(rank: Option<i64>, name: String) -> Result<Self, String>;
}

/// A sandbox in the list of sandboxes: newest first, then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxPosition {
    /// Start of its latest session, in microseconds since the epoch, as the database has it.
    pub started_at: i64,
    /// The id of the sandbox.
    pub sandbox_id: String,
}

impl Position for SandboxPosition {
    fn name(&self) -> &str {
        &self.sandbox_id
    }

    fn rank(&self) -> Option<i64> {
        Some(self.started_at)
    }

    fn new(rank: Option<i64>, name: String) -> Result<Self, String> {
        match (rank, sandbox::fault(&name)) {
            (_, Some(fault)) => Err(fault),
            (None, None) => Err("it contains no instant".to_owned()),
            (Some(started_at), None) => Ok(Self { started_at, sandbox_id: name }),
        }
    }
}

/// A value in the list of the values of a tag: by its UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagValuePosition(pub String);

impl Position for TagValuePosition {
    fn name(&self) -> &str {
        &self.0
    }

    fn rank(&self) -> Option<i64> {
        None
    }

    fn new(rank: Option<i64>, name: String) -> Result<Self, String> {
        match (rank, tags::value_fault(&name)) {
            (_, Some(fault)) => Err(fault),
            (Some(_), None) => Err("it contains an instant".to_owned()),
            (None, None) => Ok(Self(name)),
        }
    }
}

/// The cursor of a list, with its original text, which is sent unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCursor<P> {
    text: String,
    after: P,
    digest: String,
}

impl<P: Position> ListCursor<P> {
    /// Creates the cursor after an item.
    pub(super) fn new(after: P, digest: &str) -> Self {
        let (rank, name, mut json) = (after.rank().map(|rank| rank.to_string()), after.name(), String::new());
        let mut members: Vec<(&str, &dyn ToJson)> = vec![("t", &name)];
        members.extend(rank.iter().map(|rank| ("s", rank as &dyn ToJson)));
        members.push(("q", &digest));
        object(&mut json, &members);
        Self { text: base64url::encode(json.as_bytes()), after, digest: digest.to_owned() }
    }

    /// Decodes a cursor.
    ///
    /// # Errors
    ///
    /// `invalid_cursor`.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let Parts { rank, name, digest } = Parts::decode(text)?;
        let after = P::new(rank, name).map_err(|fault| invalid(&fault))?;
        Ok(Self { text: text.to_owned(), after, digest })
    }

    /// Returns the text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the end of the previous page, if the cursor belongs to the query with this digest.
    pub(super) fn after(self, digest: &str) -> Result<P, Error> {
        if self.digest == digest { Ok(self.after) } else { Err(invalid("it belongs to another query")) }
    }
}

/// The members of a cursor.
struct Parts {
    rank: Option<i64>,
    name: String,
    digest: String,
}

impl Parts {
    fn decode(text: &str) -> Result<Self, Error> {
        let json = cursor::json(text)?;
        let parts = Json::parse(&json).ok().as_ref().and_then(Self::of);
        parts.ok_or_else(|| invalid(&format!("{} does not decode to a cursor of a list", quoted(text))))
    }

    fn of(json: &Json<'_>) -> Option<Self> {
        let rank = match json.member("s").ok()? {
            None => None,
            Some(rank) => Some(rank.as_str()?.parse().ok()?),
        };
        let digest = json.text("q").filter(|digest| is_digest(digest))?.to_owned();
        Some(Self { rank, name: json.text("t")?.to_owned(), digest })
    }
}

/// Parses the parameter, if it is given.
pub(super) fn parse<P: Position>(parameters: &Parameters) -> Result<Option<ListCursor<P>>, Error> {
    parameters.read(NAME, Code::InvalidCursor, ListCursor::decode)
}

impl<P> Parameter for Option<ListCursor<P>> {
    fn write(&self, query: &mut QueryString) {
        if let Some(cursor) = self {
            query.push(NAME, &cursor.text);
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T, P> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<ListCursor<P>>,
}

/// A list to read: where the page starts, and how many items it has at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<P> {
    /// The last item of the previous page; `None` for the first page.
    pub after: Option<P>,
    limit: usize,
    digest: String,
}

impl<P: Position> Slice<P> {
    /// Checks that the cursor belongs to the query with this digest.
    pub(super) fn new(cursor: Option<ListCursor<P>>, limit: usize, digest: Digest) -> Result<Self, Error> {
        let digest = digest.finish();
        let after = cursor.map(|cursor| cursor.after(&digest)).transpose()?;
        Ok(Self { after, limit, digest })
    }

    /// Returns the number of items to read: one more than the page has, to find out whether another page follows.
    #[must_use]
    pub const fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// Makes the page of the items that were read, in their order; each has its position.
    #[must_use]
    pub fn page<T>(&self, items: impl IntoIterator<Item = (P, T)>) -> ListPage<T, P> {
        let mut page = ListPage { items: Vec::new(), next: None };
        let mut last = None;
        for (position, item) in items {
            if page.items.len() == self.limit {
                page.next = last.map(|last| ListCursor::new(last, &self.digest));
                break;
            }
            page.items.push(item);
            last = Some(position);
        }
        page
    }
}
