//! Endless responses. They have their own process, because its memory is measured.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Write;

use common::{Stub, failure, head};
use flate2::Compression;
use flate2::write::GzEncoder;
use opencomputer_usage::{Kind, TransportOptions};

const MIB: usize = 1 << 20;

/// Sends a body of chunks until the client leaves.
fn endless(status: &'static str) -> Stub {
    Stub::start(move |mut stream, _| {
        head(&mut stream)?;
        write!(stream, "HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\nx-request-id: req-7\r\n\r\n")?;
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat();
        loop {
            stream.write_all(&chunk)?;
        }
    })
}

/// Returns the peak of resident memory in bytes, if the system reports it.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib << 10)
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_limit() {
    let before = peak();
    let error = failure(&endless("200 OK").url("http"), TransportOptions::default()).await;
    assert_eq!((error.kind, error.status, error.request_id.as_deref()), (Kind::Decode, Some(200), Some("req-7")));
    assert!(error.message.contains("64 MiB"), "{error}");
    assert!(error.body.as_ref().is_none_or(|body| body.len() <= 64 << 10));
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 128 * MIB, "{} MiB", (after - before) / MIB);
    }
    let error = failure(&endless("500 X").url("http"), TransportOptions::default()).await;
    assert_eq!((error.kind, error.status), (Kind::Server, Some(500)));
    assert_eq!(error.body.as_ref().map(String::len), Some(64 << 10));
    // A body with such a `Content-Length` is not read at all.
    let announced = Stub::http("HTTP/1.1 200 OK\r\ncontent-length: 68719476736\r\n\r\n{");
    let error = failure(&announced.url("http"), TransportOptions::default()).await;
    assert!(error.kind == Kind::Decode && error.message.contains("64 MiB"), "{error}");
}

#[tokio::test]
async fn a_body_that_expands_beyond_the_limit_is_not_decompressed() {
    let mut member = GzEncoder::new(Vec::new(), Compression::fast());
    member.write_all(&vec![b' '; MIB]).unwrap();
    let bomb = member.finish().unwrap().repeat(256);
    for announced in ["content-encoding: gzip\r\n", ""] {
        let body = bomb.clone();
        let server = Stub::start(move |mut stream, _| {
            head(&mut stream)?;
            write!(stream, "HTTP/1.1 200 OK\r\n{announced}content-length: {}\r\n\r\n", body.len())?;
            stream.write_all(&body)
        });
        let before = peak();
        let error = failure(&server.url("http"), TransportOptions::default()).await;
        assert!(error.kind == Kind::Decode && error.message.contains("compressed (gzip)"), "{error}");
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before < 128 * MIB, "{} MiB", (after - before) / MIB);
        }
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let server = Stub::start(|mut stream, _| {
        head(&mut stream)?;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{\"keys\":[]}}", 64 * MIB)?;
        stream.write_all(&vec![b' '; 64 * MIB - 11])
    });
    common::client(&server.url("http"), TransportOptions::default()).tags().list_keys().await.unwrap();
}
