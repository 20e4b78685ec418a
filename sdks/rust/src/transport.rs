//! Sends one request with reqwest and rustls, within its timeout and without following redirects.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opencomputer_usage_core::client::{ClientError, Event, Fault, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{ClientBuilder, Method, Proxy, redirect};
use url::Url;

use crate::body;
use crate::proxy;
use crate::route::Route;
use crate::tls::Tls;

/// How long a connection may be idle. The pool is also checked at this interval, so a connection closes after at most twice
/// that time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How long connecting may take by default. The addresses of a host share this time, so one that does not answer leaves
/// time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Options of connections. By default, certificates and proxies come from the environment and the system.
#[derive(Clone, Default)]
pub struct TransportOptions {
    ssl_cert_file: Option<PathBuf>,
    proxy: Option<Url>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl TransportOptions {
    /// Takes a PEM file of the certificates to trust, the URL of a proxy for every request, and the seconds that connecting
    /// and each read may take within the timeout of the call.
    ///
    /// ```
    /// use opencomputer_usage::{Client, TransportOptions};
    ///
    /// let transport = TransportOptions::new(None, Some("http://proxy:3128".to_owned()), Some(2.0), None)?;
    /// let client = Client::builder().api_key("oc_key").base_url("https://api.example.com").transport(transport).build()?;
    /// # let _ = client;
    /// # Ok::<(), opencomputer_usage::ClientError>(())
    /// ```
    pub fn new(
        ssl_cert_file: Option<PathBuf>,
        proxy: Option<String>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
    ) -> Result<Self, ClientError> {
        let seconds = |name, seconds: Option<f64>| {
            let Some(seconds) = seconds else {
                return Ok(None);
            };
            let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
            let invalid = || ClientError::usage(format!("`{name}` must be a positive, finite number of seconds"));
            duration.map(Some).ok_or_else(invalid)
        };
        Ok(Self {
            ssl_cert_file,
            proxy: proxy.map(|proxy| proxy::parse(&proxy, "the option `proxy`")).transpose()?,
            connect_timeout: seconds("connect_timeout", connect_timeout)?,
            read_timeout: seconds("read_timeout", read_timeout)?,
        })
    }
}

/// Leaves out the proxy, whose URL may contain a password.
impl fmt::Debug for TransportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportOptions").finish_non_exhaustive()
    }
}

/// A pool of connections to one server. Clones share it.
#[derive(Clone)]
pub struct Transport {
    settings: Arc<Settings>,
    http: Arc<OnceLock<reqwest::Client>>,
}

struct Settings {
    route: Route,
    tls: Tls,
}

/// Leaves out the proxy, as [`TransportOptions`] do.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// Decides how the server of a base URL is reached. Reads certificates and the environment, and opens no connection.
    ///
    /// # Errors
    ///
    /// If a proxy or certificates that an option or the environment names cannot be used.
    pub fn new(options: TransportOptions, base_url: &str) -> Result<Self, ClientError> {
        let server = parse(base_url)?;
        // A value that is not valid Unicode is not a valid URL either, and is refused as such.
        let variable = |name: &str| {
            // On Windows, names have no case: by its lower-case name, a CGI script would use `HTTP_PROXY`, too.
            if cfg!(windows) && name.starts_with(char::is_lowercase) {
                return None;
            }
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        };
        let proxy = match options.proxy {
            Some(proxy) => Some(proxy),
            None => proxy::from_environment(&server, variable)?,
        };
        let encrypts = server.scheme() == "https" || proxy.as_ref().is_some_and(|proxy| proxy.scheme() == "https");
        let tls = Tls::read(options.ssl_cert_file.as_deref(), encrypts)?;
        let connect_timeout = options.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let route = Route { server, proxy, connect_timeout, read_timeout: options.read_timeout };
        let settings = Settings { route, tls };
        Ok(Self { settings: Arc::new(settings), http: Arc::default() })
    }

    /// Returns a transport with the same options and its own connections, for another runtime: a connection belongs to the
    /// runtime that opened it.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { http: Arc::default(), ..self.clone() }
    }

    /// Sends a request and reads the whole response. The event says why if there is none.
    ///
    /// # Errors
    ///
    /// If the request is invalid, so that it cannot be sent.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Event, ClientError> {
        let request = prepare(request)?;
        let (http, route) = (self.http()?, &self.settings.route);
        let exchange = async {
            match http.execute(request).await {
                Ok(response) => match route.refusal(response.status()) {
                    Some(refusal) => refusal,
                    None => body::read(response, route).await,
                },
                Err(error) => route.fault(&error),
            }
        };
        let late = |_| Event::Fault(Fault::Timeout, route.to_string());
        Ok(tokio::time::timeout(timeout, exchange).await.unwrap_or_else(late))
    }

    /// Returns the HTTP client. The first request builds it, because reading the system's certificates takes time.
    fn http(&self) -> Result<&reqwest::Client, ClientError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = self.builder()?.build();
        let http = http.map_err(|error| ClientError::usage(format!("HTTP cannot be set up: {error}")))?;
        Ok(self.http.get_or_init(|| http))
    }

    fn builder(&self) -> Result<ClientBuilder, ClientError> {
        let route = &self.settings.route;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.settings.tls.config()?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(route.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            // `proxy` has already read the environment.
            .no_proxy();
        if let Some(proxy) = &route.proxy {
            let proxy = Proxy::all(proxy.as_str()).map_err(|_| ClientError::usage("the proxy cannot be used"))?;
            builder = builder.proxy(proxy);
        }
        if let Some(timeout) = route.read_timeout {
            builder = builder.read_timeout(timeout);
        }
        Ok(builder)
    }
}

