//! Measures the release server beside the reference plan and DuckDB: `make bench-server`. See `benches/README.md`.

mod data;
mod duckdb;
mod figures;
mod lists;
mod load;
mod over_time;
mod reference;
mod tenants;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use opencomputer_usage_bench::cluster::Cluster;
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_bench::quantile;
use opencomputer_usage_bench::server::{self, Server};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::signal::unix::{SignalKind, signal};

use self::data::{BIG, SMALL, WINDOW, key, org};
use self::figures::{Bar, Figures};

/// The number of runs of which a figure is the median, after [`WARM_UP`].
const RUNS: usize = 7;
const WARM_UP: usize = 2;
/// The number of events at full scale.
const EVENTS: f64 = 1_000_000.0;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("TEST_DATABASE_URL").context("TEST_DATABASE_URL names no PostgreSQL")?;
    let scale = std::env::var("BENCH_SCALE").ok().map_or(Ok(1.0), |scale| scale.parse::<f64>())?;
    ensure!((0.001..=10.0).contains(&scale), "BENCH_SCALE lies between 0.001 and 10");
    let cluster = Cluster::new(url)?;
    let mut figures = Figures::default();
    // On SIGTERM or SIGINT, the started servers are stopped, too.
    let ended = tokio::select! {
        measured = measure(&cluster, scale, &mut figures) => Some(measured),
        stop = told_to_stop() => stop.map(|()| None)?,
    };
    let dropped = async {
        for part in ["main", "import", "stale", "lists"] {
            cluster.drop(part).await?;
        }
        cluster.drop("fresh").await
    };
    let (Some(measured), dropped) = (ended, dropped.await) else { bail!("told to stop, no figures are written") };
    dropped?;
    if let Err(error) = measured {
        figures.note(format!("the run ended early: {error:#}"));
    }
    let target = server::program()?.ancestors().nth(2).map_or_else(|| PathBuf::from("target"), Path::to_owned);
    figures.finish(&target.join("bench/server.json"))
}

