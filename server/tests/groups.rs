//! Random queries over random fleets, compared with a brute-force oracle: dimensions, conditions, buckets, orders and
//! whole walks, in integers, on every schema.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use common::{Database, Engine};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::import::import;
use opencomputer_usage_server::store::{self, Store};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;
/// 2026-06-01T00:00:00Z, the instant at which everything is measured.
const AS_OF: i64 = 1_780_272_000_000_000;
const SANDBOXES: u8 = 10;

#[derive(Clone, Debug)]
struct Event {
    sandbox: u8,
    memory_mb: u32,
    disk_mb: u32,
    start: i64,
    end: Option<i64>,
}

/// Template, region and status.
type Columns = [&'static str; 3];

#[derive(Clone, Debug)]
struct Fleet {
    events: Vec<Event>,
    team: BTreeMap<u8, &'static str>,
    env: BTreeMap<u8, &'static str>,
    /// By sandbox and start in days, so the last one of a sandbox is its latest.
    sessions: BTreeMap<(u8, i64), Columns>,
}

/// The values that a condition matches; `None` stands for sandboxes that lack the dimension.
type Matched = Option<Vec<&'static str>>;

#[derive(Clone, Debug)]
struct Query {
    group_by: Vec<&'static str>,
    filters: BTreeMap<&'static str, Matched>,
    exclusions: BTreeMap<&'static str, Matched>,
    from: i64,
    to: i64,
    grid: Option<(&'static str, &'static str)>,
    by_disk: bool,
    limit: usize,
}

fn event() -> impl Strategy<Value = Event> {
    let memory_mb = prop_oneof![6 => 1..16_384_u32, 1 => Just(i32::MAX.unsigned_abs()), 1 => Just(0)];
    let disk_mb = prop_oneof![3 => Just(20_480_u32), 3 => 0..200_000_u32, 1 => Just(i32::MAX.unsigned_abs())];
    // Some events start or end at the edge of a bucket, or a microsecond before or after it.
    let beside = prop_oneof![4 => -DAY..DAY, 1 => Just(0), 1 => Just(1), 1 => Just(-1)];
    let start = (-60..5_i64, beside).prop_map(|(day, beside)| AS_OF + day * DAY + beside);
    let length = prop_oneof![
        1 => Just(None),
        3 => (0..3 * DAY).prop_map(Some),
        2 => (0..40 * DAY).prop_map(Some),
        1 => Just(Some(0)),
        1 => (0..4_i64).prop_map(|days| Some(days * DAY)),
    ];
    (0..SANDBOXES, memory_mb, disk_mb, start, length).prop_map(|(sandbox, memory_mb, disk_mb, start, length)| Event {
        sandbox,
        memory_mb,
        disk_mb,
        start,
        end: length.map(|length| start + length),
    })
}

fn fleet() -> impl Strategy<Value = Fleet> {
    let tags = || prop::collection::btree_map(0..SANDBOXES, prop::sample::select(vec!["a", "B", "é", ""]), 0..9);
    let session = (
        prop::sample::select(vec!["base", "node", ""]),
        prop::sample::select(vec!["use2", "a", ""]),
        prop::sample::select(vec!["running", "stopped", "hibernated"]),
    );
    let session = session.prop_map(|(template, region, status)| [template, region, status]);
    let sessions = prop::collection::btree_map((0..SANDBOXES, -50..0_i64), session, 0..14);
    let events = prop::collection::vec(event(), 0..50);
    (events, tags(), tags(), sessions).prop_map(|(events, team, env, sessions)| {
        let unique: BTreeMap<_, _> =
            events.into_iter().map(|one| ((one.sandbox, one.start, one.memory_mb, one.disk_mb), one)).collect();
        Fleet { events: unique.into_values().collect(), team, env, sessions }
    })
}

const DIMENSIONS: [&str; 5] = ["tag:team", "tag:env", "template", "region", "status"];

fn conditions() -> impl Strategy<Value = BTreeMap<&'static str, Matched>> {
    let values = prop::sample::subsequence(vec!["a", "B", "é", "", "base", "use2", "running", "stopped"], 1..5);
    let one = (prop::sample::select(DIMENSIONS.to_vec()), prop::option::weighted(0.7, values));
    prop::collection::vec(one, 0..3).prop_map(|conditions| conditions.into_iter().collect())
}

