//! Requests that are rejected before routing because of their head, like malformed ones by the HTTP library.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};

/// The most bytes of a request's headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Returns the error response to the head of a request, or `None` if the head is valid.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    let status = status(request.version(), request.headers())?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    // If the framing is in doubt, the connection cannot be used for another request.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn status(version: Version, headers: &HeaderMap) -> Option<StatusCode> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > MAX_HEADER_BYTES {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let encoded = encodings.next().is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    // Old health checks speak HTTP/1.0, which has no `Host`.
    let hosts_wrong = hosts > 1 || (hosts == 0 && version >= Version::HTTP_11);
    (hosts_wrong || encoded || encodings.next().is_some()).then_some(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_are_malformed_or_too_large_are_refused() {
        let [fits, too_long] = [0, 1].map(|more| "x".repeat(MAX_HEADER_BYTES - "host: a\r\nx: \r\n".len() + more));
        let cases = [
            (Version::HTTP_11, vec![("host", "a")], 0),
            (Version::HTTP_10, vec![], 0),
            (Version::HTTP_11, vec![], 400),
            (Version::HTTP_11, vec![("host", "a"), ("host", "a")], 400),
            (Version::HTTP_10, vec![("host", "a"), ("host", "b")], 400),
            (Version::HTTP_11, vec![("host", "a"), ("transfer-encoding", "Chunked")], 0),
            (Version::HTTP_11, vec![("host", "a"), ("transfer-encoding", "gzip, chunked")], 400),
            (Version::HTTP_11, vec![("host", "a"), ("transfer-encoding", "identity")], 400),
            (
                Version::HTTP_11,
                vec![("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                400,
            ),
            (Version::HTTP_11, vec![("host", "a"), ("x", &*fits)], 0),
            (Version::HTTP_11, vec![("host", "a"), ("x", &*too_long)], 431),
        ];
        for (version, given, wanted) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in &given {
                headers.append(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
            }
            let got = status(version, &headers).map_or(0, |status| status.as_u16());
            assert_eq!(got, wanted, "{version:?} {:?}", given.iter().map(|(name, _)| name).collect::<Vec<_>>());
        }
    }
}
