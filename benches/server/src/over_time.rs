//! Usage by day and by two dimensions, beside usage by one dimension and beside the usual plan of series.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_bench::server::Server;
use serde_json::Value;
use sqlx::PgConnection;

use crate::data::{BIG, org};
use crate::figures::{Bar, Figures};
use crate::{RUNS, WARM_UP, by_tag, connect, in_turn, millis, number, reference};

/// The number of runs beside the usual plan, which takes many seconds.
const SLOW_RUNS: usize = 3;

/// Measures the requests in turn with the plain one, and usage by day in turn with the usual plan.
pub(crate) async fn measure(db: &mut PgConnection, server: &Server, figures: &mut Figures) -> Result<()> {
    let (mut one, mut other) = (connect(server).await?, connect(server).await?);
    let by_day = by_tag() + "&interval=1d";
    let by_two = by_tag().replace("tag:team", "tag:team,tag:env");
    for (name, path, bar) in [
        ("tag by day: times the time without an interval", &by_day, Some(Bar::AtMost(2.5))),
        ("two tags: times the time of one", &by_two, Some(Bar::AtMost(1.5))),
        ("tag and region: times the time of a tag", &by_tag().replace("tag:team", "tag:team,region"), None),
        (
            "tag by day in Paris, where clocks change: times the time without an interval",
            &(by_day.clone() + "&timezone=Europe/Paris"),
            None,
        ),
        (
            "500 sandboxes by day: times the time of a tag without an interval",
            &(by_day.replace("tag:team", "sandbox") + "&limit=500"),
            None,
        ),
    ] {
        let pairs = in_turn(&mut one, &mut other, &by_tag(), path).await?;
        let ratios = pairs.iter().map(|(plain, measured)| measured / plain).collect();
        match bar {
            Some(bar) => figures.hold(name, "x", ratios, bar),
            None => figures.report(name, "x", ratios),
        }
        let (subject, _) = name.split_once(": times").unwrap_or((name, ""));
        figures.report(&format!("{subject}: server"), "ms", pairs.iter().map(|pair| pair.1).collect());
    }
    against_usual_plan(db, &mut one, &by_day, figures).await
}

async fn against_usual_plan(
    db: &mut PgConnection,
    client: &mut Client,
    by_day: &str,
    figures: &mut Figures,
) -> Result<()> {
    let usual = reference::by_tag_and_day(db, org(BIG), "team").await?;
    compare(&client.get(by_day).await?, &usual)?;
    let mut pairs = Vec::new();
    for _ in 0..SLOW_RUNS {
        let start = Instant::now();
        reference::by_tag_and_day(db, org(BIG), "team").await?;
        let theirs = millis(start);
        let mut ours = Vec::new();
        for _ in 0..RUNS.min(WARM_UP + 1) {
            let start = Instant::now();
            client.get(by_day).await?;
            ours.push(millis(start));
        }
        pairs.extend(ours.into_iter().map(|ours| (theirs, ours)));
    }
    let ratios = pairs.iter().map(|(theirs, ours)| theirs / ours).collect();
    figures.hold("tag by day: times faster than the usual plan", "x", ratios, Bar::AtLeast(8.0));
    figures.report("tag by day: the usual plan", "ms", pairs.iter().map(|pair| pair.0).collect());
    Ok(())
}

/// Fails unless the series of the answer and the rows of the usual plan are equal, within the errors of floats.
fn compare(answer: &Value, usual: &[(Option<String>, i32, f64, f64)]) -> Result<()> {
    let items = answer["items"].as_array().context("no items")?;
    let series = |value: &Option<String>| match value {
        None => answer.pointer("/untagged/series"),
        Some(value) => items.iter().find(|item| item["tagValue"] == **value).map(|item| &item["series"]),
    };
    for (value, day, memory, disk) in usual {
        let series = series(value).with_context(|| format!("no item {value:?}"))?;
        for (metric, theirs) in [("memoryGbSeconds", memory), ("diskOverageGbSeconds", disk)] {
            let ours = number(series, &format!("/{metric}/{day}")).context("no number")?;
            ensure!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{metric} of {value:?}, day {day}: {ours}, {theirs}");
        }
    }
    ensure!(!usual.is_empty(), "the usual plan returns nothing");
    Ok(())
}
