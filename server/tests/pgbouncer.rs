//! PostgreSQL behind `PgBouncer`, in each of its modes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Answer, Database, Engine, ORG, Request, Server};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::store;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// A `PgBouncer` with its default settings, except for the mode.
struct Pooler {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Pooler {
    async fn start(database: &Database, mode: &str) -> Self {
        let options: PgConnectOptions = database.url().parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
            options.get_host(),
            options.get_port(),
        );
        // With `any`, the user comes from the entry of the database.
        let settings = settings.replace("* = ", &format!("* = user={} ", options.get_username()));
        std::fs::write(directory.path().join("pgbouncer.ini"), settings).unwrap();
        if Self::is_root() {
            open_to_all(directory.path());
        }
        let mut pooler = Self { child: Self::spawn(&directory), port, directory };
        pooler.accepts_connections().await;
        pooler
    }

    fn spawn(directory: &TempDir) -> Child {
        let mut command = Command::new("pgbouncer");
        if Self::is_root() {
            // PgBouncer refuses to run as root.
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "pgbouncer"]);
        }
        // Debian installs it outside of a user's path.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        command.arg(directory.path().join("pgbouncer.ini")).env("PATH", path);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.expect("these tests need PgBouncer: `scripts/needs pgbouncer` installs it")
    }

    async fn accepts_connections(&mut self) {
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert_eq!(self.child.try_wait().unwrap(), None, "PgBouncer has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it and starts it again.
    async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.directory);
        self.accepts_connections().await;
    }

    fn is_root() -> bool {
        let id = Command::new("id").arg("-u").output().unwrap();
        id.stdout.starts_with(b"0\n")
    }

    fn url(&self, database: &Database) -> String {
        let options: PgConnectOptions = database.url().parse().unwrap();
        let (user, name) = (options.get_username(), options.get_database().unwrap());
        format!("postgres://{user}@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts a server behind a pooler in session mode, and imports an event through it.
async fn server_with_an_event() -> (Database, Pooler, Server) {
    let database = Database::create(Engine::Postgres).await;
    let pooler = Pooler::start(&database, "session").await;
    let server = Server::on(database.at(&pooler.url(&database)), Rule::V1).await;
    let line =
        r#"{"type":"scale","sandboxId":"sb-1","memoryMb":1024,"cpuPercent":1,"diskMb":1,"startedAt":"2026-01-01"}"#;
    server.import(ORG, line).await.unwrap();
    (database, pooler, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_session_mode_everything_works_with_its_own_settings() {
    let (_database, _pooler, server) = server_with_an_event().await;
    assert_eq!(server.put("/api/sandboxes/sb-1/tags", r#"{"team":"a"}"#).await.status, 200);
    let usage = Request::new("GET", "/api/usage?groupBy=tag:team").key(&server.key).send(&server).await;
    assert_eq!((usage.status, &usage.json()["items"][0]["tagValue"]), (200, &"a".into()));
    server.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_session_mode_clients_that_disconnect_release_their_share() {
    let (database, _pooler, server) = server_with_an_event().await;
    database.make_sums_endless(ORG).await;
    let ask = || Request::new("GET", "/api/usage?groupBy=sandbox").key(&server.key).start(&server);
    let clients = futures_util::future::join_all((0..4).map(|_| ask())).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(clients);
    let tags = server.get("/api/tags").await;
    assert_eq!(tags.status, 200, "{}", tags.text);
    server.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_session_mode_a_restarted_pooler_or_database_is_used_again() {
    let (database, mut pooler, server) = server_with_an_event().await;
    let stop = AtomicBool::new(false);
    let refused = |answer: &Answer| {
        let allowed = [(503, "unavailable"), (504, "query_timeout")];
        assert!(allowed.contains(&(answer.status, answer.code().as_str())), "{answer:?}");
    };
    assert_eq!(server.put("/api/sandboxes/sb-1/tags", r#"{"n":"0"}"#).await.status, 200);
    let work = async {
        // The number of the last write that was acknowledged, and of later ones that may have been stored.
        let (mut n, mut stored) = (0, vec![0]);
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            let put = server.put("/api/sandboxes/sb-1/tags", json!({ "n": n.to_string() }).to_string()).await;
            if put.status == 200 {
                stored.clear();
            } else {
                refused(&put);
            }
            stored.push(n);
            let read = server.get("/api/sandboxes/sb-1/tags").await;
            if read.status == 200 {
                let tags = &read.json()["tags"];
                assert!(
                    stored.iter().any(|n| tags["n"] == json!(n.to_string())),
                    "unexpected {tags}, not in {stored:?}"
                );
            } else {
                refused(&read);
            }
        }
        n
    };
    let fault = async {
        for round in 0..8 {
            tokio::time::sleep(Duration::from_millis(100 + round * 7)).await;
            if round % 2 == 0 {
                pooler.restart().await;
            } else {
                let kick = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
                database.texts(kick).await;
            }
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(work, fault);
    assert!(written > 8);
    assert_eq!(server.put("/api/sandboxes/sb-1/tags", r#"{"n":"last"}"#).await.status, 200);
    assert_eq!(server.get("/api/sandboxes/sb-1/tags").await.json()["tags"], json!({ "n": "last" }));
    server.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_names_an_unsupported_pool_mode() {
    for mode in ["transaction", "statement"] {
        let database = Database::create(Engine::Postgres).await;
        let pooler = Pooler::start(&database, mode).await;
        for _ in 0..2 {
            let refused = store::open(&pooler.url(&database)).await.err().unwrap().to_string();
            let wanted = format!("the connection pooler in front of PostgreSQL is in {mode} mode");
            assert!(refused.contains(&wanted) && refused.contains("pool_mode = session"), "{refused}");
        }
        // No lock is left behind: the database itself can be migrated.
        drop(pooler);
        store::open(database.url()).await.unwrap();
    }
}
