//! Every kind of successful response, in one list. A new kind is one row of `replies!` and its `Body`.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::read::utf8;
use super::shape::{Shape, Shaped};
use super::types::{
    GroupUsagePage, Sandbox, SandboxTagsBody, SandboxUsage, SandboxUsagePage, TagKey, TagKeys, TagUsagePage, TagValues,
};
use super::whole::Whole;
use crate::tags::{TagSet, Tags};
use crate::usage::window::Timestamp;

/// Declares the kinds of responses: the name of a kind and the type of its result.
///
/// `P` stands for the host's type for a page of usage by sandbox.
macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident($result:ty);)*) => {
        /// The kind of a successful response.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reply {
            $($(#[$doc])* $name,)*
        }

        impl Reply {
            /// Every kind of response.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns how the body becomes a result.
            pub(crate) const fn form(self) -> &'static Form {
                type P = SandboxUsagePage;
                match self { $(Self::$name => &<$result as Body>::FORM,)* }
            }
        }

        /// The result of a call. `P` is the host's type for a page of usage by sandbox; see [`Host`].
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Outcome<P = SandboxUsagePage> {
            $($(#[$doc])* $name($result),)*
        }

        impl<P: Host> Outcome<P> {
            /// Decodes a body and the headers that came with it.
            pub(crate) fn decode(reply: Reply, body: &mut Vec<u8>, headers: Headers) -> Result<Self, String> {
                Ok(match reply { $(Reply::$name => Self::$name(<$result as Body>::decode::<P>(body, headers)?),)* })
            }

            /// Returns the metadata of a page of usage.
            pub(crate) fn page(&self) -> Option<Page> {
                match self { $(Self::$name(result) => Body::page(result),)* }
            }

            /// Returns the metadata of a page of a list.
            pub(crate) fn list(&self) -> Option<List> {
                match self { $(Self::$name(result) => Body::list(result),)* }
            }

            /// Returns facts about the sandbox that the result describes.
            pub(crate) fn sandbox(&self) -> Option<SandboxFacts> {
                match self { $(Self::$name(result) => Body::sandbox(result),)* }
            }

            /// Returns the user tags if the result is a sandbox's tags.
            pub(crate) fn user_tags(&self) -> TagSet {
                match self { $(Self::$name(result) => Body::user_tags(result),)* }
            }
        }

        const _: () = {
            type P = SandboxUsagePage;
            $(impl TryFrom<Outcome> for $result {
                type Error = UnexpectedReply;

                fn try_from(outcome: Outcome) -> Result<Self, UnexpectedReply> {
                    match outcome {
                        Outcome::$name(result) => Ok(result),
                        _ => Err(UnexpectedReply),
                    }
                }
            })*
        };
    };
}

replies! {
    /// `usage.by_tag`
    TagUsage(TagUsagePage);
    /// `usage.by`
    GroupUsage(GroupUsagePage);
    /// `usage.by_sandbox`
    SandboxUsagePage(P);
    /// `usage.for_sandbox`
    SandboxUsage(SandboxUsage);
    /// `tags.list_keys`
    TagKeys(Vec<TagKey>);
    /// `tags.list_values`
    TagValues(TagValues);
    /// `tags.get`, `tags.set`, `tags.update`
    Tags(SandboxTags);
    /// `sandboxes.list`
    Sandboxes(SandboxPage);
    /// `sandboxes.get`
    Sandbox(Sandbox);
}

/// The error of converting an [`Outcome`] to the result of another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnexpectedReply;

impl fmt::Display for UnexpectedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("internal error: unexpected reply type")
    }
}

impl std::error::Error for UnexpectedReply {}

/// A host's JSON decoder, implemented by its type for a page of usage by sandbox.
///
/// That page is the one large response, so a host may keep its items encoded until they are read.
pub trait Host: Sized {
    /// Decodes a body.
    ///
    /// # Errors
    ///
    /// A description of the fault, if the body is not JSON of that type.
    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String>;

    /// Decodes a page of usage by sandbox. It may take the body, but must leave it in place if it fails.
    ///
    /// # Errors
    ///
    /// A description of the fault, if the body is not such a page.
    fn decode_page(body: &mut Vec<u8>) -> Result<Self, String>;

