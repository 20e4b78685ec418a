//! TLS to PostgreSQL: the server accepts nothing weaker than the URL demands.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod faults;
mod live;

use std::path::Path;
use std::process::Command;

use common::{Database, Engine};
use faults::cluster::{Cluster, is_root};
use live::Place;
use opencomputer_usage_server::store;

/// Opens the database with these options and returns whether its connections are encrypted.
async fn open(database: &Database, host: &str, options: &str) -> Result<bool, String> {
    let url = database.url().split('?').next().unwrap().replace("127.0.0.1", host);
    let store = store::open(&format!("{url}?{options}")).await.map_err(|error| error.to_string())?;
    store.now().await.unwrap();
    let encrypted = "SELECT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'opencomputer-usage' AND datname = current_database()";
    let encrypted = database.texts(encrypted).await;
    assert!(!encrypted.is_empty());
    Ok(encrypted.iter().all(|one| one == "true"))
}

#[tokio::test]
async fn a_connection_uses_tls_as_its_url_requires() {
    let database = Database::create(Engine::Postgres).await;
    let Ok(authority) = std::env::var("TEST_DATABASE_CA") else {
        // The tester's own server may have no TLS, and is then rejected.
        assert!(open(&database, "127.0.0.1", "sslmode=verify-full").await.unwrap_or(true));
        return;
    };
    let trusting = |mode: &str| format!("sslmode={mode}&sslrootcert={authority}");
    assert_eq!(open(&database, "127.0.0.1", &trusting("verify-full")).await, Ok(true));
    assert_eq!(open(&database, "localhost", &trusting("verify-ca")).await, Ok(true));
    assert_eq!(open(&database, "127.0.0.1", "sslmode=require").await, Ok(true));
    assert_eq!(open(&database, "127.0.0.1", "sslmode=disable").await, Ok(false));
    // A name that is not the certificate's, and an unknown authority.
    for (host, options) in [("localhost", trusting("verify-full")), ("127.0.0.1", "sslmode=verify-full".to_owned())] {
        let refused = open(&database, host, &options).await.unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
    }
}

/// Creates a self-signed certificate of X.509 version 1 and its key.
fn certify_with_version_1(directory: &Path) -> [String; 2] {
    let [key, certificate] = ["v1.key", "v1.crt"].map(|file| directory.join(file).display().to_string());
    // Without extensions, older versions of openssl write version 1. Newer ones need the option, which older ones lack.
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=v1 -config /dev/null";
    let made = ["-x509v1", "-batch"].iter().any(|version| {
        let mut openssl = Command::new("openssl");
        openssl.args(request.split(' ')).args([version, "-keyout", &key, "-out", &certificate]);
        openssl.output().unwrap().status.success()
    });
    let text = Command::new("openssl").args(["x509", "-noout", "-text", "-in", &certificate]).output().unwrap();
    assert!(made && String::from_utf8(text.stdout).unwrap().contains("Version: 1 "), "{request}");
    if is_root() {
        assert!(Command::new("chown").args(["-R", "nobody"]).arg(directory).status().unwrap().success());
    }
    [key, certificate]
}

/// Citus creates such certificates. rustls rejects them even if nothing verifies a certificate.
#[test]
fn a_certificate_of_version_1_is_an_error_only_where_the_url_requires_tls() {
    if std::env::var("TEST_DATABASE_CA").is_err() {
        return; // no openssl
    }
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let [key, certificate] = certify_with_version_1(directory.path());
    let files = [format!("ssl_key_file={key}"), format!("ssl_cert_file={certificate}")];
    let cluster = Cluster::start(&["ssl=on", &files[0], &files[1]]);
    let migrate = |mode: &str| {
        let url = cluster.url().replace("?sslmode=disable", mode);
        let ended = Place::with(vec![("DATABASE_URL", url)]).run(&["migrate"]);
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    for mode in ["", "?sslmode=prefer"] {
        let (code, log) = migrate(mode);
        assert_eq!(code, Some(0), "{mode}: {log}");
        let warned = ["not encrypted", "X.509 version 1", "`sslmode=disable`"].iter().all(|part| log.contains(part));
        assert!(warned, "{mode}: {log}");
    }
    for mode in ["?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full"] {
        let (code, log) = migrate(mode);
        assert_eq!(code, Some(1), "{mode}: {log}");
        let named = ["TLS failed", "X.509 version 1", "`sslmode=disable`"].iter().all(|part| log.contains(part));
        assert!(named && log.lines().count() == 1, "{mode}: {log}");
    }
    let (code, log) = migrate("?sslmode=disable");
    assert!(code == Some(0) && !log.contains("encrypted"), "{log}");
}
