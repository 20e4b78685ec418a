//! A clock that steps backward and forward between requests, for all processes that read it: the server, and PostgreSQL
//! if it is the engine.
#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod faults;
mod live;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use faults::clock::Clock;
use faults::cluster::Cluster;
use faults::{Client, Log, ORGS, at, instant, keys, until};
use live::{Live, Place};
use opencomputer_usage_core::usage::accounting::{Measure, Rule, Usage};
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const BY_TEAM: &str = "/api/usage?groupBy=tag:team&limit=1";
const TAGS: &str = "/api/sandboxes/sb-1/tags";

struct Scene {
    clock: Clock,
    place: Place,
    live: Live,
    client: Client,
    /// The start of the events, which are open.
    start: Timestamp,
    _cluster: Option<Cluster>,
}

impl Scene {
    /// Starts a server with three sandboxes that have run for ten days.
    fn new(postgres: bool) -> Self {
        let clock = Clock::new();
        let mut variables = clock.variables();
        let cluster = postgres.then(|| Cluster::create(&[], variables.clone(), None, &[]));
        variables.extend(cluster.as_ref().map(|cluster| ("DATABASE_URL", cluster.url())));
        let place = Place::with(variables);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let start = at((i64::try_from(now.as_secs()).unwrap() - 10 * DAY) * 1_000_000);
        let lines = |n: u64| {
            let id = format!("sb-{n}");
            let event = json!({ "type": "scale", "sandboxId": id, "memoryMb": 1024 * n, "cpuPercent": 100,
                "diskMb": 20_480, "startedAt": start });
            let tags = json!({ "type": "tags", "sandboxId": id, "tags": { "team": format!("t{n}") } });
            format!("{event}\n{tags}\n")
        };
        for org in ORGS {
            std::fs::write(place.path("lines.jsonl"), (1..=3).map(lines).collect::<String>()).unwrap();
            let imported = place.run(&["import", "lines.jsonl", "--org", org]);
            assert!(imported.status.success(), "{imported:?}");
        }
        let key = keys(&place).remove(0);
        let live = place.serve_logging_to(Log(&place).open(), &[]);
        let client = Client { address: live.address.clone(), key };
        Self { clock, place, live, client, start, _cluster: cluster }
    }

    fn end(self) {
        self.live.terminate();
        assert!(self.live.ended().status.success());
        Log(&self.place).check();
    }

    /// Asks for a report and checks that its window and sums fit its `asOf`.
    fn usage(&self, target: &str) -> Value {
        let reply = self.client.get(target);
        assert_eq!(reply.status, 200, "{reply:?}");
        let body = reply.body;
        let (from, to, as_of) = (instant(&body["from"]), instant(&body["to"]), instant(&body["asOf"]));
        let window = Window::new(from, to).unwrap();
        let micros = Measure::new(Rule::default(), window, as_of).billed_micros(self.start.micros(), None);
        let whole = Usage::of(1024 * 6, 20_480, micros.unwrap_or(0).into());
        assert_eq!(body["total"]["memoryGbSeconds"], json!(whole.memory_gb_seconds()), "{body}");
        assert_eq!(to, as_of, "{body}");
        assert_eq!(to.micros() - from.micros(), 30 * DAY * 1_000_000, "{body}");
        body
    }
}

fn as_of(body: &Value) -> i64 {
    instant(&body["asOf"]).micros() / 1_000_000
}

fn requests_between_steps_follow_the_clock(postgres: bool) {
    let scene = Scene::new(postgres);
    reports_follow_the_clock_and_walks_keep_their_instant(&scene);
    keys_expire_by_the_clock(&scene);
    entity_tags_and_requests_under_way_do_not_depend_on_the_clock(&scene);
    scene.end();
}

