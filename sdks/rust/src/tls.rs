//! TLS: the certificate authorities that a client trusts, and the rustls configuration with them.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use opencomputer_usage_core::client::ClientError;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};

/// How connections are encrypted.
pub enum Tls {
    /// Trusts the authorities that the user named, or none if nothing is encrypted.
    Ready(ClientConfig),
    /// Trusts the authorities of the system, which are read for the first connection.
    System(OnceLock<ClientConfig>),
}

impl Tls {
    /// Reads the certificates that the option or the environment names. A client that does not encrypt ignores the
    /// environment.
    ///
    /// # Errors
    ///
    /// If none of the named files and directories has a readable certificate.
    pub fn read(option: Option<&Path>, encrypts: bool) -> Result<Self, ClientError> {
        let roots = match option {
            Some(file) => load([file.to_owned()], "the option `ssl_cert_file`")?,
            None if !encrypts => RootCertStore::empty(),
            None => match load_from_environment()? {
                Some(roots) => roots,
                None => return Ok(Self::System(OnceLock::new())),
            },
        };
        configure(roots).map(Self::Ready)
    }

    /// Returns the configuration of rustls.
    pub fn config(&self) -> Result<ClientConfig, ClientError> {
        let system = match self {
            Self::Ready(config) => return Ok(config.clone()),
            Self::System(config) => config,
        };
        if let Some(config) = system.get() {
            return Ok(config.clone());
        }
        let config = configure(load_from_system())?;
        Ok(system.get_or_init(|| config).clone())
    }
}

/// Loads the certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else those of `REQUESTS_CA_BUNDLE`. Returns
/// `None` if no variable is set.
fn load_from_environment() -> Result<Option<RootCertStore>, ClientError> {
    let load = |name| {
        let paths = env::var_os(name).filter(|paths| !paths.is_empty())?;
        // Only `SSL_CERT_DIR` is a list.
        let paths = if name == "SSL_CERT_DIR" { env::split_paths(&paths).collect() } else { vec![paths.into()] };
        Some(load(paths, &format!("the environment variable `{name}`")))
    };
    match (load("SSL_CERT_FILE").transpose()?, load("SSL_CERT_DIR")) {
        (Some(mut roots), directories) => {
            // As in OpenSSL, a missing directory is ignored if there is a file.
            roots.extend(directories.and_then(Result::ok).unwrap_or_else(RootCertStore::empty).roots);
            Ok(Some(roots))
        }
        (None, Some(directories)) => directories.map(Some),
        (None, None) => load("REQUESTS_CA_BUNDLE").transpose(),
    }
}

/// Loads the certificates of files and directories. `source` names the option or variable in the message.
fn load(paths: impl IntoIterator<Item = PathBuf>, source: &str) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    let mut fault = String::new();
    for path in paths {
        let directory = path.is_dir();
        let found = load_certs_from_paths((!directory).then_some(&path), directory.then_some(&path));
        if roots.add_parsable_certificates(found.certs).0 == 0 && fault.is_empty() {
            let why = found.errors.first().map_or_else(|| "it holds none".to_owned(), ToString::to_string);
            fault = format!(", `{}`: {why}", path.display());
        }
    }
    if roots.is_empty() {
        return Err(ClientError::usage(format!("{source} names no certificate to trust{fault}")));
    }
    Ok(roots)
}

/// Loads the authorities that the system trusts, or Mozilla's if it has none.
fn load_from_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn configure(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ClientError::usage(format!("TLS cannot be set up: {error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
