//! The command line, as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use common::{Database, Engine};

const ORG: &str = "00000000-0000-0000-0000-000000000001";

fn command(directory: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opencomputer-usage-server"));
    command
        .args(arguments)
        .current_dir(directory.path())
        .env_remove("DATABASE_URL")
        .env_remove("OPENCOMPUTER_ACCOUNTING");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

/// Returns the standard error of a failed command: one line, with the exit code 1.
fn refusal(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    text
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn faults_are_reported_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("text.db"), "this is no database ".repeat(100)).unwrap();
    std::fs::write(directory.path().join("bad.jsonl"), "\n{\"type\":\"no\\n\\u001bthing\"}\n").unwrap();
    let cases: [(&[&str], &str); 17] = [
        (&["migrate", "--database", "postgres://u:secret@127.0.0.1:1/d"], "the database `d` on `127.0.0.1:1`: "),
        (&["migrate", "--database", "mysql://h/d"], "must start with `sqlite://` or `postgres://`"),
        (
            &["migrate", "--database", "sqlite://no/such/directory.db"],
            "`no/such/directory.db`: unable to open database file",
        ),
        (&["migrate", "--database", "sqlite://text.db"], "`text.db`: file is not a database"),
        (&["migrate", "--database", "sqlite:"], "must name a file, as in `sqlite://path`"),
        (&["migrate", "--database", "sqlite://"], "must name a file"),
        (&["migrate", "--database", "sqlite://?mode=rwc"], "must name a file"),
        (&["migrate", "--database", "sqlite://x.db?mode=memory"], "must name a file"),
        (&["migrate", "--database", "sqlite://:memory:"], "must name a file"),
        (&["migrate", "--database", "sqlite::memory:"], "must name a file"),
        (&["migrate", "--database", "sqlite://file:x?mode=memory"], "must name a file"),
        (&["import", "missing.jsonl", "--org", ORG], "cannot open `missing.jsonl`: No such file"),
        (&["import", ".", "--org", ORG], "error: cannot read the input: Is a directory (os error 21)\n"),
        (&["import", "bad.jsonl", "--org", ORG], "line 2: unknown variant `no thing`"),
        (&["rollup", "--org", ORG, "--from", "2026-01-01", "--to", "2026-01-02"], "there is no org"),
        (&["rollup", "--org", ORG, "--from", "2026-01-02", "--to", "2026-01-01"], "must be later than `from`"),
        (&["serve", "--listen", "256.0.0.1:1"], "cannot listen on `256.0.0.1:1`"),
    ];
    for (arguments, wanted) in cases {
        let text = refusal(&run(&directory, arguments));
        assert!(text.starts_with("error: ") && text.contains(wanted) && !text.contains("secret"), "{text}");
    }
}

#[test]
fn an_invalid_command_line_is_reported_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(129);
    let key = |name| ["keys", "create", "--org", ORG, "--name", name];
    let cases: [(&[&str], &str); 15] = [
        (&[], "a command is missing, `--help` lists them"),
        (&["keys"], "a command is missing, `--help` lists them"),
        (&["reconcile-worker", ""], "a value is required for '<WORKER_ID>' but none was supplied"),
        (&["nothing"], "unrecognized subcommand 'nothing'"),
        (&["migrat"], "unrecognized subcommand 'migrat'"),
        (&["rollup"], "the following required arguments were not provided: --org <UUID> --from <TIME> --to <TIME>"),
        (&["serve", "--nothing"], "unexpected argument '--nothing' found"),
        (
            &["serve", "--log-format", "x"],
            "invalid value 'x' for '--log-format <FORMAT>' [possible values: text, json]",
        ),
        (
            &["serve", "--accounting", "v2"],
            "invalid value 'v2' for '--accounting <RULE>': unknown accounting rule `v2`, allowed: `clipped` and `v1`",
        ),
        (&["prune"], "the following required arguments were not provided: --samples-before <TIME>"),
        (
            &["prune", "--samples-before", "yesterday"],
            "invalid value 'yesterday' for '--samples-before <TIME>': invalid timestamp `yesterday`, allowed: RFC 3339",
        ),
        (&["import", "x", "--org", "y"], "invalid value 'y' for '--org <UUID>': "),
        (&key(""), "invalid value '' for '--name <NAME>': a name must not be empty"),
        (&key("a\n\nb"), "invalid value 'a b' for '--name <NAME>': a name must not contain control characters"),
        (&key(&long), "a name has at most 128 characters, this one has 129"),
    ];
    for (arguments, wanted) in cases {
        let output = run(&directory, arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.starts_with("error: ") && text.contains(wanted) && output.stdout.is_empty(), "{text}");
    }
    // A variable that sets an option does not count as a command.
    let output = command(&directory, &[]).env("DATABASE_URL", "sqlite://x.db").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: a command is missing, `--help` lists them\n");
    for told in ["--help", "--version"] {
        assert!(stdout(&run(&directory, &[told])).contains("opencomputer-usage-server"));
    }
    assert!(run(&directory, &key(&"x".repeat(128))).status.success());
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = command(&directory, &["serve", "--listen", "127.0.0.1:0"]);
    for variable in ["CORS_ORIGIN", "RATE_LIMIT", "LOG_FORMAT", "ACCOUNTING"] {
        server.env(format!("OPENCOMPUTER_{variable}"), "");
    }
    let mut server = server.env("DATABASE_URL", "").spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    server.kill().unwrap();
    let ended = server.wait_with_output().unwrap();
    assert!(first.starts_with("listening on http://"), "{ended:?}");
    assert!(directory.path().join("opencomputer-usage.db").exists());
}

