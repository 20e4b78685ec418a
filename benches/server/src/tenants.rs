//! Two tenants, with statistics from the time when the first was alone. Plans must stay good regardless.

use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opencomputer_usage_bench::cluster::Cluster;
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_bench::server::{self, Server};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use crate::data::{self, WINDOW, key, org};
use crate::figures::{Bar, Figures};
use crate::{RUNS, WARM_UP, millis};

/// The org that the statistics cover, one that arrived later, and one that is imported.
const KNOWN: u32 = 0;
const LATER: u32 = 1;
const IMPORTED: u32 = 2;

const TABLES: [&str; 3] = ["sandbox_sessions", "sandbox_scale_events", "sandbox_tags"];

/// The maximum number of pairs per request.
const MOST: usize = 500;

/// The bar: the time under stale statistics over the time under fresh ones.
const BAR: Bar = Bar::AtMost(1.5);

/// Measures each kind of statement under stale and under fresh statistics of the same rows, in turn.
pub(crate) async fn measure(cluster: &Cluster, scale: f64, folder: &Path, figures: &mut Figures) -> Result<()> {
    let old = cluster.create("stale").await?;
    drop(Server::start(&old).await?);
    let lines = folder.join("tenant.jsonl");
    {
        let mut db = options(&old)?.connect().await?;
        load(&mut db, scale).await?;
        data::export_lines(&mut db, LATER, &lines).await?;
    }
    let fresh = cluster.copy("stale", "fresh").await?;
    let mut db = options(&fresh)?.connect().await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut db).await?;
    requests(&old, &fresh, &mut db, figures).await?;

    let org = org(IMPORTED).to_string();
    let (seconds_stale, _) = server::import(&old, &org, &lines).await?;
    // The statistics cover the org after its import, and keep it after its rows are deleted.
    server::import(&fresh, &org, &lines).await?;
    for table in TABLES {
        let sql = format!("DELETE FROM {table} WHERE org_id = '{org}'; VACUUM {table}");
        for sql in sql.split("; ") {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await?;
        }
    }
    let (seconds_fresh, _) = server::import(&fresh, &org, &lines).await?;
    figures.report("tenants: import, stale statistics", "s", vec![seconds_stale]);
    figures.hold("tenants: import, stale over fresh", "x", vec![seconds_stale / seconds_fresh], BAR);
    cluster.drop("stale").await?;
    drop(db);
    cluster.drop("fresh").await
}

fn options(url: &str) -> Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?.disable_statement_logging())
}

/// Adds the first org, takes the statistics, and adds the second.
async fn load(db: &mut PgConnection, scale: f64) -> Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "less than a million")]
    let scaled = |count: f64| ((count * scale) as i64).max(100);
    for table in TABLES {
        let sql = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
    }
    add(db, KNOWN, scaled(68_000.0), 5).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *db).await?;
    add(db, LATER, scaled(4_700.0), 50).await?;
    // Marks pages all-visible, as autovacuum would, without updating the statistics.
    sqlx::raw_sql("VACUUM").execute(&mut *db).await?;
    Ok(())
}

async fn add(db: &mut PgConnection, number: u32, sandboxes: i64, events: i64) -> Result<()> {
    let (org, id) = (org(number), format!("'sb-' || substr(md5('{number}/' || n), 1, 12)"));
    let sql = format!(
        "INSERT INTO orgs (id) VALUES ('{org}');
    INSERT INTO api_keys (org_id, key_hash, key_prefix, name)
        VALUES ('{org}', encode(sha256('{}'), 'hex'), 'oc_bench_', 'bench');
    INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, status, started_at, stopped_at)
        SELECT {id}, '{org}', 'base', 'use2', 'w-' || n % 40, CASE WHEN n % 50 = 0 THEN 'running' ELSE 'stopped' END,
            '2025-01-01Z'::timestamptz + n * interval '1 s', CASE WHEN n % 50 <> 0 THEN '2025-03-31Z'::timestamptz END
        FROM generate_series(1, {sandboxes}) AS n;
    INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
        SELECT {id}, '{org}', 1024 << abs(hashint8(n * 64 + j)) % 5, 100, 20480 + 10240 * (n % 3),
            '2025-01-01Z'::timestamptz + (j * 155520 + n % 1000 * 151) * interval '1 s',
            '2025-01-01Z'::timestamptz + ((j + 1) * 155520 + n % 1000 * 101) * interval '1 s'
        FROM generate_series(1, {sandboxes}) AS n, generate_series(0, {events} - 1) AS j ORDER BY j, n;
    INSERT INTO sandbox_tags (org_id, sandbox_id, key, value)
        SELECT '{org}', {id}, key, key || '-' || n % kinds
        FROM generate_series(1, {sandboxes}) AS n, (VALUES ('team', 12), ('env', 3), ('customer', 200)) AS t (key, kinds)",
        key(number)
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
    Ok(())
}

