//! The binary itself on a temporary database, and a client that can stop in the middle of a request.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::panic, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;

pub const ORG: &str = "00000000-0000-0000-0000-000000000001";

/// A directory with a database in it.
pub struct Place {
    directory: TempDir,
    /// The environment of every command.
    variables: Vec<(&'static str, String)>,
}

impl Place {
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    /// Creates a place whose commands have these variables, such as `DATABASE_URL`.
    pub fn with(variables: Vec<(&'static str, String)>) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), variables }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Ignores the signal, so that exceeding the size of files is an error, like a full disk.
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_opencomputer-usage-server");
        command.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#, program]);
        for variable in
            ["DATABASE_URL", "OPENCOMPUTER_CORS_ORIGIN", "OPENCOMPUTER_LOG_FORMAT", "OPENCOMPUTER_RATE_LIMIT"]
        {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts a command.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    pub fn run_logging_to(&self, log: Stdio, arguments: &[&str]) -> Output {
        self.command(arguments).stderr(log).output().unwrap()
    }

    /// Creates a key.
    pub fn key(&self, arguments: &[&str]) -> String {
        let created = self.run(&[&["keys", "create", "--org", ORG, "--name", "test"], arguments].concat());
        assert!(created.status.success(), "{created:?}");
        String::from_utf8(created.stdout).unwrap().split_whitespace().last().unwrap().to_owned()
    }

    pub fn import(&self, lines: &str) {
        std::fs::write(self.path("lines.jsonl"), lines).unwrap();
        let imported = self.run(&["import", "lines.jsonl", "--org", ORG]);
        assert!(imported.status.success(), "{imported:?}");
    }

    /// Returns the size of a file, 0 if there is none.
    pub fn size_of(&self, file: &str) -> u64 {
        std::fs::metadata(self.path(file)).map_or(0, |metadata| metadata.len())
    }

    /// Opens the server's database separately.
    pub async fn database(&self) -> SqlitePool {
        let file = self.path("opencomputer-usage.db");
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await.unwrap()
    }

    pub fn serve(&self, arguments: &[&str]) -> Live {
        self.serve_logging_to(Stdio::piped(), arguments)
    }

    pub fn serve_logging_to(&self, log: Stdio, arguments: &[&str]) -> Live {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Live::start(self.command(&arguments).stderr(log)).0
    }

    /// Starts a server with a limit of open files.
    pub fn serve_with_open_files(&self, limit: u32) -> Live {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {limit}; exec \"$0\" serve --listen 127.0.0.1:0");
        command
            .args(["-c", &limited, env!("CARGO_BIN_EXE_opencomputer-usage-server")])
            .current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Live::start(&mut command).0
    }

    /// Starts a server of the demo fleet and returns its key.
    pub fn demo(&self) -> (Live, String) {
        let (live, mut out) = Live::start(self.command(&["demo", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()));
        let mut value_of = |name: &str| {
            let mut printed = String::new();
            out.read_line(&mut printed).unwrap();
            printed.trim().strip_prefix(name).unwrap_or_else(|| panic!("no {name}: {printed}")).to_owned()
        };
        let key = value_of("key ");
        let link = value_of("dashboard ");
        assert_eq!(link, format!("http://{}/#key={key}", live.address));
        (live, key)
    }
}

/// A running server.
pub struct Live {
    child: Option<Child>,
    pub address: String,
}

impl Live {
    fn start(command: &mut Command) -> (Self, BufReader<ChildStdout>) {
        let mut child = command.spawn().unwrap();
        let (mut out, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
        out.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the server does not start: {:?}", child.wait_with_output());
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        (Self { child: Some(child), address }, out)
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Sends a request without a body and returns the response. `head` has further headers, each with its line break.
    pub fn ask(&self, method: &str, target: &str, head: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n").unwrap();
        answer(stream)
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
    }

    /// Ends the process at once, without a chance to clean up.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the process has ended.
    pub fn ended(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }

    /// Waits until the process has ended and returns its log.
    pub fn log(self) -> String {
        let ended = self.ended();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        String::from_utf8(ended.stderr).unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads until the connection closes. Header names are in lower case.
pub fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub fn key_header(key: &str) -> String {
    format!("x-api-key: {key}\r\n")
}

/// Returns import lines with names and values that the log must not contain.
pub fn secret_lines() -> String {
    r#"{"type":"session","sandboxId":"sb-secret","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z","alias":"secret-value"}
{"type":"tags","sandboxId":"sb-secret","tags":{"secret-key":"secret-value"}}
"#
    .to_owned()
}

pub fn put(live: &Live, target: &str, key: &str, body: &str) -> String {
    let head = format!("{}content-type: application/json\r\ncontent-length: {}\r\n", key_header(key), body.len());
    let mut stream = live.connect();
    write!(stream, "PUT {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{body}").unwrap();
    answer(stream)
}

pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}
