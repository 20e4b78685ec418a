//! The list of sandboxes of an org with a million of them: the first page and a late one.

use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opencomputer_usage_bench::cluster::Cluster;
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_bench::quantile;
use opencomputer_usage_bench::server::Server;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use crate::data::{BIG, key, org};
use crate::figures::{Bar, Figures};
use crate::{WARM_UP, millis};

/// The number of sandboxes at full scale.
const SANDBOXES: f64 = 1_000_000.0;
/// The late page, and the number of sandboxes on each.
const LATE: usize = 1_000;
const LIMIT: usize = 50;
/// The number of pairs of requests.
const PAIRS: usize = 300;
/// The slowest that a page may be, in milliseconds.
const P99: f64 = 50.0;

/// Measures lists in a database of their own.
pub(crate) async fn measure(cluster: &Cluster, scale: f64, figures: &mut Figures) -> Result<()> {
    let database = cluster.create("lists").await?;
    let server = Server::start(&database).await?;
    let mut db = PgConnectOptions::from_str(&database)?.disable_statement_logging().connect().await?;
    #[expect(clippy::cast_possible_truncation, reason = "at most ten million")]
    load(&mut db, (SANDBOXES * scale) as i64).await?;
    drop(db);
    let mut client = Client::new(&server.address, &key(BIG)).await?;
    for (name, query) in [
        ("sandboxes by tag", "filter[tag:team]=team-1"),
        ("sandboxes by tag, torn down as well", "filter[tag:team]=team-1&state=all"),
        ("sandboxes, torn down as well", "state=all"),
    ] {
        let first = format!("/api/sandboxes?{query}&limit={LIMIT}");
        let (mut late, mut page) = (first.clone(), 1);
        while page < LATE {
            let Some(next) = client.next(&late).await? else { break };
            (late, page) = (next, page + 1);
        }
        ensure!(page == LATE || scale < 1.0, "there are only {page} pages");
        let (mut early, mut later) = (Vec::new(), Vec::new());
        for run in 0..PAIRS + WARM_UP {
            for (path, samples) in [(&first, &mut early), (&late, &mut later)] {
                let start = Instant::now();
                let answer = client.get(path).await?;
                if run >= WARM_UP {
                    samples.push(millis(start));
                }
                let sandboxes = answer.as_array().context("no list")?.len();
                ensure!(sandboxes == LIMIT || scale < 1.0, "{path}: {sandboxes} sandboxes");
            }
        }
        for (which, samples) in [("page 1", &early), (&*format!("page {page}"), &later)] {
            let p99 = quantile(samples, 0.99).into_iter().collect();
            figures.hold(&format!("{name}, {which}: p99 of {PAIRS}"), "ms", p99, Bar::AtMost(P99));
        }
        let ratios = early.iter().zip(&later).map(|(early, late)| late / early).collect();
        figures.hold(&format!("{name}: page {page} over page 1"), "x", ratios, Bar::AtMost(1.1));
    }
    drop(server);
    cluster.drop("lists").await
}

/// Adds one org. A twelfth of its sandboxes has each team, and two thirds of them run.
async fn load(db: &mut PgConnection, sandboxes: i64) -> Result<()> {
    let (org, key) = (org(BIG), key(BIG));
    let sql = format!(
        "INSERT INTO orgs (id) VALUES ('{org}');
    INSERT INTO api_keys (org_id, key_hash, key_prefix, name)
        VALUES ('{org}', encode(sha256('{key}'), 'hex'), 'oc_bench_', 'bench');
    INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, status, started_at, stopped_at)
        SELECT 'sb-' || substr(md5(n::text), 1, 12), '{org}', 'base', 'use2', 'w-' || n % 40,
            CASE WHEN n % 3 <> 0 THEN 'running' ELSE 'stopped' END, '2025-01-01Z'::timestamptz + n * interval '7 s',
            CASE WHEN n % 3 = 0 THEN '2025-04-01Z'::timestamptz END
        FROM generate_series(1, {sandboxes}) AS n;
    INSERT INTO sandbox_tags (org_id, sandbox_id, key, value)
        SELECT '{org}', 'sb-' || substr(md5(n::text), 1, 12), 'team', 'team-' || abs(hashint8(n)) % 12
        FROM generate_series(1, {sandboxes}) AS n"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(db).await?;
    Ok(())
}
