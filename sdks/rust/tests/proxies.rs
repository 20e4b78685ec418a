//! Proxies from the option and from the environment, in front of a real server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use common::{Authority, NO_KEYS, Stub, call_in, client, closed, connection_failure, head, is_child, relay, through};
use opencomputer_usage::{Client, Kind, TransportOptions};

#[test]
fn no_key_goes_to_a_proxy_that_no_proxy_excludes() {
    if is_child() {
        return;
    }
    let test = "no_key_goes_to_a_proxy_that_no_proxy_excludes";
    let (server, proxy) = (Stub::http(NO_KEYS), Stub::proxy());
    let port = server.address.port();
    let six = TcpListener::bind("[::1]:0")
        .map(|six| Stub::listen(six, |stream, note| common::answer_once(stream, note, NO_KEYS)));
    let direct = |stub: &Stub, no_proxy: &str| {
        for name in ["NO_PROXY", "no_proxy"] {
            let variables =
                [("HTTP_PROXY", proxy.url("http")), ("ALL_PROXY", proxy.url("http")), (name, no_proxy.to_owned())];
            let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
            let before = stub.seen().len();
            assert_eq!(call_in(test, &variables, &stub.url("http")), "answered", "{name}={no_proxy}");
            assert_eq!(stub.seen().len(), before + 1);
            assert!(proxy.seen().is_empty(), "{name}={no_proxy}: {:?}", proxy.seen());
        }
    };
    for no_proxy in ["*", "example.com, *", "127.0.0.1", &format!("127.0.0.1:{port}"), "127.0.0.0/8"] {
        direct(&server, no_proxy);
    }
    // Only if the machine has IPv6.
    if let Ok(six) = six {
        for no_proxy in ["*", "[::1]", &format!("[::1]:{}", six.address.port()), "::/0"] {
            direct(&six, no_proxy);
        }
    }
    // In a CGI script, a header of the request sets `HTTP_PROXY`.
    let variables = [("HTTP_PROXY", &*proxy.url("http")), ("REQUEST_METHOD", "GET")];
    assert_eq!(call_in(test, &variables, &server.url("http")), "answered");
    assert!(proxy.seen().is_empty(), "{:?}", proxy.seen());
    let variables = [("HTTP_PROXY", proxy.url("http")), ("NO_PROXY", format!("127.0.0.1:{}", port ^ 1))];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(call_in(test, &variables, &server.url("http")), "answered");
    assert!(proxy.seen()[0].starts_with(&format!("GET http://127.0.0.1:{port}/api/tags ")), "{:?}", proxy.seen());
}

#[test]
fn an_unusable_proxy_from_the_environment_is_refused() {
    if is_child() {
        return;
    }
    let test = "an_unusable_proxy_from_the_environment_is_refused";
    let server = Stub::http(NO_KEYS);
    for proxy in ["ftp://me:hidden@h", "x://h", "http://[::1", "http://a b"] {
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            let outcome = call_in(test, &[(name, proxy)], &server.url("http"));
            // On Windows, the names of variables have no case.
            let name = if cfg!(windows) { name.to_uppercase() } else { name.to_owned() };
            assert!(outcome.starts_with("refused: ") && outcome.contains(&format!("`{name}`")), "{outcome}");
            assert!(!outcome.contains("hidden"), "{outcome}");
        }
    }
    assert!(server.seen().is_empty());
}

#[test]
fn an_unusable_option_is_refused() {
    for proxy in ["ftp://me:hidden@h", "x://h", "http://[::1", "http://a b", ""] {
        let error = TransportOptions::new(None, Some(proxy.to_owned()), None, None).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidRequest);
        assert!(error.message.contains("`proxy`") && !error.message.contains("hidden"), "{error}");
    }
    for (connect, read, name) in [(Some(0.0), None, "connect_timeout"), (None, Some(f64::NAN), "read_timeout")] {
        let error = TransportOptions::new(None, None, connect, read).unwrap_err();
        assert!(error.message.contains(name), "{error}");
    }
}

