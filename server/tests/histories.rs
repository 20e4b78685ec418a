//! Histories of concurrent clients of two servers on one database, recorded and then checked: tag writes are
//! linearizable, and every page of a walk shows one snapshot. `HISTORY_OPERATIONS=100000` records longer ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;
mod history;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Builder;
use common::{Engine, ORG, Server, on_both_engines};
use futures_util::future::join_all;
use history::fleet::{Fleet, GroupBy, Item, Page, State, sandbox, team};
use history::register::{Register, Tags};
use history::{History, Model, Recorder, check, fleet, register};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::http::{self, App};
use serde_json::{Value, json};

/// The number of operations on tags in one history.
const OPERATIONS: usize = 10_000;
const CLIENTS: usize = 12;
/// The number of sandboxes, so few that requests for the same one often overlap.
const SANDBOXES: usize = 4;

fn operations() -> usize {
    std::env::var("HISTORY_OPERATIONS").map_or(OPERATIONS, |number| number.parse().unwrap())
}

/// A random number generator (xorshift). Each client has its own.
struct Random(u64);

impl Random {
    fn new(client: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (client as u64 + 1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }
}

/// One of two servers on a database. Requests reach its routes without a connection, which makes them cheap.
struct Replica {
    server: Server,
    routes: TowerToHyperService<Router>,
}

impl Replica {
    fn new(server: Server) -> Self {
        let routes = http::router(App { store: server.store.clone(), rule: Rule::default() });
        Self { server, routes: TowerToHyperService::new(routes) }
    }

    fn request(&self, method: &str, target: &str) -> Builder {
        axum::http::Request::builder().method(method).uri(target).header("x-api-key", &self.server.key)
    }

    async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        let response = self.routes.call(request.body(body.into()).unwrap()).await.unwrap();
        let etag = response.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, etag, body: serde_json::from_slice(&text).unwrap() }
    }

    async fn get(&self, target: &str) -> Answer {
        self.send(self.request("GET", target), Body::empty()).await
    }

    /// Replaces the tags of a sandbox, only those with this entity tag if given.
    async fn put(&self, id: &str, tags: &Value, if_match: Option<&str>) -> Answer {
        let request = self.request("PUT", &format!("/api/sandboxes/{id}/tags"));
        let request = request.header("content-type", "application/json");
        let request = if_match.into_iter().fold(request, |request, etag| request.header("if-match", etag));
        self.send(request, tags.to_string()).await
    }
}

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Value,
}

/// Starts two servers on a database with these lines.
async fn replicas(engine: Engine, lines: &str) -> [Replica; 2] {
    let first = Server::start(engine).await;
    first.import(ORG, lines).await.unwrap();
    let second = Server::with_key(first.database.clone(), Rule::default(), first.key.clone()).await;
    [first, second].map(Replica::new)
}

fn session(id: &str) -> String {
    let line = json!({
        "type": "session", "sandboxId": id, "template": "base", "region": "use2", "workerId": "w-1",
        "status": "running", "startedAt": "2026-01-01T00:00:00Z",
    });
    format!("{line}\n")
}

/// Returns an event of `amount` GB-seconds that starts at the given second.
fn event(id: &str, second: usize, amount: u64) -> String {
    let start = 1_767_225_600_000_000_i64 + i64::try_from(second).unwrap() * 1_000_000;
    let at = |micros: i64| Timestamp::from_micros(micros).unwrap();
    let line = json!({
        "type": "scale", "sandboxId": id, "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
        "startedAt": at(start), "endedAt": at(start + i64::try_from(amount).unwrap() * 1_000_000),
    });
    format!("{line}\n")
}

/// Returns the user tags of a write: every value names it, and the keys differ, too.
fn tags(write: Tags) -> Value {
    match write {
        0 => json!({}),
        _ => json!({ "a": write.to_string(), "b": write.to_string(), format!("c{}", write % 7): write.to_string() }),
    }
}

/// Returns the write whose tags these are.
fn write_of(read: &Value) -> Tags {
    let write = read["a"].as_str().map_or(0, |value| value.parse().unwrap());
    assert_eq!(*read, tags(write), "a mixture of two writes");
    write
}

/// Clients of the tags of a few sandboxes, and what they have recorded.
struct Registers {
    replicas: [Replica; 2],
    recorders: [Recorder<Register>; SANDBOXES],
    /// The entity tag of each write, which is the same on both servers and never that of another.
    entity_tags: Mutex<HashMap<Tags, String>>,
    started: AtomicUsize,
    last_write: AtomicU64,
    unavailable: AtomicUsize,
}

