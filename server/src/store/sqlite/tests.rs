//! Limits and recovery of connections.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _};

use super::*;

#[tokio::test]
async fn an_endless_statement_is_interrupted() {
    let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n";
    limit(&mut db, Duration::from_millis(20)).await.unwrap();
    let error = sqlx::query(endless).execute(&mut db).await.unwrap_err();
    assert!(matches!(StoreError::from(error), StoreError::TimedOut(_)));
    limit(&mut db, BUDGET).await.unwrap();
    sqlx::query("SELECT 1").execute(&mut db).await.unwrap();
}

async fn file() -> (tempfile::TempDir, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&format!("sqlite://{}/usage.db", directory.path().display())).await.unwrap();
    (directory, store)
}

fn key(name: &str) -> NewKey {
    crate::keys::generate(name).unwrap().0
}

/// Keeps the writer's current connection from adding pages, as on a full disk.
async fn fill(store: &Sqlite) {
    let sql = "PRAGMA page_count";
    let mut db = store.writer.acquire().await.unwrap();
    let pages: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(&mut *db).await.unwrap();
}

#[tokio::test]
async fn a_write_that_found_the_disk_full_leaves_no_broken_connection() {
    let (_directory, store) = file().await;
    for round in 0..3 {
        fill(&store).await;
        let long = "x".repeat(100_000);
        let error = store.create_key(Uuid::from_u128(1), &key(&long)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{round}: {error}");
        store.create_key(Uuid::from_u128(1), &key("next")).await.unwrap();
        store.check_writes().await.unwrap();
    }
}

#[tokio::test]
async fn readiness_fails_while_writes_fail() {
    let (_directory, store) = file().await;
    store.check_writes().await.unwrap();
    fill(&store).await;
    store.create_key(Uuid::from_u128(1), &key(&"x".repeat(100_000))).await.unwrap_err();
    assert!(store.failing.load(Ordering::Relaxed));
    // The check's own write fits, so the fault is over.
    store.check_writes().await.unwrap();
    assert!(!store.failing.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let (directory, store) = file().await;
    store.close().await;
    let url = format!("sqlite://{}/usage.db?mode=ro", directory.path().display());
    let refused = Sqlite::open(&url).await.err().unwrap().to_string();
    assert!(refused.contains("cannot open the database") && refused.contains("readonly"), "{refused}");
}

#[tokio::test]
async fn a_database_with_data_moves_to_the_next_version_once() {
    let (_directory, store) = file().await;
    store.create_key(Uuid::from_u128(1), &key("kept")).await.unwrap();
    let unreachable = |error: sqlx::Error| OpenError::Unsupported(error.to_string());
    let more = "CREATE TABLE more (n INTEGER NOT NULL) STRICT; INSERT INTO more VALUES (1)";
    let known = u32::try_from(MIGRATIONS.len()).unwrap();
    let next = [&MIGRATIONS[..], &[more]].concat();
    for _ in 0..2 {
        store.migrate(&next, unreachable).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), known + 1);
        let count = "SELECT (SELECT COUNT(*) FROM api_keys WHERE name = 'kept') || ' ' || (SELECT COUNT(*) FROM more)";
        let counts: String = sqlx::query_scalar(count).fetch_one(&store.readers).await.unwrap();
        assert_eq!(counts, "1 1");
    }
    let older = store.migrate(&MIGRATIONS, unreachable).await;
    assert!(matches!(older, Err(OpenError::Newer { found, .. }) if found == known + 1));
    let failing = [&next[..], &["CREATE TABLE half (n INTEGER); SELECT * FROM missing"]].concat();
    store.migrate(&failing, unreachable).await.unwrap_err();
    assert_eq!(store.schema_version().await.unwrap(), known + 1);
    store.migrate(&next, unreachable).await.unwrap();
}

#[tokio::test]
async fn a_database_of_version_1_gets_samples_and_keeps_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/usage.db", directory.path().display());
    let mut db = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    sqlx::raw_sql(MIGRATIONS[0]).execute(&mut db).await.unwrap();
    let rows = "PRAGMA user_version = 1;
         INSERT INTO orgs (id, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 1);
         INSERT INTO sandbox_tags (org_id, sandbox_id, key, value, updated_at)
             VALUES ('00000000-0000-0000-0000-000000000001', 'sb-1', 'team', 'kept', 1)";
    sqlx::raw_sql(rows).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let store = Sqlite::open(&url).await.unwrap();
    assert_eq!(store.schema_version().await.unwrap() as usize, MIGRATIONS.len());
    let org = Uuid::from_u128(1);
    let kept = read::tags(&mut store.readers.acquire().await.unwrap(), org, &"sb-1".parse().unwrap()).await.unwrap();
    assert_eq!(kept.tags["team"], "kept");
    let line = r#"{"type":"sample","sandboxId":"sb-1","sampledAt":"2026-01-01T00:00:00Z","memoryBytes":7}"#;
    crate::import::import(&store, org, line.as_bytes(), |_, _| {}).await.unwrap();
    let count = "SELECT COUNT(*) FROM sandbox_usage_samples";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&store.readers).await.unwrap(), 1);
}
