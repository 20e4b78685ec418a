//! Prepares a release: one version in every manifest, dated changes, and packages that build.

mod changelog;
mod version;

use anyhow::{Context as _, Result, ensure};
use opencomputer_usage_core::usage::window::Timestamp;
use semver::Version;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::run as run_command;

const CHANGELOG: &str = "CHANGELOG.md";

/// Edits every manifest and the changelog, packs everything and prints the next steps. With `is_rehearsal`, only checks
/// that this could start.
pub fn run(root: &Path, version: &str, is_rehearsal: bool) -> Result<()> {
    let plan = plan(root, version)?;
    println!("release: {} becomes {}", plan.from, plan.to);
    if is_rehearsal {
        println!("release: the tree is clean, and the changes to release are\n\n{}", plan.notes()?);
        return Ok(());
    }
    prepare(root, &plan).context("the release is not complete; `git restore .` undoes its edits")?;
    let Plan { from, to, .. } = plan;
    for line in mentions(root, &from, &to)? {
        println!("release: still mentions {from}: {line}");
    }
    println!(
        "release: {to} is ready. Next:\n  git commit --all --message 'chore: release {to}'\n  \
         git tag --sign v{to} --message 'v{to}'\n  git push --atomic origin main v{to}"
    );
    Ok(())
}

/// Checks that every place states the same version. For a release, that is the version of the tag, and the changelog
/// has its changes.
pub fn check(root: &Path, tag: Option<&str>) -> Result<()> {
    let current = version::current(root)?;
    if let Some(tag) = tag {
        ensure!(tag == format!("v{current}"), "the tag is {tag}, but the version is {current}");
        changelog::notes(&version::read(root, CHANGELOG)?, &current)?;
    }
    println!("version: {current} everywhere");
    Ok(())
}

/// Prints the changes of the current version.
pub fn notes(root: &Path) -> Result<()> {
    let (version, changelog) = (version::current(root)?, version::read(root, CHANGELOG)?);
    println!("{}", changelog::notes(&changelog, &version)?);
    Ok(())
}

/// A release that may start.
struct Plan {
    from: Version,
    to: Version,
    changelog: String,
}

impl Plan {
    fn notes(&self) -> Result<&str> {
        changelog::notes(&self.changelog, &self.to)
    }
}

/// Checks the version, the tree and the changelog.
fn plan(root: &Path, version: &str) -> Result<Plan> {
    let to = version::parse(version)?;
    let changes = output(Command::new("git").args(["status", "--porcelain"]).current_dir(root))?;
    ensure!(changes.is_empty(), "the tree has changes, commit them first:\n{}", changes.trim_end());
    let (from, changelog) = (version::current(root)?, version::read(root, CHANGELOG)?);
    ensure!(to >= from, "{to} is lower than the version {from}");
    if let Some(released) = changelog::newest(&changelog) {
        ensure!(to > released, "{to} is not higher than the released {released}");
    }
    let changelog = changelog::release(&changelog, &to, &today()?)?;
    Ok(Plan { from, to, changelog })
}

/// Edits the files, writes the generated ones and packs everything.
fn prepare(root: &Path, plan: &Plan) -> Result<()> {
    edit(root, plan)?;
    // A new process, because the version is compiled into this one.
    run_command(Command::new(env!("CARGO")).args(["xtask", "generate"]).current_dir(root))?;
    check(root, Some(&format!("v{}", plan.to)))?;
    run_command(Command::new("make").arg("pack").current_dir(root))
}

/// Edits the changelog and the manifests. npm and cargo edit their own lock files.
fn edit(root: &Path, Plan { to, changelog, .. }: &Plan) -> Result<()> {
    version::write(root, CHANGELOG, changelog)?;
    version::bump(root, to)?;
    run_command(Command::new(env!("CARGO")).args(["update", "--quiet", "--workspace"]).current_dir(root))?;
    let npm = ["version", "--silent", "--no-git-tag-version", "--allow-same-version", "--ignore-scripts"];
    let mut npm_version = Command::new("npm");
    npm_version.args(npm).arg(to.to_string()).current_dir(root.join("sdks/typescript")).stdout(Stdio::null());
    run_command(&mut npm_version)
}

/// Returns the lines of other files that still mention the old version, for a person to judge.
fn mentions(root: &Path, from: &Version, to: &Version) -> Result<Vec<String>> {
    if from == to {
        return Ok(Vec::new());
    }
    let mut grep = Command::new("git");
    grep.args(["grep", "-nIwF", &from.to_string(), "--", ":!*lock*", ":!CHANGELOG.md", ":!xtask"]);
    // It fails if it finds nothing.
    let found = grep.current_dir(root).output().context("cannot start git")?;
    Ok(String::from_utf8(found.stdout)?.lines().map(str::to_owned).collect())
}

/// Returns today's date in UTC.
fn today() -> Result<String> {
    let micros = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    let now = Timestamp::from_micros(micros).context("the clock is out of range")?.to_string();
    Ok(now.split('T').next().unwrap_or_default().to_owned())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().context("cannot start git")?;
    ensure!(output.status.success(), "git failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests;
