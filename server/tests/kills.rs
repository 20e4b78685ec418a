//! The server and imports, killed at any point. After a restart, acknowledged writes are there, any other write is
//! complete or absent, and no repair is needed. `ROUNDS=1000` kills more often.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod faults;
mod live;

use std::process::{Child, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::{Database, Engine, on_both_engines};
use faults::{Client, Imports, Log, ORGS, Writer, keys, rounds};
use live::{Live, Place};

/// Returns the clients of both orgs.
fn clients(live: &Live, keys: &[String]) -> Vec<Client> {
    keys.iter().map(|key| Client { address: live.address.clone(), key: key.clone() }).collect()
}

fn check(writers: &[Writer], imports: &[Imports], clients: &[Client]) {
    for writer in writers {
        writer.check(clients);
    }
    for imports in imports {
        imports.check(clients);
    }
}

/// Starts an import.
fn import(place: &Place, imports: &Imports, version: u32) -> Child {
    std::fs::write(place.path("lines.jsonl"), imports.lines(version)).unwrap();
    place.spawn(&["import", "lines.jsonl", "--org", ORGS[imports.org]])
}

async fn kills_during_imports_and_writes_leave_nothing_half_written(engine: Engine) {
    let database = Database::create(engine).await;
    let place = Place::with(vec![("DATABASE_URL", database.url().to_owned())]);
    let started = Instant::now();
    let mut imports = [0, 1].map(|org| Imports::create(&place, org));
    let usual = started.elapsed() / 2;
    let (keys, mut writers, log) = (keys(&place), Writer::all(), Log(&place));
    let (mut killed, mut finished) = (0, 0);
    for round in 1..=rounds(26) {
        let live = place.serve_logging_to(log.open(), &[]);
        let clients = clients(&live, &keys);
        check(&writers, &imports, &clients);
        let imports = &mut imports[round as usize % ORGS.len()];
        let mut importing = import(&place, imports, round + 1);
        std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.keep_writing(&clients, &AtomicBool::new(false)));
            }
            // At any point of the import, or after it.
            std::thread::sleep(usual * (round * 61 % 100) / 60);
            live.kill();
        });
        let _ = importing.kill();
        let imported = importing.wait_with_output().unwrap();
        imports.written(round + 1, imported.status.success());
        *(if imported.status.success() { &mut finished } else { &mut killed }) += 1;
    }
    let live = place.serve_logging_to(log.open(), &[]);
    let clients = clients(&live, &keys);
    check(&writers, &imports, &clients);
    for writer in &mut writers {
        // No lock is left behind for which a write would wait.
        assert_eq!(writer.write(&clients).unwrap().status, 200);
    }
    check(&writers, &imports, &clients);
    let acknowledged: u32 = writers.iter().map(|writer| writer.acknowledged).sum();
    eprintln!("{engine:?}: {killed} imports killed, {finished} finished, {acknowledged} writes acknowledged");
    assert!(killed > 0 && acknowledged > 0, "{killed}, {acknowledged}");
    log.check();
}

async fn a_server_killed_while_it_migrates_starts_again(engine: Engine) {
    let mut usual = Duration::ZERO;
    for round in 0..rounds(6) {
        let database = Database::create(engine).await;
        let place = Place::with(vec![("DATABASE_URL", database.url().to_owned())]);
        let started = Instant::now();
        let mut migrating = place.spawn(&["migrate"]);
        if round == 0 {
            migrating.wait().unwrap();
            usual = started.elapsed();
        }
        std::thread::sleep(usual * (round * 17 % 100) / 100);
        let _ = migrating.kill();
        migrating.wait().unwrap();
        let live = place.serve_logging_to(Stdio::null(), &[]);
        assert_eq!(live::status(&live.ask("GET", "/readyz", "")), "200", "round {round}");
    }
}

on_both_engines!(
    kills_during_imports_and_writes_leave_nothing_half_written,
    a_server_killed_while_it_migrates_starts_again,
);