async fn requests(stale: &str, fresh: &str, db: &mut PgConnection, figures: &mut Figures) -> Result<()> {
    let first = "SELECT sandbox_id FROM sandbox_sessions WHERE org_id = $1 ORDER BY sandbox_id LIMIT 2";
    let ids: Vec<String> = sqlx::query_scalar(first).bind(org(LATER)).fetch_all(db).await?;
    let [one, other] = ids.as_slice() else { anyhow::bail!("there are no two sandboxes") };
    let [from, to] = WINDOW;
    let usage = |query: &str| ("GET", format!("/api/usage?{query}&from={from}&to={to}"));
    let requests = [
        ("usage by tag", usage("groupBy=tag:team")),
        ("usage by sandbox", usage("groupBy=sandbox")),
        ("by tag, a third of the org", usage("groupBy=tag:team&filter[tag:env]=env-1")),
        ("by sandbox, a third of the org", usage("groupBy=sandbox&filter[tag:env]=env-1")),
        (
            "by tag, two filters",
            usage("groupBy=tag:team&filter[tag:env]=env-0,env-1&filter[tag:team]=team-1,team-2,team-3"),
        ),
        ("by tag, a tag is lacking", usage("groupBy=tag:team&filter[tag:nothing]=")),
        ("by tag, one customer", usage("groupBy=tag:team&filter[tag:customer]=customer-7")),
        (
            "by sandbox, one customer and a third",
            usage("groupBy=sandbox&filter[tag:customer]=customer-7&filter[tag:env]=env-1"),
        ),
        ("by tag, two sandboxes", usage(&format!("groupBy=tag:team&filter[sandbox]={one},{other}"))),
        ("drilldown", ("GET", format!("/api/sandboxes/{one}/usage?from={from}&to={to}"))),
        ("tag keys", ("GET", "/api/tags".to_owned())),
        ("list of sandboxes", ("GET", "/api/sandboxes".to_owned())),
        ("one sandbox", ("GET", format!("/api/sandboxes/{one}"))),
        ("read of tags", ("GET", format!("/api/sandboxes/{one}/tags"))),
        ("write of tags", ("PUT", format!("/api/sandboxes/{one}/tags"))),
    ];
    let (here, there) = (Server::start(stale).await?, Server::start(fresh).await?);
    let mut here = Client::new(&here.address, &key(LATER)).await.map(|client| (client, here))?;
    let mut there = Client::new(&there.address, &key(LATER)).await.map(|client| (client, there))?;
    for (name, (method, path)) in &requests {
        let (mut ratios, mut times) = (Vec::new(), Vec::new());
        let began = Instant::now();
        // Short requests are repeated for a second, because single ones are noisy.
        for run in (0..MOST).take_while(|run| *run < RUNS + WARM_UP || began.elapsed().as_secs() < 1) {
            let tags = format!(r#"{{"team":"team-{}"}}"#, run % 12);
            let body = if *method == "PUT" { tags.as_str() } else { "" };
            let (mine, answer) = timed(&mut here.0, method, path, body).await?;
            let (theirs, wanted) = timed(&mut there.0, method, path, body).await?;
            ensure!(as_of_no_time(&answer) == as_of_no_time(&wanted), "{name}: the answers differ");
            if run >= WARM_UP {
                ratios.push(mine / theirs);
                times.push(mine);
            }
        }
        figures.report(&format!("tenants: {name}, stale statistics"), "ms", times);
        figures.hold(&format!("tenants: {name}, stale over fresh"), "x", ratios, BAR);
    }
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for run in 0..RUNS + WARM_UP {
        let mine = server::rollup(stale, &org(LATER).to_string(), WINDOW).await?;
        let theirs = server::rollup(fresh, &org(LATER).to_string(), WINDOW).await?;
        if run >= WARM_UP {
            ratios.push(mine / theirs);
            times.push(mine * 1e3);
        }
    }
    figures.report("tenants: rollup, the whole command, stale statistics", "ms", times);
    figures.hold("tenants: rollup, stale over fresh", "x", ratios, BAR);
    Ok(())
}

async fn timed(client: &mut Client, method: &str, path: &str, body: &str) -> Result<(f64, serde_json::Value)> {
    let start = Instant::now();
    let (status, answer) = client.send(method, path, body).await?;
    let took = millis(start);
    ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&answer));
    Ok((took, serde_json::from_slice(&answer).context("no JSON")?))
}

/// Returns a response without the instants that differ between any two responses.
fn as_of_no_time(answer: &serde_json::Value) -> serde_json::Value {
    let mut answer = answer.clone();
    if let Some(members) = answer.as_object_mut() {
        for name in ["asOf", "nextCursor", "tagsLastUpdatedAt"] {
            members.remove(name);
        }
        for item in members.get_mut("items").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            item.as_object_mut().and_then(|item| item.remove("tagsLastUpdatedAt"));
        }
    } else if let Some(items) = answer.as_array_mut() {
        for item in items {
            item.as_object_mut().and_then(|item| item.remove("tagsLastUpdatedAt"));
        }
    }
    answer
}
