//! The rules for tag keys and values that users set, and their violations.

use std::fmt;

use crate::error::{Code, Error, TagViolation};
use crate::host::value::{Raw, Text};
use crate::limits::{MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS, RESERVED_KEY_PREFIX};

/// The rules, in the order in which the violations of a key are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    TooManyTags { count: usize },
    KeyEmpty,
    KeyTooLong { characters: usize },
    KeyInvalidCharacters { point: u32 },
    KeyReservedPrefix,
    ValueNotString { got: &'static str },
    ValueTooLong { characters: usize },
    ValueNotUnicode { point: u32 },
    ValueContainsNul,
}

impl Fault {
    const fn code(&self) -> &'static str {
        match self {
            Self::TooManyTags { .. } => "too_many_tags",
            Self::KeyEmpty => "key_empty",
            Self::KeyTooLong { .. } => "key_too_long",
            Self::KeyInvalidCharacters { .. } => "key_invalid_characters",
            Self::KeyReservedPrefix => "key_reserved_prefix",
            Self::ValueNotString { .. } => "value_not_string",
            Self::ValueTooLong { .. } => "value_too_long",
            Self::ValueNotUnicode { .. } => "value_not_unicode",
            Self::ValueContainsNul => "value_contains_nul",
        }
    }

    fn on(&self, key: Option<&Text>) -> TagViolation {
        TagViolation { code: self.code().to_owned(), key: key.map(Text::to_string), message: self.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyTags { count } => write!(f, "{count} tags, at most {MAX_TAGS} are allowed"),
            Self::KeyEmpty => write!(f, "tag key is empty, 1 to {MAX_TAG_KEY_CHARACTERS} characters are allowed"),
            Self::KeyTooLong { characters } => {
                write!(f, "tag key has {characters} characters, at most {MAX_TAG_KEY_CHARACTERS} are allowed")
            }
            Self::KeyInvalidCharacters { point } => {
                let shown = char::from_u32(*point).filter(|c| !c.is_control());
                let shown = shown.unwrap_or(char::REPLACEMENT_CHARACTER);
                write!(
                    f,
                    "tag key contains `{shown}` (U+{point:04X}), allowed: letters `A-Z a-z`, digits and `_ . - :`"
                )
            }
            Self::KeyReservedPrefix => {
                write!(f, "tag key starts with `{RESERVED_KEY_PREFIX}`, which is reserved for system tags")
            }
            Self::ValueNotString { got } => write!(f, "tag value must be a string, got {got}"),
            Self::ValueTooLong { characters } => {
                write!(f, "tag value has {characters} characters, at most {MAX_TAG_VALUE_CHARACTERS} are allowed")
            }
            Self::ValueNotUnicode { point } => {
                write!(f, "tag value contains the lone surrogate U+{point:04X}, only valid Unicode is allowed")
            }
            Self::ValueContainsNul => write!(f, "tag value contains U+0000, which is not allowed"),
        }
    }
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':')
}

/// Returns the faults of a key, except for the reserved prefix.
fn name_faults(key: &Text) -> Vec<Fault> {
    let points = key.code_points();
    let characters = points.len();
    if characters == 0 {
        return vec![Fault::KeyEmpty];
    }
    let too_long = (characters > MAX_TAG_KEY_CHARACTERS).then_some(Fault::KeyTooLong { characters });
    let invalid = points.into_iter().find(|&point| !u8::try_from(point).is_ok_and(is_key_byte));
    too_long.into_iter().chain(invalid.map(|point| Fault::KeyInvalidCharacters { point })).collect()
}

fn key_faults(key: &Text) -> Vec<Fault> {
    let mut faults = name_faults(key);
    // A lone surrogate elsewhere in the key does not change its prefix.
    if key.to_string().starts_with(RESERVED_KEY_PREFIX) {
        faults.push(Fault::KeyReservedPrefix);
    }
    faults
}

fn value_faults(value: &Raw) -> Vec<Fault> {
    let Raw::Text(text) = value else {
        return vec![Fault::ValueNotString { got: value.kind() }];
    };
    let points = text.code_points();
    let characters = points.len();
    let too_long = (characters > MAX_TAG_VALUE_CHARACTERS).then_some(Fault::ValueTooLong { characters });
    let broken = points.iter().copied().find(|&point| char::from_u32(point).is_none());
    let nul = points.contains(&0).then_some(Fault::ValueContainsNul);
    too_long.into_iter().chain(broken.map(|point| Fault::ValueNotUnicode { point })).chain(nul).collect()
}

