//! TLS to PostgreSQL: the server accepts nothing weaker than the URL demands.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Database, Engine};
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
