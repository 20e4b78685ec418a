//! The URL of a database. Messages must not quote a part that could not be parsed, because it may belong to the
//! password.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::store::OpenError;

/// The known options.
const KNOWN: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Parses a URL.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (_, after) = rest.split_at_checked(authority).unwrap_or((rest, ""));
    // The part after the host has no such characters, unlike a password that was not encoded.
    if after.contains(['@', '#']) {
        return Err(unsupported(
            "the database URL is ambiguous: in its user and password, `/`, `?`, `#`, `@`, `:` and `%` must be \
             percent-encoded, as in `%2F` for `/`, and nothing after its host may contain `@` or `#`",
        ));
    }
    let query = after.split_once('?').map_or("", |(_, query)| query);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        // `options[name]=value`, the bracket encoded or not.
        let name = name.split(['[', '%']).next().unwrap_or_default();
        if !KNOWN.contains(&name) {
            let known = KNOWN.map(|name| format!("`{name}`")).join(", ");
            return Err(unsupported(&format!("the database URL has an unknown option; known options are {known}")));
        }
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        unsupported(
            "cannot parse the database URL, its form is `postgres://user:password@host:port/name?option=value`, with \
             `/`, `?`, `#`, `@`, `:` and `%` in the user and the password percent-encoded",
        )
    })?;
    // Values are read in binary, so the digits of floats do not matter, and PgBouncer rejects the setting.
    Ok(options.application_name("opencomputer-usage").extra_float_digits(None).disable_statement_logging())
}

fn unsupported(fault: &str) -> OpenError {
    OpenError::Unsupported(fault.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_quote_no_part_of_the_url() {
        for url in [
            "postgres://user@host/name?passwd=hunter2",
            "postgres://user@host/name?pwd=hunter2&sslmode=disable",
            "postgres://user@host/name?hunter2",
            "postgres://user@host/name?sslmode=hunter2",
            "postgres://user@host/name?port=hunter2",
            "postgres://user@host/name?hostaddr=hunter2",
            "postgres://user:1/hunter2@host/name",
            "postgres://user:1?hunter2=x@host/name",
            "postgres://user:1#hunter2@host/name",
            "postgres://user:hunter2/x@host/name",
            "postgres://user:hunter2?x@host/name",
            "postgres://user:%hunter2@host:x/name",
            "postgres://user:x@ho st:hunter2/name",
        ] {
            let refused = options(url).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{url}: {refused}");
        }
    }

    #[test]
    fn parses_known_options() {
        for (url, host, database) in [
            ("postgres://user:p%40ss%2F@host:5433/name?sslmode=disable", "host", Some("name")),
            ("postgresql://host", "host", None),
            ("postgres:///name?host=elsewhere&application_name=x&options[jit]=off", "elsewhere", Some("name")),
            ("postgres://user:a@b@host/name", "host", Some("name")),
        ] {
            let read = options(url).unwrap();
            assert_eq!((read.get_host(), read.get_database()), (host, database), "{url}");
        }
    }
}
