//! Compression of large responses with gzip or zstd, as `Accept-Encoding` allows.

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// The size from which a response is compressed. A smaller one fits into one packet anyway.
const MIN_BYTES: u16 = 1024;

/// Builds the layer. It compresses at the fastest level, because a better one saves few bytes of JSON and costs several
/// times the CPU.
pub(super) fn layer() -> CompressionLayer<impl Predicate> {
    let large = SizeAbove::new(MIN_BYTES).and(is_without_etag);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(large)
}

/// Returns whether a response has no entity tag. A strong one identifies the exact bytes, so they must not change.
fn is_without_etag(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(header::ETAG)
}
