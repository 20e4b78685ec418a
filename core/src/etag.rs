//! Entity tags of a sandbox's user tags, and the condition under which a write goes through.

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::tags::TagSet;

/// The strong entity tag of a set's content, quotes included.
#[must_use]
pub fn etag(tags: &TagSet) -> String {
    let mut hash = Sha256::new();
    for (key, value) in tags.iter() {
        // Neither can hold U+0000, so no two sets are hashed alike.
        for part in [key, value] {
            hash.update(part);
            hash.update([0]);
        }
    }
    format!("\"{}\"", hex(hash.finalize().get(..16).unwrap_or_default()))
}

/// Whether `If-Match` lets a write through: `*`, or a list that has the current tag, weak marks ignored.
/// A malformed header lets nothing through.
///
/// ```
/// use opencomputer_usage_core::etag::matches;
///
/// assert!(matches(r#"W/"a", "b""#, r#""a""#));
/// assert!(!matches("b", r#""b""#));
/// ```
#[must_use]
pub fn matches(if_match: &str, current: &str) -> bool {
    let header = if_match.trim_matches([' ', '\t']);
    header == "*" || opaque_tags(header).is_some_and(|tags| tags.contains(&current.trim_matches('"')))
}

/// The opaque parts of a list of entity tags (RFC 9110, section 8.8.3), or `None` where it is no such list.
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
