//! How one parameter of a query is written, and what it adds to the digest that binds a cursor to its query.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// A parameter of a usage query.
pub(crate) trait Parameter {
    /// Writes the parameter; a default is left out.
    fn write(&self, query: &mut QueryString);
}

/// What a parameter adds to the digest. Apart from [`Parameter`], so that a client does not carry SHA-256.
pub(crate) trait Digested {
    /// Adds what makes two queries different walks; a parameter that may change from page to page adds nothing.
    fn digest(&self, digest: &mut Digest);
}

/// An encoded query string in the making.
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

    /// The first 16 hex digits.
    pub(crate) fn finish(self) -> String {
        hex(self.0.finalize().get(..8).unwrap_or_default())
    }
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes all but the unreserved characters of RFC 3986; a space is `%20`.
pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
