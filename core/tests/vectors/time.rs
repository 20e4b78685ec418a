//! The suites of time: grids and splits, which `tests/oracle/grids.py` computes.

use opencomputer_usage_core::Error;
use opencomputer_usage_core::query::{DrilldownQuery, Parameters};
use opencomputer_usage_core::usage::accounting::Usage;
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::series::SeriesBuilder;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{SandboxUsageTotals, UsagePoint};
use opencomputer_usage_vectors::Case;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{equal, walk};

const MINUTE: i64 = 60_000_000;

/// Returns the grid of a case, from the query that a client would send.
fn grid(case: &Case) -> Result<Grid, Error> {
    let names = ["from", "to", "timezone", "interval"];
    let pairs = names.into_iter().filter_map(|name| Some(format!("{name}={}", case.text(name)?.replace('+', "%2B"))));
    let as_of: Timestamp = case.text("asOf").unwrap_or("2026-11-23T12:00:00Z").parse()?;
    let query = DrilldownQuery::parse(&Parameters::decode(pairs.collect::<Vec<_>>().join("&")), Some(as_of))?;
    query.grid(as_of, case.text("rule").unwrap_or("clipped").parse().unwrap())
}

fn wire(buckets: &Buckets) -> Value {
    serde_json::to_value(buckets.to_wire()).unwrap()
}

#[test]
fn splits_windows_into_the_buckets_of_a_time_zone() {
    walk("grids", |case| {
        let grid = grid(case).map_err(|error| error.to_string())?;
        equal(&wire(grid.buckets.as_ref().unwrap()), &case.0["buckets"])
    });
}

fn micros(value: &Value) -> Option<i64> {
    value.as_str().map(|text| text.parse::<Timestamp>().unwrap().micros())
}

#[test]
fn splits_events_and_samples_over_buckets() {
    walk("splits", |case| {
        let grid = grid(case).map_err(|error| error.to_string())?;
        let buckets = grid.buckets.as_ref().unwrap();
        let (measure, mut series, mut tally) = (grid.measure(), SeriesBuilder::new(buckets), grid.tally());
        let mut billed = Usage::default();
        for event in case.0["events"].as_array().unwrap() {
            let size = |name: &str| event[name].as_u64().unwrap();
            let (memory_mb, disk_mb) = (size("memoryMb"), size("diskMb"));
            let (started_at, ended_at) = (micros(&event["startedAt"]).unwrap(), micros(&event["endedAt"]));
            if let Some(length) = measure.billed_micros(started_at, ended_at) {
                let start = started_at.max(measure.from);
                series.add(memory_mb, disk_mb, start, start + i64::try_from(length).unwrap());
                billed += Usage::of(memory_mb, disk_mb, length.into());
            }
            tally.add(memory_mb, disk_mb, started_at, ended_at);
        }
        let mut minutes = BTreeMap::<i64, Vec<u64>>::new();
        for sample in case.get("samples").and_then(Value::as_array).into_iter().flatten() {
            let at = micros(&sample["sampledAt"]).unwrap();
            minutes.entry(at - at.rem_euclid(MINUTE)).or_default().push(sample["memoryBytes"].as_u64().unwrap());
        }
        for (minute, samples) in minutes {
            let (sum, count) = (samples.iter().sum::<u64>(), samples.len() as u64);
            tally.sample(minute, (2 * sum + count) / (2 * count), *samples.iter().max().unwrap());
        }
        let series = series.finish();
        let (totals, points) = tally.finish();
        assert_eq!(series.iter().copied().sum::<Usage>(), billed, "the series adds up");
        assert_eq!(totals.usage, billed, "the drilldown bills the same");
        assert_eq!(points.iter().map(|point| point.used).sum::<u128>(), totals.used, "the points add up");
        let points: Vec<UsagePoint> = points.into_iter().map(UsagePoint::from).collect();
        let text =
            |amount: fn(&Usage) -> u128| series.iter().map(|usage| amount(usage).to_string()).collect::<Vec<_>>();
        let got = json!({
            "buckets": wire(buckets),
            "memory": text(|usage| usage.memory),
            "diskOverage": text(|usage| usage.disk_overage),
            "points": points,
            "memoryAllocatedPeakMb": SandboxUsageTotals::from(totals).memory_allocated_peak_mb,
        });
        let mut wanted = case.0.clone();
        wanted.as_object_mut().unwrap().retain(|name, _| got.get(name).is_some());
        equal(&got, &wanted)
    });
}
