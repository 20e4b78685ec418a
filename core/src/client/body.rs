//! Limits of response bodies, which every transport enforces while it reads.

/// The most bytes in the body of a successful response.
pub const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// The most bytes of the body of an unsuccessful response that are read and kept in the error.
pub const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// Returns the most bytes to read of the body of a response with this status.
#[must_use]
pub const fn response_limit(status: u16) -> usize {
    if is_success(status) { MAX_RESPONSE_BYTES } else { MAX_ERROR_BODY_BYTES }
}

/// Returns whether a status is a success (2xx).
#[must_use]
pub const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}
