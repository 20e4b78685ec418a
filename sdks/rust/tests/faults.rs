//! Faults on the way to a server: which party the error names, what it advises, and which faults are retried.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use common::{Authority, KEY, NO_KEYS, Stub, call_in, client, closed, connection_failure, failure, head, is_child};
use opencomputer_usage::{Client, Kind, TransportOptions};
use socket2::SockRef;

fn trusting(file: impl Into<PathBuf>) -> TransportOptions {
    TransportOptions::new(Some(file.into()), None, None, None).unwrap()
}

#[tokio::test]
async fn the_error_for_a_missing_server_names_it() {
    let gone = closed();
    let message = connection_failure(&format!("http://{gone}"), TransportOptions::default()).await;
    assert!(message.contains(&format!("http://{gone} cannot be reached")) && message.contains("refused"), "{message}");
    let message = connection_failure("https://host.invalid", TransportOptions::default()).await;
    assert!(message.contains("https://host.invalid:443 cannot be reached"), "{message}");
}

#[tokio::test]
async fn the_error_for_tls_to_a_plain_port_advises_http() {
    for server in [
        Stub::http("HTTP/1.1 400 Bad Request\r\n\r\n"),
        Stub::start(|mut stream, _| {
            // Closes the connection after the first bytes.
            stream.read_exact(&mut [0; 16])
        }),
    ] {
        let message = connection_failure(&server.url("https"), TransportOptions::default()).await;
        assert!(message.contains(&server.url("https")) && message.contains("must start with `http://`"), "{message}");
    }
}

/// The reactions of a TLS server to a plain request.
const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 70];

#[tokio::test]
async fn the_error_for_a_plain_request_to_a_tls_port_advises_https() {
    let authority = Authority::new("authority");
    let servers = [
        authority.serve("127.0.0.1", NO_KEYS),
        Stub::start(|mut stream, _| head(&mut stream).and_then(|_| stream.write_all(ALERT))),
        Stub::start(|mut stream, _| head(&mut stream).map(drop)),
        // A reset without an alert, as from a server that closes with unread bytes.
        Stub::start(|mut stream, _| {
            stream.read_exact(&mut [0; 5])?;
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))
        }),
    ];
    for server in servers {
        let message = connection_failure(&server.url("http"), TransportOptions::default()).await;
        assert!(message.contains(&server.url("http")) && message.contains("must start with `https://`"), "{message}");
    }
}

#[tokio::test]
async fn the_error_for_an_unknown_authority_names_the_option() {
    let authority = Authority::new("authority");
    let directory = tempfile::tempdir().unwrap();
    let (file, other) = (directory.path().join("ca.pem"), directory.path().join("other.pem"));
    std::fs::write(&file, &authority.pem).unwrap();
    std::fs::write(&other, Authority::new("another").pem).unwrap();
    let namesake = directory.path().join("namesake.pem");
    std::fs::write(&namesake, Authority::new("authority").pem).unwrap();
    let server = authority.serve("127.0.0.1", NO_KEYS);
    for transport in [TransportOptions::default(), trusting(&other), trusting(&namesake)] {
        let message = connection_failure(&server.url("https"), transport).await;
        for part in [&server.url("https"), "invalid peer certificate", "`ssl_cert_file`", "`SSL_CERT_FILE`"] {
            assert!(message.contains(part), "{message}");
        }
    }
    client(&server.url("https"), trusting(&file)).tags().list_keys().await.unwrap();
    // The certificate is trusted, but belongs to another server, so trusting more authorities would not help.
    let server = authority.serve("other.example", NO_KEYS);
    let message = connection_failure(&server.url("https"), trusting(&file)).await;
    assert!(message.contains("other.example") && !message.contains("ssl_cert_file"), "{message}");
}

#[test]
fn unreadable_certificates_of_the_option_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    let broken = directory.path().join("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for base_url in ["https://api.example.com", "http://api.example.com"] {
        for (file, why) in
            [(&directory.path().join("none.pem"), "os error 2"), (&empty, "holds none"), (&broken, "holds none")]
        {
            let builder = Client::builder().api_key(KEY).base_url(base_url).transport(trusting(file));
            let error = builder.build().unwrap_err();
            assert_eq!(error.kind, Kind::InvalidRequest);
            for part in ["`ssl_cert_file`", why, &file.display().to_string()] {
                assert!(error.message.contains(part), "{error}");
            }
        }
    }
}

#[test]
fn certificates_from_the_environment_are_trusted_or_refused() {
    if is_child() {
        return;
    }
    let test = "certificates_from_the_environment_are_trusted_or_refused";
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let server = authority.serve("127.0.0.1", NO_KEYS);
    let (file, parent) = (file.to_str().unwrap(), directory.path().to_str().unwrap());
    let missing = format!("{parent}/missing");
    let call = |variables: &[(&str, &str)]| call_in(test, variables, &server.url("https"));
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        assert_eq!(call(&[(name, file)]), "answered");
        let outcome = call(&[(name, &missing)]);
        assert!(outcome.starts_with("refused: ") && outcome.contains(&format!("`{name}`")), "{outcome}");
        assert!(outcome.contains(&missing) && outcome.contains("os error 2"), "{outcome}");
    }
    assert_eq!(call(&[("SSL_CERT_DIR", parent)]), "answered");
    let both = std::env::join_paths([&*missing, parent]).unwrap();
    assert_eq!(call(&[("SSL_CERT_DIR", both.to_str().unwrap())]), "answered");
    assert_eq!(call(&[("SSL_CERT_DIR", &missing), ("SSL_CERT_FILE", file)]), "answered");
    assert!(call(&[("SSL_CERT_DIR", &missing)]).contains("`SSL_CERT_DIR`"));
    assert!(call(&[("SSL_CERT_FILE", &missing), ("SSL_CERT_DIR", parent)]).contains("`SSL_CERT_FILE`"));
    // Empty variables count as unset, and the system does not trust this authority.
    assert!(call(&[("REQUESTS_CA_BUNDLE", "")]).contains("UnknownIssuer"));
    // A client without TLS reads no certificates.
    let server = Stub::http(NO_KEYS);
    assert_eq!(call_in(test, &[("SSL_CERT_FILE", &missing)], &server.url("http")), "answered");
}

