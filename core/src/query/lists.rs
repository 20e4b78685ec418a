//! The queries of the lists: the sandboxes of an org, and the values of a tag.

use super::conditions::Conditions;
use super::cursor;
use super::exclude;
use super::filter;
use super::limit::{self, ListLimit};
use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Names, Parameters};
use super::position::{self, ListCursor, SandboxPosition, Slice, TagValuePosition};
use super::prefix::{self, Prefix};
use super::state::{self, State};
use crate::error::{Code, Error, quoted};
use crate::tags::TagKey;

/// A valid query for the list of sandboxes.
///
/// ```
/// use opencomputer_usage_core::query::{Parameters, SandboxesQuery};
///
/// let query = SandboxesQuery::parse(&Parameters::decode("filter[tag:team]=payments&state=all&limit=100"))?;
/// assert_eq!(query.encode(), "filter%5Btag%3Ateam%5D=payments&state=all");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SandboxesQuery {
    /// The conditions on sandboxes.
    pub conditions: Conditions,
    /// The sandboxes to list, by whether they run.
    pub state: State,
    /// The size of a page.
    pub limit: ListLimit,
    /// The position of the page; the first page has none.
    pub cursor: Option<ListCursor<SandboxPosition>>,
}

/// The parameters of the list of sandboxes.
pub(crate) const SANDBOXES: Names =
    Names { scalars: &[state::NAME, limit::NAME, cursor::NAME], maps: &[filter::NAME, exclude::NAME] };

impl SandboxesQuery {
    /// Parses parameters and returns the first fault.
    ///
    /// # Errors
    ///
    /// `unknown_parameter`, `duplicate_parameter`, `invalid_filter`, `duplicate_filter`, `invalid_state`,
    /// `invalid_limit`, `invalid_cursor`.
    pub fn parse(parameters: &Parameters) -> Result<Self, Error> {
        parameters.check_names(SANDBOXES)?;
        Ok(Self {
            conditions: Conditions::parse(parameters)?,
            state: state::parse(parameters)?,
            limit: limit::parse(parameters)?,
            cursor: position::parse(parameters)?,
        })
    }

    /// Returns the encoded query string without defaults. Parsing it returns the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { conditions: Conditions { filters, exclusions }, state, limit, cursor } = self;
        encoded([filters, exclusions, state, limit, cursor])
    }

    /// Returns the value of a header `Link` (RFC 8288) that refers to this query as the next page.
    ///
    /// The reference is relative to the request, so it stays valid behind a proxy that changes the path.
    #[must_use]
    pub fn link(&self) -> String {
        format!("<?{}>; rel=\"next\"", self.encode())
    }

    /// Returns the part of the list that the query selects.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` if the cursor belongs to another query.
    pub fn slice(&self) -> Result<Slice<SandboxPosition>, Error> {
        let mut digest = Digest::default();
        self.conditions.filters.digest(&mut digest);
        self.conditions.exclusions.digest(&mut digest);
        self.state.digest(&mut digest);
        Slice::new(self.cursor.clone(), self.limit.get(), digest)
    }

    /// Returns the query of the page that starts at a cursor.
    #[must_use]
    pub fn continued(self, cursor: ListCursor<SandboxPosition>) -> Self {
        Self { cursor: Some(cursor), ..self }
    }
}

/// A valid query for the values of a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct TagValuesQuery {
    /// The key of the tag, which is part of the path.
    pub key: TagKey,
    /// The start of the values to keep.
    pub prefix: Option<Prefix>,
    /// The size of a page.
    pub limit: ListLimit,
    /// The position of the page; the first page has none.
    pub cursor: Option<ListCursor<TagValuePosition>>,
}

/// The parameters of the values of a tag.
pub(crate) const TAG_VALUES: Names = Names { scalars: &[prefix::NAME, limit::NAME, cursor::NAME], maps: &[] };

impl TagValuesQuery {
    /// Parses a tag key in a path.
    ///
    /// # Errors
    ///
    /// `invalid_tag_key`.
    pub fn parse_key(key: &str) -> Result<TagKey, Error> {
        match key {
            "." | ".." => Err(format!("tag key {} is a path segment, its values cannot be listed", quoted(key))),
            _ => TagKey::parse(key),
        }
        .map_err(|fault| Code::InvalidTagKey.error(fault))
    }

    /// Parses parameters and returns the first fault.
    ///
    /// # Errors
    ///
    /// `unknown_parameter`, `duplicate_parameter`, `invalid_prefix`, `invalid_limit`, `invalid_cursor`.
    pub fn parse(key: TagKey, parameters: &Parameters) -> Result<Self, Error> {
        parameters.check_names(TAG_VALUES)?;
        Ok(Self {
            key,
            prefix: prefix::parse(parameters)?,
            limit: limit::parse(parameters)?,
            cursor: position::parse(parameters)?,
        })
    }

    /// Returns the encoded query string without defaults. Parsing it returns the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { key: _, prefix, limit, cursor } = self;
        encoded([prefix, limit, cursor])
    }

    /// Returns the part of the list that the query selects.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` if the cursor belongs to another query.
    pub fn slice(&self) -> Result<Slice<TagValuePosition>, Error> {
        let mut digest = Digest::default();
        digest.field(self.key.as_str());
        self.prefix.digest(&mut digest);
        Slice::new(self.cursor.clone(), self.limit.get(), digest)
    }
}

fn encoded<const N: usize>(parameters: [&dyn Parameter; N]) -> String {
    let mut query = QueryString::default();
    for parameter in parameters {
        parameter.write(&mut query);
    }
    query.into_string()
}
