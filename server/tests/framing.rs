//! Heads and bodies that two HTTP servers could frame differently, on the binary itself. None may smuggle a request.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod live;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use live::{Live, Place, key_header};

const SESSION: &str = r#"{"type":"session","sandboxId":"sb-1","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z"}"#;

/// The last request on a connection. The server answers it only if it found the end of the request before it.
const LAST: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Sends bytes and [`LAST`]. Returns the statuses of all responses. Fails if the server keeps the connection open.
fn statuses(live: &Live, bytes: &str) -> Vec<String> {
    let mut stream = live.connect();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // The server may close first.
    let _ = stream.write_all(bytes.as_bytes()).and_then(|()| stream.write_all(LAST.as_bytes()));
    let mut answers = Vec::new();
    let mut buffer = [0; 4096];
    // A reset ends the responses, too, but a timeout does not.
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answers.extend(&buffer[..read]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{bytes}");
                break;
            }
        }
    }
    let answers = String::from_utf8(answers).unwrap();
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

/// A request that must not be answered if it is inside of another one.
const SMUGGLED: &str = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn requests_with_ambiguous_framing_are_rejected_and_smuggle_nothing() {
    let place = Place::new();
    place.import(SESSION);
    let own = key_header(&place.key(&[]));
    let live = place.serve(&[]);
    let put = |headers: &str, body: &str| {
        format!(
            "PUT /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\n{own}content-type: application/json\r\n{headers}\r\n{body}"
        )
    };
    let chunked = "transfer-encoding: chunked\r\n";
    let chunks = format!("2\r\n{{}}\r\n0\r\n\r\n{SMUGGLED}");
    let length = |length: usize| format!("content-length: {length}\r\n");
    for (name, sent, wanted) in [
        ("one request after another", put(&length(2), &format!("{{}}{SMUGGLED}")), vec!["200"; 3]),
        ("chunks", put(chunked, &chunks), vec!["200"; 3]),
        ("chunk extensions", put(chunked, "2;a=\"b\"\r\n{}\r\n0;x\r\n\r\n"), vec!["200"; 2]),
        ("trailers", put(chunked, "2\r\n{}\r\n0\r\nx-api-key: other\r\ncontent-length: 9\r\n\r\n"), vec!["200"; 2]),
        // Chunks override a length, but then nothing more is read from the connection (RFC 9112, section 6.3).
        ("a length beside chunks", put(&(length(4) + chunked), &chunks), vec!["200"]),
        ("chunks beside a length", put(&(chunked.to_owned() + &length(4)), &chunks), vec!["200"]),
        ("a length of 0 beside chunks", put(&(length(0) + chunked), &chunks), vec!["200"]),
        ("two lengths", put(&(length(2) + &length(40)), &format!("{{}}{SMUGGLED}")), vec!["400"]),
        ("a list of lengths", put("content-length: 2, 40\r\n", &format!("{{}}{SMUGGLED}")), vec!["400"]),
        ("a signed length", put("content-length: +2\r\n", "{}"), vec!["400"]),
        ("a negative length", put("content-length: -1\r\n", "{}"), vec!["400"]),
        ("a hexadecimal length", put("content-length: 0x2\r\n", "{}"), vec!["400"]),
        ("a length with a space inside", put("content-length: 2 0\r\n", "{}"), vec!["400"]),
        ("an empty length", put("content-length: \r\n", "{}"), vec!["400"]),
        ("a length of 2^64 + 2", put("content-length: 18446744073709551618\r\n", "{}"), vec!["400"]),
        ("two codings", put(&chunked.repeat(2), &chunks), vec!["400"]),
        ("a coding in a list", put("transfer-encoding: chunked, identity\r\n", &chunks), vec!["400"]),
        ("an unknown coding", put("transfer-encoding: xchunked\r\n", &chunks), vec!["400"]),
        ("a coding with a vertical tab", put("transfer-encoding: \x0bchunked\r\n", &chunks), vec!["400"]),
        ("a coding in quotes", put("transfer-encoding: \"chunked\"\r\n", &chunks), vec!["400"]),
        ("a space before the colon", put("transfer-encoding : chunked\r\n", &chunks), vec!["400"]),
        ("a space before the name", put(&format!(" {chunked}{}", length(2)), "{}"), vec!["400"]),
        ("a folded coding", put("transfer-encoding:\r\n chunked\r\n", &chunks), vec!["400"]),
        ("a folded value", put(&format!("x-a: b\r\n c\r\n{}", length(2)), "{}"), vec!["400"]),
        ("a null byte in a value", put(&format!("x-a: \0\r\n{}", length(2)), "{}"), vec!["400"]),
        ("a line feed in a name", put(&format!("x-a\n: b\r\n{}", length(2)), "{}"), vec!["400"]),
        ("a carriage return in a value", put(&format!("x-a: b\rc: d\r\n{}", length(2)), "{}"), vec!["400"]),
        ("a chunk size with a sign", put(chunked, "+2\r\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("a chunk size with a prefix", put(chunked, "0x2\r\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("a chunk size of more than 64 bits", put(chunked, "10000000000000002\r\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("an empty chunk size", put(chunked, "\r\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("a chunk longer than its size", put(chunked, "2\r\n{}x\r\n0\r\n\r\n"), vec!["400"]),
        ("a chunk size that ends in a line feed", put(chunked, "2\n{}\n0\n\n"), vec!["400"]),
        ("an extension with a line feed", put(chunked, "2;\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("an endless extension", put(chunked, &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000))), vec!["400"]),
        (
            "endless trailers",
            put(chunked, &format!("2\r\n{{}}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(20_000))),
            vec!["400"],
        ),
    ] {
        assert_eq!(statuses(&live, &sent), wanted, "{name}");
    }
    // The body of a rejected request is not a request.
    let get = format!("GET /api/tags HTTP/1.1\r\nhost: x\r\n{own}content-length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len());
    assert_eq!(statuses(&live, &get), ["200"; 2]);
    let unknown =
        format!("PUT /api/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len());
    assert_eq!(statuses(&live, &unknown), ["404", "200"]);
}

#[test]
fn malformed_request_lines_are_rejected() {
    let place = Place::new();
    let live = place.serve(&[]);
    let healthy = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for (name, sent, wanted) in [
        ("pipelined requests", healthy.repeat(3), vec!["200"; 4]),
        ("empty lines before a request", format!("\r\n\r\n{healthy}"), vec!["200"; 2]),
        ("line feeds only", healthy.replace("\r\n", "\n"), vec!["200"; 2]),
        ("junk after a request", format!("{healthy}\0\u{1}junk\r\n\r\n{healthy}"), vec!["200", "400"]),
        ("HTTP/0.9", "GET /healthz\r\n\r\n".to_owned(), vec!["400"]),
        ("HTTP/1.2", healthy.replace("1.1", "1.2"), vec!["400"]),
        ("HTTP/2.0", healthy.replace("1.1", "2.0"), vec!["400"]),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), vec![]),
        ("a TLS hello", "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03\r\n\r\n".to_owned(), vec!["400"]),
        ("no method", " /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), vec!["400"]),
        ("two spaces", healthy.replace("GET /", "GET  /"), vec!["400"]),
        ("a space in the target", healthy.replace("/healthz", "/a b"), vec!["400"]),
        ("a control character in the target", healthy.replace("/healthz", "/\u{7}"), vec!["400"]),
        ("a quote in the path", healthy.replace("/healthz", "/\"x\""), vec!["404", "200"]),
        ("a quote in the query", healthy.replace("/healthz", "/healthz?a=\"x\""), vec!["400"]),
        ("an absolute target", healthy.replace("/healthz", "http://other/healthz"), vec!["200"; 2]),
        ("a path upwards", healthy.replace("/healthz", "/assets/../../../etc/passwd"), vec!["404", "200"]),
        ("an encoded path upwards", healthy.replace("/healthz", "/assets/..%2f..%2fetc%2fpasswd"), vec!["404", "200"]),
        ("the target of CONNECT", "CONNECT other:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), vec!["404", "200"]),
        ("an upgrade", healthy.replace("\r\n\r\n", "\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"), vec!["200"; 2]),
        ("10,000 headers", healthy.replace("\r\n\r\n", &format!("\r\n{}\r\n", "a:b\r\n".repeat(10_000))), vec!["431"]),
        ("101 headers", healthy.replace("\r\n\r\n", &format!("\r\n{}\r\n", "a:b\r\n".repeat(101))), vec!["431"]),
        ("a method of 200 KB", healthy.replace("GET", &"G".repeat(200_000)), vec!["431"]),
        ("a target of 100 KB", healthy.replace("/healthz", &format!("/{}", "h".repeat(100_000))), vec!["414"]),
        (
            "a header name of 20 KB",
            healthy.replace("host: x", &format!("host: x\r\n{}: y", "n".repeat(20_000))),
            vec!["431"],
        ),
        ("an expectation that nobody knows", healthy.replace("host", "expect: 200-maybe\r\nhost"), vec!["200"; 2]),
    ] {
        assert_eq!(statuses(&live, &sent), wanted, "{name}");
    }
    assert_eq!(statuses(&live, healthy), ["200"; 2]);
    live.terminate();
    assert!(!live.log().contains("panic"));
}
