//! A database that is killed, restarted, out of connections or out of disk, while the server keeps running.
//! `ROUNDS=100` kills more often.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod faults;
mod live;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use common::{Database, Engine, ORG, Request, Server};
use faults::cluster::{Cluster, Disk, send, with_own_mounts};
use faults::{Client, Imports, Log, ORGS, Reply, Writer, keys, rounds, until};
use live::{Live, Place};
use opencomputer_usage_core::usage::accounting::Rule;
use serde_json::json;

const USAGE: &str = "/api/usage?groupBy=tag:version&from=2026-01-01&to=2026-02-01";
const BACKENDS: &str = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'opencomputer-usage'";

const KICK: &str = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
     WHERE application_name = 'opencomputer-usage'";

/// A running server, its clients and what they have written.
struct Scene {
    place: Place,
    live: Live,
    clients: Vec<Client>,
    imports: [Imports; 2],
    writers: Vec<Writer>,
}

impl Scene {
    fn new(url: String) -> Self {
        let place = Place::with(vec![("DATABASE_URL", url)]);
        let imports = [0, 1].map(|org| Imports::create(&place, org));
        let keys = keys(&place);
        let live = place.serve_logging_to(Log(&place).open(), &[]);
        let client = |key: &String| Client { address: live.address.clone(), key: key.clone() };
        Self { clients: keys.iter().map(client).collect(), place, live, imports, writers: Writer::all() }
    }

    /// Stops the server, which must not have panicked.
    fn end(self) {
        self.live.terminate();
        assert!(self.live.ended().status.success());
        Log(&self.place).check();
    }

    fn status(&self, target: &str) -> u16 {
        self.clients[0].get(target).status
    }

    /// Waits until reads and writes of both orgs succeed again, then checks all data.
    fn recovers(&mut self) {
        for writer in &mut self.writers {
            until("a write succeeds", || writer.write(&self.clients).unwrap().succeeded());
            writer.check(&self.clients);
        }
        for imports in &self.imports {
            imports.check(&self.clients);
        }
        assert_eq!((self.status("/healthz"), self.status("/readyz")), (200, 200));
    }

    /// Sends many requests at once and checks that each one reports that the database is unavailable.
    fn is_unavailable(&self) {
        std::thread::scope(|scope| {
            let ask = |n: usize| {
                let client = &self.clients[n % ORGS.len()];
                let reply = match n % 3 {
                    0 => client.get(USAGE),
                    1 => client.get("/api/sandboxes/put-0/tags"),
                    _ => client.put("/api/sandboxes/put-0/tags", &json!({ "never": "stored" })),
                };
                assert_eq!((reply.status, reply.code()), (503, "unavailable"), "{reply:?}");
            };
            for n in 0..24 {
                scope.spawn(move || ask(n));
            }
            let ready = self.clients[0].get("/readyz");
            assert_eq!((ready.status, ready.code()), (503, "unavailable"), "{ready:?}");
            assert_eq!(self.status("/healthz"), 200);
        });
    }

    /// Writes and reads until `fault` returns.
    fn under_load(&mut self, fault: impl FnOnce()) {
        let (stop, read) = (AtomicBool::new(false), AtomicU32::new(0));
        let (clients, imports, read_ref, stop_ref) = (&self.clients, &self.imports, &read, &stop);
        std::thread::scope(|scope| {
            for writer in &mut self.writers {
                scope.spawn(move || writer.keep_writing(clients, stop_ref));
            }
            for imports in imports {
                scope.spawn(move || {
                    while !stop_ref.load(Ordering::Relaxed) {
                        let reply = clients[imports.org].get(USAGE);
                        if Reply::succeeded(&reply) {
                            imports.check_usage(&reply);
                            read_ref.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            let _stop = Stop(stop_ref);
            until("the load starts", || read_ref.load(Ordering::Relaxed) > 0);
            fault();
        });
    }
}

/// Stops the load, also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn postgresql_may_be_killed_and_restarted_under_load() {
    let mut cluster = Cluster::start(&[]);
    let mut scene = Scene::new(cluster.url());
    for round in 0..rounds(8) {
        scene.under_load(|| {
            std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 100)));
            match round % 4 {
                0 => {
                    // The postmaster ends all other sessions, too, and recovers.
                    let backends = cluster.texts(&mut cluster.connect().unwrap(), BACKENDS);
                    send("KILL", backends[round as usize % backends.len()].parse().unwrap());
                    std::thread::sleep(Duration::from_millis(100));
                }
                kind => {
                    cluster.end(["KILL", "QUIT", "INT"][kind as usize - 1]);
                    cluster.resume();
                }
            }
        });
        scene.recovers();
    }
    let written: u32 = scene.writers.iter().map(|writer| writer.acknowledged).sum();
    eprintln!("{written} writes acknowledged");
    scene.end();
}

#[test]
fn a_stopped_postgresql_is_unavailable_until_it_is_started() {
    let mut cluster = Cluster::start(&[]);
    let mut scene = Scene::new(cluster.url());
    scene.recovers();
    cluster.end("KILL");
    scene.is_unavailable();
    cluster.resume();
    scene.recovers();
    scene.end();
}

#[test]
fn a_postgresql_without_a_free_connection_is_unavailable_until_one_is_free() {
    let cluster = Cluster::start(&["max_connections=12"]);
    let mut scene = Scene::new(cluster.url());
    scene.recovers();
    let mut held = vec![cluster.connect().unwrap()];
    loop {
        while let Ok(connection) = cluster.connect() {
            held.push(connection);
        }
        if cluster.texts(&mut held[0], KICK).is_empty() {
            break;
        }
    }
    scene.is_unavailable();
    drop(held);
    scene.recovers();
    scene.end();
}

/// Fills the disk of a running server again and again.
fn fill(mut scene: Scene, disk: &Disk, mut restart: impl FnMut()) {
    for round in 1..=3 {
        scene.recovers();
        for writer in &mut scene.writers {
            until("a write is refused", || {
                disk.fill();
                !writer.write(&scene.clients).unwrap().succeeded()
            });
        }
        until("the server is not ready", || {
            disk.fill();
            scene.status("/readyz") == 503
        });
        assert_eq!(scene.status("/healthz"), 200);
        let imports = &mut scene.imports[round % ORGS.len()];
        let version = u32::try_from(round).unwrap() * 1_000;
        std::fs::write(scene.place.path("lines.jsonl"), imports.lines(version)).unwrap();
        let import = ["import", "lines.jsonl", "--org", ORGS[imports.org]];
        let refused = scene.place.run(&import);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).starts_with("error: "), "{refused:?}");
        disk.empty();
        restart();
        scene.recovers();
        let imported = scene.place.run(&import);
        assert!(imported.status.success(), "{imported:?}");
        scene.imports[round % ORGS.len()].written(version, true);
    }
    scene.recovers();
    scene.end();
}

