//! The measured program, run as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Returns the path of the release build, next to this program.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("opencomputer-usage-server");
    ensure!(path.exists(), "`{}` is missing: build it with --release", path.display());
    Ok(path)
}

/// A running server, stopped on drop.
pub(crate) struct Server {
    child: Child,
    /// The address it listens on.
    pub(crate) address: String,
}

impl Server {
    /// Starts a server on a database and waits until it listens.
    pub(crate) async fn start(database: &str) -> Result<Self> {
        let mut child = Command::new(program()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--database", database])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let line = lines.next_line().await?.context("the server does not start")?;
        let address = line.rsplit_once("//").context("the server printed no address")?.1.to_owned();
        Ok(Self { child, address })
    }

    /// Returns its peak resident memory in MB.
    pub(crate) fn peak_memory(&self) -> Option<f64> {
        peak_memory(&self.child)
    }
}

fn peak_memory(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// Imports a file. Returns the seconds it took and its peak resident memory, if known.
pub(crate) async fn import(database: &str, org: &str, file: &Path) -> Result<(f64, Option<f64>)> {
    let started = Instant::now();
    let mut child = Command::new(program()?)
        .args(["import", "--database", database, "--org", org])
        .arg(file)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut peak = None;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            ended = child.wait() => {
                ensure!(ended?.success(), "the import failed");
                return Ok((started.elapsed().as_secs_f64(), peak));
            }
            _ = tick.tick() => peak = peak_memory(&child).or(peak),
        }
    }
}

/// Runs a rollup. Returns the seconds that the whole command took.
pub(crate) async fn rollup(database: &str, org: &str, [from, to]: [&str; 2]) -> Result<f64> {
    let started = Instant::now();
    let arguments = ["rollup", "--database", database, "--org", org, "--from", from, "--to", to, "--json"];
    let ended = Command::new(program()?).args(arguments).stdout(Stdio::null()).status().await?;
    ensure!(ended.success(), "the rollup failed");
    Ok(started.elapsed().as_secs_f64())
}
