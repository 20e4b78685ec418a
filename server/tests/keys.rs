//! API keys: their rate limit, their last use and their expiry, on the binary itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::time::{Duration, Instant};

use live::{Place, key_header, status};
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::key_usage::KeyUses;
use opencomputer_usage_server::store;

#[test]
fn a_key_above_its_rate_limit_gets_retry_after() {
    let place = Place::new();
    let (busy, quiet) = (key_header(&place.key(&[])), key_header(&place.key(&[])));
    let live = place.serve(&["--rate-limit", "1"]);
    let refused = (0..50).map(|_| live.ask("GET", "/api/tags", &busy)).find(|answer| status(answer) == "429").unwrap();
    assert!(refused.contains(r#""code":"rate_limited""#) && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(status(&live.ask("GET", "/api/tags", &quiet)), "200");
    for _ in 0..3 {
        assert_eq!(status(&live.ask("GET", "/api/tags", &key_header("nobodys"))), "401");
        assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(status(&live.ask("GET", "/api/tags", &busy)), "200");
    assert_eq!(place.run(&["serve", "--rate-limit", "0"]).status.code(), Some(2));
}

#[tokio::test]
async fn uses_of_keys_are_stored_together_and_again_after_a_fault() {
    let place = Place::new();
    let keys = [place.key(&[]), place.key(&[])];
    let database = place.database().await;
    let file: String = sqlx::query_scalar("SELECT file FROM pragma_database_list").fetch_one(&database).await.unwrap();
    let store = store::open(&format!("sqlite://{file}")).await.unwrap();
    let at = |second: i64| Timestamp::from_micros(second * 1_000_000).unwrap();
    let hash = opencomputer_usage_server::keys::hash;
    let org = live::ORG.parse().unwrap();
    let uses = KeyUses::default();
    for second in [5, 9, 7] {
        uses.note(org, hash(&keys[0]), at(second));
    }
    uses.note(uuid::Uuid::from_u128(2), hash(&keys[1]), at(8));
    let stored = async || {
        let sql = "SELECT last_used FROM api_keys WHERE key_hash = ?";
        let mut all = Vec::<Option<i64>>::new();
        for key in &keys {
            all.push(sqlx::query_scalar(sql).bind(hash(key)).fetch_one(&database).await.unwrap());
        }
        all
    };
    sqlx::query("ALTER TABLE api_keys RENAME TO gone").execute(&database).await.unwrap();
    uses.store(&*store).await.unwrap_err();
    sqlx::query("ALTER TABLE gone RENAME TO api_keys").execute(&database).await.unwrap();
    uses.store(&*store).await.unwrap();
    assert_eq!(stored().await, [Some(9_000_000), None], "the latest, and no key of another org");
    uses.note(org, hash(&keys[0]), at(3));
    uses.store(&*store).await.unwrap();
    assert_eq!(stored().await, [Some(9_000_000), None], "time does not go back");
    uses.note(org, hash(&keys[0]), at(10));
    let interval = Duration::from_millis(20);
    tokio::time::timeout(Duration::from_millis(500), uses.keep_storing(&*store, interval)).await.unwrap_err();
    assert_eq!(stored().await, [Some(10_000_000), None]);
}

#[tokio::test]
async fn a_key_works_until_it_expires() {
    let place = Place::new();
    let database = format!("sqlite://{}", "opencomputer-usage.db");
    assert!(place.run(&["migrate", "--database", &database]).status.success());
    let now: i64 = sqlx::query_scalar("SELECT unixepoch()").fetch_one(&place.database().await).await.unwrap();
    let expiry = |seconds: i64| Timestamp::from_micros((now + seconds) * 1_000_000).unwrap().to_string();
    let key = key_header(&place.key(&["--expires", &expiry(4)]));
    let later = key_header(&place.key(&["--expires", &expiry(600)]));
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/api/tags", &key)), "200");
    let started = Instant::now();
    while status(&live.ask("GET", "/api/tags", &key)) != "401" {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(status(&live.ask("GET", "/api/tags", &later)), "200");
    let past = place.run(&["keys", "create", "--org", live::ORG, "--name", "x", "--expires", "2020-01-01"]);
    assert_eq!(past.status.code(), Some(1));
    let told = String::from_utf8(past.stderr).unwrap();
    assert!(told.contains("would already have expired, at 2020-01-01T00:00:00Z"), "{told}");
}