fn parse(url: &str) -> Result<Url, ClientError> {
    Url::parse(url).map_err(|error| ClientError::usage(format!("the request cannot be sent: {error}")))
}

fn prepare(request: Request) -> Result<reqwest::Request, ClientError> {
    let invalid = |error: &dyn fmt::Display| ClientError::usage(format!("the request cannot be sent: {error}"));
    let method = request.method.parse::<Method>().map_err(|error| invalid(&error))?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in request.headers {
        let name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let mut prepared = reqwest::Request::new(method, parse(&request.url)?);
    *prepared.headers_mut() = headers;
    *prepared.body_mut() = request.body.map(Into::into);
    Ok(prepared)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::{IpAddr, SocketAddr, TcpListener};
    use std::thread;

    use opencomputer_usage_core::client::{Answer, Request};
    use socket2::{Domain, Socket, Type};

    use super::*;

    /// Makes an address unresponsive by filling the backlog of its listener. Returns the sockets that keep it full.
    fn dead(address: SocketAddr) -> io::Result<Vec<Socket>> {
        let socket = || Socket::new(Domain::for_address(address), Type::STREAM, None);
        let listener = socket()?;
        listener.bind(&address.into())?;
        listener.listen(0)?;
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let waiting = socket()?;
            waiting.set_nonblocking(true)?;
            // Fails, because the connection is only in progress.
            let _ = waiting.connect(&address.into());
            sockets.push(waiting);
        }
        Ok(sockets)
    }

    /// Returns a listener and a dead address with the same port.
    fn listeners(dead_ip: IpAddr) -> (TcpListener, SocketAddr, Vec<Socket>) {
        loop {
            let alive = TcpListener::bind("127.0.0.2:0").unwrap();
            let dead_at = SocketAddr::new(dead_ip, alive.local_addr().unwrap().port());
            // The port may be taken on that address.
            if let Ok(sockets) = dead(dead_at) {
                return (alive, dead_at, sockets);
            }
        }
    }

    /// Sends a request to a host whose first address is dead and whose second one is not.
    async fn answered_past(dead_ip: &str) {
        let (alive, dead_at, _sockets) = listeners(dead_ip.parse().unwrap());
        let alive_at = alive.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = alive.accept()?;
            let _ = stream.read(&mut [0; 1024])?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        });
        let url = format!("http://two.example:{}", alive_at.port());
        let transport = Transport::new(TransportOptions::default(), &url).unwrap();
        let http = transport.builder().unwrap().resolve_to_addrs("two.example", &[dead_at, alive_at]).build();
        transport.http.set(http.unwrap()).unwrap();
        let (path, query) = (String::new(), String::new());
        let request = Request { method: "GET", url, path, query, headers: Vec::new(), body: None };
        let event = transport.send(request, Duration::from_secs(20)).await.unwrap();
        assert!(matches!(&event, Event::Answer(Answer { status: 200, .. })), "{dead_ip}: {event:?}");
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        answered_past("127.0.0.1").await;
    }

    #[tokio::test]
    async fn an_ipv6_address_that_does_not_answer_leaves_time_for_an_ipv4_address() {
        // Only if the machine has IPv6.
        if TcpListener::bind("[::1]:0").is_ok() {
            answered_past("::1").await;
        }
    }
}