impl Registers {
    fn etag(&self, write: Tags, answer: &Answer) -> String {
        let etag = answer.etag.clone().unwrap();
        let mut known = self.entity_tags.lock().unwrap();
        assert_eq!(*known.entry(write).or_insert_with(|| etag.clone()), etag, "tags {write} have two entity tags");
        etag
    }

    /// Reads the tags of a sandbox by one of the responses that have them.
    async fn read(&self, replica: &Replica, sandbox: usize, way: u64) -> Option<(Tags, Option<String>)> {
        let operation = self.recorders[sandbox].invoke(register::Call::Read);
        let id = format!("sb-{sandbox}");
        let window = "from=2026-01-01&to=2026-02-01";
        let target = match way {
            0 => format!("/api/sandboxes/{id}/usage?{window}"),
            1 => format!("/api/usage?groupBy=sandbox&filter[sandbox]={id}&{window}"),
            2 => format!("/api/sandboxes/{id}"),
            _ => format!("/api/sandboxes/{id}/tags"),
        };
        let answer = replica.get(&target).await;
        if self.is_unavailable(&answer) {
            return None;
        }
        let body = &answer.body;
        assert_eq!(answer.status, 200, "{body}");
        // A sandbox goes without its tags if they cannot be read.
        if way == 2 && body.get("tags").is_none() && self.may_lose_connections() {
            self.unavailable.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let write = write_of(if way == 1 { &body["items"][0]["tags"] } else { &body["tags"] });
        self.recorders[sandbox].complete(operation, register::Reply::Read(write));
        Some((write, (way > 2).then(|| self.etag(write, &answer))))
    }

    /// Writes tags, only over those of `old` if given. Returns the entity tag if they were written.
    async fn write(&self, replica: &Replica, sandbox: usize, old: Option<&(Tags, String)>) -> Option<(Tags, String)> {
        let new = self.last_write.fetch_add(1, Ordering::Relaxed) + 1;
        let call = match old {
            Some((old, _)) => register::Call::WriteIf { old: *old, new },
            None => register::Call::Write(new),
        };
        let operation = self.recorders[sandbox].invoke(call);
        let (id, tags) = (format!("sb-{sandbox}"), tags(new));
        let written = replica.put(&id, &tags, old.map(|(_, etag)| etag.as_str()));
        // Some clients do not wait for the response, and leave at any point of the request.
        let patience = if new.is_multiple_of(operations() as u64 / 100) {
            Duration::from_micros(new % 2_300)
        } else {
            Duration::MAX
        };
        let Ok(answer) = tokio::time::timeout(patience, written).await else { return None };
        if self.is_unavailable(&answer) {
            return None;
        }
        if answer.status == 412 {
            assert!(old.is_some());
            self.recorders[sandbox].complete(operation, register::Reply::Changed);
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(write_of(&answer.body["tags"]), new);
        self.recorders[sandbox].complete(operation, register::Reply::Written);
        Some((new, self.etag(new, &answer)))
    }

    /// Returns whether the outcome is unknown because the database has closed the connection.
    fn is_unavailable(&self, answer: &Answer) -> bool {
        let unavailable = answer.status == 503 && self.may_lose_connections();
        self.unavailable.fetch_add(usize::from(unavailable), Ordering::Relaxed);
        unavailable
    }

    /// Returns whether the test ends connections of the database.
    fn may_lose_connections(&self) -> bool {
        self.replicas[0].server.database.engine == Engine::Postgres
    }

    async fn client(&self, number: usize) {
        let mut random = Random::new(number);
        let mut seen: [Option<(Tags, String)>; SANDBOXES] = Default::default();
        while self.started.fetch_add(1, Ordering::Relaxed) < operations() {
            let (replica, sandbox) = (&self.replicas[random.index(2)], random.index(SANDBOXES));
            let result = match random.below(20) {
                0..2 => self.write(replica, sandbox, None).await,
                2..5 => self.write(replica, sandbox, seen[sandbox].as_ref()).await,
                kind => {
                    let read = self.read(replica, sandbox, random.below(20)).await;
                    let read = read.and_then(|(write, etag)| Some((write, etag?)));
                    // Often writes back at once, before most others.
                    match &read {
                        Some(_) if kind < 8 => self.write(replica, sandbox, read.as_ref()).await.or(read),
                        _ => read,
                    }
                }
            };
            seen[sandbox] = result.or(seen[sandbox].take());
        }
    }

    /// Ends PostgreSQL's connections a few times while the clients run.
    async fn disconnect(&self) {
        let database = &self.replicas[0].server.database;
        for part in 1..=4 {
            while self.started.load(Ordering::Relaxed) < operations() * part / 5 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if database.engine == Engine::Postgres {
                let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                    WHERE application_name = 'opencomputer-usage' AND datname = current_database()";
                database.texts(end).await;
            }
        }
    }
}

async fn tag_writes_are_linearizable(engine: Engine) {
    let ids: Vec<_> = (0..SANDBOXES).map(|number| format!("sb-{number}")).collect();
    let lines: String = ids.iter().map(|id| session(id) + &event(id, 0, 1)).collect();
    let registers = Registers {
        replicas: replicas(engine, &lines).await,
        recorders: std::array::from_fn(|_| Recorder::new()),
        entity_tags: Mutex::default(),
        started: AtomicUsize::new(0),
        last_write: AtomicU64::new(0),
        unavailable: AtomicUsize::new(0),
    };
    let clients = join_all((0..CLIENTS).map(|number| registers.client(number)));
    tokio::join!(clients, registers.disconnect());
    // Shows which of the unknown outcomes have taken effect.
    for sandbox in 0..SANDBOXES {
        for replica in &registers.replicas {
            while registers.read(replica, sandbox, 3).await.is_none() {}
        }
    }
    let unavailable = registers.unavailable.into_inner();
    assert!(engine == Engine::Sqlite || unavailable > 0, "no request has lost its connection");
    let histories = registers.recorders.map(Recorder::history);
    let count = |is: fn(&register::Call, Option<&register::Reply>) -> bool| {
        let operations = histories.iter().flatten();
        operations.filter(|one| is(&one.call, one.returned.as_ref().map(|(_, reply)| reply))).count()
    };
    assert!(histories.iter().map(Vec::len).sum::<usize>() >= operations());
    let few = operations() / 200;
    assert!(count(|_, reply| matches!(reply, Some(register::Reply::Changed))) > few);
    let updates =
        count(|call, reply| matches!((call, reply), (register::Call::WriteIf { .. }, Some(register::Reply::Written))));
    assert!(updates > few, "{updates} conditional writes have succeeded");
    assert!(count(|_, reply| reply.is_none()) > 0, "no outcome is unknown");
    for history in &histories {
        assert!(overlaps::<Register>(history) > history.len() / 10, "the clients did not meet");
        check(&Register, 0, history).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Returns the number of operations that were invoked before an earlier one had returned.
fn overlaps<M: Model>(history: &History<M>) -> usize {
    let mut latest = 0;
    let mut overlaps = 0;
    for operation in history {
        overlaps += usize::from(operation.invoked < latest);
        latest = latest.max(operation.returned.as_ref().map_or(0, |(returned, _)| *returned));
    }
    overlaps
}

/// The fleet of the walks: sandboxes, teams, and the number of walks.
const FLEET: usize = 7;
const TEAMS: u8 = 4;
const WALKS: usize = 60;
const LIMIT: usize = 2;

fn whole(value: &Value, series: bool) -> u64 {
    let amount = value["memoryGbSeconds"].as_f64().unwrap();
    if series {
        let buckets = value["series"]["memoryGbSeconds"].as_array().unwrap();
        assert_eq!(buckets.iter().map(|bucket| bucket.as_f64().unwrap()).sum::<f64>().to_bits(), amount.to_bits());
    }
    assert_eq!(amount.fract().to_bits(), 0, "{amount} is not a whole number of GB-seconds");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    {
        amount as u64
    }
}

fn team_of(tags: &Value) -> Option<u8> {
    tags["team"].as_str().map(|name| name.strip_prefix("team-").unwrap().parse().unwrap())
}

/// Reads a page as the model describes it, and returns the cursor of the next one.
fn page(answer: &Answer, by: GroupBy, series: bool) -> (Page, Option<String>) {
    let body = &answer.body;
    assert_eq!(answer.status, 200, "{body}");
    let items = body["items"].as_array().unwrap().iter().map(|item| match by {
        GroupBy::Sandbox => {
            let name = item["sandboxId"].as_str().unwrap().to_owned();
            Item { name, amount: whole(item, series), sandboxes: 1, team: team_of(&item["tags"]) }
        }
        GroupBy::Team => {
            let name = item["tagValue"].as_str().unwrap().to_owned();
            let team = team_of(&json!({ "team": name }));
            let sandboxes = usize::try_from(item["sandboxCount"].as_u64().unwrap()).unwrap();
            Item { name, amount: whole(item, series), sandboxes, team }
        }
    });
    let items = items.collect();
    let untagged = body.get("untagged").map(|untagged| {
        (whole(untagged, series), usize::try_from(untagged["sandboxCount"].as_u64().unwrap()).unwrap())
    });
    let next = body["nextCursor"].as_str().map(str::to_owned);
    (Page { total: whole(&body["total"], series), untagged, items, more: next.is_some() }, next)
}

/// Walks pages in turn by team and by sandbox, without and with series.
async fn walk(replica: &Replica, recorder: &Recorder<Fleet>, number: usize) {
    let (by, name) = if number.is_multiple_of(2) { (GroupBy::Team, "tag:team") } else { (GroupBy::Sandbox, "sandbox") };
    let series = number % 4 > 1;
    let interval = if series { "&interval=1w" } else { "" };
    let query = format!("/api/usage?groupBy={name}&from=2026-01-01&to=2026-02-01&limit={LIMIT}{interval}");
    let mut after = None;
    let mut cursor = String::new();
    loop {
        let operation = recorder.invoke(fleet::Call::Page { by, after: after.take(), limit: LIMIT });
        let answer = replica.get(&format!("{query}{cursor}")).await;
        let (page, next) = page(&answer, by, series);
        let last = page.items.last().map(|item| (item.amount, item.name.clone()));
        recorder.complete(operation, fleet::Reply::Page(page));
        let Some(next) = next else { break };
        (after, cursor) = (last, format!("&cursor={next}"));
    }
}

async fn every_page_of_a_walk_shows_one_snapshot(engine: Engine) {
    let initial = State {
        teams: (0..FLEET).map(|number| u8::try_from(number % 5).ok().filter(|team| *team < TEAMS)).collect(),
        amounts: (0..FLEET).map(|number| 1 << number).collect(),
    };
    let tags = |of: Option<u8>| of.map_or(json!({}), |of| json!({ "team": team(of) }));
    let line = |number: usize| {
        let id = sandbox(number);
        let tags = json!({ "type": "tags", "sandboxId": id, "tags": tags(initial.teams[number]) });
        event(&id, 0, initial.amounts[number]) + &format!("{tags}\n")
    };
    let replicas = replicas(engine, &(0..FLEET).map(line).collect::<String>()).await;
    let recorder = Recorder::<Fleet>::new();
    let done = AtomicBool::new(false);
    let walks = async {
        let walker = |at: usize| {
            let (replica, recorder) = (&replicas[at], &recorder);
            async move {
                for number in 0..WALKS / 2 {
                    walk(replica, recorder, number).await;
                }
            }
        };
        tokio::join!(walker(0), walker(1));
        done.store(true, Ordering::Relaxed);
    };
    let retag = async |client: usize| {
        let mut random = Random::new(client);
        while !done.load(Ordering::Relaxed) {
            let (sandbox, team) = (random.index(FLEET), u8::try_from(random.below(u64::from(TEAMS) + 1)).unwrap());
            let team = (team < TEAMS).then_some(team);
            let operation = recorder.invoke(fleet::Call::Retag { sandbox, team });
            let answer = replicas[client % 2].put(&format!("sb-{sandbox}"), &tags(team), None).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            recorder.complete(operation, fleet::Reply::Written);
        }
    };
    let import = async {
        let mut random = Random::new(CLIENTS);
        let mut second = 0;
        while !done.load(Ordering::Relaxed) {
            second += 1;
            let amounts: Vec<_> = (0..3).map(|n| ((random.index(2) + 2 * n), 1 + random.below(90))).collect();
            let lines = amounts.iter().map(|(number, amount)| event(&sandbox(*number), second, *amount));
            let lines: String = lines.collect();
            let operation = recorder.invoke(fleet::Call::Import(amounts));
            replicas[second % 2].server.import(ORG, &lines).await.unwrap();
            recorder.complete(operation, fleet::Reply::Written);
        }
    };
    tokio::join!(walks, retag(0), retag(1), import);
    let history = recorder.history();
    let pages = history.iter().filter(|one| matches!(one.call, fleet::Call::Page { .. })).count();
    assert!(pages > WALKS, "{pages} pages in {WALKS} walks");
    assert!(overlaps::<Fleet>(&history) > pages / 2, "the clients did not meet");
    check(&Fleet, initial, &history).unwrap_or_else(|error| panic!("{error}"));
}

on_both_engines!(tag_writes_are_linearizable, every_page_of_a_walk_shows_one_snapshot);
