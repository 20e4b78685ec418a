//! Sets of tags that can be written.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{is_system_key, not_an_object, validate_tags};
use crate::error::{Code, Error, Refusal, quoted};
use crate::host::json::{ToJson, entries};
use crate::host::value::{Raw, Text};
use crate::limits::MAX_BODY_BYTES;

/// A valid set of user tags: at most 50, with valid keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSet(Vec<(String, String)>);

impl ToJson for TagSet {
    fn write_json(&self, out: &mut String) {
        entries(out, self.iter());
    }
}

impl TagSet {
    /// Converts the tags of a dynamic language.
    ///
    /// # Errors
    ///
    /// `invalid_body` if it is not a map, `invalid_tags` with every violation if a rule is broken.
    pub fn parse(tags: &Raw) -> Result<Self, Error> {
        let violations = validate_tags(tags)?;
        if let Some(first) = violations.first() {
            let more = match violations.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let message = match &first.key {
                Some(key) => format!("invalid tags: {}: {}{more}", quoted(key), first.message),
                None => format!("invalid tags: {}{more}", first.message),
            };
            return Err(Error(Box::new(Refusal { code: Code::InvalidTags, message, violations })));
        }
        let Raw::Map(entries) = tags else {
            return Err(not_an_object(tags.kind()));
        };
        let pair = |(key, value): &(Text, Raw)| match value {
            Raw::Text(value) => Some((key.as_str()?.to_owned(), value.as_str()?.to_owned())),
            _ => None,
        };
        Ok(Self::sorted(entries.iter().filter_map(pair).collect()))
    }

    /// Parses the body of a tag write.
    ///
    /// # Errors
    ///
    /// `payload_too_large`, `invalid_body` (not JSON, not an object, a repeated key, a lone surrogate, an empty body)
    /// or `invalid_tags`.
    pub fn from_json(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Code::PayloadTooLarge.plain());
        }
        if body.is_empty() {
            return Err(Code::InvalidBody.error("the body is empty, a JSON object of tags is expected"));
        }
        let tags: Raw = serde_json::from_slice(body)
            .map_err(|error| Code::InvalidBody.error(format!("the body is not valid JSON: {error}")))?;
        if let Raw::Map(entries) = &tags {
            let mut seen = BTreeSet::new();
            let twice = entries.iter().filter_map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key));
            if let Some(key) = twice {
                let key = quoted(key);
                return Err(Code::InvalidBody.error(format!("the body has the key {key} twice")));
            }
        }
        Self::parse(&tags)
    }

    /// Returns the user tags of a map, which a write that keeps them must contain.
    #[must_use]
    pub fn user_part<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let user = tags.into_iter().filter(|(key, _)| !is_system_key(key));
        Self::sorted(user.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn sorted(mut tags: Vec<(String, String)>) -> Self {
        tags.sort_unstable();
        Self(tags)
    }

    /// Returns the tags as a map.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }

    /// Returns the tags, ordered by the UTF-8 bytes of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
