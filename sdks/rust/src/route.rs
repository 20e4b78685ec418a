//! The route to the server, and messages about its faults: which party failed, and what may help. No message shows the API
//! key, or the user and password of a proxy.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use opencomputer_usage_core::client::{Event, Fault};
use reqwest::StatusCode;
use rustls::CertificateError;
use url::Url;

/// The route that requests take.
pub struct Route {
    /// The API's base URL.
    pub server: Url,
    /// The proxy on the way to it.
    pub proxy: Option<Url>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the server may be silent.
    pub read_timeout: Option<Duration>,
}

const NO_TLS: &str = "; if this port does not expect TLS, the URL must start with `http://`";

/// The party that failed.
enum Culprit<'a> {
    Server,
    /// The proxy itself.
    Proxy(&'a Url),
    /// The proxy's connection to the server.
    Tunnel(&'a Url),
}

/// Writes scheme, host and port of the server and of the proxy.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin(&self.server))?;
        self.proxy.as_ref().map_or(Ok(()), |proxy| write!(f, " through the proxy {}", origin(proxy)))
    }
}

impl Route {
    /// Returns the event of a request that got no response.
    pub fn fault(&self, error: &reqwest::Error) -> Event {
        let connecting = error.is_connect();
        if error.is_timeout() {
            return self.timeout(connecting, error);
        }
        let hyper = find(error, |_: &hyper::Error| true);
        let what = match hyper {
            _ if connecting => "cannot be reached",
            Some(hyper) if hyper.is_incomplete_message() => "closed the connection without an answer",
            Some(hyper) if hyper.is_parse() => "does not answer in HTTP",
            _ => "failed",
        };
        let culprit = self.culprit(connecting, error);
        let (who, peer) = match culprit {
            Culprit::Server => (format!("{self} {what}"), Some(&self.server)),
            Culprit::Proxy(proxy) => {
                (format!("the proxy {}, on the way to {}, {what}", origin(proxy), origin(&self.server)), Some(proxy))
            }
            Culprit::Tunnel(proxy) => {
                (format!("the proxy {} does not connect to {}", origin(proxy), origin(&self.server)), None)
            }
        };
        let hint = match peer.map(Url::scheme) {
            Some("https") if connecting => secure_hint(error),
            Some("http") if !connecting && rejects_plain_text(error) => {
                "; if this port expects TLS, the URL must start with `https://`"
            }
            _ => "",
        };
        Event::Fault(Fault::Connection, format!("{who}: {}{hint}", causes(error)))
    }

    /// Returns the event of a response that comes from the proxy instead of the server: a 407 to a request that is not tunneled.
    pub fn refusal(&self, status: StatusCode) -> Option<Event> {
        let proxy = self.proxy.as_ref().filter(|_| status == StatusCode::PROXY_AUTHENTICATION_REQUIRED)?;
        let (proxy, server) = (origin(proxy), origin(&self.server));
        let cause = format!("the proxy {proxy} does not connect to {server}: proxy authorization required");
        Some(Event::Fault(Fault::Connection, cause))
    }

    /// Returns the event of a response that broke off after `read` bytes of its body.
    pub fn broken(&self, error: &reqwest::Error, read: usize) -> Event {
        if error.is_timeout() {
            return self.timeout(false, error);
        }
        Event::Fault(
            Fault::Connection,
            format!("the answer of {self} breaks off after {read} bytes of its body: {}", causes(error)),
        )
    }

    fn timeout(&self, connecting: bool, error: &reqwest::Error) -> Event {
        let (what, option, limit) = if connecting {
            ("cannot be reached", "connect_timeout", Some(self.connect_timeout))
        } else {
            ("is silent", "read_timeout", self.read_timeout)
        };
        let why = match limit {
            Some(limit) => format!("`{option}` is {} s", limit.as_secs_f64()),
            None => causes(error),
        };
        Event::Fault(Fault::Timeout, format!("{self} {what}: {why}"))
    }

    fn culprit(&self, connecting: bool, error: &reqwest::Error) -> Culprit<'_> {
        let Some(proxy) = &self.proxy else {
            return Culprit::Server;
        };
        // These errors have no public type.
        let causes = causes(error);
        let failed = causes.contains("failed to create underlying connection");
        if failed || !proxy.scheme().starts_with("socks") && self.server.scheme() == "http" {
            Culprit::Proxy(proxy)
        } else if connecting && (causes.contains("tunnel error") || causes.contains("SOCKS error")) {
            Culprit::Tunnel(proxy)
        } else {
            Culprit::Server
        }
    }
}

/// Returns whether a server reacted as one that expects TLS does: with an alert, a close or a reset.
fn rejects_plain_text(error: &reqwest::Error) -> bool {
    let hyper = find(error, |_: &hyper::Error| true);
    hyper.is_some_and(|hyper| hyper.is_incomplete_message() || hyper.is_parse()) || find(error, is_disconnect).is_some()
}

/// Returns whether the other side ended the connection.
fn is_disconnect(error: &io::Error) -> bool {
    // Windows reports some resets as aborts.
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Advises what to change if TLS cannot be set up.
fn secure_hint(error: &reqwest::Error) -> &'static str {
    match find(error, |_: &rustls::Error| true) {
        // Another authority of the same name has another signature.
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "; if you trust its certificate authority, name a file with its certificate in the option `ssl_cert_file` or in \
             the environment variable `SSL_CERT_FILE`"
        }
        Some(rustls::Error::InvalidMessage(_)) => NO_TLS,
        None if find(error, is_disconnect).is_some() => NO_TLS,
        _ => "",
    }
}

fn origin(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Returns the causes of an error in one line, without those that say only that a request failed.
fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<_> = chain(error).iter().skip(1).map(ToString::to_string).collect();
    texts.retain(|text| !text.starts_with("client error ("));
    texts.dedup();
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

/// Returns an error and its causes, including those that an I/O error wraps.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut chain = vec![error];
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    // An I/O error shows what it wraps, so its source is that error's.
    let cause = wrapped.map_or_else(|| error.source(), |error| Some(error));
    chain.extend(cause.into_iter().flat_map(self::chain));
    chain
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static), wanted: impl Fn(&T) -> bool) -> Option<&'a T> {
    chain(error).into_iter().filter_map(|error| error.downcast_ref()).find(|error| wanted(error))
}
