//! HTTP responses, and the typed errors of unsuccessful ones.

use super::body::MAX_ERROR_BODY_BYTES;
use super::fault::{ClientError, Kind};
use super::retry::retry_after_ms;
use crate::error::{Code, TagViolation};
use crate::host::json::Json;
use crate::wire::reply::SandboxTags;

/// Response headers that are not copied into an error.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "cookie", "proxy-authenticate", "set-cookie", "www-authenticate", "x-api-key"];

/// An HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 if the host hides a redirect.
    pub status: u16,
    /// Headers, at least `retry-after`, `etag` and `x-request-id`; names in any case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the entity tag. An empty one and `*` identify no state and count as missing.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header("etag").map(str::trim).filter(|etag| !matches!(*etag, "" | "*" | "\"\"" | "W/\"\""))
    }

    /// Returns the milliseconds that the server asks the client to wait.
    pub(super) fn retry_after_ms(&self, now_ms: f64) -> Option<f64> {
        retry_after_ms(self.header("retry-after")?, now_ms)
    }

    pub(super) fn undecodable(&self, why: &str) -> ClientError {
        self.fault(Kind::Decode, format!("the response (HTTP {}) does not match the API: {why}", self.status))
    }

    pub(super) fn unsupported(&self, why: &str) -> ClientError {
        self.fault(Kind::UnsupportedByServer, why.to_owned())
    }

    fn fault(&self, kind: Kind, message: String) -> ClientError {
        let mut error = ClientError::new(kind, message).with_body(&self.body);
        error.status = Some(self.status).filter(|&status| status != 0);
        error.request_id = self.header("x-request-id").map(str::to_owned);
        let shown = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        error.headers = shown.filter(|(name, _)| !SECRET_HEADERS.contains(&name.as_str())).collect();
        error
    }

    /// Builds the error for an unsuccessful status, at `now_ms` milliseconds since the epoch.
    pub(super) fn error(&self, now_ms: f64) -> ClientError {
        let text = String::from_utf8_lossy(self.body.get(..MAX_ERROR_BODY_BYTES).unwrap_or(&self.body));
        // Some of the platform's handlers write a second document after the first.
        let body = Json::parse_first(&text).unwrap_or(Json::Null);
        let member = |name| body.text(name).map(str::to_owned);
        let code = member("code");
        let is_tags = code.as_deref() == Some(Code::InvalidTags.as_str());
        let kind = match self.status {
            400 if is_tags => Kind::TagValidation,
            400 => Kind::InvalidRequest,
            401 => Kind::Authentication,
            403 => Kind::PermissionDenied,
            404 => Kind::NotFound,
            409 | 412 => Kind::Conflict,
            429 => Kind::RateLimit,
            500..=599 => Kind::Server,
            _ => Kind::Api,
        };
        let redirect = matches!(self.status, 0 | 300..=303 | 305..=399);
        let message = member("error").or_else(|| member("message")).or_else(|| sentence(&text));
        let mut message = message.unwrap_or_else(|| match self.status {
            _ if redirect => "the server redirects, but redirects are not followed: check the base URL".to_owned(),
            status => format!("the server responded with HTTP {status}"),
        });
        let is_route = code.as_deref() == Some(Code::RouteNotFound.as_str());
        if kind == Kind::NotFound && (is_route || body.text("error").is_none()) {
            message.push_str(": check the base URL, requests go to `/api/…` below it");
        }
        let violations = match body.member("violations") {
            Ok(Some(Json::List(violations))) => TagViolation::read_all(violations),
            _ => None,
        };
        let mut error = self.fault(kind, message);
        error.request_id = member("requestId").or(error.request_id.take());
        error.violations = violations.unwrap_or_default();
        error.code = code;
        error.retry_after = self.retry_after_ms(now_ms).map(|ms| ms / 1_000.0);
        error
    }
}

impl SandboxTags {
    /// Returns the entity tag as the condition for a write.
    ///
    /// # Errors
    ///
    /// [`Kind::UnsupportedByServer`] if the server sent none, because the write would be unconditional.
    pub fn condition(&self) -> Result<&str, ClientError> {
        let none = "the server sent no `ETag` with these tags, so a write cannot depend on them";
        self.etag.as_deref().ok_or_else(|| ClientError::new(Kind::UnsupportedByServer, none))
    }
}

/// Returns the body if it is plain text and short enough for a message.
fn sentence(body: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let text = body.trim();
    let plain = !text.starts_with(['<', '{', '[', '"']) && !text.chars().any(char::is_control);
    (plain && !text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}
