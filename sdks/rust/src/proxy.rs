//! Chooses the proxy of a request, by the rules that curl and Python's urllib share.
//!
//! 1. `http_proxy` is for `http://` URLs, `https_proxy` for `https://` URLs. `all_proxy` is for both, if the variable of
//!    the scheme is missing or empty.
//! 2. The lower-case name wins over the upper-case name if it is set, even to an empty value.
//! 3. `HTTP_PROXY` is ignored if `REQUEST_METHOD` is set: in a CGI script, the `Proxy` header of a request sets it.
//! 4. `no_proxy` lists the servers that are reached directly, separated by commas or white space. The table of entries is
//!    in `docs/sdk/rust.md`; `tests/vectors/proxy.json` holds the cases.

use std::net::IpAddr;

use opencomputer_usage_core::client::ClientError;
use url::{Host, Url};

/// The schemes of proxies, each with its default port.
const SCHEMES: [(&str, u16); 4] = [("http", 80), ("https", 443), ("socks5", 1080), ("socks5h", 1080)];

/// Returns the proxy that the environment names for requests to a URL. `variable` looks a variable up.
///
/// # Errors
///
/// If that proxy cannot be used. The message names the variable but not its value, which may contain a password.
pub fn from_environment(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Url>, ClientError> {
    let named = |lower: &'static str, upper: &'static str| {
        let (name, value) = match variable(lower) {
            Some(value) => (lower, value),
            None => (upper, variable(upper)?),
        };
        (!value.is_empty()).then_some((name, value))
    };
    let own = match url.scheme() {
        "http" => named("http_proxy", "HTTP_PROXY")
            .filter(|(name, _)| *name == "http_proxy" || variable("REQUEST_METHOD").is_none()),
        _ => named("https_proxy", "HTTPS_PROXY"),
    };
    let Some((name, proxy)) = own.or_else(|| named("all_proxy", "ALL_PROXY")) else {
        return Ok(None);
    };
    if named("no_proxy", "NO_PROXY").is_some_and(|(_, direct)| lists(&direct, url)) {
        return Ok(None);
    }
    parse(&proxy, &format!("the environment variable `{name}`")).map(Some)
}

/// Parses the URL of a proxy; without a scheme, it is `http://`. `source` names the option or variable in the message.
///
/// # Errors
///
/// If the proxy cannot be used. The message does not show the URL, which may contain a password.
pub fn parse(given: &str, source: &str) -> Result<Url, ClientError> {
    let unusable = |why: &str| {
        let example =
            "allowed: `http://`, `https://`, `socks5://` and `socks5h://` with a host, as in `http://proxy:3128`";
        Err(ClientError::usage(format!("the proxy of {source} cannot be used: {why}; {example}")))
    };
    let url = if given.contains("://") { Url::parse(given) } else { Url::parse(&format!("http://{given}")) };
    let mut url = match url {
        Ok(url) => url,
        Err(error) => return unusable(&error.to_string()),
    };
    let Some((_, port)) = SCHEMES.into_iter().find(|(scheme, _)| *scheme == url.scheme()) else {
        return unusable("its scheme is not supported");
    };
    if url.host_str().unwrap_or_default().is_empty() {
        return unusable("it has no host");
    }
    // `url` knows no default port of the SOCKS schemes.
    if url.port_or_known_default().is_none() && url.set_port(Some(port)).is_err() {
        return unusable("it has no port");
    }
    Ok(url)
}

/// Returns whether a `no_proxy` list has an entry for the server of a URL.
fn lists(direct: &str, url: &Url) -> bool {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return false;
    };
    let entries = direct.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| entry == "*" || covers(entry, &host, port))
}

/// Returns whether an entry other than `*` covers a host and port.
fn covers(entry: &str, host: &Host<&str>, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        return address(host).is_some_and(|address| holds(network, bits, address));
    }
    let (name, entry_port) = match entry.rsplit_once(':') {
        // An IPv6 address has several colons. Its port follows a bracket.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    };
    if entry_port.is_some_and(|entry_port| entry_port.parse() != Ok(port)) {
        return false;
    }
    match (host, address(host)) {
        (Host::Domain(host), _) => names(name, host),
        (_, Some(address)) => name.trim_matches(['[', ']']).parse() == Ok(address),
        _ => false,
    }
}

const fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        Host::Domain(_) => None,
    }
}

/// Returns whether an entry is a host's domain or a parent of it. `*.example.com` covers only the subdomains.
fn names(entry: &str, host: &str) -> bool {
    let (entry, itself) = match entry.strip_prefix("*.") {
        Some(entry) => (entry, false),
        None => (entry.trim_start_matches('.'), true),
    };
    // Normalizes the entry as URLs are: lower case, and Punycode for non-ASCII letters.
    let Ok(Host::Domain(entry)) = Host::parse(entry.trim_end_matches('.')) else {
        return false;
    };
    let rest = host.trim_end_matches('.').strip_suffix(entry.as_str());
    rest.is_some_and(|rest| rest.ends_with('.') || itself && rest.is_empty())
}

/// Returns whether a network in CIDR notation contains an address.
fn holds(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.trim_matches(['[', ']']).parse(), bits.parse::<u32>()) else {
        return false;
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            bits <= 32 && (u32::from(network) ^ u32::from(address)).leading_zeros() >= bits
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            bits <= 128 && (u128::from(network) ^ u128::from(address)).leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use opencomputer_usage_vectors::load;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_environment_chooses_the_proxy_of_the_vectors() {
        let cases = load("proxy");
        assert!(cases.len() > 50);
        for case in cases {
            let url = Url::parse(case.text("url").unwrap()).unwrap();
            let environment = case.get("environment").and_then(Value::as_object).unwrap();
            let found = from_environment(&url, |name| Some(environment.get(name)?.as_str()?.to_owned()));
            match (found, case.text("refused")) {
                (Ok(found), None) => {
                    assert_eq!(found.as_ref().map(Url::as_str), case.text("proxy"), "{}", case.name());
                }
                (Err(error), Some(variable)) => {
                    assert!(error.message.contains(&format!("`{variable}`")), "{}: {error}", case.name());
                    assert!(!error.message.contains("hidden"), "{}: {error}", case.name());
                }
                (found, _) => panic!("{}: {found:?}", case.name()),
            }
        }
    }

    #[test]
    fn an_unusable_proxy_is_refused_without_its_password() {
        for given in
            ["ftp://me:hidden@h", "x://h", "http://[::1", "http://a b", "", "http://", "socks4://h", "http://h:99999"]
        {
            let error = parse(given, "the option `proxy`").unwrap_err();
            assert!(error.message.contains("`proxy`") && error.message.contains("socks5h"), "{given}: {error}");
            assert!(!error.message.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn a_proxy_without_a_scheme_or_port_gets_the_default() {
        for (given, expected) in [
            ("proxy:3128", "http://proxy:3128/"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("me:secret@proxy", "http://me:secret@proxy/"),
            ("HTTPS://Proxy", "https://proxy/"),
            ("socks5://proxy", "socks5://proxy:1080"),
            ("socks5h://[::1]:9050", "socks5h://[::1]:9050"),
        ] {
            assert_eq!(parse(given, "`proxy`").map(String::from), Ok(expected.to_owned()));
        }
    }
}
