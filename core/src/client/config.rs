//! A client's configuration: base URL, key, headers, timeout and retries.

use std::fmt;

use super::ClientError;
use crate::error::{Code, quoted};
use crate::host::json::{ToJson, object};
use crate::host::value::{Raw, text_of, whole_number};
use crate::operations::Endpoint;
use crate::query::parameter::percent_encode;

/// The default timeout of a call including its retries, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: f64 = 30_000.0;
/// Headers that the client or the transport sets. A user's header of the same name would change the request.
const OWN_HEADERS: [&str; 8] =
    ["connection", "content-length", "content-type", "expect", "host", "if-match", "transfer-encoding", API_KEY_HEADER];
/// The header that carries the API key.
const API_KEY_HEADER: &str = "x-api-key";
/// The default number of retries.
pub const DEFAULT_MAX_RETRIES: u32 = 2;

/// A request to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `PUT`.
    pub method: &'static str,
    /// The base URL, path and query.
    pub url: String,
    /// The percent-encoded path, starting with `/api`.
    pub path: String,
    /// The encoded query string; may be empty.
    pub query: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<String>,
}

/// Hides the key, which is one of the headers.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("method", &self.method).field("url", &self.url).field("body", &self.body).finish_non_exhaustive()
    }
}

impl ToJson for Request {
    fn write_json(&self, out: &mut String) {
        object(
            out,
            &[
                ("method", &self.method),
                ("url", &self.url),
                ("path", &self.path),
                ("query", &self.query),
                ("headers", &self.headers),
                ("body", &self.body),
            ],
        );
    }
}

/// The settings that a call can override.
#[derive(Clone)]
pub(super) struct Settings {
    pub timeout_ms: f64,
    pub max_retries: u32,
    pub headers: Vec<(String, String)>,
    names: OptionNames,
}

/// The names of a client's options in a language, and the unit of its timeout.
#[derive(Clone, Copy, Debug)]
pub struct OptionNames {
    api_key: &'static str,
    base_url: &'static str,
    timeout: &'static str,
    max_retries: &'static str,
    unit: &'static str,
    /// Milliseconds in one `unit`.
    unit_ms: f64,
}

impl OptionNames {
    /// The names of JavaScript: `apiKey`, `baseUrl`, `timeoutMs`, `maxRetries`.
    pub const CAMEL_CASE: Self = Self {
        api_key: "apiKey",
        base_url: "baseUrl",
        timeout: "timeoutMs",
        max_retries: "maxRetries",
        unit: "milliseconds",
        unit_ms: 1.0,
    };
    /// The names of Python and Rust: `api_key`, `base_url`, `timeout` (seconds), `max_retries`.
    pub const SNAKE_CASE: Self = Self {
        api_key: "api_key",
        base_url: "base_url",
        timeout: "timeout",
        max_retries: "max_retries",
        unit: "seconds",
        unit_ms: 1_000.0,
    };
}

/// A valid client configuration.
#[derive(Clone)]
pub struct Client {
    base_url: String,
    settings: Settings,
}

/// Hides the key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client from `{ apiKey, baseUrl, timeoutMs?, maxRetries?, headers? }`; `baseUrl` with or without
    /// `/api`.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidRequest`](super::Kind::InvalidRequest). The message never contains the key.
    pub fn new(user_agent: &str, config: &Raw) -> Result<Self, ClientError> {
        Self::with_names(OptionNames::CAMEL_CASE, user_agent, config)
    }

    /// Creates a client like [`new`](Self::new), with the option names of a language.
    ///
    /// # Errors
    ///
    /// The errors of `new`. Their messages use the names of the language.
    pub fn with_names(names: OptionNames, user_agent: &str, config: &Raw) -> Result<Self, ClientError> {
        let mut key = None;
        let mut base_url = None;
        let own = [("accept", "application/json"), ("user-agent", user_agent)];
        let headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut settings =
            Settings { timeout_ms: DEFAULT_TIMEOUT_MS, max_retries: DEFAULT_MAX_RETRIES, headers, names };
        let known = [names.api_key, names.base_url, names.timeout, names.max_retries, "headers"];
        settings.apply(config, &known, &mut |name, value| {
            if name == names.api_key {
                key = Some(api_key(value)?);
            } else {
                base_url = Some(normalize(value)?);
            }
            Ok(())
        })?;
        let key = key.ok_or_else(|| {
            ClientError::usage("no API key, pass one or set the environment variable `OPENCOMPUTER_API_KEY`")
        })?;
        let base_url = base_url.ok_or_else(|| {
            ClientError::usage("no base URL, pass one or set the environment variable `OPENCOMPUTER_API_URL`")
        })?;
        settings.headers.push((API_KEY_HEADER.to_owned(), key));
        Ok(Self { base_url, settings })
    }

    /// Returns the client with the options of one call: `{ timeoutMs?, maxRetries?, headers? }`.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidRequest`](super::Kind::InvalidRequest).
    pub fn with(&self, options: &Raw) -> Result<Self, ClientError> {
        let mut client = self.clone();
        let names = client.settings.names;
        client.settings.apply(options, &[names.timeout, names.max_retries, "headers"], &mut |_, _| Ok(()))?;
        Ok(client)
    }

    /// Returns the base URL, without `/api`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Builds a request without a body. `name` is the sandbox id or tag key in the path.
    pub(super) fn request(&self, endpoint: Endpoint, name: Option<&str>, query: String) -> Request {
        let mut path = String::new();
        for part in endpoint.path().split('/').filter(|part| !part.is_empty()) {
            path.push('/');
            match (part, name) {
                ("{id}" | "{key}", Some(name)) => path.push_str(&percent_encode(name)),
                _ => path.push_str(part),
            }
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{separator}{query}", self.base_url);
        Request {
            method: endpoint.method().as_str(),
            url,
            path,
            query,
            headers: self.settings.headers.clone(),
            body: None,
        }
    }
}

