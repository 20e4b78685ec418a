//! `prefix`: the start of the tag values to keep.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error};
use crate::tags;

pub(super) const NAME: &str = "prefix";

/// The start of a tag value: valid as a value, and not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Returns the prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first text, by UTF-8 bytes, after every text with this prefix; `None` if there is none.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        let mut characters = self.0.chars();
        while let Some(last) = characters.next_back() {
            // The range skips surrogates.
            if let Some(next) = (last..=char::MAX).nth(1) {
                return Some(format!("{}{next}", characters.as_str()));
            }
        }
        None
    }

    fn read(text: &str) -> Result<Self, Error> {
        let invalid = |fault: &str| Code::InvalidPrefix.error(format!("invalid `{NAME}`: {fault}"));
        if text.is_empty() {
            return Err(invalid("it is empty, omit it to get every value"));
        }
        match tags::value_fault(text) {
            Some(fault) => Err(invalid(&fault)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Parses the parameter, if it is given.
pub(super) fn parse(parameters: &Parameters) -> Result<Option<Prefix>, Error> {
    parameters.read(NAME, Code::InvalidPrefix, Prefix::read)
}

impl Parameter for Option<Prefix> {
    fn write(&self, query: &mut QueryString) {
        if let Some(Prefix(prefix)) = self {
            query.push(NAME, prefix);
        }
    }
}

impl Digested for Option<Prefix> {
    fn digest(&self, digest: &mut Digest) {
        if let Some(Prefix(prefix)) = self {
            digest.field(prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_follows_every_text_that_starts_with_it() {
        for (prefix, end) in [
            ("pay", Some("paz")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
            ("\u{7f}", Some("\u{80}")),
        ] {
            assert_eq!(Prefix(prefix.to_owned()).end().as_deref(), end);
        }
    }
}