    /// Returns the body, if [`decode_page`](Self::decode_page) took it.
    fn taken_body(&self) -> Option<&[u8]> {
        None
    }

    /// Returns the metadata of the page.
    fn page(&self) -> Page;

    /// Describes the fault in a body that could not be decoded; by default, returns the decoder's description.
    #[must_use]
    fn explain(_reply: Reply, _body: &[u8], fault: String) -> String {
        fault
    }
}

impl Host for SandboxUsagePage {
    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
        // Of bytes, serde_json would not check skipped strings.
        let mut parser = serde_json::Deserializer::from_str(utf8(body)?);
        let value = T::deserialize(Whole::new(&mut parser)).and_then(|value| parser.end().map(|()| value));
        value.map_err(|error| error.to_string())
    }

    fn decode_page(body: &mut Vec<u8>) -> Result<Self, String> {
        <Self as Host>::decode(body)
    }

    fn page(&self) -> Page {
        self.into()
    }
}

/// The conversion of a JSON body to the JSON of a result.
pub(crate) struct Form {
    pub(crate) shape: Shape,
    /// The member of the body that is the result; `None` if all of it is.
    pub(crate) member: Option<&'static str>,
    pub(crate) facts: Facts,
}

/// The part of a result that the client inspects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facts {
    /// Nothing.
    None,
    /// The metadata of a page.
    Page,
    /// Facts about a sandbox, whose id is in the member of this name.
    Sandbox(&'static str),
    /// The user's tags. The entity tag is added to the result.
    Tags,
    /// The key and the cursor of a list.
    List,
    /// Nothing. The result has the body as `items`, and the cursor from the header `Link`.
    Items,
}

/// The headers of a response that belong to its result.
#[derive(Default)]
pub(crate) struct Headers {
    /// The entity tag.
    pub(crate) etag: Option<String>,
    /// The cursor in the link to the next page.
    pub(crate) next_cursor: Option<String>,
}

/// The result of a call, as Rust values.
pub(crate) trait Body: Sized {
    const FORM: Form;

    fn decode<P: Host>(body: &mut Vec<u8>, headers: Headers) -> Result<Self, String>;

    fn page(&self) -> Option<Page> {
        None
    }

    fn list(&self) -> Option<List> {
        None
    }

    fn sandbox(&self) -> Option<SandboxFacts> {
        None
    }

    fn user_tags(&self) -> TagSet {
        TagSet::default()
    }
}

impl Form {
    const fn new(shape: Shape, facts: Facts) -> Self {
        Self { shape, member: None, facts }
    }
}

impl Body for TagUsagePage {
    const FORM: Form = Form::new(Self::SHAPE, Facts::Page);

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode(body)
    }

    fn page(&self) -> Option<Page> {
        Some(self.into())
    }
}

impl Body for GroupUsagePage {
    const FORM: Form = Form::new(Self::SHAPE, Facts::Page);

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode(body)
    }

    fn page(&self) -> Option<Page> {
        Some(self.into())
    }
}

impl<P: Host> Body for P {
    const FORM: Form = Form::new(SandboxUsagePage::<String>::SHAPE, Facts::Page);

    fn decode<Q: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        Self::decode_page(body)
    }

    fn page(&self) -> Option<Page> {
        Some(Host::page(self))
    }
}

impl Body for SandboxUsage {
    const FORM: Form = Form::new(Self::SHAPE, Facts::Sandbox("sandboxId"));

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode(body)
    }

    fn sandbox(&self) -> Option<SandboxFacts> {
        Some(SandboxFacts {
            id: self.sandbox_id.clone(),
            has_as_of: self.as_of.is_some(),
            has_buckets: self.buckets.is_some(),
            has_points: self.points.as_ref().is_some_and(|points| !points.is_empty()),
        })
    }
}

impl Body for Vec<TagKey> {
    const FORM: Form = Form { shape: Self::SHAPE, member: Some("keys"), facts: Facts::None };

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode::<TagKeys>(body).map(|body| body.keys)
    }
}