fn reports_follow_the_clock_and_walks_keep_their_instant(scene: &Scene) {
    let first = scene.usage(BY_TEAM);
    let mut seen = vec![first["items"][0]["tagValue"].clone()];
    let mut cursor = first["nextCursor"].clone();
    for step in [-DAY, 40 * DAY, -400 * DAY, 3_700 * DAY, -1, 0] {
        scene.clock.set(step);
        let now = scene.usage(BY_TEAM);
        let moved = as_of(&now) - as_of(&first) - step;
        assert!((0..3_600).contains(&moved), "moved by {moved} s more than the clock, {step} s");
        // The walk goes on as if nothing had happened.
        if let Some(position) = cursor.as_str() {
            let next = scene.usage(&format!("{BY_TEAM}&cursor={position}"));
            for member in ["from", "to", "asOf", "total", "untagged"] {
                assert_eq!(next[member], first[member], "{step}");
            }
            seen.extend(next["items"].as_array().unwrap().iter().map(|item| item["tagValue"].clone()));
            cursor = next["nextCursor"].clone();
        }
        let drilldown = scene.client.get("/api/sandboxes/sb-1/usage?interval=1d");
        assert_eq!(drilldown.status, 200, "{drilldown:?}");
        assert_eq!(scene.client.get("/readyz").status, 200);
    }
    assert_eq!(seen, ["t3", "t2", "t1"]);
}

fn entity_tags_and_requests_under_way_do_not_depend_on_the_clock(scene: &Scene) {
    let etag = |reply: &faults::Reply| reply.header("etag").unwrap().to_owned();
    let mut known = etag(&scene.client.get(TAGS));
    for (n, step) in [-DAY, 40 * DAY, -400 * DAY, 3_700 * DAY, 0].into_iter().enumerate() {
        // The clock steps while the request is under way, and its time limit stays.
        let body = json!({ "n": n.to_string() }).to_string();
        let mut slow = scene.live.connect();
        let (first, rest) = body.split_at(3);
        let (key, length) = (&scene.client.key, body.len());
        write!(
            slow,
            "PUT {TAGS} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {key}\r\nif-match: {known}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{first}"
        )
        .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        scene.clock.set(step);
        write!(slow, "{rest}").unwrap();
        let written = live::answer(slow);
        assert_eq!(live::status(&written), "200", "{written}");
        let read = scene.client.get(TAGS);
        assert_eq!(read.body["tags"], json!({ "n": n.to_string() }));
        assert!(written.contains(&etag(&read)), "{written} {read:?}");
        known = etag(&read);
        // Writing the same again changes nothing, not even the time.
        let again = scene.client.put(TAGS, &read.body["tags"]);
        assert_eq!((again.status, etag(&again), &again.body), (200, known.clone(), &read.body));
    }
}

/// Decrements the number of workers when dropped, so that a worker that panics counts as done.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn keys_expire_by_the_clock(scene: &Scene) {
    let expires = at(scene.start.micros() + 11 * DAY * 1_000_000).to_string();
    let created = scene.place.run(&["keys", "create", "--org", ORGS[0], "--name", "short", "--expires", &expires]);
    let key = String::from_utf8(created.stdout).unwrap().split_whitespace().last().unwrap().to_owned();
    let client = Client { key, ..scene.client.clone() };
    for (step, status) in [(0, 200), (2 * DAY, 401), (-2 * DAY, 200), (DAY + 3_600, 401), (0, 200)] {
        scene.clock.set(step);
        assert_eq!(client.get("/api/tags").status, status, "{step}");
    }
}

fn a_clock_that_steps_all_the_time_stops_nothing(postgres: bool) {
    let scene = Scene::new(postgres);
    let working = AtomicUsize::new(3);
    let work = || {
        let _done = Done(&working);
        for n in 0..30 {
            until("a write succeeds", || scene.client.put(TAGS, &json!({ "n": n.to_string() })).succeeded());
            until("a read succeeds", || {
                let reply = scene.client.get("/api/usage?groupBy=sandbox&limit=1");
                let (from, to) = (&reply.body["from"], &reply.body["to"]);
                reply.succeeded() && Window::new(instant(from), instant(to)).is_ok()
            });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(work);
        }
        for step in [-DAY, 40 * DAY, 1, -1, -400 * DAY, 0].into_iter().cycle() {
            if working.load(Ordering::Relaxed) == 0 {
                break;
            }
            scene.clock.set(step);
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    });
    scene.clock.set(0);
    scene.usage(BY_TEAM);
    scene.end();
}

macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite { $(#[test] fn $test() { super::$test(false); })* }
        mod postgres { $(#[test] fn $test() { super::$test(true); })* }
    };
}

on_both_engines!(requests_between_steps_follow_the_clock, a_clock_that_steps_all_the_time_stops_nothing);
