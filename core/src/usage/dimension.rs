//! Dimensions: the properties of sandboxes by which usage is grouped and filtered. Each is a variant of an enum.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, Error, quoted};
use crate::limits::{MAX_GROUP_BY_DIMENSIONS, MAX_TAG_VALUE_CHARACTERS};
use crate::sandbox;
use crate::tags::{self, TagKey};

/// One dimension: `sandbox`, `template`, `region`, `status`, or `tag:<key>` split on the first `:` only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The sandbox itself.
    Sandbox,
    /// The value of a tag.
    Tag(TagKey),
    /// The template of the sandbox's latest session.
    Template,
    /// The region of the sandbox's latest session.
    Region,
    /// The status of the sandbox's latest session.
    Status,
}

impl Dimension {
    /// The dimensions without a key.
    const PLAIN: [Self; 4] = [Self::Sandbox, Self::Template, Self::Region, Self::Status];

    /// Parses a dimension's name; the error describes the fault.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            Some(("tag", key)) => TagKey::parse(key).map(Self::Tag),
            _ => Self::plain(name).ok_or_else(|| {
                let name = quoted(name);
                format!("unknown dimension {name}, allowed: `sandbox`, `tag:<key>`, `template`, `region` and `status`")
            }),
        }
    }

    /// Creates a dimension from its kind; `key` returns the key of a tag. The error describes the fault.
    pub(crate) fn of_kind(kind: Option<&str>, key: impl FnOnce() -> Result<String, String>) -> Result<Self, String> {
        match kind {
            Some("tag") => key().and_then(|key| TagKey::parse(&key)).map(Self::Tag),
            kind => kind.and_then(Self::plain).ok_or_else(|| {
                "its `kind` must be `sandbox`, `tag`, `template`, `region`, `status` or `dimensions`".to_owned()
            }),
        }
    }

    fn plain(kind: &str) -> Option<Self> {
        Self::PLAIN.into_iter().find(|dimension| dimension.kind() == kind)
    }

    /// The dimension without the key of a tag.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Tag(_) => "tag",
            Self::Template => "template",
            Self::Region => "region",
            Self::Status => "status",
        }
    }

    /// Returns the reason why a text is not a value of the dimension; `None` if it is.
    pub(crate) fn value_fault(&self, value: &str) -> Option<String> {
        match self {
            Self::Sandbox => sandbox::fault(value),
            Self::Tag(_) => tags::value_fault(value),
            Self::Template | Self::Region | Self::Status => session_value_fault(self.kind(), value),
        }
    }

    /// Returns the reason why every sandbox has the dimension; `None` if a sandbox can lack it.
    pub(crate) const fn absence_fault(&self) -> Option<&'static str> {
        match self {
            Self::Sandbox => Some("a sandbox cannot be absent, at least one id is needed"),
            Self::Tag(_) | Self::Template | Self::Region | Self::Status => None,
        }
    }

    /// Returns the tag key, if the dimension is a tag.
    #[must_use]
    pub const fn tag_key(&self) -> Option<&TagKey> {
        match self {
            Self::Tag(key) => Some(key),
            _ => None,
        }
    }
}

/// Returns the reason why a text is not a value of a session's column. A session with an empty value lacks the
/// dimension.
fn session_value_fault(kind: &str, value: &str) -> Option<String> {
    let characters = value.chars().count();
    if characters == 0 || characters > MAX_TAG_VALUE_CHARACTERS {
        return Some(format!("{kind} has {characters} characters, 1 to {MAX_TAG_VALUE_CHARACTERS} are allowed"));
    }
    value.contains('\0').then(|| format!("{kind} contains U+0000, which no store can hold"))
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag_key() {
            None => f.write_str(self.kind()),
            Some(key) => write!(f, "{}:{}", self.kind(), key.as_str()),
        }
    }
}

/// The dimensions of a `groupBy`, each once: `sandbox` alone, or up to three others.
///
/// ```
/// use opencomputer_usage_core::{Code, usage::dimension::{Dimension, GroupBy}};
///
/// let group_by: GroupBy = "tag:team,region".parse()?;
/// assert_eq!(group_by.to_string(), "tag:team,region");
/// assert_eq!(group_by.dimensions().last(), Some(&Dimension::Region));
/// assert_eq!("".parse::<GroupBy>().unwrap_err().code, Code::MissingGroupBy);
/// assert_eq!("tag:".parse::<GroupBy>().unwrap_err().code, Code::InvalidGroupBy);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy(Vec<Dimension>);

impl GroupBy {
    /// Creates a `groupBy` from its dimensions, in order.
    ///
    /// # Errors
    ///
    /// `missing_group_by` without dimensions; `invalid_group_by` for a repeated dimension, a fourth, and `sandbox` with
    /// another.
    pub fn new(dimensions: Vec<Dimension>) -> Result<Self, Error> {
        let count = dimensions.len();
        if count == 0 {
            return Err(Code::MissingGroupBy.plain());
        }
        if count > MAX_GROUP_BY_DIMENSIONS {
            return Err(too_many(count));
        }
        if count > 1 && dimensions.contains(&Dimension::Sandbox) {
            return Err(invalid("`sandbox` cannot be combined with other dimensions"));
        }
        let mut rest = dimensions.as_slice();
        while let [first, others @ ..] = rest {
            if others.contains(first) {
                return Err(invalid(&format!("the dimension `{first}` is given twice")));
            }
            rest = others;
        }
        Ok(Self(dimensions))
    }

    /// Returns the dimensions, in the order given.
    #[must_use]
    pub fn dimensions(&self) -> &[Dimension] {
        &self.0
    }

    /// Returns the form of the items.
    #[must_use]
    pub fn form(&self) -> Form<'_> {
        match self.dimensions() {
            [Dimension::Sandbox] => Form::Sandboxes,
            [Dimension::Tag(key)] => Form::Tag(key),
            _ => Form::Groups,
        }
    }
}

/// The form of the items of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// One item per sandbox.
    Sandboxes,
    /// One item per value of this tag.
    Tag(&'a TagKey),
    /// One item per combination of values.
    Groups,
}

impl From<Dimension> for GroupBy {
    fn from(dimension: Dimension) -> Self {
        Self(vec![dimension])
    }
}

impl FromStr for GroupBy {
    type Err = Error;

    fn from_str(group_by: &str) -> Result<Self, Error> {
        if group_by.is_empty() {
            return Err(Code::MissingGroupBy.plain());
        }
        let count = group_by.split(',').count();
        if count > MAX_GROUP_BY_DIMENSIONS {
            return Err(too_many(count));
        }
        let mut dimensions = Vec::new();
        for dimension in group_by.split(',') {
            dimensions.push(Dimension::parse(dimension).map_err(|fault| invalid(&fault))?);
        }
        Self::new(dimensions)
    }
}

fn too_many(count: usize) -> Error {
    invalid(&format!("{count} dimensions, at most {MAX_GROUP_BY_DIMENSIONS} are allowed"))
}

pub(crate) fn invalid(fault: &str) -> Error {
    Code::InvalidGroupBy.error(format!("invalid `groupBy`: {fault}"))
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, dimension)| {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{dimension}")
        })
    }
}

/// A group's value for each dimension of a plan; `None` if its sandboxes lack the dimension.
pub type Key = Vec<Option<String>>;