#[tokio::test]
async fn the_option_applies_to_every_request() {
    let (server, proxy) = (Stub::http(NO_KEYS), Stub::proxy());
    let url = format!("http://me:p%40ss@{}", proxy.address);
    client(&server.url("http"), through(&url)).tags().list_keys().await.unwrap();
    assert!(proxy.seen()[0].to_lowercase().contains("proxy-authorization: basic "), "{:?}", proxy.seen());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_request_to_a_server_with_tls_goes_through_a_tunnel() {
    let authority = Authority::new("authority");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let (server, proxy) = (authority.serve("127.0.0.1", NO_KEYS), Stub::proxy());
    let transport = TransportOptions::new(Some(file), Some(proxy.url("http")), None, None).unwrap();
    client(&server.url("https"), transport).tags().list_keys().await.unwrap();
    assert!(proxy.seen()[0].starts_with(&format!("CONNECT {} ", server.address)));
    assert_eq!(server.seen(), ["GET /api/tags HTTP/1.1"]);
}

/// A proxy that inspects TLS: it answers in place of the server, with a certificate from its own authority.
fn inspector(authority: &Authority, server: &str) -> (Stub, Stub) {
    let inside = authority.serve(server, NO_KEYS);
    let address = inside.address;
    let proxy = Stub::start(move |mut stream, note| {
        note(head(&mut stream)?.lines().next().unwrap().to_owned());
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        relay(&stream, TcpStream::connect(address)?)
    });
    (proxy, inside)
}

#[test]
fn a_proxy_that_inspects_tls_is_trusted_by_its_authority() {
    if is_child() {
        return;
    }
    let test = "a_proxy_that_inspects_tls_is_trusted_by_its_authority";
    let authority = Authority::new("inspector");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    // As companies do, its certificate follows those of other authorities.
    std::fs::write(&file, format!("{}{}", Authority::new("another").pem, authority.pem)).unwrap();
    let (proxy, inside) = inspector(&authority, "api.example.com");
    let through = ("HTTPS_PROXY", &*proxy.url("http"));
    let outcome = call_in(test, &[through], "https://api.example.com");
    assert!(outcome.starts_with("failed: ") && outcome.contains("`ssl_cert_file`"), "{outcome}");
    for name in ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let trusting = (name, file.to_str().unwrap());
        assert_eq!(call_in(test, &[through, trusting], "https://api.example.com"), "answered", "{name}");
    }
    assert_eq!(proxy.seen(), ["CONNECT api.example.com:443 HTTP/1.1"; 3]);
    assert_eq!(inside.seen(), ["GET /api/tags HTTP/1.1"; 2]);
}

#[tokio::test]
async fn a_proxy_with_tls_needs_a_trusted_certificate() {
    let authority = Authority::new("authority");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let proxy = authority.serve("127.0.0.1", NO_KEYS);
    let url = proxy.url("https");
    let trusting = TransportOptions::new(Some(file), Some(url.clone()), None, None).unwrap();
    client("http://api.example.com", trusting).tags().list_keys().await.unwrap();
    assert_eq!(proxy.seen(), ["GET http://api.example.com/api/tags HTTP/1.1"]);
    for server in ["http://api.example.com:80", "https://api.example.com:443"] {
        let message = connection_failure(server, through(&url)).await;
        assert!(message.contains(&format!("the proxy {url}, on the way to {server}, cannot be reached")), "{message}");
        assert!(message.contains("`ssl_cert_file`"), "{message}");
    }
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929) that records users and destinations.
fn socks(password: Option<&'static str>) -> Stub {
    Stub::start(move |mut stream, note| {
        let read = |stream: &mut TcpStream, length: usize| {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).map(|()| bytes)
        };
        let count = read(&mut stream, 2)?[1];
        let methods = read(&mut stream, count.into())?;
        let method = if password.is_some() { 2 } else { 0 };
        assert!(methods.contains(&method));
        stream.write_all(&[5, method])?;
        if let Some(password) = password {
            let length = read(&mut stream, 2)?[1];
            let user = String::from_utf8(read(&mut stream, length.into())?).unwrap();
            let length = read(&mut stream, 1)?[0];
            let given = String::from_utf8(read(&mut stream, length.into())?).unwrap();
            stream.write_all(&[1, u8::from(given != password)])?;
            note(user);
        }
        let kind = read(&mut stream, 4)?[3];
        let host = match kind {
            1 => Ipv4Addr::from(<[u8; 4]>::try_from(read(&mut stream, 4)?).unwrap()).to_string(),
            4 => Ipv6Addr::from(<[u8; 16]>::try_from(read(&mut stream, 16)?).unwrap()).to_string(),
            _ => {
                let length = read(&mut stream, 1)?[0];
                String::from_utf8(read(&mut stream, length.into())?).unwrap()
            }
        };
        let port = read(&mut stream, 2)?;
        let port = u16::from_be_bytes([port[0], port[1]]);
        note(host.clone());
        let Ok(server) = TcpStream::connect((host.as_str(), port)) else {
            return stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
        };
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        relay(&stream, server)
    })
}

