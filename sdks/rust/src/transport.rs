//! Carries one request: reqwest over rustls, which follows no redirect and never waits beyond its time.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opencomputer_usage_core::client::{Answer, ClientError, Event, Fault, Request};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url, redirect};
use rustls::{ClientConfig, RootCertStore};

/// Connections that are kept alive. Clones share them; nothing is opened or read before the first request.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    http: Arc<OnceLock<reqwest::Client>>,
}

impl Transport {
    /// The same as the default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    /// Built when it is needed, as the certificates of the system are read only for a server that shows one.
    fn http(&self, secure: bool) -> Result<&reqwest::Client, Box<dyn Error + Send + Sync>> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(secure)?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .build()?;
        Ok(self.http.get_or_init(|| http))
    }
}

/// Trusts the system's roots, or Mozilla's where the system has none.
fn tls(secure: bool) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    if secure {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
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
    let body = response.bytes().await?.to_vec();
    Ok(Answer { status, headers, body })
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
