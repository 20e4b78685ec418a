//! Base64url without padding (RFC 4648), the form of cursors.
//!
//! The general encoder and decoder of the `base64` crate would add a kilobyte to the module that browsers download. Tests
//! compare with it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The number of bits that a character encodes.
const BITS: u32 = 6;

/// Encodes bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    let (mut waiting, mut count) = (0_u32, 0);
    let mut push = |bits: u32| text.extend(ALPHABET.get((bits & 63) as usize).map(|&byte| char::from(byte)));
    for &byte in bytes {
        waiting = waiting << u8::BITS | u32::from(byte);
        count += u8::BITS;
        while count >= BITS {
            count -= BITS;
            push(waiting >> count);
        }
    }
    if count > 0 {
        push(waiting << (BITS - count));
    }
    text
}

/// Decodes a text; `None` if it is invalid, also if unused bits are set.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut waiting, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let bits = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        waiting = waiting << BITS | u32::from(bits);
        count += BITS;
        if count >= u8::BITS {
            count -= u8::BITS;
            bytes.push((waiting >> count).to_le_bytes()[0]);
            waiting &= (1 << count) - 1;
        }
    }
    // Fewer than six bits are left, and they are zero.
    (count < BITS && waiting == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encodes_and_decodes_bytes_as_the_crate_does(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert_eq!(&text, &URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn decodes_and_rejects_texts_as_the_crate_does(text in "[-_=+/A-Za-z0-9 é]{0,9}|[-_A-Za-z0-9]{0,9}|[AQgw]{1,5}") {
            prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok(), "{}", text);
        }
    }
}
