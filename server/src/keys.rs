//! API keys: how one is made, and the only form in which it is kept.
//!
//! A key is found by the SHA-256 of the whole key, and no comparison ever sees the key itself. What the time of such a
//! look-up could give away is how many leading digits of a hash are right; to make use of that, one would have to
//! find keys whose hashes start as wished, and each further digit costs sixteen times the work, on 256 random bits.
//! So an index look-up tells no more than a comparison in constant time would.

use opencomputer_usage_core::usage::window::Timestamp;
use sha2::{Digest, Sha256};

/// Longest name of a key.
const MAX_NAME_CHARACTERS: usize = 128;

/// A key that was just made. The key itself is shown once and stored nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// Its first characters, by which its owner can tell it from others.
    pub prefix: String,
    /// The hash that stands for it.
    pub hash: String,
    /// From when on it opens nothing any more.
    pub expires_at: Option<Timestamp>,
}

/// Reads what a key is to be called.
pub fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err("a name must not be empty".to_owned()),
        _ if text.contains(char::is_control) => Err("a name must not contain control characters".to_owned()),
        0..=MAX_NAME_CHARACTERS => Ok(text.to_owned()),
        characters => Err(format!("a name has at most {MAX_NAME_CHARACTERS} characters, this one has {characters}")),
    }
}

/// Makes a key of 32 random bytes that never expires; the second part is the key itself.
pub fn generate(name: &str) -> Result<(NewKey, String), getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = format!("oc_{}", hex(&secret));
    let prefix = key.chars().take(11).collect();
    Ok((NewKey { name: name.to_owned(), prefix, hash: hash(&key), expires_at: None }, key))
}

/// The lower-case hex SHA-256 of a whole key.
#[must_use]
pub fn hash(key: &str) -> String {
    hex(&Sha256::digest(key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
