//! Sums compared with a brute-force oracle that shares no code with the server: both engines, both rules, in integers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Database, Engine};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::import::import;
use opencomputer_usage_server::store::{self, Store, Tier};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;
/// 2026-06-01T00:00:00Z, the instant at which everything is measured.
const AS_OF: i64 = 1_780_272_000_000_000;

#[derive(Clone, Debug)]
struct Event {
    sandbox: u8,
    memory_mb: u32,
    disk_mb: u32,
    start: i64,
    end: Option<i64>,
}

#[derive(Clone, Debug)]
struct Fleet {
    events: Vec<Event>,
    /// Sandboxes with their value of the tag. The others lack it.
    tags: BTreeMap<u8, &'static str>,
    from: i64,
    to: i64,
}

fn event(around: i64) -> impl Strategy<Value = Event> {
    let memory_mb = prop_oneof![4 => 1..16_384_u32, 1 => Just(i32::MAX.unsigned_abs()), 1 => Just(0)];
    let disk_mb = prop_oneof![3 => Just(20_480_u32), 3 => 0..200_000_u32, 1 => Just(i32::MAX.unsigned_abs())];
    let start = prop_oneof![6 => around - 100 * DAY..around + 20 * DAY, 1 => Just(around), 1 => Just(AS_OF)];
    let length = prop_oneof![
        2 => Just(None),
        6 => (0..40 * DAY).prop_map(Some),
        1 => Just(Some(0)),
        1 => (0..AS_OF - around + 30 * DAY).prop_map(Some),
    ];
    (0..12_u8, memory_mb, disk_mb, start, length).prop_map(|(sandbox, memory_mb, disk_mb, start, length)| Event {
        sandbox,
        memory_mb,
        disk_mb,
        start,
        end: length.map(|length| start + length),
    })
}

/// Fleets of today, and of times so long ago that a float cannot count the microseconds until today.
fn fleet() -> impl Strategy<Value = Fleet> {
    let around = prop_oneof![4 => Just(AS_OF), 1 => Just(-2_000_000_000_000_000), 1 => Just(-61_000_000_000_000_000)];
    around.prop_flat_map(|around| {
        let tags = prop::collection::btree_map(0..12_u8, prop::sample::select(vec!["a", "B", "é", "", "z z"]), 0..9);
        let events = prop::collection::vec(event(around), 0..60);
        (events, tags, -120 * DAY..10 * DAY, 1..90 * DAY).prop_map(move |(events, tags, from, length)| {
            let unique: BTreeMap<_, _> =
                events.into_iter().map(|one| ((one.sandbox, one.start, one.memory_mb, one.disk_mb), one)).collect();
            Fleet { events: unique.into_values().collect(), tags, from: around + from, to: around + from + length }
        })
    })
}

/// Implements section 11 of the contract literally.
fn billed(event: &Event, from: i64, to: i64, rule: Rule) -> Option<i128> {
    let counts = event.start < to && event.end.is_none_or(|end| end > from) && event.start < AS_OF && from < AS_OF;
    let is_open = event.end.is_none_or(|end| end > AS_OF);
    let end = match (event.end, rule) {
        _ if is_open => AS_OF.min(to),
        (Some(end), Rule::Clipped) => end.min(to),
        (Some(end), Rule::V1) => end,
        (None, _) => unreachable!(),
    };
    counts.then(|| i128::from(end - event.start.max(from)).max(0))
}

/// Returns the usage of each sandbox.
fn oracle(fleet: &Fleet, rule: Rule) -> BTreeMap<u8, (i128, i128)> {
    let mut sums = BTreeMap::<u8, (i128, i128)>::new();
    for event in &fleet.events {
        if let Some(micros) = billed(event, fleet.from, fleet.to, rule) {
            let sum = sums.entry(event.sandbox).or_default();
            sum.0 += i128::from(event.memory_mb) * micros;
            sum.1 += i128::from((i64::from(event.disk_mb) - 20_480).max(0)) * micros;
        }
    }
    sums
}

