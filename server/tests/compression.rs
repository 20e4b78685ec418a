//! Which responses are compressed, with which coding, and that decompressing them gives the same page.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::Read as _;

use common::{Engine, ORG, Request, Server};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// A page that is sent whole, and one that is rendered while it is sent.
const PAGES: [&str; 2] =
    ["/api/sandboxes?limit=50", "/api/usage?groupBy=sandbox&from=2026-01-01&to=2026-02-01&limit=500"];

/// A server with 500 sandboxes, each with 8 tags.
async fn server() -> Server {
    let server = Server::start(Engine::Sqlite).await;
    let lines = |n: usize| {
        let id = format!("sb-{n:04}");
        let started_at = "2026-01-10T00:00:00Z";
        let session = json!({
            "type": "session", "sandboxId": id, "template": "base", "region": "use2", "workerId": "w-1",
            "status": "running", "startedAt": started_at,
        });
        let event = json!({
            "type": "scale", "sandboxId": id, "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480 + n,
            "startedAt": started_at, "endedAt": "2026-01-11T00:00:00Z",
        });
        let set: serde_json::Map<_, _> =
            (0..8).map(|k| (format!("key-{k}"), json!(format!("value-{n}-{k}")))).collect();
        format!("{session}\n{event}\n{}\n", json!({ "type": "tags", "sandboxId": id, "tags": set }))
    };
    server.import(ORG, &(0..500).map(lines).collect::<String>()).await.unwrap();
    server
}

struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    async fn to(request: Request, server: &Server) -> Self {
        let mut bytes = Vec::new();
        request.key(&server.key).start(server).await.read_to_end(&mut bytes).await.unwrap();
        let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..at + 2].to_vec()).unwrap();
        let body = bytes.split_off(at + 4);
        let body = if head.contains("transfer-encoding: chunked\r\n") { joined(&body) } else { body };
        Self { head, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&start))
    }

    /// Returns the page without the instant of the request.
    fn page(&self) -> Value {
        let json = match self.header("content-encoding") {
            None => self.body.clone(),
            Some("zstd") => zstd::decode_all(&*self.body).unwrap(),
            Some("gzip") => {
                let mut json = Vec::new();
                flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut json).unwrap();
                json
            }
            Some(other) => panic!("an unknown coding {other}"),
        };
        let mut page: Value = serde_json::from_slice(&json).unwrap();
        if let Some(page) = page.as_object_mut() {
            page.remove("asOf");
        }
        page
    }
}

/// Joins the chunks of a body.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let at = chunked.windows(2).position(|end| end == b"\r\n").unwrap();
        let size = usize::from_str_radix(str::from_utf8(&chunked[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend(&chunked[at + 2..at + 2 + size]);
        chunked = &chunked[at + 4 + size..];
    }
}

#[tokio::test]
async fn large_pages_are_compressed_as_the_client_accepts() {
    let server = server().await;
    for target in PAGES {
        let plain = Response::to(Request::new("GET", target), &server).await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
        for (accepted, coding) in [
            ("gzip", Some("gzip")),
            ("zstd", Some("zstd")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("GZIP", Some("gzip")),
            ("zstd;q=0.5, gzip", Some("gzip")),
            ("zstd;q=0, gzip;q=0.1", Some("gzip")),
            ("gzip;q=0", None),
            ("br, deflate, compress", None),
            ("identity", None),
            ("gzip;q=nonsense", None),
            (",;,=", None),
        ] {
            let got = Response::to(Request::new("GET", target).header("accept-encoding", accepted), &server).await;
            assert_eq!(got.header("content-encoding"), coding, "{target} {accepted}: {}", got.head);
            assert!(got.page() == plain.page(), "{target} {accepted}");
            for name in ["vary", "content-type", "cache-control", "link"] {
                assert_eq!(got.header(name), plain.header(name), "{target} {accepted}");
            }
            if coding.is_some() {
                let (small, large) = (got.body.len(), plain.body.len());
                assert!(small * 4 < large, "{target} {accepted}: {small} of {large} bytes");
            }
        }
    }
}

#[tokio::test]
async fn small_responses_errors_and_those_with_an_entity_tag_are_not_compressed() {
    let server = server().await;
    let large: serde_json::Map<_, _> = (0..50).map(|n| (format!("key-{n}"), json!("v".repeat(256)))).collect();
    let large = json!(large).to_string();
    let tags = "/api/sandboxes/sb-0000/tags";
    let too_many: serde_json::Map<_, _> = (0..500).map(|n| (format!("no key {n}"), json!(""))).collect();
    for (request, status, is_large) in [
        (Request::new("PUT", tags).json(large), "200", true),
        (Request::new("GET", tags), "200", true),
        (Request::new("GET", "/api/sandboxes/sb-0001"), "200", false),
        (Request::new("PUT", tags).json(json!(too_many).to_string()), "400", true),
        (Request::new("GET", "/api/usage"), "400", false),
        (Request::new("GET", "/api/nothing"), "404", false),
    ] {
        let got = Response::to(request.header("accept-encoding", "gzip, zstd"), &server).await;
        assert_eq!(got.head.split(' ').nth(1), Some(status));
        assert_eq!(got.header("content-encoding"), None, "{}", got.head);
        assert_eq!(got.header("content-length"), Some(&*got.body.len().to_string()));
        assert_eq!(got.body.len() > 4096, is_large, "{}", got.head);
    }
}

#[tokio::test]
async fn the_head_of_a_compressed_page_has_no_body() {
    let server = server().await;
    for target in PAGES {
        let got = Response::to(Request::new("HEAD", target).header("accept-encoding", "zstd"), &server).await;
        assert!(got.head.starts_with("HTTP/1.1 200") && got.body.is_empty(), "{}", got.head);
        assert_eq!(got.header("vary"), Some("accept-encoding"));
    }
}