#[tokio::test]
async fn requests_go_through_socks_proxies() {
    // Its address is the first one of `localhost`, which is an IPv6 address on some systems.
    let listener = TcpListener::bind("localhost:0").unwrap();
    let server = Stub::listen(listener, |stream, note| common::answer_once(stream, note, NO_KEYS));
    let base_url = format!("http://localhost:{}", server.address.port());
    let proxy = socks(None);
    client(&base_url, through(&proxy.url("socks5"))).tags().list_keys().await.unwrap();
    client(&base_url, through(&proxy.url("socks5h"))).tags().list_keys().await.unwrap();
    // With the first scheme, the client resolves the name; with the second, the proxy does.
    assert_eq!(proxy.seen(), [&server.address.ip().to_string(), "localhost"]);
    let proxy = socks(Some("p@ss"));
    let url = format!("socks5h://me:p%40ss@{}", proxy.address);
    client(&base_url, through(&url)).tags().list_keys().await.unwrap();
    assert_eq!(proxy.seen(), ["me", "localhost"]);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_error_says_whether_the_proxy_or_the_server_failed() {
    let (server, gone) = (Stub::http(NO_KEYS), closed());
    let origin = |scheme: &str, address: &dyn ToString| format!("{scheme}://{}", address.to_string());
    for scheme in ["http", "https"] {
        let url = server.url(scheme);
        for proxy in ["http", "socks5h"] {
            let message = connection_failure(&url, through(&format!("{proxy}://me:hidden@{gone}"))).await;
            let proxy = origin(proxy, &gone);
            assert!(
                message.contains(&format!("the proxy {proxy}, on the way to {url}, cannot be reached")),
                "{message}"
            );
        }
    }
    for (answer, schemes, why) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", &["http", "https"][..], "authorization required"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", &["https"], "unsuccessful"),
    ] {
        for scheme in schemes {
            let (proxy, url) = (Stub::http(answer), server.url(scheme));
            let message = connection_failure(&url, through(&format!("http://me:hidden@{}", proxy.address))).await;
            let expected = format!("the proxy {} does not connect to {url}: ", proxy.url("http"));
            assert!(message.contains(&expected) && message.contains(why), "{message}");
        }
    }
    // The proxy runs, the server does not.
    let proxy = socks(None);
    let message = connection_failure(&origin("http", &gone), through(&proxy.url("socks5h"))).await;
    assert!(
        message.contains(&format!("the proxy {} does not connect to http://{gone}", proxy.url("socks5h"))),
        "{message}"
    );
    // A tunnel to a server without TLS. The fault is the server's.
    let proxy = Stub::proxy();
    let message = connection_failure(&server.url("https"), through(&proxy.url("http"))).await;
    let expected = format!("{} through the proxy {} cannot be reached", server.url("https"), proxy.url("http"));
    assert!(message.contains(&expected) && message.contains("`http://`"), "{message}");
}

#[test]
fn debug_output_hides_the_password_of_a_proxy() {
    let builder = Client::builder().api_key("oc_secret").base_url("https://api.example.com");
    let client = builder.transport(through("http://me:hidden@proxy:3128")).build().unwrap();
    assert!(!format!("{client:?}").contains("hidden"));
}
