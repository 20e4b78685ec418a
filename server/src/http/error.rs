//! How a failure travels: a handler returns it bare, the outermost layer renders it with the request's id.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opencomputer_usage_core::wire::ErrorBody;
use opencomputer_usage_core::{Code, Error};

use crate::store::StoreError;

/// A refusal or a fault. What the client is told and what the log is told are different things.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    error: Error,
    cause: Option<Arc<str>>,
}

impl Failure {
    /// A fault of the server's own.
    pub(super) fn internal(cause: impl fmt::Display) -> Self {
        Self { error: Code::Internal.plain(), cause: Some(cause.to_string().into()) }
    }

    /// A fault that may pass.
    pub(super) fn unavailable(cause: impl fmt::Display) -> Self {
        Self { error: Code::Unavailable.plain(), cause: Some(cause.to_string().into()) }
    }

    /// A request that has used its budget up.
    pub(super) fn timed_out(cause: impl fmt::Display) -> Self {
        Self { error: Code::QueryTimeout.plain(), cause: Some(cause.to_string().into()) }
    }

    /// A handler that panicked.
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::internal(format!("panic: {}", text.unwrap_or("no message")))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, cause: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable(_) => Code::Unavailable,
            StoreError::TimedOut(_) => Code::QueryTimeout,
            StoreError::Denied(_)
            | StoreError::UnknownOrg(_)
            | StoreError::PlatformReconciles
            | StoreError::NotShown(_)
            | StoreError::Internal(_) => Code::Internal,
        };
        Self { error: code.plain(), cause: Some(error.to_string().into()) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a failure, if the response is one; returns what only the log may know.
pub(super) fn render(response: &mut Response, request_id: &str) -> Option<Arc<str>> {
    let Failure { error, cause } = response.extensions_mut().remove()?;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if error.code == Code::Unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let body = serde_json::to_vec(&ErrorBody::new(error, request_id.to_owned())).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    cause
}
