//! A short run of `make soak`, on SQLite.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

/// Needs the program of the server beside the one of the load; both are built with the workspace.
#[test]
fn a_short_load_violates_no_invariant() {
    let mut soak = Command::new(env!("CARGO_BIN_EXE_opencomputer-usage-soak"));
    let ended = soak.arg("3").env_remove("TEST_DATABASE_URL").output().unwrap();
    let [table, errors] = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(ended.status.success(), "{table}{errors}");
    assert!(table.contains("every invariant held"), "{table}");
}