#[tokio::test]
async fn a_connect_timeout_is_retried() {
    // The server accepts, but never answers the handshake, which is part of connecting.
    let server = Stub::start(|mut stream, note| {
        note("came".to_owned());
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let transport = TransportOptions::new(None, None, Some(0.2), None).unwrap();
    let url = server.url("https");
    let client = Client::builder().api_key(KEY).base_url(&url).max_retries(1).transport(transport).build().unwrap();
    let error = client.tags().list_keys().await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout);
    for part in [url.as_str(), "`connect_timeout` is 0.2 s"] {
        assert!(error.message.contains(part), "{error}");
    }
    server.wait(2);
}

#[tokio::test]
async fn a_read_timeout_is_retried() {
    let silent = Stub::start(|mut stream, note| {
        note("came".to_owned());
        head(&mut stream)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let stalling = Stub::start(|mut stream, note| {
        note("came".to_owned());
        head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys")?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    for server in [silent, stalling] {
        let transport = TransportOptions::new(None, None, None, Some(0.2)).unwrap();
        let url = server.url("http");
        let client = Client::builder().api_key(KEY).base_url(&url).max_retries(1).transport(transport).build().unwrap();
        let error = client.tags().list_keys().await.unwrap_err();
        assert_eq!(error.kind, Kind::Timeout);
        for part in [url.as_str(), "`read_timeout` is 0.2 s"] {
            assert!(error.message.contains(part), "{error}");
        }
        server.wait(2);
    }
}

#[tokio::test]
async fn the_error_for_a_timeout_names_the_server() {
    let server = Stub::start(|mut stream, _| io::copy(&mut stream, &mut io::sink()).map(drop));
    let builder = Client::builder().api_key(KEY).base_url(server.url("http")).timeout(Duration::from_millis(200));
    let error = builder.build().unwrap().tags().list_keys().await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout);
    assert!(error.message.contains("200 ms") && error.message.contains(&server.url("http")), "{error}");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_a_connection_fault() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n{\"keys\":[]}\r\n",
    ] {
        let server = Stub::http(answer);
        let message = connection_failure(&server.url("http"), TransportOptions::default()).await;
        let expected = format!("the answer of {} breaks off after 11 bytes", server.url("http"));
        assert!(message.contains(&expected), "{message}");
    }
    // Contradicting lengths make the response invalid.
    let server = Stub::http("HTTP/1.1 200 OK\r\ncontent-length: 11\r\ncontent-length: 12\r\n\r\n{\"keys\":[]}");
    let message = connection_failure(&server.url("http"), TransportOptions::default()).await;
    assert!(message.contains(&server.url("http")) && message.contains("content-length"), "{message}");
}

#[tokio::test]
async fn the_error_for_a_compressed_body_names_the_compression() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\u{1f}x",
        "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let error = failure(&Stub::http(answer).url("http"), TransportOptions::default()).await;
        assert_eq!((error.kind, error.status), (Kind::Decode, Some(200)));
        assert!(error.message.contains("compressed"), "{error}");
    }
    // Without `Content-Encoding`, but with the first bytes of gzip.
    let server = Stub::start(|mut stream, _| {
        head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\0")
    });
    let error = failure(&server.url("http"), TransportOptions::default()).await;
    assert!(error.kind == Kind::Decode && error.message.contains("gzip"), "{error}");
    // The status of an error response still decides the kind of the error.
    let server = Stub::http("HTTP/1.1 401 X\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\u{1f}x");
    assert_eq!(failure(&server.url("http"), TransportOptions::default()).await.kind, Kind::Authentication);
    let server = Stub::http("HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}");
    client(&server.url("http"), TransportOptions::default()).tags().list_keys().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_closes_without_another_call() {
    let (closed, closing) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Stub::listen(listener, move |mut stream, _| {
        head(&mut stream)?;
        stream.write_all(NO_KEYS.as_bytes())?;
        let end = stream.read(&mut [0])?;
        closed.send(end).map_err(io::Error::other)
    });
    let client = client(&server.url("http"), TransportOptions::default());
    client.tags().list_keys().await.unwrap();
    assert!(closing.recv_timeout(Duration::from_millis(200)).is_err(), "the connection is kept alive");
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(200)).await;
    tokio::time::resume();
    let end = tokio::task::spawn_blocking(move || closing.recv_timeout(Duration::from_secs(30))).await.unwrap();
    assert_eq!(end, Ok(0));
    drop(client);
}
