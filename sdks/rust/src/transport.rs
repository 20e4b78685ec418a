//! Carries one request: reqwest over rustls, which follows no redirect and never waits beyond its time.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{env, fmt, io};

use opencomputer_usage_core::client::{Answer, ClientError, Event, Fault, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Proxy, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How connections are made. The default trusts the system and takes proxies from the environment.
#[derive(Clone, Default)]
pub struct TransportOptions {
    ssl_cert_file: Option<PathBuf>,
    proxy: Option<Proxy>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl TransportOptions {
    /// Takes a file of certificates (PEM) to trust in place of the system's, a proxy for every request in place of the
    /// environment's, and how many seconds connecting, and each read, may take within the time of the call.
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
        let proxy = proxy.map(Proxy::all).transpose();
        // What is wrong with it is not shown: it may have a password in it.
        let proxy = proxy.map_err(|_| ClientError::usage("the proxy must be a URL such as `http://proxy:3128`"))?;
        let seconds = |seconds: f64| {
            let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
            duration.ok_or_else(|| ClientError::usage("the timeout must be a positive, finite number"))
        };
        Ok(Self {
            ssl_cert_file,
            proxy,
            connect_timeout: connect_timeout.map(seconds).transpose()?,
            read_timeout: read_timeout.map(seconds).transpose()?,
        })
    }
}

/// Shows no proxy, which may have a password in it.
impl fmt::Debug for TransportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportOptions").finish_non_exhaustive()
    }
}

/// Connections that are kept alive. Clones share them; nothing is opened or read before the first request.
#[derive(Clone, Default)]
pub struct Transport {
    options: Arc<TransportOptions>,
    tls: Arc<OnceLock<ClientConfig>>,
    http: Arc<OnceLock<reqwest::Client>>,
}

/// As its options.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// The same as the default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One with options.
    #[must_use]
    pub fn with(options: TransportOptions) -> Self {
        Self { options: Arc::new(options), ..Self::default() }
    }

    /// One that shares the certificates, but no connections: for another runtime, which alone can carry its own.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { http: Arc::default(), ..self.clone() }
    }

    /// Sends a request and reads the whole answer, or says why none came.
    ///
    /// # Errors
    ///
    /// Where the request cannot be sent at all, as its URL is none.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Event, ClientError> {
        let request = prepare(request)?;
        let http = match self.http(request.url().scheme() == "https") {
            Ok(http) => http,
            Err(error) => return Ok(Event::Fault(Fault::Connection, chain(error.as_ref()))),
        };
        Ok(match tokio::time::timeout(timeout, exchange(http, request)).await {
            Ok(Ok(answer)) => Event::Answer(answer),
            // What reqwest itself says, "error sending request", goes without saying.
            Ok(Err(error)) => Event::Fault(Fault::Connection, chain(error.source().unwrap_or(&error))),
            Err(_) => Event::Fault(Fault::Timeout, String::new()),
        })
    }

    /// Built when it is needed, as certificates are read only for a server that shows one.
    fn http(&self, secure: bool) -> Fallible<&reqwest::Client> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let options = &*self.options;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls(secure)?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true);
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(proxy.clone());
        }
        if let Some(timeout) = options.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(timeout) = options.read_timeout {
            builder = builder.read_timeout(timeout);
        }
        let http = builder.build()?;
        Ok(self.http.get_or_init(|| http))
    }

    fn tls(&self, secure: bool) -> Fallible<ClientConfig> {
        // A proxy may be reached over TLS although the server is not.
        let plain = !secure && self.options.proxy.is_none() && !has_secure_proxy();
        if plain && self.tls.get().is_none() {
            return configured(RootCertStore::empty());
        }
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let tls = configured(roots(self.options.ssl_cert_file.clone())?)?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}

/// Whether the environment names a proxy for plain requests that is itself reached over TLS.
fn has_secure_proxy() -> bool {
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    names.iter().any(|name| env::var(name).is_ok_and(|url| url.starts_with("https:")))
}

/// The roots of a file that was named, here or in `REQUESTS_CA_BUNDLE`; else those of the system, for which
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` may stand; else Mozilla's, where the system has none.
fn roots(named: Option<PathBuf>) -> Fallible<RootCertStore> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let systems = variable("SSL_CERT_FILE").or_else(|| variable("SSL_CERT_DIR"));
    let bundle = variable("REQUESTS_CA_BUNDLE").filter(|_| systems.is_none()).map(PathBuf::from);
    let mut roots = RootCertStore::empty();
    if let Some(file) = named.or(bundle) {
        let unreadable = |why: &dyn Error| io::Error::other(format!("no certificates in `{}`: {why}", file.display()));
        let certificates = CertificateDer::pem_file_iter(&file).map_err(|error| unreadable(&error))?;
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        if roots.is_empty() {
            return Err(unreadable(&io::Error::other("there is none")).into());
        }
        return Ok(roots);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

fn configured(roots: RootCertStore) -> Fallible<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn prepare(request: Request) -> Result<reqwest::Request, ClientError> {
    let invalid = |error: &dyn Error| ClientError::usage(format!("the request cannot be sent: {error}"));
    let url = Url::parse(&request.url).map_err(|error| invalid(&error))?;
    let method = request.method.parse::<Method>().map_err(|error| invalid(&error))?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in request.headers {
        let name = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let mut prepared = reqwest::Request::new(method, url);
    *prepared.headers_mut() = headers;
    *prepared.body_mut() = request.body.map(Into::into);
    Ok(prepared)
}

async fn exchange(http: &reqwest::Client, request: reqwest::Request) -> reqwest::Result<Answer> {
    let response = http.execute(request).await?;
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = response.bytes().await?.into();
    Ok(Answer { status, headers, body })
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
