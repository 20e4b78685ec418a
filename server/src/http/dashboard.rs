//! The dashboard: a page that calls the API with the reader's key, and its assets. The build embeds both.

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use opencomputer_usage_core::Code;

use super::error::Result;
use super::handler::App;

/// The files of the dashboard; none if the server was built without it.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

struct File {
    /// The path below the root of the server.
    path: &'static str,
    media_type: &'static str,
    plain: Form,
    /// The compressed forms by content coding, the preferred one first.
    compressed: &'static [(&'static str, Form)],
}

struct Form {
    etag: &'static str,
    bytes: &'static [u8],
}

/// Headers of every response. The page runs only its own scripts, sends the key only to its own server, and cannot be
/// framed.
const PROTECTION: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Returns whether the server was built with the dashboard.
#[must_use]
pub fn is_embedded() -> bool {
    !FILES.is_empty()
}

/// Returns the routes of the dashboard. Its views share one page, which reads the path.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(page))
        .route("/sandboxes", get(page))
        .route("/sandboxes/{id}", get(page))
        .route("/assets/{file}", get(asset))
}

/// Adds the headers that protect the reader, and keeps errors out of caches.
pub(super) async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn page(headers: HeaderMap) -> Result {
    show_page(find("index.html"), &headers)
}

fn show_page(page: Option<&File>, headers: &HeaderMap) -> Result {
    let missing = "this server was built without the dashboard: run `make dashboard`, then build the server again";
    let page = page.ok_or_else(|| Code::RouteNotFound.error(missing))?;
    Ok(respond(page, "no-cache", headers))
}

async fn asset(uri: Uri, headers: HeaderMap) -> Result {
    let file = find(uri.path().trim_start_matches('/')).ok_or_else(|| Code::RouteNotFound.plain())?;
    // Its name contains a hash of its content.
    Ok(respond(file, "public, max-age=31536000, immutable", &headers))
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// Responds with the preferred form of a file that the client accepts, or with 304 if the client has that form.
fn respond(file: &File, caching: &'static str, headers: &HeaderMap) -> Response {
    let compressed = file.compressed.iter().find(|(coding, _)| accepts(headers, coding));
    let (coding, form) = compressed.map_or((None, &file.plain), |(coding, form)| (Some(*coding), form));
    let common = [(header::CACHE_CONTROL, caching), (header::ETAG, form.etag), (header::VARY, "Accept-Encoding")];
    if items(headers, &header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == form.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mut response = (common, [(header::CONTENT_TYPE, file.media_type)], form.bytes).into_response();
    if let Some(coding) = coding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Returns whether a client accepts a content coding. A weight of 0 refuses it.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    items(headers, &header::ACCEPT_ENCODING).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let is_zero = weight.trim().get(2..).is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case(coding) && !is_zero
    })
}

/// Returns the items of a header that is a list.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error;

    #[tokio::test]
    async fn a_server_without_the_dashboard_says_how_to_build_it() {
        let mut response = show_page(None, &HeaderMap::new()).into_response();
        error::render(&mut response, "id");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        assert!(body.contains("built without the dashboard: run `make dashboard`"), "{body}");
    }

    #[test]
    fn a_coding_is_accepted_by_name_unless_its_weight_is_zero() {
        for (accepted, wanted) in [
            ("gzip, deflate, br, zstd", true),
            ("deflate,BR ; q=0.001", true),
            ("br;q=1.000", true),
            ("br;q=0", false),
            ("gzip, br; q=0.000", false),
            ("gzip", false),
            ("brotli", false),
            ("", false),
        ] {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))].into_iter().collect();
            assert_eq!(accepts(&headers, "br"), wanted, "{accepted}");
        }
    }
}