impl Settings {
    /// Returns the API key.
    pub(super) fn key(&self) -> &str {
        let key = self.headers.iter().find(|(name, _)| name == API_KEY_HEADER);
        key.map_or("", |(_, key)| key)
    }

    /// Applies options. Options that are not settings are passed to `other`.
    fn apply(
        &mut self,
        options: &Raw,
        names: &[&str],
        other: &mut dyn FnMut(&str, &Raw) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let options = match options {
            Raw::Map(options) => options.as_slice(),
            absent if absent.is_absent() => &[],
            odd => return Err(ClientError::usage(format!("options must be an object, got {}", odd.kind()))),
        };
        for (name, value) in options {
            let name = name.to_string();
            if !names.contains(&name.as_str()) {
                return Err(unknown_option(&name, names));
            }
            match (name.as_str(), value) {
                (_, value) if value.is_absent() => {}
                (name, value) if name == self.names.timeout => self.timeout_ms = self.names.milliseconds(value)?,
                (name, value) if name == self.names.max_retries => self.max_retries = retries(name, value)?,
                ("headers", Raw::Map(headers)) => {
                    for (name, value) in headers {
                        self.set_header(&name.to_string(), value)?;
                    }
                }
                ("headers", value) => return Err(bad_option("headers", "an object of strings", value)),
                (name, value) => other(name, value)?,
            }
        }
        Ok(())
    }

    fn set_header(&mut self, name: &str, value: &Raw) -> Result<(), ClientError> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(ClientError::usage(format!("{} is not a header name", quoted(name))));
        }
        let name = name.to_ascii_lowercase();
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(ClientError::usage(format!("header `{name}` is set by the client itself")));
        }
        let text = text_of(value).ok().filter(|text| is_header_value(text));
        let Some(text) = text else {
            return Err(ClientError::usage(format!("the value of header `{name}` must be a string of visible ASCII")));
        };
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, text));
        Ok(())
    }
}

/// Returns the error for an option that is not in `names`.
#[must_use]
pub fn unknown_option(name: &str, names: &[&str]) -> ClientError {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("unknown option {}, allowed: {}", quoted(name), names.join(", "));
    Code::UnknownParameter.error(message).into()
}

impl OptionNames {
    /// Reads a timeout.
    fn milliseconds(&self, value: &Raw) -> Result<f64, ClientError> {
        let ms = if let Raw::Number(timeout) = value { timeout * self.unit_ms } else { f64::NAN };
        if ms > 0.0 && ms.is_finite() {
            return Ok(ms);
        }
        Err(bad_option(self.timeout, &format!("a positive, finite number of {}", self.unit), value))
    }
}

fn retries(name: &str, value: &Raw) -> Result<u32, ClientError> {
    let count = if let Raw::Number(count) = value { whole_number(*count) } else { None };
    let allowed = || bad_option(name, &format!("a whole number from 0 to {}", u32::MAX), value);
    count.and_then(|count| count.try_into().ok()).ok_or_else(allowed)
}

/// Returns the error for an invalid value of an option: a number out of range, or a value of the wrong type.
fn bad_option(name: &str, allowed: &str, value: &Raw) -> ClientError {
    let got = if let Raw::Number(_) = value { String::new() } else { format!(", got {}", value.kind()) };
    ClientError::usage(format!("`{name}` must be {allowed}{got}"))
}

pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn api_key(value: &Raw) -> Result<String, ClientError> {
    match text_of(value) {
        Ok(key) if key.is_empty() => Err(ClientError::usage("the API key is empty")),
        Ok(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(key),
        _ => Err(ClientError::usage("the API key must be a string of visible ASCII without spaces")),
    }
}

/// Returns the base URL without `/api`. Messages do not show the input, because it may be a misplaced key.
fn normalize(value: &Raw) -> Result<String, ClientError> {
    let invalid = |why: &str| ClientError::usage(format!("invalid base URL: {why}"));
    let url = text_of(value).map_err(|fault| invalid(&fault))?;
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| {
        let start = url.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| url.get(scheme.len()..)).flatten()
    });
    let rest = rest.ok_or_else(|| invalid("it must start with `https://` or `http://`"))?;
    if rest.contains(['?', '#', '@', '\\']) || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid("it must not contain a query, a fragment, credentials or white space"));
    }
    check_authority(rest.split('/').next().unwrap_or_default()).map_err(invalid)?;
    let url = url.trim_end_matches('/');
    Ok(url.strip_suffix("/api").unwrap_or(url).trim_end_matches('/').to_owned())
}

/// Checks the host and port here, so that the message does not depend on the transport.
fn check_authority(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (host, rest) = inside.split_once(']').ok_or("its IPv6 address has no closing bracket")?;
            (host, Some(rest).filter(|rest| !rest.is_empty()).map(|rest| rest.strip_prefix(':').unwrap_or("")))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.contains(['%', '[', ']', '<', '>', '^', '|']) {
        return Err("its host contains an invalid character");
    }
    match port.map(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u64>().is_ok_and(|port| port < 1 << 16)
    }) {
        Some(false) => Err("its port is not a number from 0 to 65535"),
        _ => Ok(()),
    }
}