async fn told_to_stop() -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn measure(cluster: &Cluster, scale: f64, figures: &mut Figures) -> Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "at most ten million")]
    let events = (EVENTS * scale) as i64 / 5_000 * 5_000;
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let say = |text: &str| eprintln!("==> {:>4.0} s: {text}", began.elapsed().as_secs_f64());

    // Measures only the case of two tenants, which takes a minute.
    if std::env::var_os("BENCH_TENANTS_ONLY").is_some() {
        return tenants::measure(cluster, scale, folder.path(), figures).await;
    }
    // Measures only the lists, which takes two minutes.
    if std::env::var_os("BENCH_LISTS_ONLY").is_some() {
        return lists::measure(cluster, scale, figures).await;
    }
    say(&format!("loading {events} events of one org, and as many of fifty others"));
    let database = cluster.create("main").await?;
    drop(Server::start(&database).await?);
    let mut db = PgConnectOptions::from_str(&database)?.disable_statement_logging().connect().await?;
    data::load(&mut db, events).await?;
    settings(&mut db, figures).await?;

    say("the reference plan and the server, in turn");
    let server = Server::start(&database).await?;
    let total = against_reference(&mut db, &server, figures).await?;
    if let Some(peak) = server.peak_memory() {
        figures.report("memory: server, PostgreSQL, after these answers (peak)", "MB", vec![peak]);
    }
    growth(&server, scale, figures).await?;

    say("usage over time and by two dimensions");
    over_time::measure(&mut db, &server, figures).await?;

    say("DuckDB");
    data::export_csv(&mut db, folder.path()).await?;
    match duckdb::measure(folder.path(), &server, total, figures).await {
        Ok(version) => {
            figures.note(
                "DuckDB: 2 threads, all rows loaded into memory; its total is the server's, to the bit".to_owned(),
            );
            figures.version("DuckDB", version);
        }
        Err(error) => figures.note(format!("DuckDB was not measured: {error:#}")),
    }

    say("eight writers");
    let writes = if scale < 1.0 { 50 } else { 250 };
    writers(&server.address, "PostgreSQL", writes, &mut db, figures).await?;

    say("imports");
    let lines = folder.path().join("fleet.jsonl");
    data::export_lines(&mut db, BIG, &lines).await?;
    let size = std::fs::metadata(&lines)?.len() as f64 / 1e6;
    figures.report("import: size of the file", "MB", vec![size]);
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    for (engine, database) in [("PostgreSQL", cluster.create("import").await?), ("SQLite", sqlite.clone())] {
        let (seconds, peak) = server::import(&database, &org(BIG).to_string(), &lines).await?;
        figures.report(&format!("import: {engine}"), "s", vec![seconds]);
        if let Some(peak) = peak {
            figures.report(&format!("memory: import, {engine} (peak)"), "MB", vec![peak]);
        }
    }
    cluster.drop("import").await?;

    say("SQLite");
    data::copy_others(&mut db, &sqlite).await?;
    let embedded = Server::start(&sqlite).await?;
    let (mut here, mut there) = (connect(&server).await?, connect(&embedded).await?);
    let pairs = in_turn(&mut here, &mut there, &by_tag(), &by_tag()).await?;
    // The writers changed tags after the file was written, but the org's sums do not depend on tags.
    let theirs = there.get(&by_tag()).await?;
    ensure!(memory(&theirs)?.to_bits() == total.to_bits(), "SQLite disagrees: {theirs}");
    let ratios = pairs.iter().map(|(here, there)| there / here).collect();
    figures.hold("tag: SQLite's time over PostgreSQL's, same data", "x", ratios, Bar::AtMost(3.0));
    figures.report("tag: SQLite, same data", "ms", pairs.iter().map(|pair| pair.1).collect());
    figures.report("tag: PostgreSQL, in turn with it", "ms", pairs.iter().map(|pair| pair.0).collect());
    let writes = writes.min(100);
    writers(&embedded.address, "SQLite", writes, &mut db, figures).await?;

    let seconds = (60.0 * scale.min(1.0)).max(3.0);
    for (engine, server) in [("PostgreSQL", &server), ("SQLite", &embedded)] {
        say(&format!("200 clients for {seconds:.0} s on {engine}"));
        let outcome = load::clients(&server.address, &mut db, seconds).await?;
        figures.note(format!("200 clients, {engine}: statuses in {seconds:.0} s {:?}", outcome.statuses));
        let name = |what: &str| format!("200 clients, {engine}: {what}");
        figures.hold(&name("5xx or broken"), "", vec![outcome.failed()], Bar::AtMost(0.0));
        figures.report(&name("answers"), "1/s", vec![outcome.answers() / seconds]);
        figures.report(&name("p50"), "ms", outcome.quantile(0.5));
        figures.report(&name("p99"), "ms", outcome.quantile(0.99));
        if let Some(peak) = server.peak_memory() {
            figures.report(&format!("memory: server, {engine}, after 200 clients (peak)"), "MB", vec![peak]);
        }
    }
    drop((server, embedded));
    drop(db);

    say("the list of sandboxes of a large org");
    lists::measure(cluster, scale, figures).await?;

    say("two tenants under stale and fresh statistics");
    tenants::measure(cluster, scale, folder.path(), figures).await?;
    say("done");
    Ok(())
}

/// Adds the versions, and the settings of the database.
async fn settings(db: &mut PgConnection, figures: &mut Figures) -> Result<()> {
    let sql = "SELECT split_part(current_setting('server_version'), ' ', 1),
            string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name)
        FROM pg_settings WHERE name IN ('shared_buffers', 'work_mem', 'fsync', 'synchronous_commit', 'jit',
            'max_parallel_workers_per_gather', 'full_page_writes')";
    let (version, settings): (String, String) = sqlx::query_as(sql).fetch_one(db).await?;
    figures.version("PostgreSQL", version);
    figures.version("opencomputer-usage-server", env!("CARGO_PKG_VERSION").to_owned());
    figures.note(format!("PostgreSQL: {settings} (for the reference; the server sets its own session parameters)"));
    Ok(())
}

async fn connect(server: &Server) -> Result<Client> {
    Client::new(&server.address, &key(BIG)).await
}

fn by_tag() -> String {
    let [from, to] = WINDOW;
    format!("/api/usage?groupBy=tag:team&from={from}&to={to}")
}

fn number(answer: &serde_json::Value, pointer: &str) -> Option<f64> {
    answer.pointer(pointer)?.as_f64()
}

