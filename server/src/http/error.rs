//! Failures of handlers. The outermost layer renders them with the id of the request.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opencomputer_usage_core::wire::ErrorBody;
use opencomputer_usage_core::{Code, Error};

use crate::store::StoreError;

/// The `Retry-After` of a busy server.
const BUSY: Duration = Duration::from_secs(1);

/// The result of a handler.
pub(super) type Result<T = Response, E = Failure> = std::result::Result<T, E>;

/// A rejected request or a fault of the server. The client gets `error`, the log gets `cause`.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    error: Error,
    cause: Option<Arc<str>>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// Creates an internal error.
    pub(super) fn internal(cause: impl fmt::Display) -> Self {
        Self::caused(Code::Internal.plain(), cause)
    }

    /// Creates a failure that may be temporary.
    pub(super) fn unavailable(cause: impl fmt::Display) -> Self {
        Self::caused(Code::Unavailable.plain(), cause)
    }

    /// Creates the failure of a request that exceeded its time limit.
    pub(super) fn timed_out(cause: impl fmt::Display) -> Self {
        Self::caused(Code::QueryTimeout.plain(), cause)
    }

    /// Creates the failure of a busy server.
    pub(super) fn busy(cause: impl fmt::Display) -> Self {
        Self::caused(Code::Unavailable.error("the server is busy, retry later"), cause).retry_after(BUSY)
    }

    /// Creates the failure of a caller that exceeds its share.
    pub(super) fn rate_limited(wait: Duration) -> Self {
        Self::from(Code::RateLimited.plain()).retry_after(wait)
    }

    fn caused(error: Error, cause: impl fmt::Display) -> Self {
        Self { error, cause: Some(cause.to_string().into()), retry_after: None }
    }

    fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Creates the failure of a handler that panicked.
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::internal(format!("panic: {}", text.unwrap_or("no message")))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, cause: None, retry_after: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Crowded { by_caller: true, .. } => Self::rate_limited(BUSY),
            StoreError::Crowded { .. } => Self::busy(error),
            StoreError::TimedOut(_) | StoreError::Locked { .. } => Self::timed_out(error),
            StoreError::Denied(_)
            | StoreError::UnknownOrg(_)
            | StoreError::PlatformReconciles
            | StoreError::NoSamples
            | StoreError::SampleOfAnotherOrg
            | StoreError::NotShown(_)
            | StoreError::Internal(_) => Self::internal(error),
        }
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

/// Renders the body of a response that is a failure. Returns the cause, which only the log may contain.
pub(super) fn render(response: &mut Response, request_id: &str) -> Option<Arc<str>> {
    let Failure { error, cause, retry_after } = response.extensions_mut().remove()?;
    let headers = response.headers_mut();
    if let Some(wait) = retry_after {
        // The header counts whole seconds, so it rounds up.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if error.code == Code::Unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let body = serde_json::to_vec(&ErrorBody::new(error, request_id.to_owned())).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_rounds_up() {
        for (wait, header) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
            let mut response = Failure::rate_limited(Duration::from_millis(wait)).into_response();
            render(&mut response, "id");
            assert_eq!(response.headers()[header::RETRY_AFTER], header);
        }
    }
}
