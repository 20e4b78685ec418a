//! Runs every target on its seeds and its committed corpus.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic; clippy sees only its outermost function")]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::{fs, io};

use opencomputer_usage_fuzz::TARGETS;
use opencomputer_usage_fuzz::seeds::Seeds;

/// Returns the files of a folder of this package; none if it does not exist.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    match fs::read_dir(&folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", folder.display()),
    }
}

fn stems(files: &[PathBuf]) -> BTreeSet<&str> {
    files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect()
}

#[test]
fn every_target_holds_on_its_seeds_and_its_corpus() {
    let seeds = Seeds::default();
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let mut inputs = seeds.of(name);
        assert!(inputs.len() >= 8, "{name} has only {} seeds", inputs.len());
        inputs.extend(files(&format!("corpus/{name}")).iter().map(|file| fs::read(file).unwrap()));
        let failures = inputs.iter().filter(|input| catch_unwind(|| target(input)).is_err());
        broken.extend(failures.map(|input| format!("{name}: {}", input.escape_ascii())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_target_has_a_fuzzer_and_no_corpus_is_left_over() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(stems(&files("fuzz_targets")), names);
    assert!(stems(&files("corpus")).is_subset(&names));
}