#[test]
fn sqlite_on_a_full_disk_refuses_writes_until_there_is_room() {
    with_own_mounts("sqlite_on_a_full_disk_refuses_writes_until_there_is_room", || {
        let disk = Disk::mount("16m");
        let scene = Scene::new(format!("sqlite://{}", disk.path("usage.db").display()));
        fill(scene, &disk, || ());
    });
}

#[test]
fn postgresql_on_a_full_disk_refuses_writes_until_there_is_room() {
    with_own_mounts("postgresql_on_a_full_disk_refuses_writes_until_there_is_room", || {
        let (disk, logs) = (Disk::mount("64m"), Disk::mount("64m"));
        let wal = logs.path("wal").display().to_string();
        let cluster = Cluster::create(&[], Vec::new(), Some(&disk), &["--waldir", &wal]);
        let scene = Scene::new(cluster.url());
        fill(scene, &disk, || ());
    });
}

#[test]
fn postgresql_that_ends_on_a_full_disk_is_used_again_once_it_is_started() {
    with_own_mounts("postgresql_that_ends_on_a_full_disk_is_used_again_once_it_is_started", || {
        let disk = Disk::mount("64m");
        let settings = ["max_wal_size=2MB", "min_wal_size=2MB"];
        let mut cluster = Cluster::create(&settings, Vec::new(), Some(&disk), &[]);
        let scene = Scene::new(cluster.url());
        fill(scene, &disk, || {
            if !cluster.is_running() {
                cluster.resume();
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_delays_only_writes_of_the_same_sandbox() {
    let database = Database::create(Engine::Postgres).await;
    let server = Server::on(database.clone(), Rule::default()).await;
    for org in [ORG, common::OTHER] {
        let event = |n| {
            json!({ "type": "scale", "sandboxId": format!("sb-{n}"), "memoryMb": 1024, "cpuPercent": 100,
            "diskMb": 1, "startedAt": "2026-01-01" })
        };
        server.import(org, &[event(1), event(2)].map(|event| event.to_string() + "\n").concat()).await.unwrap();
    }
    let (one, two) = ("/api/sandboxes/sb-1/tags", "/api/sandboxes/sb-2/tags");
    assert_eq!(server.put(one, r#"{"team":"a"}"#).await.status, 200);
    let mut blocker = database.connect().await;
    let held = format!("BEGIN; UPDATE sandbox_tags SET value = 'held' WHERE org_id = '{ORG}' AND sandbox_id = 'sb-1'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(held)).execute(&mut blocker).await.unwrap();
    let waiting = futures_util::future::join_all((0..4).map(|_| server.put(one, r#"{"team":"b"}"#)));
    let others = async {
        for n in 0..20 {
            assert_eq!(server.get(one).await.json()["tags"], json!({ "team": "a" }));
            let own = server.put(two, format!(r#"{{"n":"{n}"}}"#)).await;
            let others =
                Request::new("PUT", one).key(&server.other_key).json(r#"{"team":"others"}"#).send(&server).await;
            let usage = server.get("/api/usage?groupBy=tag:team").await;
            assert_eq!((own.status, others.status, usage.status), (200, 200, 200), "{own:?} {others:?} {usage:?}");
        }
        // A server that starts meanwhile does not wait either.
        let another = Server::on(database.clone(), Rule::default()).await;
        assert_eq!(another.get(one).await.status, 200);
    };
    for answer in tokio::join!(waiting, others).0 {
        assert_eq!((answer.status, answer.code().as_str()), (504, "query_timeout"), "{answer:?}");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    assert_eq!(server.put(one, r#"{"team":"c"}"#).await.status, 200);
}
