//! Runs a mixed load against the server and checks its invariants: `make soak T=600`.
//!
//! `opencomputer-usage-soak SECONDS` runs a server on SQLite and, if `TEST_DATABASE_URL` names a PostgreSQL, one on that
//! at the same time. It ends with a table for each engine, and fails if anything was violated.

mod clients;
mod connection;
mod fleet;
mod report;
mod tally;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use opencomputer_usage_bench::cluster::Cluster;
use opencomputer_usage_bench::server::{self, Server};
use opencomputer_usage_core::usage::window::Timestamp;
use tokio::task::JoinSet;

use self::connection::Tenant;
use self::fleet::TENANTS;
use self::tally::Tally;

/// The number of descriptors that the server may gain between the middle and the end.
const MORE_DESCRIPTORS: usize = 16;
/// The limit on memory at the end: a multiple of the memory in the middle, plus some MB.
const MORE_MEMORY: (f64, f64) = (1.5, 32.0);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse::<u64>().ok());
    let length = Duration::from_secs(seconds.context("usage: opencomputer-usage-soak SECONDS")?);
    let folder = tempfile::tempdir()?;
    let cluster = std::env::var("TEST_DATABASE_URL").ok().map(Cluster::new).transpose()?;
    let mut engines = vec![("SQLite", format!("sqlite://{}", folder.path().join("soak.db").display()))];
    if let Some(cluster) = &cluster {
        engines.push(("PostgreSQL", cluster.create("soak").await?));
    }
    let mut runs = JoinSet::new();
    for (engine, database) in engines {
        let files = folder.path().join(engine);
        std::fs::create_dir(&files)?;
        runs.spawn(async move { (engine, soak(&database, &files, length).await) });
    }
    let mut violations = 0;
    for (engine, run) in runs.join_all().await {
        let run = run.with_context(|| engine)?;
        println!("\n{engine}, {seconds} s", seconds = length.as_secs());
        run.print();
        violations += run.tally.violations();
    }
    if let Some(cluster) = &cluster {
        cluster.drop("soak").await?;
    }
    println!("\n{}", if violations == 0 { "every invariant held" } else { "VIOLATED" });
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Memory in MB and open descriptors.
type Resources = (f64, usize);

/// The result of a run on one engine.
struct Run {
    tally: Arc<Tally>,
    /// The resources of the server at the start, in the middle, at the end, and after its clients have left.
    resources: Vec<Resources>,
}

impl Run {
    fn print(&self) {
        self.tally.print();
        println!("\n  {:34} {:>9} {:>9} {:>9} {:>9}", "server", "start", "middle", "end", "idle");
        let row = |name: &str, cells: Vec<String>| println!("  {name:34} {}", cells.join(" "));
        row("resident memory, MB", self.resources.iter().map(|(memory, _)| format!("{memory:>9.1}")).collect());
        row("descriptors", self.resources.iter().map(|(_, descriptors)| format!("{descriptors:>9}")).collect());
    }
}

/// Runs a server on an empty database, with clients of every tenant.
async fn soak(database: &str, files: &Path, length: Duration) -> Result<Run> {
    let server = Server::start(database).await?;
    let tally = Arc::new(Tally::default());
    let an_hour_ago = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() - 3600;
    let open_since = Timestamp::from_micros(i64::try_from(an_hour_ago)? * 1_000_000).context("the clock is off")?;
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let (org, file) = (fleet::org(number), files.join(format!("{number}.jsonl")));
        std::fs::write(&file, fleet::lines(number, open_since))?;
        server::import(database, &org, &file).await?;
        tenants.push((number, server::create_key(database, &org).await?, file));
    }
    let started = Instant::now();
    let deadline = started + length;
    let tenants = tenants.into_iter().map(|(number, key, file)| Tenant {
        number,
        key,
        address: server.address.clone(),
        database: database.to_owned(),
        file,
        open_since,
        deadline,
        tally: tally.clone(),
        counted: AtomicU64::new(0),
    });
    let tenants: Vec<_> = tenants.map(Arc::new).collect();
    let mut load = JoinSet::new();
    for tenant in &tenants {
        spawn(&mut load, tenant);
    }
    let mut resources = Vec::new();
    for part in [0.1, 0.5, 0.95] {
        tokio::time::sleep_until((started + length.mul_f64(part)).into()).await;
        resources.extend(server.resources());
    }
    load.join_all().await;
    for tenant in &tenants {
        clients::settle(tenant).await;
    }
    resources.extend(idle(&server).await);
    if let [_, middle, end, _] = resources.as_slice() {
        check_growth(&tally, *middle, *end);
    }
    Ok(Run { tally, resources })
}

/// Starts the clients of a tenant.
fn spawn(load: &mut JoinSet<()>, tenant: &Arc<Tenant>) {
    macro_rules! client {
        ($client:path $(, $argument:expr)?) => {{
            let tenant = tenant.clone();
            load.spawn(async move { $client(&tenant $(, $argument)?).await });
        }};
    }
    client!(clients::reports);
    client!(clients::walks);
    client!(clients::imports);
    client!(clients::dashboard);
    for writer in 0..clients::WRITERS {
        client!(clients::writes, writer);
    }
    for _ in 0..clients::COUNTERS {
        client!(clients::counts);
    }
}

/// Returns the resources after the connections of the clients are closed, which takes the server a moment.
async fn idle(server: &Server) -> Option<Resources> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.resources()
}

fn check_growth(tally: &Tally, (memory, descriptors): Resources, (memory_at_end, descriptors_at_end): Resources) {
    let (times, more) = MORE_MEMORY;
    let fits = memory_at_end <= memory * times + more;
    tally
        .check("memory does not grow", fits, || format!("{memory:.1} MB in the middle, {memory_at_end:.1} at the end"));
    let fits = descriptors_at_end <= descriptors + MORE_DESCRIPTORS;
    tally.check("descriptors do not grow", fits, || {
        format!("{descriptors} in the middle, {descriptors_at_end} at the end")
    });
}

#[cfg(test)]
mod tests {
    use super::{Tally, check_growth};

    #[test]
    fn reports_growth_of_memory_and_of_descriptors() {
        let violations = |end| {
            let tally = Tally::default();
            check_growth(&tally, (100.0, 50), end);
            tally.violations()
        };
        assert_eq!(violations((150.0, 60)), 0);
        assert_eq!(violations((250.0, 60)), 1);
        assert_eq!(violations((150.0, 90)), 1);
    }
}
