//! Entity tags of user tags, and the condition of a write.

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::tags::TagSet;

/// The content codings that compressing proxies append to an entity tag, after one or two hyphens.
const CODINGS: [&str; 4] = ["br", "deflate", "gzip", "zstd"];

/// Returns the strong entity tag of a set's content, quotes included.
#[must_use]
pub fn etag(tags: &TagSet) -> String {
    let mut hash = Sha256::new();
    for (key, value) in tags.iter() {
        // Keys and values cannot contain U+0000, so different sets have different inputs.
        for part in [key, value] {
            hash.update(part);
            hash.update([0]);
        }
    }
    format!("\"{}\"", hex(hash.finalize().get(..16).unwrap_or_default()))
}

/// Returns whether `If-Match` allows a write: `*`, or a list with the current tag. Weak marks and suffixes such as
/// `-gzip`, which compressing proxies add, are ignored. A malformed header allows nothing.
///
/// ```
/// use opencomputer_usage_core::etag::matches;
///
/// assert!(matches(r#"W/"a", "b""#, r#""a""#));
/// assert!(matches(r#""a-gzip""#, r#""a""#));
/// assert!(!matches("b", r#""b""#));
/// ```
#[must_use]
pub fn matches(if_match: &str, current: &str) -> bool {
    let header = if_match.trim_matches([' ', '\t']);
    let current = current.trim_matches('"');
    header == "*" || opaque_tags(header).is_some_and(|tags| tags.iter().any(|tag| is_same(tag, current)))
}

/// Returns whether an opaque part equals the current one, ignoring the suffix of a compressed response.
fn is_same(tag: &str, current: &str) -> bool {
    tag.strip_prefix(current).is_some_and(|suffix| {
        let coding = suffix.strip_prefix("--").or_else(|| suffix.strip_prefix('-'));
        suffix.is_empty() || coding.is_some_and(|coding| CODINGS.contains(&coding))
    })
}

/// Returns the opaque parts of a list of entity tags (RFC 9110, section 8.8.3), or `None` if it is malformed.
fn opaque_tags(list: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        rest = rest.strip_prefix("W/").unwrap_or(rest);
        let (opaque, after) = rest.strip_prefix('"')?.split_once('"')?;
        if opaque.chars().any(|c| c.is_control() || c == ' ') {
            return None;
        }
        tags.push(opaque);
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return Some(tags);
        }
        rest = after.strip_prefix(',')?;
    }
}
