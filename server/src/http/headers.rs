//! The names of headers that this API defines.

use axum::http::HeaderName;

/// The key of the caller.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The id of the request, as the log has it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
