//! PostgreSQL behind `PgBouncer`, in each of its modes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Database, Engine, ORG, Request, Server};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::store;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// A `PgBouncer` with its default settings, except for the mode.
struct Pooler {
    child: Child,
    port: u16,
    _directory: TempDir,
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
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        if Self::is_root() {
            // PgBouncer refuses to run as root.
            open_to_all(directory.path());
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "pgbouncer"]);
        }
        // Debian installs it outside of a user's path.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let command = command.arg(&file).env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("these tests need PgBouncer: `scripts/needs pgbouncer` installs it");
        let mut pooler = Self { child, port, _directory: directory };
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert_eq!(pooler.child.try_wait().unwrap(), None, "PgBouncer has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pooler
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
