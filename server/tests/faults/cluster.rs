//! A PostgreSQL cluster of one test, which may kill it, restart it and fill its disk.

use std::fs::DirEntry;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::until;

/// The user that PostgreSQL runs as instead of root.
const USER: &str = "nobody";

pub struct Cluster {
    port: u16,
    postmaster: Option<Child>,
    settings: Vec<String>,
    variables: Vec<(&'static str, String)>,
    data: PathBuf,
    directory: TempDir,
    runtime: Runtime,
}

impl Cluster {
    /// Creates a cluster with these settings and starts it.
    pub fn start(settings: &[&str]) -> Self {
        Self::create(settings, Vec::new(), None, &[])
    }

    /// Creates a cluster whose processes have these variables, with its data on a disk or in a temporary directory.
    pub fn create(
        settings: &[&str],
        variables: Vec<(&'static str, String)>,
        disk: Option<&Disk>,
        options: &[&str],
    ) -> Self {
        let directory = tempfile::Builder::new().prefix("postgres.").tempdir_in("/tmp").unwrap();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let data = disk.map_or(directory.path(), |disk| disk.0.path()).join("data");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let port = free_port();
        let mut cluster = Self { port, postmaster: None, settings, variables, data, directory, runtime };
        if is_root() {
            let given = Command::new("chown").arg(USER).arg(cluster.directory.path()).status().unwrap();
            assert!(given.success());
        }
        let made = cluster
            .command("initdb")
            .args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"])
            .args(["--wal-segsize", "1"])
            .args(options)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        cluster.resume();
        cluster
    }

    /// Returns a command of PostgreSQL on the directory of the data.
    fn command(&self, program: &str) -> Command {
        let program = programs().join(program);
        let mut command = Command::new(&program);
        if is_root() {
            // PostgreSQL refuses to run as root.
            command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", "nogroup", "--clear-groups"]).arg(program);
        }
        command.arg("-D").arg(&self.data).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Starts the postmaster and waits until it accepts connections.
    pub fn resume(&mut self) {
        let log = self.directory.path().join("log");
        until("PostgreSQL starts", || {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
            let mut command = self.command("postgres");
            command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", "", "-c", "fsync=off"]);
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            let mut postmaster = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
            // The postmaster exits if processes of a killed one still run.
            while postmaster.try_wait().unwrap().is_none() {
                if self.is_ready(postmaster.id()) {
                    self.postmaster = Some(postmaster);
                    return true;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            false
        });
    }

    /// Returns whether a postmaster has written to its pid file that it accepts connections.
    fn is_ready(&self, postmaster: u32) -> bool {
        let noted = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        noted.lines().next() == Some(&postmaster.to_string()) && noted.trim_end().ends_with("\nready")
    }

    /// Sends a signal to the postmaster and waits until it has ended: `KILL`, `QUIT` to stop without a checkpoint, or
    /// `INT` to end sessions and then stop.
    pub fn end(&mut self, signal: &str) {
        if let Some(mut postmaster) = self.postmaster.take() {
            send(signal, postmaster.id());
            postmaster.wait().unwrap();
        }
    }

    /// Returns whether the postmaster runs.
    pub fn is_running(&mut self) -> bool {
        self.postmaster.as_mut().is_some_and(|postmaster| postmaster.try_wait().unwrap().is_none())
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    pub fn connect(&self) -> sqlx::Result<PgConnection> {
        self.runtime.block_on(PgConnection::connect(&self.url()))
    }

    /// Runs a query on a connection and returns the first column, which is text.
    pub fn texts(&self, connection: &mut PgConnection, sql: &str) -> Vec<String> {
        let rows = self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection)).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end("QUIT");
    }
}

/// Runs a test in a process with its own mount namespace: no other process sees its disks, and they vanish with it.
/// Skips the test if the user may not mount, as root usually may outside of a container. `make test` reports that.
pub fn with_own_mounts(test: &str, run: impl FnOnce()) {
    const INSIDE: &str = "TEST_HAS_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return run();
    }
    let mut mount = Command::new("unshare");
    mount.args(["--mount", "mount", "-t", "tmpfs", "none", "/tmp"]);
    if !mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may not mount a small disk");
        return;
    }
    let mut inside = Command::new("unshare");
    inside.arg("--mount").arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    assert!(inside.env(INSIDE, "1").status().unwrap().success());
}

/// A small disk in memory.
pub struct Disk(TempDir);

impl Disk {
    /// Mounts a disk of this size, such as `64m`.
    pub fn mount(size: &str) -> Self {
        let place = tempfile::Builder::new().prefix("disk.").tempdir_in("/tmp").unwrap();
        let options = format!("size={size},mode=0777");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "small"]).arg(place.path()).status();
        assert!(mounted.unwrap().success());
        Self(place)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Fills the free space of the disk. May be called repeatedly.
    pub fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.path("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn empty(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Sends a signal to a process.
pub fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap().success());
}

pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// Returns a port that stays free while the cluster is down: it is below the range of ephemeral ports, and each test
/// process prefers ten ports of its own.
fn free_port() -> u16 {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let own = 10_000 + std::process::id() % 900 * 10 + CREATED.fetch_add(1, Ordering::Relaxed) % 10;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (u16::try_from(own).unwrap()..20_000).step_by(10).find(free).expect("no port is free")
}

/// Returns the directory of PostgreSQL's programs. Debian installs those of each version outside of the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |version: &DirEntry| version.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
    let newest = versions.max_by_key(number).map(|version| version.path().join("bin"));
    newest.filter(|bin| bin.join("initdb").exists()).unwrap_or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .find(|bin| bin.join("initdb").exists())
            .expect("these tests need PostgreSQL: `scripts/needs postgres` installs it")
    })
}