fn query() -> impl Strategy<Value = Query> {
    let dimensions = prop::sample::subsequence(DIMENSIONS.to_vec(), 1..4).prop_shuffle();
    let group_by = prop_oneof![1 => Just(vec!["sandbox"]), 6 => dimensions];
    let grid = prop::option::weighted(
        0.6,
        (
            prop::sample::select(vec!["1d", "1w", "1mo"]),
            prop::sample::select(vec!["UTC", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        ),
    );
    let window = (-55..-1_i64, prop_oneof![Just(0), 0..DAY], 1..50 * DAY);
    (group_by, conditions(), conditions(), window, grid, any::<bool>(), 1..8_usize).prop_map(
        |(group_by, filters, exclusions, (day, beside, length), grid, by_disk, limit)| {
            let from = AS_OF + day * DAY + beside;
            Query { group_by, filters, exclusions, from, to: from + length, grid, by_disk, limit }
        },
    )
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

impl Fleet {
    fn lines(&self) -> String {
        let id = |sandbox: &u8| format!("sb-{sandbox}");
        let events = self.events.iter().map(|event| {
            json!({
                "type": "scale", "sandboxId": id(&event.sandbox), "memoryMb": event.memory_mb, "cpuPercent": 100,
                "diskMb": event.disk_mb, "startedAt": instant(event.start), "endedAt": event.end.map(instant),
            })
        });
        let sessions = self.sessions.iter().map(|((sandbox, day), [template, region, status])| {
            json!({
                "type": "session", "sandboxId": id(sandbox), "template": template, "region": region,
                "workerId": "w-1", "status": status, "startedAt": instant(AS_OF + day * DAY),
            })
        });
        let tags = (0..SANDBOXES).filter_map(|sandbox| {
            let mut tags = BTreeMap::from([("oc:other", "x")]);
            tags.extend(self.team.get(&sandbox).map(|value| ("team", *value)));
            tags.extend(self.env.get(&sandbox).map(|value| ("env", *value)));
            let is_known = self.events.iter().any(|event| event.sandbox == sandbox)
                || self.sessions.keys().any(|(known, _)| *known == sandbox);
            is_known.then(|| json!({ "type": "tags", "sandboxId": id(&sandbox), "tags": tags }))
        });
        events.chain(sessions).chain(tags).map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
    }

    /// Returns a sandbox's value of a dimension.
    fn value(&self, sandbox: u8, dimension: &str) -> Option<String> {
        let latest = self.sessions.range((sandbox, i64::MIN)..=(sandbox, i64::MAX)).next_back();
        let column = |index: usize| latest.map(|(_, columns)| columns[index]).filter(|value| !value.is_empty());
        let value = match dimension {
            "tag:team" => self.team.get(&sandbox).copied(),
            "tag:env" => self.env.get(&sandbox).copied(),
            "template" => column(0),
            "region" => column(1),
            "status" => column(2),
            _ => return Some(format!("sb-{sandbox}")),
        };
        value.map(str::to_owned)
    }
}

impl Query {
    fn text(&self) -> String {
        let list = |matched: &Matched| {
            let quoted = |values: &Vec<&str>| values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>();
            matched.as_ref().map(|values| quoted(values).join(",")).unwrap_or_default()
        };
        let mut text = format!("groupBy={}&limit={}", self.group_by.join(","), self.limit);
        for (name, conditions) in [("filter", &self.filters), ("exclude", &self.exclusions)] {
            for (dimension, matched) in conditions {
                write!(text, "&{name}[{dimension}]={}", list(matched)).unwrap();
            }
        }
        if self.by_disk {
            text += "&sort=-diskOverageGbSeconds";
        }
        if let Some((interval, time_zone)) = self.grid {
            write!(text, "&interval={interval}&timezone={time_zone}").unwrap();
        }
        text + &format!("&from={}&to={}", instant(self.from), instant(self.to))
    }

    /// A session's dimension has no empty value, so a query for one is rejected.
    fn is_valid(&self) -> bool {
        let has_empty = |dimension: &&str, matched: &Matched| {
            !dimension.starts_with("tag:") && matched.as_ref().is_some_and(|values| values.contains(&""))
        };
        !self.filters.iter().chain(&self.exclusions).any(|(dimension, matched)| has_empty(dimension, matched))
    }

    fn keeps(&self, fleet: &Fleet, sandbox: u8) -> bool {
        let matches = |(dimension, matched): (&&str, &Matched)| match (fleet.value(sandbox, dimension), matched) {
            (value, None) => value.is_none(),
            (Some(value), Some(values)) => values.contains(&value.as_str()),
            (None, Some(_)) => false,
        };
        self.filters.iter().all(matches) && !self.exclusions.iter().any(matches)
    }
}

/// Amounts of memory and disk overage in MB × µs.
type Amounts = (i128, i128);

fn add(a: Amounts, b: Amounts) -> Amounts {
    (a.0 + b.0, a.1 + b.1)
}

fn exact(usage: &Usage) -> Amounts {
    (i128::try_from(usage.memory).unwrap(), i128::try_from(usage.disk_overage).unwrap())
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    amounts: Amounts,
    sandboxes: u64,
    buckets: Vec<Amounts>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.amounts = add(self.amounts, other.amounts);
        self.sandboxes += other.sandboxes;
        self.buckets.resize(other.buckets.len(), (0, 0));
        for (sum, amounts) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = add(*sum, *amounts);
        }
    }
}

/// Implements section 11 of the contract literally: the start and end of an event's billed time.
fn billed(event: &Event, from: i64, to: i64, rule: Rule) -> Option<(i64, i64)> {
    let counts = event.start < to && event.end.is_none_or(|end| end > from) && event.start < AS_OF && from < AS_OF;
    let end = match event.end {
        Some(end) if end <= AS_OF && rule == Rule::V1 => end,
        Some(end) if end <= AS_OF => end.min(to),
        _ => AS_OF.min(to),
    };
    let start = event.start.max(from);
    counts.then_some((start, end.max(start)))
}

/// Returns the usage of each sandbox, split at `edges`.
fn measured(fleet: &Fleet, query: &Query, edges: &[i64], rule: Rule) -> BTreeMap<u8, Sum> {
    let mut sums = BTreeMap::<u8, Sum>::new();
    for event in &fleet.events {
        let Some((start, end)) = billed(event, query.from, query.to, rule) else { continue };
        let rates = (i128::from(event.memory_mb), i128::from((i64::from(event.disk_mb) - 20_480).max(0)));
        let amounts = |micros: i64| (rates.0 * i128::from(micros), rates.1 * i128::from(micros));
        let buckets = edges.len().saturating_sub(1);
        // The last bucket also contains what is billed beyond the window.
        let edge = |index: usize| if index == buckets { i64::MAX } else { edges[index] };
        let part = |index: usize| (end.min(edge(index + 1)) - start.max(edge(index))).max(0);
        let split = (0..buckets).map(|index| amounts(part(index))).collect();
        let sum = sums.entry(event.sandbox).or_insert_with(|| Sum { sandboxes: 1, ..Sum::default() });
        sum.add(&Sum { amounts: amounts(end - start), sandboxes: 0, buckets: split });
    }
    sums
}

fn plan(text: &str, rule: Rule) -> Plan {
    let query = UsageQuery::parse(&Parameters::decode(text), Some(instant(AS_OF))).unwrap();
    query.plan(instant(AS_OF), rule).unwrap()
}

/// Walks over every page of a query and compares each with the oracle.
async fn check(store: &dyn Store, org: Uuid, fleet: &Fleet, query: &Query, rule: Rule) {
    let text = query.text();
    let first = plan(&text, rule);
    let edges = first.grid.buckets.as_ref().map_or(&[] as &[i64], |buckets| buckets.edges()).to_vec();
    let (mut total, mut groups) = (Sum::default(), BTreeMap::<Vec<Option<String>>, Sum>::new());
    total.buckets.resize(edges.len().saturating_sub(1), (0, 0));
    for (sandbox, sum) in measured(fleet, query, &edges, rule) {
        if query.keeps(fleet, sandbox) {
            let key = query.group_by.iter().map(|dimension| fleet.value(sandbox, dimension)).collect();
            groups.entry(key).or_default().add(&sum);
            total.add(&sum);
        }
    }
    let mut untagged = groups.remove(&vec![None; query.group_by.len()]).unwrap_or_default();
    untagged.buckets.resize(total.buckets.len(), (0, 0));
    let amount = |sum: &Sum| if query.by_disk { sum.amounts.1 } else { sum.amounts.0 };
    let mut wanted: Vec<_> = groups.into_iter().collect();
    wanted.sort_by_key(|(_, sum)| Reverse(amount(sum)));

    let (mut next, mut got) = (Some(first), Vec::new());
    while let Some(current) = next {
        let (page, _) = store.usage(org, &current).await.unwrap();
        let series = |buckets: Option<&Vec<Usage>>| buckets.into_iter().flatten().map(exact).collect::<Vec<_>>();
        assert_eq!(page.series.is_some(), query.grid.is_some());
        let page_series = page.series.as_ref();
        assert_eq!(
            (exact(&page.total), series(page_series.map(|all| &all.total))),
            (total.amounts, total.buckets.clone())
        );
        let rest = Sum {
            amounts: exact(&page.untagged.usage),
            sandboxes: page.untagged.sandboxes,
            buckets: series(page_series.map(|all| &all.untagged)),
        };
        assert_eq!(rest, untagged, "{text}");
        assert!(page.items.len() <= query.limit);
        for (index, group) in page.items.into_iter().enumerate() {
            let buckets = series(page.series.as_ref().map(|all| &all.items[index]));
            got.push((group.key, Sum { amounts: exact(&group.usage), sandboxes: group.sandboxes, buckets }));
        }
        next = page.next_cursor.map(|cursor| plan(&format!("{text}&cursor={cursor}"), rule));
    }
    assert_eq!(got, wanted, "{text}");
    if query.grid.is_some() {
        for (_, sum) in &got {
            assert_eq!(sum.buckets.iter().copied().fold((0, 0), add), sum.amounts);
        }
    }
}

async fn open(engine: Engine) -> (Database, Arc<dyn Store>) {
    let database = Database::create(engine).await;
    let store = store::open(database.url()).await.unwrap();
    database.partition().await;
    (database, store)
}

/// Imports the same fleets into every kind of database, so they must agree, too.
#[test]
fn any_query_over_any_fleet_equals_the_oracle_on_every_schema() {
    const ENGINES: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::Platform, Engine::Partitioned];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases: Vec<_> = ENGINES.into_iter().map(|engine| runtime.block_on(open(engine))).collect();
    proptest!(common::fleets(64), |(fleet in fleet(), queries in prop::collection::vec(query(), 4))| {
        for (database, store) in &databases {
            let org = Uuid::new_v4();
            runtime.block_on(async {
                database.add_org(org).await;
                import(&**store, org, fleet.lines().as_bytes(), |_, _| {}).await.unwrap();
                for query in queries.iter().filter(|query| query.is_valid()) {
                    for rule in [Rule::V1, Rule::Clipped] {
                        check(&**store, org, &fleet, query, rule).await;
                    }
                }
            });
        }
    });
    drop(databases);
}
