//! Cross-origin requests. Browsers refuse them unless an operator allows the origin.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::headers::{API_KEY, REQUEST_ID};

/// The time for which a browser may cache a preflight response.
const REMEMBERED: Duration = Duration::from_hours(1);

/// An origin whose pages may call the API, as a browser writes it, or `*` for all origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    /// Rejects an origin that no browser sends, because it would never match.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an origin, allowed: `*` and `scheme://host[:port]` without a path");
        let text = text.trim().to_ascii_lowercase();
        if text != "*" {
            let uri: Uri = text.parse().map_err(|_| wrong())?;
            let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
            if authority.as_str().contains('@') || text != format!("{scheme}://{authority}") {
                return Err(wrong());
            }
        }
        HeaderValue::from_str(&text).map(Self).map_err(|_| wrong())
    }
}

/// Builds the layer with the headers of the contract. Keys travel in headers, so credentials need not be allowed.
pub(super) fn layer(origins: &[Origin]) -> CorsLayer {
    let any = origins.iter().any(|Origin(origin)| origin == "*");
    let listed = origins.iter().map(|Origin(origin)| origin.clone()).filter(|origin| origin != "*");
    CorsLayer::new()
        .allow_origin(if any { AllowOrigin::any() } else { AllowOrigin::list(listed) })
        .allow_methods([Method::GET, Method::PUT])
        .allow_headers([header::IF_MATCH, API_KEY, header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::ETAG, REQUEST_ID, header::RETRY_AFTER, header::LINK])
        .max_age(REMEMBERED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_origins_as_browsers_send_them() {
        for (given, kept) in [
            ("*", "*"),
            (" https://App.Example.com ", "https://app.example.com"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(given.parse::<Origin>().map(|Origin(origin)| origin), Ok(HeaderValue::from_static(kept)));
        }
        for wrong in
            ["", "null", "example.com", "https://a.b/", "https://a.b/c", "https://a.b?c", "https://u@a.b", "a b"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
