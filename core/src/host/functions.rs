//! The pure functions that SDKs export, with arguments of dynamic languages.

use super::json::{ToJson, entries, object};
use super::value::{Raw, Text, text_of};
use crate::error::{Code, Error, TagViolation};
use crate::limits;
use crate::query::cursor::{self, Cursor};
use crate::query::filter::{self, invalid_alone as invalid_filter};
use crate::tags;
use crate::usage::dimension::{self, invalid as invalid_group_by};

pub use crate::tags::{validate_tag_value, validate_tags};

/// Returns every violation of one tag key.
///
/// # Errors
///
/// `invalid_body` if the key is not a string.
pub fn validate_tag_key(key: &Raw) -> Result<Vec<TagViolation>, Error> {
    match key {
        Raw::Text(key) => Ok(tags::validate_tag_key(key)),
        other => Err(Code::InvalidBody.error(format!("tag key must be a string, got {}", other.kind()))),
    }
}

/// A dimension in the form that SDKs return: `{ kind: "sandbox" }` or `{ kind: "tag", key }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The dimension without the key of a tag.
    pub kind: &'static str,
    /// The key of a tag.
    pub key: Option<String>,
}

impl ToJson for Dimension {
    fn write_json(&self, out: &mut String) {
        let kind: (&str, &dyn ToJson) = ("kind", &self.kind);
        match &self.key {
            None => object(out, &[kind]),
            Some(key) => object(out, &[kind, ("key", key)]),
        }
    }
}

/// A `groupBy` in the form that SDKs return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// One dimension, as itself.
    One(Dimension),
    /// Several dimensions: `{ kind: "dimensions", dimensions }`.
    Several(Vec<Dimension>),
}

impl ToJson for GroupBy {
    fn write_json(&self, out: &mut String) {
        match self {
            Self::One(dimension) => dimension.write_json(out),
            Self::Several(dimensions) => object(out, &[("kind", &SEVERAL), ("dimensions", dimensions)]),
        }
    }
}

/// The kind of a `groupBy` of several dimensions.
const SEVERAL: &str = "dimensions";

/// Parses a `groupBy`.
///
/// # Errors
///
/// `missing_group_by`, `invalid_group_by`.
pub fn parse_group_by(group_by: &Raw) -> Result<GroupBy, Error> {
    if group_by.is_absent() {
        return Err(Code::MissingGroupBy.plain());
    }
    let text = text_of(group_by).map_err(|fault| invalid_group_by(&fault))?;
    let group_by: dimension::GroupBy = text.parse()?;
    let shown = |dimension: &dimension::Dimension| Dimension {
        kind: dimension.kind(),
        key: dimension.tag_key().map(|key| key.as_str().to_owned()),
    };
    Ok(match group_by.dimensions() {
        [dimension] => GroupBy::One(shown(dimension)),
        dimensions => GroupBy::Several(dimensions.iter().map(shown).collect()),
    })
}

/// Formats a `groupBy`.
///
/// # Errors
///
/// `invalid_group_by`.
pub fn format_group_by(group_by: &Raw) -> Result<String, Error> {
    let several = match group_by {
        Raw::Map(members) if kind_of(members).as_deref() == Some(SEVERAL) => member(members, SEVERAL),
        _ => None,
    };
    let shown = match several {
        Some(Raw::List(dimensions)) => dimensions.as_slice(),
        Some(other) => {
            return Err(invalid_group_by(&format!("its `{SEVERAL}` must be an array, got {}", other.kind())));
        }
        None => std::slice::from_ref(group_by),
    };
    let mut dimensions = Vec::new();
    for dimension in shown {
        dimensions.push(dimension_of(dimension)?);
    }
    dimension::GroupBy::new(dimensions).map(|group_by| group_by.to_string())
}

fn dimension_of(shown: &Raw) -> Result<dimension::Dimension, Error> {
    let Raw::Map(members) = shown else {
        return Err(invalid_group_by(&format!("it must be an object, got {}", shown.kind())));
    };
    let key = || text_of(member(members, "key").unwrap_or(&Raw::Undefined));
    dimension::Dimension::of_kind(kind_of(members).as_deref(), key).map_err(|fault| invalid_group_by(&fault))
}

fn kind_of(members: &[(Text, Raw)]) -> Option<String> {
    member(members, "kind").and_then(|kind| text_of(kind).ok())
}

fn member<'a>(members: &'a [(Text, Raw)], name: &str) -> Option<&'a Raw> {
    members.iter().find(|(given, _)| given.as_str() == Some(name)).map(|(_, value)| value)
}

/// Parses the value of a tag filter: exact values, or `None` for *the sandbox lacks the tag*.
///
/// # Errors
///
/// `invalid_filter`.
pub fn parse_filter(raw: &Raw) -> Result<Option<Vec<String>>, Error> {
    filter::parse_filter(&text_of(raw).map_err(invalid_filter)?)
}

/// Formats a list of exact values, or null, as the value of a tag filter.
///
/// # Errors
///
/// `invalid_filter`.
pub fn format_filter(values: &Raw) -> Result<String, Error> {
    match values {
        Raw::Null => filter::format_filter(None),
        Raw::List(given) => {
            let mut values = Vec::new();
            for value in given {
                values.push(text_of(value).map_err(invalid_filter)?);
            }
            filter::format_filter(Some(values))
        }
        other => Err(invalid_filter(format!("it must be an array of strings or null, got {}", other.kind()))),
    }
}

/// Encodes a cursor from `{ v, t, s?, from?, to?, asOf?, q? }`; see [`Cursor::from_raw`].
///
/// # Errors
///
/// `invalid_cursor`.
pub fn encode_cursor(shown: &Raw, shortest: impl FnOnce(f64) -> String) -> Result<String, Error> {
    Ok(Cursor::from_raw(shown, shortest)?.encode())
}

/// Decodes a cursor.
///
/// # Errors
///
/// `invalid_cursor`.
pub fn decode_cursor(text: &Raw) -> Result<Cursor, Error> {
    Cursor::decode(&text_of(text).map_err(|fault| cursor::invalid(&fault))?)
}

/// The limits, by the names that SDKs export.
#[derive(Debug)]
pub struct Limits;

impl ToJson for Limits {
    fn write_json(&self, out: &mut String) {
        entries(out, limits::TABLE.iter().map(|limit| (limit.name, limit.value)));
    }
}