/// A copy of the file alone is a backup.
#[test]
fn after_a_command_the_database_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(run(&directory, &["keys", "create", "--org", ORG, "--name", "ci"]).status.success());
    assert_eq!(names(), ["opencomputer-usage.db"]);
    let mut server = command(&directory, &["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(run(&directory, &["keys", "create", "--org", ORG, "--name", "more"]).status.success());
    Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(server.wait().unwrap().success());
    assert_eq!(names(), ["opencomputer-usage.db"]);
}

#[test]
fn a_file_name_may_contain_memory() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(&directory, &["migrate", "--database", "sqlite://not:memory:.db"]).status.success());
    assert!(directory.path().join("not:memory:.db").exists());
}

#[test]
fn creates_keys_imports_reports_and_serves() {
    live("sqlite://opencomputer-usage.db");
}

#[test]
fn creates_keys_imports_reports_and_serves_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    live(runtime.block_on(Database::create(Engine::Postgres)).url());
}

fn live(url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let command = |directory: &TempDir, arguments: &[&str]| {
        let mut command = command(directory, arguments);
        command.env("DATABASE_URL", url);
        command
    };
    let run = |directory: &TempDir, arguments: &[&str]| command(directory, arguments).output().unwrap();
    let version = if url.starts_with("sqlite") { 3 } else { 2 };
    assert_eq!(stdout(&run(&directory, &["migrate"])), format!("the schema is at version {version}\n"));
    let mut import = command(&directory, &["import", "-", "--org", ORG]).stdin(Stdio::piped()).spawn().unwrap();
    let line = r#"{"type":"scale","sandboxId":"sb-1","memoryMb":4096,"cpuPercent":100,"diskMb":30720,"startedAt":"2026-01-01T00:00:00Z","endedAt":"2026-01-01T01:00:00Z"}"#;
    writeln!(import.stdin.take().unwrap(), "{line}").unwrap();
    assert_eq!(
        stdout(&import.wait_with_output().unwrap()),
        "imported 0 sessions, 1 scale event, 0 tag sets, 0 samples\n"
    );
    let reconciled = stdout(&run(&directory, &["reconcile-worker", "w-1"]));
    assert_eq!(reconciled, "closed 0 sessions and 0 scale events of worker `w-1`\n");
    let rollup = ["rollup", "--org", ORG, "--from", "2026-01-01", "--to", "2026-01-02"];
    let text = stdout(&run(&directory, &rollup));
    assert!(text.contains("14,400.0") && text.contains("36,000.0"), "{text}");
    let json: Value =
        serde_json::from_str(&stdout(&run(&directory, &[&rollup as &[_], &["--json"]].concat()))).unwrap();
    assert_eq!((&json["memoryGbSeconds"], &json["memoryMbMicros"]), (&14_400.0.into(), &"14745600000000".into()));
    assert_eq!((&json["tiers"][0]["seconds"], &json["accounting"]), (&3600.0.into(), &"clipped".into()));
    bills_by_the_chosen_rule(&|arguments, variable| {
        let mut command = command(&directory, arguments);
        command.env("OPENCOMPUTER_ACCOUNTING", variable).output().unwrap()
    });
    let sample = |at: &str| format!(r#"{{"type":"sample","sandboxId":"sb-1","sampledAt":"{at}","memoryBytes":1}}"#);
    std::fs::write(directory.path().join("samples.jsonl"), ["2026-01-01", "2026-01-02"].map(sample).join("\n"))
        .unwrap();
    let imported = stdout(&run(&directory, &["import", "samples.jsonl", "--org", ORG]));
    assert_eq!(imported, "imported 0 sessions, 0 scale events, 0 tag sets, 2 samples\n");
    for deleted in [1, 0] {
        let pruned = stdout(&run(&directory, &["prune", "--samples-before", "2026-01-02"]));
        assert_eq!(pruned, format!("deleted {deleted} samples from before 2026-01-02T00:00:00Z\n"));
    }
    let created = stdout(&run(&directory, &["keys", "create", "--org", ORG, "--name", "ci"]));
    let key = created.split_whitespace().last().unwrap().to_owned();
    assert!(key.starts_with("oc_") && key.len() == 67);

    let mut server = command(&directory, &["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.trim().strip_prefix("listening on http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(refusal(&run(&directory, &["serve", "--listen", &address])).contains("Address already in use"));
    Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    let ended = server.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(log.contains("/api/sandboxes/{id}/tags") && !log.contains(&key) && !log.contains("sb-1"), "{log}");
}

/// An event of one hour, of which the first half lies in the window; an empty variable counts as not set.
fn bills_by_the_chosen_rule(run: &dyn Fn(&[&str], &str) -> Output) {
    let half = ["rollup", "--org", ORG, "--from", "2026-01-01", "--to", "2026-01-01T00:30:00Z", "--json"];
    for (option, variable, wanted) in [
        (None, "", ("clipped", 1800.0)),
        (None, "v1", ("v1", 3600.0)),
        (Some("v1"), "clipped", ("v1", 3600.0)),
        (Some("clipped"), "v1", ("clipped", 1800.0)),
    ] {
        let option: Vec<_> = option.iter().flat_map(|rule| ["--accounting", *rule]).collect();
        let json: Value = serde_json::from_str(&stdout(&run(&[&half as &[_], &option].concat(), variable))).unwrap();
        let got = (json["accounting"].as_str().unwrap(), json["tiers"][0]["seconds"].as_f64().unwrap());
        assert_eq!(got, wanted, "{option:?} {variable:?}");
    }
}

/// Runs a program on a terminal, which `script` provides.
#[cfg(target_os = "linux")]
#[test]
fn an_import_shows_its_progress_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let line = |n: u32| format!(r#"{{"type":"tags","sandboxId":"sb-{n:04}","tags":{{"team":"a"}}}}"#) + "\n";
    std::fs::write(directory.path().join("tags.jsonl"), (0..4000).map(line).collect::<String>()).unwrap();
    let import = ["import", "tags.jsonl", "--org", ORG];
    let alone = run(&directory, &import);
    assert_eq!(stdout(&alone), "imported 0 sessions, 0 scale events, 4000 tag sets, 0 samples\n");
    assert_eq!(String::from_utf8(alone.stderr).unwrap(), "");
    let program = env!("CARGO_BIN_EXE_opencomputer-usage-server");
    let watched = Command::new("script")
        .args(["-qec", &format!("'{program}' {}", import.join(" ")), "/dev/null"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let shown = stdout(&watched);
    assert!(shown.contains(&format!("\r{}{} 50 % · 2000 lines", "█".repeat(15), "░".repeat(15))), "{shown}");
    assert!(shown.contains("100 % · 4000 lines\r\u{1b}[Kimported 0 sessions"), "{shown}");
}

#[test]
fn the_demo_reports_and_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let report = stdout(&run(&directory, &["demo", "--once"]));
    assert!(report.contains("memory reconciles: rollup ") && report.contains("(untagged)"), "{report}");
    let (_, weeks) = report.split_once("memory in GB-seconds by team, interval 1w\n").unwrap();
    // Ninety days touch at least thirteen weeks.
    let weeks =
        weeks.lines().filter(|line| line.starts_with("20") && line.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']));
    assert!(weeks.count() >= 13, "{report}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the demo leaves no file");
}

fn full() -> Stdio {
    Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
}

#[test]
fn a_key_that_could_not_be_shown_is_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["keys", "create", "--org", ORG, "--name", "unseen"];
    let output = command(&directory, &arguments).stdout(full()).output().unwrap();
    assert!(refusal(&output).contains("cannot write to standard output"), "{output:?}");
    let database = std::fs::read(directory.path().join("opencomputer-usage.db")).unwrap();
    let holds = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds("unseen"));
    assert!(run(&directory, &["keys", "create", "--org", ORG, "--name", "seen"]).status.success());
}

#[test]
fn the_exit_code_does_not_depend_on_a_writable_standard_error() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (&["migrate"][..], 0),
        (&["migrate", "--database", "mysql://x"], 1),
        (&["import", "missing.jsonl", "--org", ORG], 1),
        (&["migrate", "--nonsense"], 2),
        (&["migrate", "--database", "postgres://x:1/hunter2@host/name"], 1),
    ] {
        let output = command(&directory, arguments).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn messages_and_logs_never_quote_an_unparsed_part_of_a_url() {
    let directory = tempfile::tempdir().unwrap();
    for url in [
        "postgres://user@127.0.0.1:1/name?passwd=hunter2",
        "postgres://user@127.0.0.1:1/name?pwd=hunter2",
        "postgres://user:1/hunter2@127.0.0.1/name",
        "postgres://user:hunter2?x@127.0.0.1/name",
        "sqlite://usage.db?hunter2=1",
        "sqlite://usage.db?cache=hunter2",
        "hunter2://x",
    ] {
        let output = command(&directory, &["migrate"]).env("DATABASE_URL", url).output().unwrap();
        let told = refusal(&output);
        assert!(told.contains("the database URL") && !told.contains("hunter2"), "{url}: {told}");
    }
}
