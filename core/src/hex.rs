//! Bytes as lower-case hex.

use std::fmt::Write as _;

/// Writes bytes as lower-case hex.
///
/// ```
/// assert_eq!(opencomputer_usage_core::hex::hex(&[0x0f, 0xa0]), "0fa0");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
