//! Build steps of this repository that need more than one command: `cargo xtask wasm | check-core | circles |
//! dependencies | generate | benchmarks | version | release | notes`.

mod benchmarks;
mod check_core;
mod circles;
mod dependencies;
mod generate;
mod release;
mod split;
mod wasm;

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    match step() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn step() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is not in a workspace")?;
    match env::args().nth(1).as_deref() {
        Some("wasm") => wasm::run(root),
        Some("check-core") => check_core::run(root),
        Some("circles") => circles::run(root),
        Some("dependencies") => dependencies::run(root),
        Some("generate") => generate::run(root, env::args().nth(2).as_deref() == Some("--check")),
        Some("benchmarks") => benchmarks::run(root),
        Some("version") => release::check(root, env::args().nth(2).as_deref()),
        Some("release") => match &*env::args().skip(2).collect::<Vec<_>>() {
            [version] => release::run(root, version, false),
            [version, flag] if flag == "--dry-run" => release::run(root, version, true),
            _ => bail!("usage: cargo xtask release X.Y.Z [--dry-run]"),
        },
        Some("notes") => release::notes(root),
        _ => bail!(
            "usage: cargo xtask COMMAND\n\n\
             wasm                build the modules of the npm package\n\
             check-core          check that the wasm build of the core imports nothing\n\
             circles             find circular imports\n\
             dependencies        check the sources, checksums and licenses of dependencies\n\
             generate [--check]  write generated files, or fail if one is stale\n\
             benchmarks          write docs/benchmarks.md and the table of the README\n\
             version [TAG]       check that every place states one version, which is that of the tag\n\
             release X.Y.Z       edit the versions and the changelog, and pack everything; or only check, with --dry-run\n\
             notes               print the changes of the current version"
        ),
    }
}

/// Runs cargo for the wasm target with the given arguments and variables. Returns the folder of `profile`'s artifacts.
fn cargo(root: &Path, target: &str, profile: &str, args: &[&str], environment: &[(&str, &str)]) -> Result<PathBuf> {
    let (subcommand, rest) = args.split_first().context("no cargo subcommand")?;
    let target = root.join(target);
    run(Command::new(env!("CARGO"))
        .current_dir(root)
        .envs(environment.iter().copied())
        .args([subcommand, "--target", "wasm32-unknown-unknown", "--profile", profile])
        .arg("--target-dir")
        .arg(&target)
        .args(rest))?;
    Ok(target.join("wasm32-unknown-unknown").join(profile))
}

/// Runs a command to its end; a failure names the program.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "{} failed: {status}", program.display());
    Ok(())
}
