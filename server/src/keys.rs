//! API keys: how they are generated and stored.
//!
//! A key is looked up by its SHA-256; the key itself is never compared. The time of a lookup could reveal how many
//! leading digits of a hash are right. To use that, an attacker would need keys with chosen hash prefixes, and each
//! further digit costs sixteen times the work, against 256 random bits. An index lookup is therefore as safe as a
//! comparison in constant time.

use opencomputer_usage_core::usage::window::Timestamp;
use sha2::{Digest, Sha256};

/// The longest name of a key.
const MAX_NAME_CHARACTERS: usize = 128;

/// The stored part of a new key. The key itself is shown once and not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The name that its owner gave it.
    pub name: String,
    /// Its first characters, by which its owner recognizes it.
    pub prefix: String,
    /// The hash by which it is looked up.
    pub hash: String,
    /// The time at which it expires.
    pub expires_at: Option<Timestamp>,
}

/// Checks the name of a key.
pub fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err("a name must not be empty".to_owned()),
        _ if text.contains(char::is_control) => Err("a name must not contain control characters".to_owned()),
        0..=MAX_NAME_CHARACTERS => Ok(text.to_owned()),
        characters => Err(format!("a name has at most {MAX_NAME_CHARACTERS} characters, this one has {characters}")),
    }
}

/// Generates a key of 32 random bytes that never expires. The second part is the key itself.
pub fn generate(name: &str) -> Result<(NewKey, String), getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = format!("oc_{}", hex(&secret));
    let prefix = key.chars().take(11).collect();
    Ok((NewKey { name: name.to_owned(), prefix, hash: hash(&key), expires_at: None }, key))
}

/// Returns the lower-case hex SHA-256 of a whole key.
#[must_use]
pub fn hash(key: &str) -> String {
    hex(&Sha256::digest(key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
