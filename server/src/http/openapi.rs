//! The `OpenAPI` document, which `cargo xtask generate` writes.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Returns the document.
#[must_use]
pub const fn document() -> &'static str {
    include_str!("../../../docs/openapi.json")
}

/// `GET /openapi.json`
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
