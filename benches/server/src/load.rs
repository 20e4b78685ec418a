//! Concurrent load: tag writers and mixed clients.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_bench::quantile;
use sqlx::PgConnection;

use crate::data::{BIG, OTHERS, WINDOW, key, org};
use crate::millis;

const WRITERS: usize = 8;
const CLIENTS: u32 = 200;

async fn sandboxes(db: &mut PgConnection, number: u32, limit: usize) -> Result<Vec<String>> {
    let sql = "SELECT sandbox_id FROM sandbox_sessions WHERE org_id = $1 ORDER BY sandbox_id LIMIT $2";
    let limit = i64::try_from(limit)?;
    Ok(sqlx::query_scalar(sql).bind(org(number)).bind(limit).fetch_all(db).await?)
}

/// Returns the duration of each write in milliseconds. Every write changes the tags.
pub(crate) async fn writers(address: &str, writes: usize, db: &mut PgConnection) -> Result<Vec<f64>> {
    let ids = sandboxes(db, BIG, WRITERS * 5).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for ids in ids.chunks(5) {
        let (mut client, ids) = (Client::new(address, &key(BIG)).await?, ids.to_vec());
        tasks.spawn(async move {
            let mut samples = Vec::new();
            for (at, id) in ids.iter().cycle().take(writes).enumerate() {
                let body = format!(r#"{{"env":"prod","customer":"customer-{at}","team":"team-{}"}}"#, at % 12);
                let start = Instant::now();
                let (status, answer) = client.send("PUT", &format!("/api/sandboxes/{id}/tags"), &body).await?;
                samples.push(millis(start));
                ensure!(status == 200, "PUT: {status} {}", String::from_utf8_lossy(&answer));
            }
            Ok(samples)
        });
    }
    let mut all = Vec::new();
    for samples in tasks.join_all().await {
        all.extend(samples?);
    }
    Ok(all)
}

/// The results of many clients.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The number of responses by status; 0 is a broken connection.
    pub(crate) statuses: BTreeMap<u16, u32>,
    samples: Vec<f64>,
}

impl Outcome {
    pub(crate) fn failed(&self) -> f64 {
        f64::from(
            self.statuses.iter().filter(|(status, _)| **status == 0 || **status >= 500).map(|(_, n)| n).sum::<u32>(),
        )
    }

    pub(crate) fn answers(&self) -> f64 {
        self.statuses.values().map(|n| f64::from(*n)).sum()
    }

    pub(crate) fn quantile(&self, part: f64) -> Vec<f64> {
        quantile(&self.samples, part).into_iter().collect()
    }
}

/// Runs 200 clients that send the next request after each response. One requests the whole window of the big org; the
/// others request usage by tag, by sandbox and of one sandbox, tags and keys, and write tags, in turn.
pub(crate) async fn clients(address: &str, db: &mut PgConnection, seconds: f64) -> Result<Outcome> {
    let mut ids = BTreeMap::new();
    for number in OTHERS {
        ids.insert(number, sandboxes(db, number, 10).await?);
    }
    let deadline = Instant::now() + Duration::from_secs_f64(seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let number = if client == 0 { BIG } else { OTHERS.start() + client % 49 };
        let ids = ids.get(&number).cloned().unwrap_or_default();
        let address = address.to_owned();
        tasks.spawn(async move { one(&address, number, client, &ids, deadline).await });
    }
    let mut all = Outcome::default();
    for outcome in tasks.join_all().await {
        let Outcome { statuses, samples } = outcome?;
        all.samples.extend(samples);
        for (status, n) in statuses {
            *all.statuses.entry(status).or_default() += n;
        }
    }
    Ok(all)
}

async fn one(address: &str, number: u32, client: u32, ids: &[String], deadline: Instant) -> Result<Outcome> {
    let [from, to] = WINDOW;
    let mut outcome = Outcome::default();
    let mut connection = Client::new(address, &key(number)).await?;
    let mut at = client;
    while Instant::now() < deadline {
        at += 1;
        let id = if ids.is_empty() { "" } else { ids.iter().cycle().nth(at as usize % ids.len()).context("no id")? };
        let tags = format!(r#"{{"team":"team-{}","env":"prod"}}"#, at % 12);
        let (method, path, body) = match at % 6 {
            _ if number == BIG => ("GET", format!("/api/usage?groupBy=tag:team&from={from}&to={to}"), ""),
            0 => ("GET", format!("/api/usage?groupBy=tag:team&from={from}&to={to}"), ""),
            1 => ("GET", format!("/api/usage?groupBy=sandbox&limit=50&from={from}&to={to}"), ""),
            2 => ("GET", format!("/api/sandboxes/{id}/usage?from={from}&to={to}"), ""),
            3 => ("GET", format!("/api/sandboxes/{id}/tags"), ""),
            4 => ("GET", "/api/tags".to_owned(), ""),
            _ => ("PUT", format!("/api/sandboxes/{id}/tags"), tags.as_str()),
        };
        let start = Instant::now();
        let status = if let Ok((status, _)) = connection.send(method, &path, body).await {
            status
        } else {
            connection = Client::new(address, &key(number)).await?;
            0
        };
        outcome.samples.push(millis(start));
        *outcome.statuses.entry(status).or_default() += 1;
    }
    Ok(outcome)
}
