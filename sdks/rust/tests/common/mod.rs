//! Small servers and proxies, with one thread for each connection.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::missing_panics_doc, reason = "a test may panic")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opencomputer_usage::{Client, ClientError, Kind, TransportOptions};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// An API key, which no message may contain.
pub const KEY: &str = "oc_0123456789abcdef";
/// A response of `tags.list_keys`.
pub const NO_KEYS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}";

/// A server and the lines that it recorded.
#[derive(Clone)]
pub struct Stub {
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Serves each connection with a function, which may record lines.
    pub fn start(serve: impl Fn(TcpStream, &dyn Fn(String)) -> io::Result<()> + Clone + Send + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
    }

    /// Does the same as `start` on a given listener.
    pub fn listen(
        listener: TcpListener,
        serve: impl Fn(TcpStream, &dyn Fn(String)) -> io::Result<()> + Clone + Send + 'static,
    ) -> Self {
        let stub = Self { address: listener.local_addr().unwrap(), log: Arc::default() };
        let log = Arc::clone(&stub.log);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serve, log) = (serve.clone(), Arc::clone(&log));
                // Ignores errors of clients that close early.
                thread::spawn(move || serve(stream.unwrap(), &|line| log.lock().unwrap().push(line)));
            }
        });
        stub
    }

    /// Answers each request with the same bytes, records its first line and closes the connection.
    pub fn http(answer: &'static str) -> Self {
        Self::start(move |stream, note| answer_once(stream, note, answer))
    }

    /// Forwards plain requests and opens tunnels, as an HTTP proxy does.
    pub fn proxy() -> Self {
        Self::start(|mut stream, note| {
            let head = head(&mut stream)?;
            note(head.clone());
            let line = head.lines().next().unwrap();
            let target = line.split(' ').nth(1).unwrap();
            if line.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                return relay(&stream, TcpStream::connect(target)?);
            }
            let target = target.strip_prefix("http://").unwrap();
            let (authority, path) = target.split_once('/').unwrap();
            let mut server = TcpStream::connect(authority)?;
            server
                .write_all(head.replacen(&format!("http://{authority}/{path}"), &format!("/{path}"), 1).as_bytes())?;
            relay(&stream, server)
        })
    }

    pub fn seen(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until `count` lines are recorded: connections are served by other threads.
    pub fn wait(&self, count: usize) {
        while self.seen().len() < count {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.seen().len(), count);
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

pub fn answer_once(mut stream: impl Read + Write, note: &dyn Fn(String), answer: &str) -> io::Result<()> {
    note(head(&mut stream)?.lines().next().unwrap().to_owned());
    stream.write_all(answer.as_bytes())?;
    stream.flush()
}

/// Reads up to the empty line after the headers, or one byte of anything but HTTP, such as a TLS handshake.
pub fn head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if !head[0].is_ascii_uppercase() {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Copies bytes both ways until one side closes.
pub fn relay(client: &TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Both)
    });
    io::copy(&mut server, &mut &*client)?;
    client.shutdown(Shutdown::Both)
}

/// Returns an address that nothing listens on.
pub fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Serves TLS with a certificate for a name or address.
    pub fn serve(&self, name: &str, answer: &'static str) -> Stub {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        Stub::start(move |stream, note| {
            let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = rustls::StreamOwned::new(connection, stream);
            answer_once(&mut stream, note, answer)?;
            stream.conn.send_close_notify();
            stream.flush()
        })
    }
}

/// Builds a client that does not retry.
pub fn client(base_url: &str, transport: TransportOptions) -> Client {
    Client::builder().api_key(KEY).base_url(base_url).max_retries(0).transport(transport).build().unwrap()
}

/// Returns the error of a call. It must not show the key, or `hidden`, which stands for a password.
pub async fn failure(base_url: &str, transport: TransportOptions) -> ClientError {
    let error = client(base_url, transport).tags().list_keys().await.unwrap_err();
    assert!(!format!("{error:?}").contains(KEY) && !format!("{error:?}").contains("hidden"), "{error:?}");
    error
}

pub async fn connection_failure(base_url: &str, transport: TransportOptions) -> String {
    let error = failure(base_url, transport).await;
    assert_eq!(error.kind, Kind::Connection, "{error}");
    error.message.clone()
}

pub fn through(proxy: &str) -> TransportOptions {
    TransportOptions::new(None, Some(proxy.to_owned()), None, None).unwrap()
}

const CHILD: &str = "TEST_BASE_URL";
const OUTCOME: &str = "outcome: ";

/// Runs the named test again in a process with these variables. Returns the outcome of its call.
pub fn call_in(test: &str, variables: &[(&str, &str)], base_url: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "REQUEST_METHOD"] {
        command.env_remove(name);
    }
    let output = command.args([test, "--exact", "--nocapture"]).env(CHILD, base_url).envs(variables.iter().copied());
    let output = String::from_utf8(output.output().unwrap().stdout).unwrap();
    let outcome = output.split_once(OUTCOME).map(|(_, outcome)| outcome);
    outcome.unwrap().lines().next().unwrap().to_owned()
}

/// Makes the call and prints its outcome, in a process that `call_in` started.
pub fn is_child() -> bool {
    let Ok(base_url) = std::env::var(CHILD) else {
        return false;
    };
    let client =
        Client::builder().api_key(KEY).base_url(base_url).max_retries(0).timeout(Duration::from_secs(20)).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = match client {
        Err(error) => format!("refused: {error}"),
        Ok(client) => match runtime.block_on(client.tags().list_keys()) {
            Ok(_) => "answered".to_owned(),
            Err(error) => format!("failed: {error}"),
        },
    };
    println!("{OUTCOME}{outcome}");
    true
}