/// Returns every violation of one key, for forms that validate as the user types.
#[must_use]
pub fn validate_tag_key(key: &Text) -> Vec<TagViolation> {
    key_faults(key).iter().map(|fault| fault.on(Some(key))).collect()
}

/// Returns every violation of one value; the key of each is `None`.
#[must_use]
pub fn validate_tag_value(value: &Raw) -> Vec<TagViolation> {
    value_faults(value).iter().map(|fault| fault.on(None)).collect()
}

/// Returns every violation of a map of tags, in the contract's order; empty if the map may be written.
///
/// ```
/// use opencomputer_usage_core::{host::value::Raw, tags::validate_tags};
///
/// let violations = validate_tags(&Raw::Map(vec![("oc:team".into(), Raw::Null)]))?;
/// let codes: Vec<_> = violations.iter().map(|violation| violation.code.as_str()).collect();
/// assert_eq!(codes, ["key_reserved_prefix", "value_not_string"]);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
///
/// # Errors
///
/// `invalid_body` if `tags` is not a map.
pub fn validate_tags(tags: &Raw) -> Result<Vec<TagViolation>, Error> {
    let Raw::Map(entries) = tags else {
        return Err(not_an_object(tags.kind()));
    };
    let mut violations = Vec::new();
    if entries.len() > MAX_TAGS {
        violations.push(Fault::TooManyTags { count: entries.len() }.on(None));
    }
    let mut by_key: Vec<_> = entries.iter().collect();
    by_key.sort_by_cached_key(|(key, _)| key.code_points());
    for (key, value) in by_key {
        violations.extend(key_faults(key).iter().chain(&value_faults(value)).map(|fault| fault.on(Some(key))));
    }
    Ok(violations)
}

/// Returns whether tags with these distinct keys, in UTF-8, are valid. The result is that of [`validate_tags`] without
/// the violations.
// Uses loops and a table, because iterator adapters are not inlined in a module that is optimized for size.
pub fn accepts<K: AsRef<[u8]>, V: AsRef<[u8]>>(tags: impl IntoIterator<Item = (K, V)>) -> bool {
    let mut count = 0;
    for (key, value) in tags {
        count += 1;
        if count > MAX_TAGS || !accepts_key(key.as_ref()) || !accepts_value(value.as_ref()) {
            return false;
        }
    }
    true
}

fn accepts_key(key: &[u8]) -> bool {
    is_name(key) && !key.starts_with(RESERVED_KEY_PREFIX.as_bytes())
}

/// The result of [`is_key_byte`] for each byte.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, so an out-of-bounds index fails the build")]
static KEY_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] = is_key_byte(byte);
        byte += 1;
    }
    table
};

fn is_name(key: &[u8]) -> bool {
    for &byte in key {
        if KEY_BYTES.get(usize::from(byte)) != Some(&true) {
            return false;
        }
    }
    (1..=MAX_TAG_KEY_CHARACTERS).contains(&key.len())
}

fn accepts_value(value: &[u8]) -> bool {
    let mut nul = false;
    for &byte in value {
        nul |= byte == 0;
    }
    !nul && (value.len() <= MAX_TAG_VALUE_CHARACTERS || characters(value) <= MAX_TAG_VALUE_CHARACTERS)
}

/// Counts the bytes that start a character; continuation bytes do not.
fn characters(utf8: &[u8]) -> usize {
    utf8.iter().filter(|byte| !matches!(byte, 0x80..0xc0)).count()
}

/// Describes why a string is not a valid tag value; `None` if it is.
pub(crate) fn value_fault(value: &str) -> Option<String> {
    value_faults(&value.into()).first().map(Fault::to_string)
}

/// Returns whether a key is a system key, which cannot be written through the API.
#[must_use]
pub fn is_system_key(key: &str) -> bool {
    key.starts_with(RESERVED_KEY_PREFIX)
}

pub(crate) fn not_an_object(kind: &str) -> Error {
    Code::InvalidBody.error(format!("tags must be an object of strings, got {kind}"))
}

/// A tag key that is valid for grouping and filtering. It may have the reserved prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagKey(String);

impl TagKey {
    /// Parses a key; the error describes the rule that it breaks.
    pub fn parse(key: &str) -> Result<Self, String> {
        if is_name(key.as_bytes()) {
            return Ok(Self(key.to_owned()));
        }
        Err(name_faults(&key.into()).first().map_or_else(String::new, Fault::to_string))
    }

    /// Returns the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
