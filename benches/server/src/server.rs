//! The measured program, run as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Returns the path of the server of the same build, next to this program.
pub fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("opencomputer-usage-server");
    ensure!(path.exists(), "`{}` is missing: build opencomputer-usage-server first", path.display());
    Ok(path)
}

/// A running server, stopped on drop.
pub struct Server {
    child: Child,
    /// The address it listens on.
    pub address: String,
}

impl Server {
    /// Starts a server on a database and waits until it listens.
    pub async fn start(database: &str) -> Result<Self> {
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
    pub fn peak_memory(&self) -> Option<f64> {
        memory(&self.child, "VmHWM:")
    }

    /// Returns its resident memory in MB and its number of open descriptors.
    pub fn resources(&self) -> Option<(f64, usize)> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()?)).ok()?.count();
        Some((memory(&self.child, "VmRSS:")?, descriptors))
    }
}

/// Returns a row of the process's status in MB.
fn memory(child: &Child, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// Imports a file. Returns the seconds it took and its peak resident memory, if known.
pub async fn import(database: &str, org: &str, file: &Path) -> Result<(f64, Option<f64>)> {
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
            _ = tick.tick() => peak = memory(&child, "VmHWM:").or(peak),
        }
    }
}

/// Runs a rollup. Returns the seconds that the whole command took.
pub async fn rollup(database: &str, org: &str, window: [&str; 2]) -> Result<f64> {
    let started = Instant::now();
    rolled_up(database, org, window).await?;
    Ok(started.elapsed().as_secs_f64())
}

/// Runs a rollup and returns what it prints, as JSON.
pub async fn rolled_up(database: &str, org: &str, [from, to]: [&str; 2]) -> Result<serde_json::Value> {
    let arguments = ["rollup", "--database", database, "--org", org, "--from", from, "--to", to, "--json"];
    Ok(serde_json::from_slice(&run(&arguments).await?)?)
}

/// Creates an API key.
pub async fn create_key(database: &str, org: &str) -> Result<String> {
    let printed = run(&["keys", "create", "--database", database, "--org", org, "--name", "soak"]).await?;
    let printed = String::from_utf8(printed)?;
    Ok(printed.split_whitespace().last().context("no key was printed")?.to_owned())
}

/// Runs a command of the server and returns its output.
async fn run(arguments: &[&str]) -> Result<Vec<u8>> {
    let ended = Command::new(program()?).args(arguments).output().await?;
    let log = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "`{}` failed: {}", arguments.join(" "), log.trim());
    Ok(ended.stdout)
}