/// Returns allocated memory, uptime and peak of one sandbox, clipped to the window. Nothing changes between two
/// neighboring edges, so the sandbox is up for the whole piece or not at all.
fn allocated(fleet: &Fleet, sandbox: u8) -> (i128, i128, u64) {
    let length = |event: &Event| billed(event, fleet.from, fleet.to, Rule::Clipped).unwrap_or_default();
    let spans: Vec<_> = fleet.events.iter().filter(|one| one.sandbox == sandbox && length(one) > 0).collect();
    let memory = spans.iter().map(|one| i128::from(one.memory_mb) * length(one)).sum();
    let clip = |at: i64| at.clamp(fleet.from, fleet.to.min(AS_OF));
    let ends = |one: &&Event| (clip(one.start), clip(one.end.unwrap_or(i64::MAX)));
    let edges: BTreeSet<_> = spans.iter().map(ends).flat_map(|(start, end)| [start, end]).collect();
    let edges: Vec<_> = edges.into_iter().collect();
    let is_up = |piece: &[i64]| spans.iter().map(ends).any(|(start, end)| start <= piece[0] && end >= piece[1]);
    let uptime = edges.windows(2).filter(|piece| is_up(piece)).map(|piece| i128::from(piece[1] - piece[0])).sum();
    (memory, uptime, spans.iter().map(|one| one.memory_mb.into()).max().unwrap_or(0))
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn lines(fleet: &Fleet) -> String {
    let id = |sandbox: u8| format!("sb-{sandbox}");
    let events = fleet.events.iter().map(|event| {
        json!({
            "type": "scale", "sandboxId": id(event.sandbox), "memoryMb": event.memory_mb, "cpuPercent": 100,
            "diskMb": event.disk_mb, "startedAt": instant(event.start), "endedAt": event.end.map(instant),
        })
    });
    let tags = fleet.tags.iter().map(|(sandbox, value)| {
        json!({ "type": "tags", "sandboxId": id(*sandbox), "tags": { "team": value, "oc:other": "x" } })
    });
    events.chain(tags).map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
}

async fn page(store: &dyn Store, org: Uuid, fleet: &Fleet, group_by: &str, rule: Rule) -> (Page, Grid) {
    let query = format!("groupBy={group_by}&limit=500&from={}&to={}", instant(fleet.from), instant(fleet.to));
    let query = UsageQuery::parse(&Parameters::decode(query), Some(instant(AS_OF))).unwrap();
    let plan = query.plan(instant(AS_OF), rule).unwrap();
    let (page, _) = store.usage(org, &plan).await.unwrap();
    (page, plan.grid)
}

fn exact(usage: Usage) -> (i128, i128) {
    (i128::try_from(usage.memory).unwrap(), i128::try_from(usage.disk_overage).unwrap())
}

fn add(a: (i128, i128), b: (i128, i128)) -> (i128, i128) {
    (a.0 + b.0, a.1 + b.1)
}

/// Returns whether a filter keeps a sandbox.
type Keep<'f> = &'f dyn Fn(&u8) -> bool;

/// Compares every read of a fleet with the oracle.
async fn check(store: &dyn Store, org: Uuid, fleet: &Fleet) {
    import(store, org, lines(fleet).as_bytes(), |_, _| {}).await.unwrap();
    for rule in [Rule::V1, Rule::Clipped] {
        let wanted = oracle(fleet, rule);
        let total = wanted.values().copied().fold((0, 0), add);
        let (by_sandbox, reading) = page(store, org, fleet, "sandbox", rule).await;
        let got: BTreeMap<_, _> =
            by_sandbox.items.iter().map(|group| (group.name().to_owned(), exact(group.usage))).collect();
        let named: BTreeMap<_, _> = wanted.iter().map(|(sandbox, sum)| (format!("sb-{sandbox}"), *sum)).collect();
        assert_eq!(got, named, "{rule:?}");
        assert_eq!(exact(by_sandbox.total), total);
        let rollup: Usage = store.rollup(org, &reading).await.unwrap().unwrap().iter().map(Tier::usage).sum();
        assert_eq!(exact(rollup), total);
        let (by_tag, _) = page(store, org, fleet, "tag:team", rule).await;
        let mut groups = BTreeMap::<_, ((i128, i128), u64)>::new();
        for (sandbox, sum) in &wanted {
            let group = groups.entry(fleet.tags.get(sandbox)).or_default();
            *group = (add(group.0, *sum), group.1 + 1);
        }
        let untagged = groups.remove(&None).unwrap_or_default();
        assert_eq!((exact(by_tag.untagged.usage), by_tag.untagged.sandboxes), untagged);
        let got: BTreeMap<_, _> =
            by_tag.items.iter().map(|one| (one.name(), (exact(one.usage), one.sandboxes))).collect();
        let groups: BTreeMap<_, _> = groups.into_iter().map(|(name, group)| (*name.unwrap(), group)).collect();
        assert_eq!(got, groups);
        assert_eq!(exact(by_tag.total), total);
        let team = |sandbox: &u8| fleet.tags.get(sandbox).copied();
        let filters: [(&str, Keep); 4] = [
            ("filter[tag:team]=a,B,\"\"", &|sandbox| matches!(team(sandbox), Some("a" | "B" | ""))),
            ("filter[tag:team]=", &|sandbox| team(sandbox).is_none()),
            ("filter[sandbox]=sb-1,sb-2,sb-11&filter[tag:none]=", &|sandbox| matches!(sandbox, 1 | 2 | 11)),
            ("filter[tag:oc:other]=x&filter[tag:team]=é,z z", &|sandbox| matches!(team(sandbox), Some("é" | "z z"))),
        ];
        for (filter, keep) in filters {
            let kept = wanted.iter().filter(|(sandbox, _)| keep(sandbox)).map(|(_, sum)| *sum);
            let (filtered, _) = page(store, org, fleet, &format!("sandbox&{filter}"), rule).await;
            assert_eq!((exact(filtered.total), filtered.items.len()), (kept.clone().fold((0, 0), add), kept.count()));
        }
        let sandboxes: BTreeSet<_> = fleet.events.iter().map(|event| event.sandbox).collect();
        for sandbox in sandboxes {
            let id = format!("sb-{sandbox}").parse().unwrap();
            let one = store.sandbox_usage(org, &id, &reading).await.unwrap().unwrap();
            assert_eq!(exact(one.totals.usage), wanted.get(&sandbox).copied().unwrap_or_default());
            let got = (
                i128::try_from(one.totals.allocated).unwrap(),
                i128::from(one.totals.uptime_micros),
                one.totals.peak_mb,
            );
            assert_eq!(got, allocated(fleet, sandbox));
        }
    }
}

/// Sandboxes that are tagged, untagged and running; events before the window, across both ends, and of zero length.
fn fixture() -> Fleet {
    let event = |sandbox, memory_mb, disk_mb, start: i64, end: Option<i64>| Event {
        sandbox,
        memory_mb,
        disk_mb,
        start: AS_OF + start * DAY,
        end: end.map(|end| AS_OF + end * DAY),
    };
    Fleet {
        events: vec![
            event(0, 4096, 30_720, -40, Some(-20)),
            event(0, 2048, 20_480, -20, Some(-5)),
            event(1, 8192, 10_240, -15, None),
            event(2, 1024, 102_400, -25, Some(-15)),
            event(3, 1024, 102_400, -60, Some(-30)),
            event(4, 512, 20_481, -12, Some(-12)),
            event(5, 512, 20_480, -3, Some(3)),
        ],
        tags: [(0, "payments"), (1, "search"), (3, "payments"), (4, "search")].into(),
        from: AS_OF - 30 * DAY,
        to: AS_OF - 10 * DAY,
    }
}

async fn open(engine: Engine) -> (Database, Arc<dyn Store>) {
    let database = Database::create(engine).await;
    let store = store::open(database.url()).await.unwrap();
    (database, store)
}

async fn the_fixture_adds_up(engine: Engine) {
    let (_database, store) = open(engine).await;
    for to in [AS_OF - 10 * DAY, AS_OF, AS_OF + 5 * DAY] {
        check(&*store, Uuid::new_v4(), &Fleet { to, ..fixture() }).await;
    }
}

common::on_both_engines!(the_fixture_adds_up);

/// Imports the same fleets into both engines, so the engines must agree, too.
#[test]
fn any_fleet_adds_up_on_both_engines() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engines = runtime.block_on(async { [open(Engine::Sqlite).await, open(Engine::Postgres).await] });
    proptest!(common::fleets(48), |(fleet in fleet())| {
        for (_, store) in &engines {
            runtime.block_on(check(&**store, Uuid::new_v4(), &fleet));
        }
    });
    drop(engines);
}
