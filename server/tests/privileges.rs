//! A database user with only the privileges that serving needs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Database, Engine, ORG, Request, Server};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::key_usage::KeyUses;
use opencomputer_usage_server::keys;
use opencomputer_usage_server::store;
use uuid::Uuid;

/// The captured log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a test as a role that may only read a migrated platform's tables and write tags.
async fn as_a_reader<F: Future<Output = ()>>(test: impl FnOnce(Database, Database, String) -> F) {
    let database = Database::create(Engine::Platform).await;
    database.add_org(ORG).await;
    let owner = store::open(database.url()).await.unwrap();
    let (stored, key) = keys::generate("test").unwrap();
    owner.create_key(ORG, &stored).await.unwrap();
    let role = format!("reader_{}", Uuid::new_v4().simple());
    let grants = format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{role}';
         GRANT SELECT ON orgs, api_keys, sandbox_sessions, sandbox_scale_events, usage_schema TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON sandbox_tags TO {role};
         INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent) VALUES ('sb-1', '{ORG}', 1, 1)"
    );
    database.execute(&grants).await;
    test(database.clone().with_role(&role), database.clone(), key).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_missing_privilege_on_keys_is_logged_once() {
    as_a_reader(async |database: Database, _: Database, key: String| {
        let store = store::open(database.url()).await.unwrap();
        let uses = KeyUses::default();
        let (log, now) = (Log::default(), store.now().await.unwrap());
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let storing = async {
            for _ in 0..10 {
                uses.note(ORG, keys::hash(&key), now);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = storing => (),
            () = uses.keep_storing(&*store, Duration::from_millis(5)) => (),
        }
        drop(logging);
        assert_eq!(log.text().matches("WARN").count(), 1, "{}", log.text());
        assert!(log.text().contains("permission denied for table api_keys"), "{}", log.text());
        uses.note(ORG, keys::hash(&key), now);
        uses.store(&*store).await.unwrap();
        let stored = "SELECT count(last_used)::text FROM api_keys";
        assert_eq!(database.texts(stored).await, ["0"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_owns_no_table_serves_a_migrated_platform() {
    as_a_reader(async |database: Database, _: Database, key: String| {
        let server = Server::with_key(database, Rule::default(), key).await;
        let put = Request::new("PUT", "/api/sandboxes/sb-1/tags").key(&server.key).json(r#"{"team":"a"}"#);
        assert_eq!(put.send(&server).await.status, 200);
        let usage = server.get("/api/usage?groupBy=tag:team").await;
        assert_eq!((usage.status, &usage.json()["items"][0]["tagValue"]), (200, &"a".into()));
    })
    .await;
}

/// A role that was created before the server read samples still serves everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_memory_needs_the_right_to_read_samples() {
    as_a_reader(async |database: Database, owner: Database, key: String| {
        let sample = "INSERT INTO sandbox_usage_samples (sandbox_id, org_id, sampled_at, memory_mb, cpu_usec, memory_bytes, pids)
             VALUES ('sb-1', $1, '2026-01-01Z', 1, 0, 1073741824, 1)";
        owner.execute(&sample.replace("$1", &format!("'{ORG}'"))).await;
        let target = "/api/sandboxes/sb-1/usage?from=2026-01-01&to=2026-01-02";
        for (grant, used) in [("", 0.0), ("GRANT SELECT ON sandbox_usage_samples TO PUBLIC", 60.0)] {
            owner.execute(grant).await;
            let server = Server::with_key(database.clone(), Rule::default(), key.clone()).await;
            let usage = server.get(target).await;
            assert_eq!((usage.status, &usage.json()["totals"]["memoryUsedGbSeconds"]), (200, &used.into()), "{usage:?}");
        }
        let store = store::open(database.url()).await.unwrap();
        let refused = store.prune_samples("2026-01-02".parse().unwrap()).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied for table sandbox_usage_samples"), "{refused}");
    })
    .await;
}
