//! Responses, and the rejection of malformed requests.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::go;

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

impl Answer {
    /// Returns a body that Go's encoder wrote: escaped for HTML, with a newline at its end.
    pub(crate) fn go(status: StatusCode, body: &impl Serialize) -> Self {
        Self { status, content_type: "application/json", body: go::encode(body) + "\n" }
    }

    /// Returns an error of a handler: a sentence without a code.
    pub(crate) fn error(status: StatusCode, message: impl Into<String>) -> Self {
        Self::go(status, &json!({ "error": message.into() }))
    }

    /// Returns an error of the web framework, for requests that reach no handler.
    pub(crate) fn framework(status: StatusCode, message: &str) -> Self {
        Self::go(status, &json!({ "message": message }))
    }

    /// Returns a body that `JSON.stringify` wrote.
    pub(crate) fn javascript(status: StatusCode, body: &impl Serialize) -> Self {
        Self { status, content_type: "application/json", body: serde_json::to_string(body).unwrap_or_default() }
    }

    /// Returns a body that is not JSON.
    pub(crate) fn text(status: StatusCode, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=UTF-8", body: body.to_owned() }
    }

    /// Appends the body of a second response, which came too late to change the status.
    pub(crate) fn followed_by(mut self, late: &Self) -> Self {
        self.body += &late.body;
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}
