//! Storage that is locked, full or broken, on the binary itself.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod live;

use live::{Live, Place, key_header, put, secret_lines as lines, status};
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

const TAGS: &str = "/api/sandboxes/sb-secret/tags";

/// Starts a server with one sandbox. Returns a key and a second connection to its database, too.
async fn served_beside_a_connection() -> (Place, Live, String, PoolConnection<Sqlite>) {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let beside = place.database().await.acquire().await.unwrap();
    (place, live, key, beside)
}

#[tokio::test]
async fn a_locked_database_is_unavailable_until_it_is_unlocked() {
    let (_place, live, key, mut holder) = served_beside_a_connection().await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut *holder).await.unwrap();
    let refused = put(&live, TAGS, &key, r#"{"a":"b"}"#);
    assert!(status(&refused) == "503" && refused.contains(r#""code":"unavailable""#), "{refused}");
    assert_eq!(status(&live.ask("GET", "/readyz", "")), "200", "reads go on");
    sqlx::query("ROLLBACK").execute(&mut *holder).await.unwrap();
    assert_eq!(status(&put(&live, TAGS, &key, r#"{"a":"b"}"#)), "200");
}

#[tokio::test]
async fn an_open_read_transaction_blocks_no_write() {
    let (place, live, key, mut holder) = served_beside_a_connection().await;
    sqlx::query("BEGIN").execute(&mut *holder).await.unwrap();
    let values = async |holder: &mut sqlx::SqliteConnection| -> Vec<String> {
        sqlx::query_scalar("SELECT value FROM sandbox_tags").fetch_all(holder).await.unwrap()
    };
    assert_eq!(values(&mut holder).await, ["secret-value"]);
    for n in 0..20 {
        assert_eq!(status(&put(&live, TAGS, &key, &format!(r#"{{"a":"{n}"}}"#))), "200");
    }
    place.import(&lines());
    assert_eq!(values(&mut holder).await, ["secret-value"]);
    assert_eq!(status(&put(&live, TAGS, &key, r#"{"a":"last"}"#)), "200");
    sqlx::query("ROLLBACK").execute(&mut *holder).await.unwrap();
    assert_eq!(values(&mut holder).await, ["last"]);
}

#[tokio::test]
async fn a_server_without_its_schema_is_not_ready() {
    let place = Place::new();
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/readyz", "")), "200");
    sqlx::query("PRAGMA user_version = 0").execute(&place.database().await).await.unwrap();
    let told = live.ask("GET", "/readyz", "");
    assert!(status(&told) == "503" && told.contains(r#""code":"unavailable""#), "{told}");
    assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
}

/// Limits the size of files that a process writes; `None` removes the limit.
fn limit_files(live: &Live, bytes: Option<u64>) {
    let soft = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let fsize = format!("--fsize={soft}:unlimited");
    let set = std::process::Command::new("prlimit").args(["--pid", &live.id().to_string(), &fsize]).status();
    assert!(set.unwrap().success());
}

#[tokio::test]
async fn a_server_whose_disk_was_full_writes_again_once_there_is_room() {
    let place = Place::new();
    place.import(&lines());
    let key = place.key(&[]);
    let live = place.serve(&[]);
    let tags = "/api/sandboxes/sb-secret/tags";
    assert_eq!(status(&put(&live, tags, &key, r#"{"a":"0"}"#)), "200");
    for round in 1..4 {
        limit_files(&live, Some(1));
        let refused = put(&live, tags, &key, &format!(r#"{{"a":"{round}"}}"#));
        assert!(status(&refused) == "503" && refused.contains(r#""code":"unavailable""#), "{refused}");
        assert!(!refused.contains("cannot be reached"), "{refused}");
        assert_eq!(status(&live.ask("GET", "/readyz", "")), "503", "writes fail");
        assert_eq!(status(&live.ask("GET", tags, &key_header(&key))), "200", "reads go on");
        limit_files(&live, None);
        assert_eq!(status(&live.ask("GET", "/readyz", "")), "200");
        assert_eq!(status(&put(&live, tags, &key, &format!(r#"{{"a":"{round}"}}"#))), "200");
    }
    live.terminate();
    let log = live.log();
    assert_eq!(log.matches("ERROR").count(), 6, "{log}");
}

#[tokio::test]
async fn an_import_beside_a_server_leaves_no_large_log_behind() {
    let place = Place::new();
    let key = place.key(&[]);
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/api/tags", &key_header(&key))), "200");
    let event = |n: u32| {
        format!(
            r#"{{"type":"scale","sandboxId":"sb-{n}","memoryMb":1024,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-01"}}"#
        ) + "\n"
    };
    place.import(&(0..5_000).map(event).collect::<String>());
    let log = place.size_of("opencomputer-usage.db-wal");
    let file = place.size_of("opencomputer-usage.db");
    assert!(log < 100_000 && file > 500_000, "the log has {log} bytes, the file {file}");
}
