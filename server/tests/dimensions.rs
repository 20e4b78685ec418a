//! Usage by several dimensions, with exclusions and over time, through the interface of the store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Engine, ORG, OTHER, Server, on_both_engines};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::page::Page;

const HOUR: u128 = 3_600_000_000;

/// The latest session of `one` and `two` differs from their first. `three` has no tags and an empty region, `four` has
/// no session.
const FLEET: &str = r#"
{"type":"session","sandboxId":"one","template":"old","region":"eu","workerId":"w","status":"stopped","startedAt":"2026-01-01T00:00:00Z","stoppedAt":"2026-01-01T01:00:00Z"}
{"type":"session","sandboxId":"one","template":"base","region":"us","workerId":"w","status":"running","startedAt":"2026-01-02T00:00:00Z"}
{"type":"session","sandboxId":"two","template":"base","region":"us","workerId":"w","status":"running","startedAt":"2026-01-01T00:00:00Z"}
{"type":"session","sandboxId":"two","template":"node","region":"eu","workerId":"w","status":"error","startedAt":"2026-01-03T00:00:00Z"}
{"type":"session","sandboxId":"three","template":"base","region":"","workerId":"w","status":"running","startedAt":"2026-01-01T00:00:00Z"}
{"type":"scale","sandboxId":"one","memoryMb":1,"cpuPercent":100,"diskMb":20481,"startedAt":"2026-01-01T23:00:00Z","endedAt":"2026-01-02T02:00:00Z"}
{"type":"scale","sandboxId":"two","memoryMb":10,"cpuPercent":100,"diskMb":1,"startedAt":"2026-01-01T00:00:00Z","endedAt":"2026-01-01T01:00:00Z"}
{"type":"scale","sandboxId":"three","memoryMb":100,"cpuPercent":100,"diskMb":1,"startedAt":"2026-01-03T00:00:00Z","endedAt":"2026-01-03T01:00:00Z"}
{"type":"scale","sandboxId":"four","memoryMb":1000,"cpuPercent":100,"diskMb":1,"startedAt":"2025-12-31T23:00:00Z","endedAt":"2026-01-01T01:00:00Z"}
{"type":"tags","sandboxId":"one","tags":{"team":"a","env":"prod"}}
{"type":"tags","sandboxId":"two","tags":{"team":"a"}}
{"type":"tags","sandboxId":"four","tags":{"env":""}}
"#;

/// Another org with the same ids and other values.
const OTHERS: &str = r#"
{"type":"session","sandboxId":"one","template":"theirs","region":"theirs","workerId":"w","status":"theirs","startedAt":"2026-01-04T00:00:00Z"}
{"type":"scale","sandboxId":"one","memoryMb":100000,"cpuPercent":100,"diskMb":1,"startedAt":"2026-01-01T00:00:00Z","endedAt":"2026-01-04T00:00:00Z"}
{"type":"tags","sandboxId":"one","tags":{"team":"theirs","env":"theirs"}}
"#;

async fn fleet(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    server.import(ORG, FLEET).await.unwrap();
    server.import(OTHER, OTHERS).await.unwrap();
    server
}

async fn page(server: &Server, query: &str) -> Page {
    let now = server.store.now().await.unwrap();
    let query = format!("{query}&from=2026-01-01&to=2026-01-04");
    let query = UsageQuery::parse(&Parameters::decode(query), Some(now)).unwrap();
    server.store.usage(ORG, &query.plan(now, Rule::default()).unwrap()).await.unwrap().0
}

/// Returns each group as its values and its memory in MB-hours, the group without values last.
async fn groups(server: &Server, query: &str) -> Vec<String> {
    let page = page(server, query).await;
    let untagged = (page.untagged.sandboxes > 0).then_some(&page.untagged);
    let shown = page.items.iter().chain(untagged).map(|group| {
        let values: Vec<_> = group.key.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
        format!("{} {}", values.join(","), group.usage.memory / HOUR)
    });
    shown.collect()
}

async fn groups_have_the_values_of_the_latest_session(engine: Engine) {
    let server = fleet(engine).await;
    for (group_by, wanted) in [
        ("template", ["base 103", "node 10", "null 1000"].as_slice()),
        ("region", ["eu 10", "us 3", "null 1100"].as_slice()),
        ("status", ["running 103", "error 10", "null 1000"].as_slice()),
        ("region,template", ["null,base 100", "eu,node 10", "us,base 3", "null,null 1000"].as_slice()),
        ("tag:env,tag:team", [",null 1000", "null,a 10", "prod,a 3", "null,null 100"].as_slice()),
        (
            "tag:team,status,tag:env",
            ["null,null, 1000", "null,running,null 100", "a,error,null 10", "a,running,prod 3"].as_slice(),
        ),
    ] {
        assert_eq!(groups(&server, &format!("groupBy={group_by}")).await, wanted, "{group_by}");
    }
}

