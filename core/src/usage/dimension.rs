//! Dimensions: the properties of sandboxes by which usage is grouped and filtered. Each is a variant of an enum.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, Error, quoted};
use crate::sandbox;
use crate::tags::{self, TagKey};

/// `sandbox`, or `tag:<key>` split on the first `:` only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// One group per sandbox.
    Sandbox,
    /// One group per value of a tag.
    Tag(TagKey),
}

impl Dimension {
    /// Parses a dimension's name; the error describes the fault.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            None if name == "sandbox" => Ok(Self::Sandbox),
            Some(("tag", key)) => TagKey::parse(key).map(Self::Tag),
            _ => Err(format!("unknown dimension {}, allowed: `sandbox` and `tag:<key>`", quoted(name))),
        }
    }

    /// Creates a dimension from its kind; `key` returns the key of a tag. The error describes the fault.
    pub(crate) fn of_kind(kind: Option<&str>, key: impl FnOnce() -> Result<String, String>) -> Result<Self, String> {
        match kind {
            Some("sandbox") => Ok(Self::Sandbox),
            Some("tag") => key().and_then(|key| TagKey::parse(&key)).map(Self::Tag),
            _ => Err("its `kind` must be `sandbox` or `tag`".to_owned()),
        }
    }

    /// The dimension without the key of a tag.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Tag(_) => "tag",
        }
    }

    /// Returns the reason why a text is not a value of the dimension; `None` if it is.
    pub(crate) fn value_fault(&self, value: &str) -> Option<String> {
        match self {
            Self::Sandbox => sandbox::fault(value),
            Self::Tag(_) => tags::value_fault(value),
        }
    }

    /// Returns the reason why every sandbox has the dimension; `None` if a sandbox can lack it.
    pub(crate) const fn absence_fault(&self) -> Option<&'static str> {
        match self {
            Self::Sandbox => Some("a sandbox cannot be absent, at least one id is needed"),
            Self::Tag(_) => None,
        }
    }

    /// Returns the tag key, if the dimension is a tag.
    #[must_use]
    pub const fn tag_key(&self) -> Option<&TagKey> {
        match self {
            Self::Sandbox => None,
            Self::Tag(key) => Some(key),
        }
    }
}

/// A group's value for each dimension of a plan; `None` if its sandboxes lack the dimension.
pub type Key = [Option<String>; 1];

/// Parses a `groupBy`.
///
/// ```
/// use opencomputer_usage_core::{Code, usage::dimension::Dimension};
///
/// assert_eq!("sandbox".parse(), Ok(Dimension::Sandbox));
/// assert_eq!("".parse::<Dimension>().unwrap_err().code, Code::MissingGroupBy);
/// assert_eq!("tag:".parse::<Dimension>().unwrap_err().code, Code::InvalidGroupBy);
/// ```
impl FromStr for Dimension {
    type Err = Error;

    fn from_str(group_by: &str) -> Result<Self, Error> {
        if group_by.is_empty() {
            return Err(Code::MissingGroupBy.plain());
        }
        Self::parse(group_by).map_err(|fault| Code::InvalidGroupBy.error(format!("invalid `groupBy`: {fault}")))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag_key() {
            None => f.write_str(self.kind()),
            Some(key) => write!(f, "{}:{}", self.kind(), key.as_str()),
        }
    }
}
