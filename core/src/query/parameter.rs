//! The encoding of query parameters, and their part of the digest that binds a cursor to its query.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// A parameter of a usage query.
pub(crate) trait Parameter {
    /// Writes the parameter, unless it has its default.
    fn write(&self, query: &mut QueryString);
}

/// A parameter's part of the digest. Separate from [`Parameter`], so that clients do not include SHA-256.
pub(crate) trait Digested {
    /// Adds the parameter's value. A parameter that may change from page to page adds nothing.
    fn digest(&self, digest: &mut Digest);
}

/// A builder of encoded query strings.
#[derive(Default)]
pub(crate) struct QueryString(String);

impl QueryString {
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        let separator = if self.0.is_empty() { "" } else { "&" };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{separator}{}={}", percent_encode(name), percent_encode(value));
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// SHA-256 over length-prefixed fields.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn field(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    /// Returns the first 16 hex digits.
    pub(crate) fn finish(self) -> String {
        hex(self.0.finalize().get(..8).unwrap_or_default())
    }
}

/// Percent-encodes all characters except the unreserved ones of RFC 3986. A space becomes `%20`.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}
