//! A tenant of a running server, and a connection of one of its clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use anyhow::Result;
use opencomputer_usage_bench::http::Client;
use opencomputer_usage_core::usage::window::Timestamp;
use serde_json::Value;

use crate::fleet::{TENANTS, mark};
use crate::tally::Tally;

/// A tenant of a running server.
pub(crate) struct Tenant {
    pub(crate) number: usize,
    pub(crate) key: String,
    pub(crate) address: String,
    pub(crate) database: String,
    /// The file for the lines of imports.
    pub(crate) file: PathBuf,
    /// The start of the events without an end.
    pub(crate) open_since: Timestamp,
    /// When the clients stop.
    pub(crate) deadline: Instant,
    pub(crate) tally: Arc<Tally>,
    /// How often the counter in the tags of one sandbox was increased.
    pub(crate) counted: AtomicU64,
}

impl Tenant {
    pub(crate) fn is_running(&self) -> bool {
        Instant::now() < self.deadline
    }
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    pub(crate) text: String,
}

impl Answer {
    /// Returns the body as JSON, or null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// A connection, which is replaced if it breaks.
pub(crate) struct Connection<'a> {
    pub(crate) tenant: &'a Tenant,
    client: Option<Client>,
}

impl<'a> Connection<'a> {
    pub(crate) const fn new(tenant: &'a Tenant) -> Self {
        Self { tenant, client: None }
    }

    /// Sends a request. Returns nothing if the response has none of the expected statuses, which is a violation.
    pub(crate) async fn send(
        &mut self,
        kind: &'static str,
        (method, path, body): (&str, &str, &str),
        if_match: Option<&str>,
        expected: &[u16],
    ) -> Option<Answer> {
        let tally = &self.tenant.tally;
        let started = Instant::now();
        let result = self.exchange((method, path, body), if_match).await;
        tally.request(kind, started.elapsed().as_secs_f64() * 1e3);
        let succeeds = result.as_ref().is_ok_and(|answer| expected.contains(&answer.status));
        tally.check("requests succeed", succeeds, || match &result {
            Ok(Answer { status, text, .. }) => format!("{method} {path}: {status} {text:.200}"),
            Err(error) => format!("{method} {path}: {error:#}"),
        });
        let answer = result.ok().filter(|_| succeeds)?;
        let mut others = (0..TENANTS).filter(|tenant| *tenant != self.tenant.number);
        let is_own = others.all(|other| !answer.text.contains(&mark(other)));
        tally.check("tenants stay apart", is_own, || format!("tenant {}, {path}: {}", self.tenant.number, answer.text));
        Some(answer)
    }

    async fn exchange(&mut self, (method, path, body): (&str, &str, &str), if_match: Option<&str>) -> Result<Answer> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::new(&self.tenant.address, &self.tenant.key).await?,
        };
        let (status, text) = client.send_if(method, path, body, if_match).await?;
        let etag = client.etag().unwrap_or_default().to_owned();
        self.client = Some(client);
        Ok(Answer { status, etag, text: String::from_utf8(text)? })
    }

    /// Requests a resource that exists.
    pub(crate) async fn get(&mut self, kind: &'static str, path: &str) -> Option<Answer> {
        self.send(kind, ("GET", path, ""), None, &[200]).await
    }

    /// Returns the path of the page after the last response, if there is one.
    pub(crate) fn next(&self, path: &str) -> Option<String> {
        self.client.as_ref()?.linked(path).ok()?
    }
}
