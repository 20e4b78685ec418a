//! Values of a dynamic language, before any rule is applied.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Any value of JavaScript, Python or JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// JSON `null`, Python `None`.
    Null,
    /// JavaScript `undefined`: counts as missing in a map of options, and is rejected in a filter.
    Undefined,
    /// A boolean.
    Bool(bool),
    /// A number. Integers above 2⁵³ lose digits, but no option is that large.
    Number(f64),
    /// A string, valid Unicode or not.
    Text(Text),
    /// An array, list or tuple.
    List(Vec<Raw>),
    /// An object or dict; keys are unique unless it came from JSON.
    Map(Vec<(Text, Raw)>),
    /// Anything else, described in the terms of its language: `a function`, `a Map`.
    Other(&'static str),
}

impl Raw {
    /// Describes the type for messages: `a number`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Undefined => "undefined",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Map(_) => "an object",
            Self::Other(kind) => kind,
        }
    }

    /// Returns whether an option with this value counts as missing.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }
}

/// Converts a number that is an integer, and small enough to be exact.
#[allow(clippy::cast_possible_truncation, clippy::float_cmp, reason = "a lossy cast makes the comparison fail")]
pub(crate) fn whole_number(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    (number.trunc() == number && number.abs() <= EXACT).then_some(number as i64)
}

/// The text of a parameter, or the reason why it is not text.
pub(crate) type Given = Result<String, String>;

/// Returns the text of an option that must be a string.
pub(crate) fn text_of(value: &Raw) -> Given {
    match value {
        Raw::Text(Text::Unicode(text)) => Ok(text.clone()),
        Raw::Text(Text::Broken(_)) => Err("it contains a lone surrogate".to_owned()),
        other => Err(format!("it must be a string, got {}", other.kind())),
    }
}

impl From<&str> for Raw {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A string that may contain lone surrogates, as strings of JavaScript and Python may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Valid Unicode.
    Unicode(String),
    /// Code points, at least one of them a surrogate.
    Broken(Vec<u32>),
}

impl Text {
    /// Converts JavaScript's UTF-16: pairs join, lone surrogates stay.
    #[must_use]
    pub fn from_utf16(units: &[u16]) -> Self {
        Self::from_code_points(
            char::decode_utf16(units.iter().copied())
                .map(|unit| unit.map_or_else(|lone| u32::from(lone.unpaired_surrogate()), u32::from)),
        )
    }

    /// Converts Python's code points: surrogates never pair.
    pub fn from_code_points(points: impl IntoIterator<Item = u32>) -> Self {
        let points: Vec<u32> = points.into_iter().collect();
        match points.iter().map(|&point| char::from_u32(point)).collect() {
            Some(text) => Self::Unicode(text),
            None => Self::Broken(points),
        }
    }

    /// Returns the string, if it is valid Unicode.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Unicode(text) => Some(text),
            Self::Broken(_) => None,
        }
    }

    /// Returns the code points, including surrogates. Their order is the order of UTF-8 bytes.
    #[must_use]
    pub fn code_points(&self) -> Vec<u32> {
        match self {
            Self::Unicode(text) => text.chars().map(u32::from).collect(),
            Self::Broken(points) => points.clone(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Unicode(text.to_owned())
    }
}

/// Shows a lone surrogate as U+FFFD.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unicode(text) => f.write_str(text),
            Self::Broken(points) => points
                .iter()
                .try_for_each(|&point| f.write_char(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(Text::Unicode(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Raw>()? {
            map.push((Text::Unicode(key), value));
        }
        Ok(Raw::Map(map))
    }
}
