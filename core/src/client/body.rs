//! Limits of response bodies, which every transport enforces while it reads.

/// The longest body of a successful response, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// How much of the body of any other response is read and kept in the error, in bytes.
pub const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// Returns how many bytes of the body of a response with this status are read.
#[must_use]
pub const fn response_limit(status: u16) -> usize {
    if is_success(status) { MAX_RESPONSE_BYTES } else { MAX_ERROR_BODY_BYTES }
}

/// Returns whether a status is a success (2xx).
#[must_use]
pub const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}
