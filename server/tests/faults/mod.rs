//! Writers whose requests may fail at any point, and the states that they may leave behind. Two orgs have sandboxes of
//! the same ids, so a check fails if it gets data of the wrong org.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

pub mod clock;
pub mod cluster;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use opencomputer_usage_core::usage::accounting::{Measure, Rule, Usage};
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use serde_json::{Value, json};

use crate::live::Place;

pub const ORGS: [&str; 2] = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];

/// The sandboxes whose tags are written, in each org.
pub const WRITTEN: usize = 2;
/// The sandboxes of an import, and the events of each: more than one batch.
const IMPORTED: usize = 130;
const EVENTS: usize = 8;

/// The time for a condition to come true, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(1);

const START: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;

/// Returns the number of rounds: `ROUNDS`, or the number that fits into the usual tests.
pub fn rounds(usual: u32) -> u32 {
    std::env::var("ROUNDS").map_or(usual, |rounds| rounds.parse().expect("ROUNDS must be a number"))
}

/// Waits until a condition is true.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A whole response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Reply {
    fn read(mut stream: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let reply = Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        };
        let length = reply.header("content-length").map(|length| length.parse().unwrap());
        if length.is_some_and(|length: usize| length > body.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(reply)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Returns whether the request succeeded. Panics if it failed for a reason other than the database.
    pub fn succeeded(&self) -> bool {
        let allowed = [(503, "unavailable"), (504, "query_timeout")];
        assert!(self.status == 200 || allowed.contains(&(self.status, self.code())), "{self:?}");
        self.status == 200
    }
}

/// A client of one server with the key of one org.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: String,
    pub key: String,
}

impl Client {
    /// Sends a request. It fails if the server ends before it has responded.
    pub fn send(&self, method: &str, target: &str, head: &str, body: &str) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(&self.address)?;
        let key = &self.key;
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {key}\r\n{head}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        Reply::read(stream)
    }

    pub fn get(&self, target: &str) -> Reply {
        self.send("GET", target, "", "").unwrap()
    }

    pub fn put(&self, target: &str, body: &Value) -> Reply {
        self.send("PUT", target, "", &body.to_string()).unwrap()
    }
}

/// The versions of something that may be stored: the last one that was acknowledged, and every later one whose request
/// failed.
#[derive(Debug)]
pub struct Versions(BTreeSet<u32>);

impl Versions {
    pub fn starting_at(version: u32) -> Self {
        Self([version].into())
    }

    pub fn written(&mut self, version: u32, acknowledged: bool) {
        if acknowledged {
            self.0.clear();
        }
        self.0.insert(version);
    }

    pub fn may_be(&self, version: u32) -> bool {
        self.0.contains(&version)
    }
}

/// The only writer of the tags of one sandbox.
#[derive(Debug)]
pub struct Writer {
    org: usize,
    target: String,
    next: u32,
    versions: Versions,
    /// The number of acknowledged writes.
    pub acknowledged: u32,
}

impl Writer {
    /// Returns the writers of both orgs.
    pub fn all() -> Vec<Self> {
        let of_org = |org| {
            (0..WRITTEN).map(move |n| Self {
                org,
                target: format!("/api/sandboxes/put-{n}/tags"),
                next: 1,
                versions: Versions::starting_at(0),
                acknowledged: 0,
            })
        };
        (0..ORGS.len()).flat_map(of_org).collect()
    }

    /// Returns the tags of a version. Versions share no value, and their keys change.
    fn tags(&self, version: u32) -> Value {
        let tag = |n: u32| (format!("k{}-{n}", version % 3), Value::from(format!("{}/{version}", self.org)));
        let keys = if version == 0 { 0 } else { 12 };
        (0..keys).map(tag).collect::<serde_json::Map<_, _>>().into()
    }

    /// Writes the next version. Returns the response, unless the server has ended.
    pub fn write(&mut self, clients: &[Client]) -> io::Result<Reply> {
        let version = self.next;
        self.next += 1;
        let reply = clients[self.org].send("PUT", &self.target, "", &self.tags(version).to_string());
        let acknowledged = reply.as_ref().is_ok_and(Reply::succeeded);
        self.versions.written(version, acknowledged);
        self.acknowledged += u32::from(acknowledged);
        reply
    }

    /// Writes until the server ends or `stop` is set.
    pub fn keep_writing(&mut self, clients: &[Client], stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.write(clients).is_ok() {}
    }

    /// Checks that the sandbox has the tags of one version.
    pub fn check(&self, clients: &[Client]) {
        let reply = clients[self.org].get(&self.target);
        assert_eq!(reply.status, 200, "{reply:?}");
        let tags = &reply.body["tags"];
        let found = self.versions.0.iter().any(|version| *tags == self.tags(*version));
        assert!(found, "org {} has {tags}, not a version in {:?}", self.org, self.versions);
    }
}

/// The imports of one org. Each one has the same sessions, events and tagged sandboxes, and changes all of them.
#[derive(Debug)]
pub struct Imports {
    pub org: usize,
    versions: Versions,
}

