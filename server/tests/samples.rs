//! Samples of measured memory: imports, reads by minute, and pruning.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Database, Engine, ORG, OTHER, Server, on_engines};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::interval::Interval;
use opencomputer_usage_core::usage::time_zone::TimeZone;
use opencomputer_usage_core::usage::window::{Timestamp, Window};
use uuid::Uuid;

/// The number of bytes of the largest memory size that can be stored.
const MOST: u64 = 2_251_799_812_636_672;

fn sample(id: &str, at: &str, bytes: u64) -> String {
    format!(r#"{{"type":"sample","sandboxId":"{id}","sampledAt":"{at}","memoryBytes":{bytes}}}"#) + "\n"
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns the start, the measured memory in bytes × µs and the peak of every minute that has any.
async fn minutes(server: &Server, org: Uuid, id: &str, from: &str, to: &str) -> Vec<(Timestamp, u128, u64)> {
    let window = Window::new(at(from), at(to)).unwrap();
    let buckets = Buckets::new(window, Interval::Minute, TimeZone::default()).unwrap();
    let grid = Grid { window, as_of: at("2026-02-01"), rule: Rule::default(), buckets: Some(buckets) };
    let found = server.store.sandbox_usage(org, &id.parse().unwrap(), &grid).await.unwrap().unwrap();
    assert_eq!(found.totals.used, found.points.iter().map(|point| point.used).sum());
    let points = found.points.iter().filter(|point| point.used_peak > 0);
    points.map(|point| (point.start, point.used, point.used_peak)).collect()
}

/// An event that makes a sandbox exist.
fn scale(id: &str) -> String {
    let start = r#""startedAt":"2026-01-01","endedAt":"2026-01-01"}"#;
    format!(r#"{{"type":"scale","sandboxId":"{id}","memoryMb":1024,"cpuPercent":1,"diskMb":1,{start}"#) + "\n"
}

/// Returns every stored sample.
async fn dump(server: &Server) -> Vec<String> {
    let time = match server.database.engine {
        Engine::Sqlite => "sampled_at",
        _ => "(extract(epoch FROM sampled_at) * 1000000)::bigint",
    };
    let sql = format!(
        "SELECT concat_ws('|', sandbox_id, {time}, memory_mb, cpu_usec, memory_bytes, pids) FROM sandbox_usage_samples"
    );
    let mut rows = server.database.texts(&sql).await;
    rows.sort();
    rows
}

async fn importing_samples_again_changes_nothing_and_a_later_import_updates_them(engine: Engine) {
    let server = Server::start(engine).await;
    let lines = r#"{"type":"sample","sandboxId":"sb-1","sampledAt":"2026-01-01T00:00:00Z","memoryBytes":641728512,"memoryMb":4096,"cpuUsec":9223372036854775807,"pids":7}
        {"type":"sample","sandboxId":"sb-1","sampledAt":"2026-01-01T00:00:00.000001Z","memoryBytes":2251799812636672,"memoryMb":null}
        {"type":"sample","sandboxId":"sb-2","sampledAt":"2026-01-01T00:00:00Z","memoryBytes":1}
        {"type":"sample","sandboxId":"sb-2","sampledAt":"2026-01-01T00:00:00Z","memoryBytes":0}"#;
    let imported = server.import(ORG, lines).await.unwrap();
    assert_eq!(imported.to_string(), "imported 0 sessions, 0 scale events, 0 tag sets, 4 samples");
    let before = dump(&server).await;
    // The last line of a sample counts.
    let wanted = [
        "sb-1|1767225600000000|4096|9223372036854775807|641728512|7",
        "sb-1|1767225600000001|0|0|2251799812636672|0",
        "sb-2|1767225600000000|0|0|0|0",
    ];
    assert_eq!(before, wanted);
    server.import(ORG, lines).await.unwrap();
    assert_eq!(dump(&server).await, before);
    server.import(ORG, &sample("sb-1", "2026-01-01T01:00:00+01:00", 5)).await.unwrap();
    assert_eq!(dump(&server).await[0], "sb-1|1767225600000000|0|0|5|0");
}

async fn the_error_names_an_invalid_sample_and_nothing_is_written(engine: Engine) {
    let server = Server::start(engine).await;
    let line = |fields: &str| format!(r#"{{"type":"sample","sandboxId":"sb-1",{fields}}}"#);
    let with = |fields: &str| line(&format!(r#""sampledAt":"2026-01-01","memoryBytes":1,{fields}"#));
    let cases = [
        (line(r#""sampledAt":"2026-01-01""#), "missing field `memoryBytes`"),
        (line(r#""memoryBytes":1"#), "missing field `sampledAt`"),
        (line(r#""sampledAt":null,"memoryBytes":1"#), "`sampledAt`: invalid type: null"),
        (line(r#""sampledAt":"noon","memoryBytes":1"#), "`sampledAt`: invalid timestamp `noon`, allowed: RFC 3339"),
        (line(r#""sampledAt":"2026-01-01","memoryBytes":-1"#), "`memoryBytes`: invalid value: integer `-1`"),
        (line(r#""sampledAt":"2026-01-01","memoryBytes":null"#), "`memoryBytes`: invalid type: null"),
        (line(r#""sampledAt":"2026-01-01","memoryBytes":1.5"#), "`memoryBytes`: invalid type: floating point `1.5`"),
        (
            line(r#""sampledAt":"2026-01-01","memoryBytes":2251799812636673"#),
            "`memoryBytes`: the size 2251799812636673 is too large, at most 2251799812636672 is allowed",
        ),
        (with(r#""memoryMb":2147483648"#), "`memoryMb`: the size 2147483648 is too large, at most 2147483647"),
        (with(r#""cpuUsec":9223372036854775808"#), "`cpuUsec`: the size 9223372036854775808 is too large"),
        (with(r#""pids":-1"#), "`pids`: invalid value: integer `-1`"),
        (with(r#""pids":"7""#), "`pids`: invalid type: string \"7\""),
        (with(r#""alias":"a""#), "unknown field `alias`"),
    ];
    for (line, fault) in cases {
        let lines = sample("sb-1", "2026-01-01", 1).repeat(1_500) + &line;
        let error = server.import(ORG, &lines).await.unwrap_err().to_string();
        assert!(error.starts_with("line 1501: ") && error.contains(fault), "{line}: {error}");
    }
    assert!(dump(&server).await.is_empty());
}

async fn a_utc_minute_counts_the_mean_of_its_samples(engine: Engine) {
    const SECOND: u128 = 1_000_000;
    let server = Server::start(engine).await;
    let lines = [
        scale("sb-1"),
        scale("sb-2"),
        sample("sb-1", "2026-01-01T10:00:00Z", 1),
        sample("sb-1", "2026-01-01T10:00:59.999999Z", 2),
        sample("sb-1", "2026-01-01T10:01:00Z", 1),
        sample("sb-1", "2026-01-01T10:01:20Z", 1),
        sample("sb-1", "2026-01-01T10:01:40Z", 2),
        sample("sb-1", "2026-01-01T10:03:30Z", 0),
        sample("sb-1", "1969-12-31T23:59:59.999999Z", 9),
        sample("sb-2", "2026-01-01T10:00:00Z", 100),
    ];
    server.import(ORG, &lines.concat()).await.unwrap();
    server
        .import(OTHER, &(scale("sb-1") + &scale("sb-2") + &sample("sb-1", "2026-01-01T10:00:30Z", 1_000)))
        .await
        .unwrap();
    // Means are rounded half up: (1 + 2) / 2 is 2, (1 + 1 + 2) / 3 is 1.
    let first = at("2026-01-01T10:00:00Z");
    let second = at("2026-01-01T10:01:00Z");
    let whole = [(first, 2 * 60 * SECOND, 2), (second, 60 * SECOND, 2)];
    assert_eq!(minutes(&server, ORG, "sb-1", "2026-01-01", "2026-01-02").await, whole);
    assert_eq!(minutes(&server, ORG, "sb-1", "2026-01-01T10:01:00Z", "2026-01-01T10:03:00Z").await, whole[1..]);
    // A minute that the window cuts has the mean of all its samples, over the time inside the window.
    let from = at("2026-01-01T10:00:30Z");
    let cut = minutes(&server, ORG, "sb-1", "2026-01-01T10:00:30Z", "2026-01-01T10:01:00.000001Z").await;
    assert_eq!(cut, [(from, 2 * 30 * SECOND, 2), (second, 1, 2)]);
    let early = minutes(&server, ORG, "sb-1", "1969-12-31T23:59:30Z", "1970-01-01").await;
    assert_eq!(early, [(at("1969-12-31T23:59:30Z"), 9 * 30 * SECOND, 9)]);
    let theirs = minutes(&server, OTHER, "sb-1", "2026-01-01", "2026-01-02").await;
    assert_eq!(theirs, [(first, 1_000 * 60 * SECOND, 1_000)]);
    assert_eq!(minutes(&server, OTHER, "sb-2", "2026-01-01", "2026-01-02").await, []);
}

async fn the_sum_of_a_minute_may_exceed_63_bits(engine: Engine) {
    let server = Server::start(engine).await;
    let lines = (0..5_000).map(|n| sample("sb-1", &format!("2026-01-01T10:00:00.{n:06}Z"), MOST - n % 2));
    server.import(ORG, &(scale("sb-1") + &lines.collect::<String>())).await.unwrap();
    let found = minutes(&server, ORG, "sb-1", "2026-01-01", "2026-01-02").await;
    assert_eq!(found, [(at("2026-01-01T10:00:00Z"), u128::from(MOST) * 60_000_000, MOST)]);
}

async fn pruning_deletes_the_older_samples_of_every_org_and_nothing_else(engine: Engine) {
    let server = Server::start(engine).await;
    let line = r#"{"type":"scale","sandboxId":"sb-1","memoryMb":1,"cpuPercent":1,"diskMb":1,"startedAt":"2025-01-01"}
        {"type":"session","sandboxId":"sb-1","template":"","region":"","workerId":"","status":"stopped","startedAt":"2025-01-01"}
        {"type":"tags","sandboxId":"sb-1","tags":{"team":"a"}}
"#;
    // More than a batch, most of them at the same time.
    let many = (0..12_000).map(|n| sample(&format!("sb-{n}"), "2026-01-01", 1)).collect::<String>();
    let edge = sample("sb-1", "2026-01-01T23:59:59.999999Z", 1) + &sample("sb-1", "2026-01-02", 2);
    server.import(ORG, &(line.to_owned() + &many + &edge)).await.unwrap();
    let theirs = sample("theirs", "2025-01-01", 1) + &sample("theirs", "2026-01-03", 3);
    server.import(OTHER, &theirs).await.unwrap();
    let count =
        "SELECT concat_ws(' ', (SELECT count(*) FROM sandbox_sessions), (SELECT count(*) FROM sandbox_scale_events),
         (SELECT count(*) FROM sandbox_tags))";
    let before = server.database.texts(count).await;
    assert_eq!(before, ["1 1 1"]);
    for deleted in [12_002, 0] {
        assert_eq!(server.store.prune_samples(at("2026-01-02")).await.unwrap(), deleted);
        let kept = ["sb-1|1767312000000000|0|0|2|0", "theirs|1767398400000000|0|0|3|0"];
        assert_eq!(dump(&server).await, kept);
    }
    assert_eq!(server.database.texts(count).await, before);
}

on_engines!(
    sqlite = super::Engine::Sqlite, postgres = super::Engine::Postgres, platform = super::Engine::Platform,
    partitioned = super::Engine::Partitioned;
    [
        importing_samples_again_changes_nothing_and_a_later_import_updates_them,
        the_error_names_an_invalid_sample_and_nothing_is_written,
        a_utc_minute_counts_the_mean_of_its_samples,
        the_sum_of_a_minute_may_exceed_63_bits,
        pruning_deletes_the_older_samples_of_every_org_and_nothing_else,
    ]
);

#[tokio::test]
async fn a_platform_without_samples_is_served_and_takes_none() {
    let database = Database::create(Engine::Platform).await;
    database.add_org(ORG).await;
    database.execute("DROP TABLE sandbox_usage_samples").await;
    let server = Server::on_platform(database, ORG).await;
    server.import(ORG, &scale("sb-1")).await.unwrap();
    let usage = server.get("/api/sandboxes/sb-1/usage?from=2026-01-01&to=2026-01-02").await;
    assert_eq!((usage.status, &usage.json()["totals"]["memoryUsedGbSeconds"]), (200, &0.0.into()), "{usage:?}");
    let fault = "the database has no table `sandbox_usage_samples`, or its user may not read it";
    let refused = server.import(ORG, &sample("sb-1", "2026-01-01", 1)).await.unwrap_err();
    assert_eq!(refused.to_string(), fault);
    let refused = server.store.prune_samples(at("2026-01-02")).await.unwrap_err();
    assert_eq!(refused.to_string(), fault);
}

#[tokio::test]
async fn a_platforms_sample_of_another_org_is_not_overwritten() {
    let server = Server::start(Engine::Platform).await;
    server.import(OTHER, &sample("same", "2026-01-01", 1)).await.unwrap();
    let lines = sample("mine", "2026-01-01", 2) + &sample("same", "2026-01-01", 2);
    let refused = server.import(ORG, &lines).await.unwrap_err().to_string();
    assert!(refused.starts_with("another org has a sample of the same sandbox id and time"), "{refused}");
    assert_eq!(dump(&server).await, ["same|1767225600000000|0|0|1|0"]);
}

/// Another process writes between the batches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_writes_while_another_process_prunes() {
    let server = Server::start(Engine::Sqlite).await;
    let many = (0..30_000).map(|n| sample(&format!("sb-{n}"), "2026-01-01", 1)).collect::<String>();
    server.import(ORG, &(scale("sb-1") + &many)).await.unwrap();
    let other = Server::on(server.database.clone(), Rule::default()).await;
    let pruning = tokio::spawn(async move { other.store.prune_samples(at("2026-01-02")).await.unwrap() });
    for turn in 0..20 {
        let put = server.put("/api/sandboxes/sb-1/tags", format!(r#"{{"turn":"{turn}"}}"#)).await;
        assert_eq!(put.status, 200, "{put:?}");
    }
    assert_eq!(pruning.await.unwrap(), 30_000);
}