async fn filters_keep_and_exclusions_drop_what_they_match(engine: Engine) {
    let server = fleet(engine).await;
    for (conditions, wanted) in [
        ("filter[template]=base", ["three 100", "one 3"].as_slice()),
        ("filter[template]=old", [].as_slice()),
        ("filter[region]=", ["four 1000", "three 100"].as_slice()),
        ("filter[status]=error,running&filter[region]=eu,us", ["two 10", "one 3"].as_slice()),
        ("exclude[template]=base", ["four 1000", "two 10"].as_slice()),
        ("exclude[region]=", ["two 10", "one 3"].as_slice()),
        ("exclude[tag:env]=prod", ["four 1000", "three 100", "two 10"].as_slice()),
        ("exclude[tag:env]=", ["four 1000", "one 3"].as_slice()),
        ("exclude[tag:env]=\"\"", ["three 100", "two 10", "one 3"].as_slice()),
        ("exclude[sandbox]=four,two", ["three 100", "one 3"].as_slice()),
        ("filter[tag:team]=a&exclude[tag:team]=a", [].as_slice()),
        ("filter[tag:team]=a&exclude[status]=error", ["one 3"].as_slice()),
        ("filter[template]=theirs", [].as_slice()),
    ] {
        assert_eq!(groups(&server, &format!("groupBy=sandbox&{conditions}")).await, wanted, "{conditions}");
        // Conditions hold beside the tables of other dimensions, too.
        let total = page(&server, &format!("groupBy=tag:team,tag:env,status&{conditions}")).await.total;
        assert_eq!(total, page(&server, &format!("groupBy=sandbox&{conditions}")).await.total, "{conditions}");
    }
}

fn hours(series: &[Usage]) -> Vec<u128> {
    series.iter().map(|usage| usage.memory / HOUR).collect()
}

async fn a_series_splits_every_amount_over_the_buckets(engine: Engine) {
    let server = fleet(engine).await;
    let first = page(&server, "groupBy=tag:team,region&limit=1&interval=1d").await;
    let series = first.series.unwrap();
    // `one` crosses midnight, `four` starts before the window, and both other groups are on the next page.
    assert_eq!(hours(&series.total), [1000 + 1 + 10, 2, 100]);
    assert_eq!(hours(&series.untagged), [1000, 0, 100]);
    assert_eq!(first.items[0].key, [Some("a".to_owned()), Some("eu".to_owned())]);
    assert_eq!(series.items.iter().map(|item| hours(item)).collect::<Vec<_>>(), [[10, 0, 0]]);
    let by_sandbox = page(&server, "groupBy=sandbox&interval=1d&filter[tag:env]=prod&exclude[status]=error").await;
    let series = by_sandbox.series.unwrap();
    assert_eq!(series.items.iter().map(|item| hours(item)).collect::<Vec<_>>(), [[1, 2, 0]]);
    let disk: Vec<_> = series.items[0].iter().map(|usage| usage.disk_overage / HOUR).collect();
    assert_eq!(disk, [1, 2, 0]);
    assert!(page(&server, "groupBy=sandbox").await.series.is_none());
}

/// Such products exceed 63 bits: of the memory only, and of the disk only.
async fn huge_sandboxes_are_summed_exactly_in_groups_and_series(engine: Engine) {
    let server = fleet(engine).await;
    let huge = [("memory", i32::MAX, 1), ("disk", 1, i32::MAX)].map(|(id, memory_mb, disk_mb)| {
        let event = |day: u32| {
            format!(
                r#"{{"type":"scale","sandboxId":"{id}","memoryMb":{memory_mb},"cpuPercent":1,"diskMb":{disk_mb},"startedAt":"2026-01-0{day}T00:00:00Z","endedAt":"2026-01-0{}T00:00:00Z"}}"#,
                day + 1
            )
        };
        let lines: Vec<_> = (1..=3).map(event).collect();
        lines.join("\n")
    });
    for lines in huge {
        let before = page(&server, "groupBy=tag:team,region").await.total;
        server.import(ORG, &lines).await.unwrap();
        let after = page(&server, "groupBy=tag:team,region&interval=1d").await;
        let one = if lines.contains(r#""memoryMb":1,"#) {
            Usage::of(1, i32::MAX.unsigned_abs().into(), 72 * HOUR)
        } else {
            Usage::of(i32::MAX.unsigned_abs().into(), 1, 72 * HOUR)
        };
        assert_eq!(after.total, before + one);
        assert_eq!(after.items.iter().map(|group| group.usage).sum::<Usage>() + after.untagged.usage, after.total);
        assert_eq!(after.series.unwrap().total.into_iter().sum::<Usage>(), after.total);
    }
}

on_both_engines!(
    groups_have_the_values_of_the_latest_session,
    filters_keep_and_exclusions_drop_what_they_match,
    a_series_splits_every_amount_over_the_buckets,
    huge_sandboxes_are_summed_exactly_in_groups_and_series,
);