impl Imports {
    /// Imports the first version, and the sandboxes of the writers.
    pub fn create(place: &Place, org: usize) -> Self {
        let imports = Self { org, versions: Versions::starting_at(1) };
        let written = |n| {
            json!({ "type": "scale", "sandboxId": format!("put-{n}"), "memoryMb": 512, "cpuPercent": 100,
            "diskMb": 20_480, "startedAt": at(START), "endedAt": at(START + HOUR) })
        };
        let written: String = (0..WRITTEN).map(|n| written(n).to_string() + "\n").collect();
        std::fs::write(place.path("lines.jsonl"), written + &imports.lines(1)).unwrap();
        let imported = place.run(&["import", "lines.jsonl", "--org", ORGS[org]]);
        assert!(imported.status.success(), "{imported:?}");
        imports
    }

    /// Returns the memory, start and end of an event. The orgs differ.
    fn event(&self, version: u32, sandbox: usize, event: usize) -> (u64, i64, i64) {
        let start = START + i64::try_from(event).unwrap() * HOUR;
        let length = i64::from(version) * 1_000_003 + i64::try_from(sandbox + self.org).unwrap();
        (1024 + (sandbox as u64 % 7) + self.org as u64, start, start + length)
    }

    /// Returns the lines of a version.
    pub fn lines(&self, version: u32) -> String {
        let sandbox = |sandbox: usize| {
            let id = format!("im-{sandbox}");
            let session = json!({ "type": "session", "sandboxId": id, "template": "base", "region": "use2",
                "workerId": "w-1", "status": "stopped", "startedAt": at(START), "alias": version.to_string() });
            let events = (0..EVENTS).map(|event| {
                let (memory, start, end) = self.event(version, sandbox, event);
                json!({ "type": "scale", "sandboxId": id, "memoryMb": memory, "cpuPercent": 100, "diskMb": 30_000,
                    "startedAt": at(start), "endedAt": at(end) })
            });
            let tags = json!({ "type": "tags", "sandboxId": id, "tags": { "version": version.to_string() } });
            let lines = [tags, session].into_iter().chain(events);
            lines.map(|line| line.to_string() + "\n").collect::<String>()
        };
        (0..IMPORTED).map(sandbox).collect()
    }

    pub fn written(&mut self, version: u32, acknowledged: bool) {
        self.versions.written(version, acknowledged);
    }

    /// Returns the exact usage of the imported sandboxes in a version, by the core's rules.
    fn usage(&self, version: u32, measure: &Measure) -> Usage {
        let events = (0..IMPORTED).flat_map(|sandbox| (0..EVENTS).map(move |event| (sandbox, event)));
        let usage = events.map(|(sandbox, event)| {
            let (memory, start, end) = self.event(version, sandbox, event);
            let micros = measure.billed_micros(start, Some(end)).unwrap_or_default();
            Usage::of(memory, 30_000, micros.into())
        });
        usage.sum()
    }

    /// Checks that one version is stored, whole, and that the sums are exact.
    pub fn check(&self, clients: &[Client]) {
        let reply = clients[self.org].get("/api/usage?groupBy=tag:version&from=2026-01-01&to=2026-02-01");
        assert_eq!(reply.status, 200, "{reply:?}");
        self.check_usage(&reply);
    }

    /// Checks one response: a snapshot, so a mixture of versions would be visible.
    pub fn check_usage(&self, reply: &Reply) {
        let body = &reply.body;
        let items = body["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "a mixture of imports: {body}");
        let item = &items[0];
        let version: u32 = item["tagValue"].as_str().unwrap().parse().unwrap();
        assert!(self.versions.may_be(version), "unexpected version {version}, not in {:?}", self.versions);
        let window = Window::new(instant(&body["from"]), instant(&body["to"])).unwrap();
        let measure = Measure::new(Rule::default(), window, instant(&body["asOf"]));
        let written = Usage::of(512, 20_480, u128::from(HOUR.unsigned_abs()) * WRITTEN as u128);
        let imported = self.usage(version, &measure);
        for (found, exact) in [(item, imported), (&body["untagged"], written), (&body["total"], imported + written)] {
            assert_eq!(found["memoryGbSeconds"], json!(exact.memory_gb_seconds()), "{body}");
            assert_eq!(found["diskOverageGbSeconds"], json!(exact.disk_overage_gb_seconds()), "{body}");
        }
        assert_eq!((&item["sandboxCount"], &body["untagged"]["sandboxCount"]), (&json!(IMPORTED), &json!(WRITTEN)));
    }
}

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub fn instant(text: &Value) -> Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

/// The log of all servers of a test, in a file, because a full pipe would block them.
pub struct Log<'a>(pub &'a Place);

impl Log<'_> {
    pub fn open(&self) -> Stdio {
        OpenOptions::new().create(true).append(true).open(self.0.path("log")).unwrap().into()
    }

    pub fn read(&self) -> String {
        let mut text = String::new();
        File::open(self.0.path("log")).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub fn check(&self) {
        let log = self.read();
        assert!(!log.contains("panic"), "{log}");
    }
}

/// Creates the keys of both orgs.
pub fn keys(place: &Place) -> Vec<String> {
    let key = |org: &str| {
        let created = place.run(&["keys", "create", "--org", org, "--name", "test"]);
        assert!(created.status.success(), "{created:?}");
        String::from_utf8(created.stdout).unwrap().split_whitespace().last().unwrap().to_owned()
    };
    ORGS.map(key).to_vec()
}
