//! The pure functions that SDKs export, with arguments of dynamic languages.

use super::json::{ToJson, entries, object};
use super::value::{Raw, text_of};
use crate::error::{Code, Error, TagViolation};
use crate::limits;
use crate::query::cursor::{self, Cursor};
use crate::query::filter::{self, invalid_alone as invalid_filter};
use crate::tags;
use crate::usage::dimension::Dimension;

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
#[derive(Debug, PartialEq, Eq)]
pub struct GroupBy {
    /// The dimension without the key of a tag.
    pub kind: &'static str,
    /// The key of a tag.
    pub key: Option<String>,
}

impl ToJson for GroupBy {
    fn write_json(&self, out: &mut String) {
        let kind: (&str, &dyn ToJson) = ("kind", &self.kind);
        match &self.key {
            None => object(out, &[kind]),
            Some(key) => object(out, &[kind, ("key", key)]),
        }
    }
}

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
    let dimension: Dimension = text.parse()?;
    Ok(GroupBy { kind: dimension.kind(), key: dimension.tag_key().map(|key| key.as_str().to_owned()) })
}

/// Formats a `groupBy`.
///
/// # Errors
///
/// `invalid_group_by`.
pub fn format_group_by(group_by: &Raw) -> Result<String, Error> {
    let Raw::Map(members) = group_by else {
        return Err(invalid_group_by(&format!("it must be an object, got {}", group_by.kind())));
    };
    let member = |name| members.iter().find(|(given, _)| given.as_str() == Some(name)).map(|(_, value)| value);
    let kind = member("kind").and_then(|kind| text_of(kind).ok());
    let key = || text_of(member("key").unwrap_or(&Raw::Undefined));
    let dimension = Dimension::of_kind(kind.as_deref(), key).map_err(|fault| invalid_group_by(&fault))?;
    Ok(dimension.to_string())
}

fn invalid_group_by(fault: &str) -> Error {
    Code::InvalidGroupBy.error(format!("invalid `groupBy`: {fault}"))
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
        Raw::List(values) => {
            let values: Result<Vec<_>, _> = values.iter().map(text_of).collect();
            filter::format_filter(Some(values.map_err(invalid_filter)?))
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
