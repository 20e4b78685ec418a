//! The Rust client against this server, with the faulty network of `tests/faults` between them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opencomputer_usage::{Client, ClientError, Kind, SandboxQuery, State};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The tags of `team` that scenarios write. Reads leave these sandboxes out.
const WRITTEN: [&str; 3] = ["first", "wanted", "other"];

/// The faulty proxy and the server behind it. Both stop with this process, or when this is dropped.
struct Network {
    process: Child,
    server: String,
    key: String,
    urls: Vec<String>,
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

fn faults() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/faults")
}

fn scenarios() -> Vec<Value> {
    let file: Value = serde_json::from_slice(&fs::read(faults().join("scenarios.json")).unwrap()).unwrap();
    file["scenarios"].as_array().unwrap().clone()
}

impl Network {
    fn start() -> Self {
        let mut command = Command::new("python3");
        command.arg(faults().join("proxy.py")).arg(env!("CARGO_BIN_EXE_opencomputer-usage-server"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| announced[name].as_str().unwrap().to_owned();
        let urls = serde_json::from_value(announced["urls"].clone()).unwrap();
        Self { process, server: text("server"), key: text("key"), urls }
    }

    fn client(&self, url: &str, scenario: &Value) -> Client {
        let builder = Client::builder().api_key(&self.key).base_url(url);
        let retries = scenario["maxRetries"].as_u64().unwrap_or(2);
        let ms = scenario["timeoutMs"].as_u64().unwrap_or(60_000);
        builder.max_retries(retries.try_into().unwrap()).timeout(Duration::from_millis(ms)).build().unwrap()
    }

    fn report(&self) -> Value {
        let mut stream = TcpStream::connect(self.urls[0].strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(b"GET /report HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Counts what is open: the connections to the proxy, and the tasks, threads and descriptors of this process.
    fn open(&self) -> Value {
        let count = |directory| fs::read_dir(directory).map_or(0, Iterator::count);
        let tasks = Handle::current().metrics().num_alive_tasks();
        json!([self.report()["open"], tasks, count("/proc/self/task"), count("/proc/self/fd")])
    }
}

fn others() -> SandboxQuery {
    SandboxQuery::new().state(State::All).exclude("tag:team", WRITTEN)
}

async fn list(client: &Client) -> Result<Value, ClientError> {
    client.sandboxes().list(others().limit(100)).await.map(|page| json!(page.items))
}

async fn walk(client: &Client) -> Result<Value, ClientError> {
    let (mut items, mut walk) = (Vec::new(), client.sandboxes().walk(others().limit(50)));
    while let Some(item) = walk.next().await? {
        items.push(item);
    }
    Ok(json!(items))
}

async fn call(client: &Client, operation: &str, id: &str, etag: Option<&str>) -> Result<Value, ClientError> {
    let wanted = ("team".to_owned(), "wanted".to_owned());
    match operation {
        "list" => list(client).await,
        "walk" => walk(client).await,
        "set" => client.tags().set(id, &BTreeMap::from([wanted]), etag).await.map(|state| json!(state.tags)),
        "update" => {
            let change = |mut tags: BTreeMap<_, _>| {
                tags.extend([wanted.clone()]);
                tags
            };
            client.tags().update(id, change).await.map(|state| json!(state.tags))
        }
        _ => panic!("no operation `{operation}`"),
    }
}

/// Makes the call of a scenario and compares its outcome, then makes a healthy call with the same client.
async fn run(client: Client, scenario: Value, id: String, etag: Option<String>, expected: Value) {
    let name = &scenario["name"];
    let outcome = call(&client, scenario["operation"].as_str().unwrap(), &id, etag.as_deref()).await;
    match (outcome, scenario["outcome"].as_object()) {
        (Ok(result), None) => assert_eq!(result, expected, "{name}"),
        (Err(error), Some(outcome)) => {
            let actual = json!({ "kind": error.kind.as_str(), "status": error.status, "code": error.code });
            for (member, expected) in outcome {
                assert_eq!(&actual[member], expected, "{name}: {error}");
            }
        }
        (outcome, _) => panic!("{name}: {outcome:?}"),
    }
    for _ in 0..20 {
        match client.tags().list_keys().await {
            Ok(keys) => return assert!(keys.len() > 1, "{name}: {keys:?}"),
            // A short timeout may be too short for a busy machine.
            Err(error) => assert_eq!(error.kind, Kind::Timeout, "{name}: {error}"),
        }
    }
    panic!("{name}: no healthy call");
}

/// Runs all scenarios at once, and compares what the proxy and the server have seen of them.
async fn run_all(network: &Network, label: &str) {
    let (scenarios, direct) = (scenarios(), network.client(&network.server, &Value::Null));
    let query = SandboxQuery::new().state(State::All).limit(scenarios.len().try_into().unwrap());
    let sandboxes = direct.sandboxes().list(query.filter_absent("tag:oc:plan")).await.unwrap().items;
    let id = |number: usize| sandboxes[number].sandbox_id.clone();
    let first = BTreeMap::from([("team".to_owned(), "first".to_owned())]);
    let mut etags = vec![None; scenarios.len()];
    for number in (0..scenarios.len()).filter(|number| scenarios[*number].get("tags").is_some()) {
        etags[number] = direct.tags().set(&id(number), &first, None).await.unwrap().etag;
    }
    let (listed, walked) = (list(&direct).await.unwrap(), walk(&direct).await.unwrap());
    let mut tasks = JoinSet::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        let client = network.client(&format!("{}/{label}", network.urls[number]), scenario);
        let expected = match scenario["operation"].as_str() {
            Some("list") => &listed,
            Some("walk") => &walked,
            _ => &scenario["tags"],
        };
        tasks.spawn(run(client, scenario.clone(), id(number), etags[number].take(), expected.clone()));
    }
    tasks.join_all().await;
    let report = network.report();
    assert_eq!(report["trapped"], 0, "a redirect was followed");
    for (number, scenario) in scenarios.iter().enumerate() {
        let (name, seen) = (&scenario["name"], &report["runs"][label][&number.to_string()]);
        assert_eq!(seen["requests"], scenario["requests"], "{name}: {seen}");
        if let Some(tags) = scenario.get("tags") {
            assert_eq!(seen["applied"], scenario["applied"], "{name}: {seen}");
            assert_eq!(&json!(direct.tags().get(&id(number)).await.unwrap().tags), tags, "{name}");
        }
    }
}

/// Returns the resident memory of this process in bytes, where `/proc` has it.
fn resident() -> i64 {
    let pages =
        fs::read_to_string("/proc/self/statm").map_or(0, |text| text.split(' ').nth(1).unwrap().parse().unwrap());
    pages * 4096
}

#[tokio::test]
async fn calls_end_as_expected_and_leave_nothing_behind() {
    let network = Network::start();
    let (before, memory) = (network.open(), resident());
    let rounds = std::env::var("FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        run_all(&network, &format!("round-{round}")).await;
    }
    // Connections close in the background, long before the time for which idle ones are kept.
    let (started, mut after) = (Instant::now(), network.open());
    while after != before && started.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = network.open();
    }
    println!(
        "connections, tasks, threads, descriptors: {before} before, {after} after; {} B more",
        resident() - memory
    );
    assert_eq!(after, before, "connections, tasks, threads, descriptors");
    assert!(resident() - memory < 32 << 20, "{} bytes of memory are left", resident() - memory);
}