fn memory(answer: &serde_json::Value) -> Result<f64> {
    number(answer, "/total/memoryGbSeconds").context("no total")
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Times two requests in turn, after a warm-up.
async fn in_turn(one: &mut Client, other: &mut Client, path: &str, path_of_other: &str) -> Result<Vec<(f64, f64)>> {
    let mut pairs = Vec::new();
    for run in 0..RUNS + WARM_UP {
        let start = Instant::now();
        one.get(path).await?;
        let first = millis(start);
        let start = Instant::now();
        other.get(path_of_other).await?;
        if run >= WARM_UP {
            pairs.push((first, millis(start)));
        }
    }
    Ok(pairs)
}

/// Measures the two figures with a bar. Returns the total, on which both agree.
async fn against_reference(db: &mut PgConnection, server: &Server, figures: &mut Figures) -> Result<f64> {
    let mut client = connect(server).await?;
    let big = org(BIG);
    let by_sandbox = by_tag().replace("tag:team", "sandbox") + "&limit=50";
    let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * other.abs();

    let answer = client.get(&by_tag()).await?;
    let total = memory(&answer)?;
    let reference = reference::by_tag(db, big, "team").await?;
    let untagged = number(&answer, "/untagged/memoryGbSeconds").unwrap_or_default();
    let items = answer.pointer("/items").and_then(|items| items.as_array()).context("no items")?;
    let equal = near(total, reference.total.0)
        && near(untagged, reference.untagged.0)
        && items.len() == reference.items.len()
        && items.iter().zip(&reference.items).all(|(ours, (value, memory, _, sandboxes))| {
            ours["tagValue"] == **value
                && near(ours["memoryGbSeconds"].as_f64().unwrap_or_default(), *memory)
                && ours["sandboxCount"] == *sandboxes
        });
    ensure!(equal, "the server and the reference disagree: {answer}");

    // The reference with the cluster's settings, then with the server's session settings.
    for (label, settings) in [
        ("", ""),
        (" with the server's settings", "SET jit = off; SET random_page_cost = 1.1; SET parallel_tuple_cost = 0.01"),
    ] {
        sqlx::raw_sql(settings).execute(&mut *db).await?;
        let mut tag = Vec::new();
        let mut sandbox = Vec::new();
        for run in 0..RUNS + WARM_UP {
            let start = Instant::now();
            reference::by_tag(db, big, "team").await?;
            let theirs = millis(start);
            let start = Instant::now();
            client.get(&by_tag()).await?;
            let first = (theirs, millis(start));
            let start = Instant::now();
            let (page, _) = reference::by_sandbox(db, big).await?;
            let theirs = millis(start);
            let start = Instant::now();
            let answer = client.get(&by_sandbox).await?;
            let second = (theirs, millis(start));
            if run >= WARM_UP {
                tag.push(first);
                sandbox.push(second);
            }
            let first = number(&answer, "/items/0/memoryGbSeconds").unwrap_or_default();
            ensure!(page.first().is_some_and(|(_, memory, _)| near(first, *memory)), "the pages disagree: {answer}");
        }
        for (name, bar, pairs) in [("tag", 7.0, tag), ("sandbox", 3.0, sandbox)] {
            let ratios = pairs.iter().map(|(theirs, ours)| theirs / ours).collect();
            let figure = format!("{name}: times faster than the reference{label}");
            if label.is_empty() {
                figures.hold(&figure, "x", ratios, Bar::AtLeast(bar));
            } else {
                figures.report(&figure, "x", ratios);
            }
            figures.report(&format!("{name}: reference{label}"), "ms", pairs.iter().map(|pair| pair.0).collect());
            figures.report(
                &format!("{name}: server, in turn with it"),
                "ms",
                pairs.iter().map(|pair| pair.1).collect(),
            );
        }
    }
    sqlx::raw_sql("RESET ALL").execute(db).await?;
    Ok(total)
}

/// Measures the org of a tenth of the size in turn with the big one.
async fn growth(server: &Server, scale: f64, figures: &mut Figures) -> Result<()> {
    let (mut big, mut small) = (connect(server).await?, Client::new(&server.address, &key(SMALL)).await?);
    let pairs = in_turn(&mut big, &mut small, &by_tag(), &by_tag()).await?;
    let ratios = pairs.iter().map(|(big, small)| big / small).collect();
    figures.hold("tag: ten times the events, times the time", "x", ratios, Bar::AtMost(12.0));
    figures.report("tag: server, a tenth of the events", "ms", pairs.iter().map(|pair| pair.1).collect());
    if scale < 1.0 {
        figures.note(format!("scale {scale}: the bars apply to a full run"));
    }
    Ok(())
}

/// Measures eight writers that replace the tags of their own sandboxes.
async fn writers(
    address: &str,
    engine: &str,
    writes: usize,
    db: &mut PgConnection,
    figures: &mut Figures,
) -> Result<()> {
    let samples = load::writers(address, writes, db).await?;
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let value = quantile(&samples, part).into_iter().collect();
        figures.report(&format!("PUT tags, 8 writers, {engine}: {name} of {}", samples.len()), "ms", value);
    }
    Ok(())
}
