//! The dashboard as the server serves it. `make dashboard` builds the files that are compared.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod common;

use std::fs;

use common::{Engine, Request, Server};
use tokio::io::AsyncReadExt;

const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboard/dist");
const PAGE_CACHING: &str = "no-cache";
const ASSET_CACHING: &str = "public, max-age=31536000, immutable";

const VIEWS: [&str; 5] =
    ["/", "/?groupBy=tag%3Ateam&key=1", "/sandboxes", "/sandboxes/sb-1", "/sandboxes/%2F..%3Cb%3E%FF"];

/// Headers of every response of the dashboard.
const PROTECTION: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// A response whose body is not text.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn assert_is_protected(&self) {
        for (name, value) in PROTECTION {
            assert_eq!(self.header(name), Some(value), "{}", self.head);
        }
    }
}

async fn ask(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let request = Request::new(method, target);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let mut bytes = Vec::new();
    request.start(server).await.read_to_end(&mut bytes).await.unwrap();
    let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: bytes[at + 4..].to_vec() }
}

/// Returns a file of the built dashboard.
fn built(name: &str) -> Vec<u8> {
    fs::read(format!("{DIST}/{name}")).unwrap_or_else(|error| panic!("run `make dashboard`: {name}: {error}"))
}

/// Returns the targets of all assets.
fn assets() -> Vec<String> {
    let entries = fs::read_dir(format!("{DIST}/assets")).expect("run `make dashboard`");
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let plain = names.filter(|name| !["br", "gz"].contains(&name.rsplit('.').next().unwrap()));
    plain.map(|name| format!("/assets/{name}")).collect()
}

#[tokio::test]
async fn every_view_is_the_page_and_needs_no_key() {
    let server = Server::start(Engine::Sqlite).await;
    for target in VIEWS {
        let reply = ask(&server, "GET", target, &[]).await;
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.body == built("index.html"), "{target}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(reply.header("cache-control"), Some(PAGE_CACHING));
        reply.assert_is_protected();
    }
}

#[tokio::test]
async fn assets_have_their_types_and_are_cached_forever() {
    let server = Server::start(Engine::Sqlite).await;
    let mut endings = Vec::new();
    for target in assets() {
        let reply = ask(&server, "GET", &target, &[]).await;
        assert!(reply.status == 200 && reply.body == built(&target), "{target}: {}", reply.status);
        let (_, ending) = target.rsplit_once('.').unwrap();
        let wanted = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "wasm" => "application/wasm",
            other => panic!("an asset of an unknown type: {other}"),
        };
        endings.push(ending.to_owned());
        assert_eq!(reply.header("content-type"), Some(wanted), "{target}");
        assert_eq!(reply.header("cache-control"), Some(ASSET_CACHING), "{target}");
        reply.assert_is_protected();
    }
    assert!(["css", "js"].iter().all(|ending| endings.iter().any(|found| found == ending)), "{endings:?}");
}

#[tokio::test]
async fn files_are_compressed_as_the_client_accepts() {
    let server = Server::start(Engine::Sqlite).await;
    for (target, file) in
        assets().into_iter().map(|path| (path.clone(), path)).chain([("/".into(), "index.html".into())])
    {
        let mut etags = Vec::new();
        for (accepted, coding, ending) in
            [("gzip, deflate, br", Some("br"), ".br"), ("gzip, br;q=0", Some("gzip"), ".gz"), ("identity", None, "")]
        {
            let accepted = ("accept-encoding", accepted);
            let reply = ask(&server, "GET", &target, &[accepted]).await;
            assert!(reply.status == 200 && reply.body == built(&format!("{file}{ending}")), "{target} {coding:?}");
            assert_eq!(reply.header("content-encoding"), coding, "{target}");
            assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{target}");
            let etag = reply.header("etag").unwrap().to_owned();

            let head = ask(&server, "HEAD", &target, &[accepted]).await;
            assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
            assert_eq!(head.header("content-length"), Some(&*reply.body.len().to_string()), "{target}");
            assert_eq!(head.header("etag"), Some(&*etag), "{target}");

            for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
                let same = ask(&server, "GET", &target, &[accepted, ("if-none-match", &known)]).await;
                assert_eq!((same.status, same.body.len()), (304, 0), "{target} {known}");
                for header in ["etag", "cache-control", "vary"] {
                    assert_eq!(same.header(header), reply.header(header), "{target} {known}");
                }
                same.assert_is_protected();
            }
            let other = ask(&server, "GET", &target, &[accepted, ("if-none-match", "\"other\"")]).await;
            assert_eq!(other.status, 200, "{target}");
            etags.push(etag);
        }
        etags.dedup();
        assert_eq!(etags.len(), 3, "{target}: {etags:?}");
    }
}

#[tokio::test]
async fn errors_are_those_of_the_api_with_the_headers_of_the_dashboard() {
    let server = Server::start(Engine::Sqlite).await;
    for (method, target, status, code) in [
        ("GET", "/assets/none.js", 404, "route_not_found"),
        ("GET", "/assets/..%2Findex.html", 404, "route_not_found"),
        ("GET", "/assets/%FF", 404, "route_not_found"),
        ("POST", "/", 405, "method_not_allowed"),
        ("PUT", "/assets/none.js", 405, "method_not_allowed"),
    ] {
        let reply = ask(&server, method, target, &[]).await;
        let body = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!(reply.status, status, "{target}");
        assert!(body.contains(&format!("\"code\":\"{code}\"")), "{target}: {body}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{target}");
        reply.assert_is_protected();
    }
    for target in
        ["/index.html", "/index.html.br", "/assets", "/assets/", "/sandboxes/", "/sandboxes/a/b", "/favicon.ico"]
    {
        assert_eq!(ask(&server, "GET", target, &[]).await.status, 404, "{target}");
    }
}