/// The tags of one sandbox, and the entity tag to write them back with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxTags {
    /// All tags, including system tags (`oc:`).
    pub tags: Tags,
    /// The last time that a tag value changed; `None` without tags.
    pub tags_last_updated_at: Option<Timestamp>,
    /// The entity tag, for `If-Match`; `None` if the server sent none.
    pub etag: Option<String>,
}

impl Body for SandboxTags {
    const FORM: Form = Form::new(SandboxTagsBody::<Tags>::SHAPE, Facts::Tags);

    fn decode<P: Host>(body: &mut Vec<u8>, headers: Headers) -> Result<Self, String> {
        let SandboxTagsBody { tags, tags_last_updated_at } = P::decode(body)?;
        Ok(Self { tags, tags_last_updated_at, etag: headers.etag })
    }

    fn user_tags(&self) -> TagSet {
        self.tags.user_set()
    }
}

impl Body for TagValues {
    const FORM: Form = Form::new(Self::SHAPE, Facts::List);

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode(body)
    }

    fn list(&self) -> Option<List> {
        let (key, next_cursor) = (Some(self.key.clone()), self.next_cursor.clone());
        Some(List { key, next_cursor, items: self.values.len(), all_tagged: true })
    }
}

/// A page of sandboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxPage {
    /// The sandboxes of this page.
    pub items: Vec<Sandbox>,
    /// The cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl Body for SandboxPage {
    const FORM: Form = Form::new(Vec::<Sandbox>::SHAPE, Facts::Items);

    /// Reads null as an empty list, because servers in Go write an empty list as null.
    fn decode<P: Host>(body: &mut Vec<u8>, headers: Headers) -> Result<Self, String> {
        let items = P::decode::<Option<Vec<Sandbox>>>(body)?.unwrap_or_default();
        Ok(Self { items, next_cursor: headers.next_cursor })
    }

    fn list(&self) -> Option<List> {
        let all_tagged = self.items.iter().all(|sandbox| sandbox.tags.is_some());
        Some(List { key: None, next_cursor: self.next_cursor.clone(), items: self.items.len(), all_tagged })
    }
}

impl Body for Sandbox {
    const FORM: Form = Form::new(Self::SHAPE, Facts::Sandbox("sandboxID"));

    fn decode<P: Host>(body: &mut Vec<u8>, _: Headers) -> Result<Self, String> {
        P::decode(body)
    }

    fn sandbox(&self) -> Option<SandboxFacts> {
        Some(SandboxFacts { id: self.sandbox_id.clone(), ..SandboxFacts::default() })
    }
}

/// The metadata of a page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The tag key that the list belongs to.
    pub key: Option<String>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
    /// The number of items.
    pub items: usize,
    /// Whether every item has tags, if the items are sandboxes.
    pub all_tagged: bool,
}

/// The facts about a result that describes one sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxFacts {
    /// The id of the sandbox.
    pub id: String,
    /// Whether it has the instant of the measurement, which the platform's own servers do not send.
    pub has_as_of: bool,
    /// Whether it has buckets.
    pub has_buckets: bool,
    /// Whether it has points.
    pub has_points: bool,
}

/// The metadata of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Start of its window.
    pub from: Timestamp,
    /// End of its window.
    pub to: Timestamp,
    /// The instant at which running sandboxes were measured.
    pub as_of: Option<Timestamp>,
    /// The dimensions.
    pub group_by: Option<String>,
    /// Whether it has buckets.
    pub has_buckets: bool,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

macro_rules! pages {
    ($($page:ident<$($param:ident),+>)*) => {$(
        impl<$($param),+> From<&$page<$($param),+>> for Page {
            fn from(page: &$page<$($param),+>) -> Self {
                Self {
                    from: page.from,
                    to: page.to,
                    as_of: page.as_of,
                    group_by: Option::from(page.group_by.clone()),
                    has_buckets: page.buckets.is_some(),
                    next_cursor: page.next_cursor.clone(),
                }
            }
        }
    )*};
}

pages! { TagUsagePage<S> GroupUsagePage<G> SandboxUsagePage<S, M, T> }
