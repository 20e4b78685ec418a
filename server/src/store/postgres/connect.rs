//! The first connection, which decides whether the connections after it use TLS.

use std::io::ErrorKind;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Error};

use crate::store::OpenError;
use crate::store::error::reason;

/// Connects, and returns the options for further connections.
///
/// As in libpq, `sslmode=prefer`, the default, connects without TLS if TLS fails. libpq accepts more certificates,
/// though: rustls requires X.509 version 3 even if nothing verifies the certificate.
pub(super) async fn connect(options: PgConnectOptions) -> Result<(PgConnectOptions, PgConnection), OpenError> {
    let error = match PgConnection::connect_with(&options).await {
        Ok(db) => return Ok((options, db)),
        Err(error) => error,
    };
    let fault = match &error {
        Error::Tls(cause) => cause.to_string(),
        Error::Io(cause) if failed_handshake(cause) => in_words(cause),
        _ => return Err(OpenError::Unreachable { place: place(&options), reason: reason(&error) }),
    };
    if matches!((options.get_ssl_mode(), &error), (PgSslMode::Prefer, Error::Io(_))) {
        let plain = options.clone().ssl_mode(PgSslMode::Disable);
        if let Ok(db) = PgConnection::connect_with(&plain).await {
            tracing::warn!(
                "connections to the database are not encrypted: {fault}. With `sslmode=require` in its URL this is an \
                 error, with `sslmode=disable` it is intended"
            );
            return Ok((plain, db));
        }
    }
    Err(OpenError::Tls { place: place(&options), fault })
}

/// Returns the name of the database and its server for messages.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("`{database}` on `{}:{}`", options.get_host(), options.get_port())
}

/// Returns whether rustls rejected the handshake.
fn failed_handshake(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData
}

/// Returns the reason why rustls rejected the handshake, in plain words for an unsupported certificate version.
fn in_words(error: &std::io::Error) -> String {
    let reason = error.to_string();
    if reason.contains("UnsupportedCertVersion") {
        return "its certificate has X.509 version 1, but TLS requires version 3 here".to_owned();
    }
    reason
}
