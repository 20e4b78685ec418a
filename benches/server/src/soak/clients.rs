//! The clients of a tenant. Each one checks a response before it sends the next request.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opencomputer_usage_bench::server;
use opencomputer_usage_core::usage::window::Timestamp;
use serde_json::{Value, json};

use crate::connection::{Connection, Tenant};
use crate::fleet::{self, Amounts, FIXED, GROWING, SANDBOXES};
use crate::report::{amounts, total};

/// The clients that write tags, each those of its own sandboxes.
pub(crate) const WRITERS: usize = 2;
const OWN: usize = 6;
/// The clients that increment a shared counter, and the sandbox whose tag holds it.
pub(crate) const COUNTERS: usize = 2;
const COUNTED: usize = SANDBOXES - 1;

fn window([from, to]: [&str; 2]) -> String {
    format!("from={from}&to={to}")
}

fn of_tenant(tenant: usize) -> Amounts {
    (0..SANDBOXES).map(|sandbox| fleet::fixed(tenant, sandbox)).sum()
}

impl Tenant {
    /// Checks that the groups of a complete page add up to the wanted total.
    fn check_total(&self, path: &str, page: &Value, wanted: Amounts) {
        let total = total(page);
        self.tally.check("groups and buckets add up", total.is_ok(), || format!("{path}: {total:?}"));
        if let Ok(total) = total {
            self.tally.check("totals are exact", total == wanted, || format!("{path}: {total:?}, not {wanted:?}"));
        }
    }
}

/// Requests reports by every dimension, over time as well.
pub(crate) async fn reports(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    let groups = ["tag:team", "sandbox", "tag:team,tag:env", "region", "tag:ticket", "template,status", "tag:nothing"];
    let intervals = ["", "&interval=1d", "&interval=1w&timezone=Europe/Berlin", "&interval=1mo", "&interval=1h"];
    for round in 0.. {
        if !tenant.is_running() {
            return;
        }
        let (Some(group), Some(interval)) = (groups.get(round % 7), intervals.get(round / 7 % 5)) else { continue };
        let path = format!("/api/usage?groupBy={group}&limit=100{interval}&{}", window(FIXED));
        if let Some(answer) = connection.get("report", &path).await {
            tenant.check_total(&path, &answer.json(), of_tenant(tenant.number));
        }
        // The window ends now and contains open events.
        let path = format!("/api/usage?groupBy={group}&limit=100&from={}", tenant.open_since);
        if let Some(answer) = connection.get("report until now", &path).await {
            let page = &answer.json();
            let as_of = page["asOf"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            let micros = as_of.map_or(0, |as_of| as_of.micros() - tenant.open_since.micros());
            tenant.check_total(&path, page, fleet::open(tenant.number, micros));
        }
    }
}

/// Walks the pages of reports and of the list of sandboxes.
pub(crate) async fn walks(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    while tenant.is_running() {
        let start = format!("/api/usage?groupBy=sandbox&limit=7&{}", window(FIXED));
        let mut path = start.clone();
        let (mut seen, mut sum) = (Vec::new(), Amounts::default());
        let whole = loop {
            let Some(answer) = connection.get("page of a walk", &path).await else { break false };
            let page = &answer.json();
            for item in page["items"].as_array().into_iter().flatten() {
                seen.push(item["sandboxId"].as_str().unwrap_or_default().to_owned());
                sum += amounts(item).unwrap_or_default();
            }
            let Some(cursor) = page["nextCursor"].as_str() else { break true };
            path = format!("{start}&cursor={cursor}");
        };
        let wanted = of_tenant(tenant.number);
        if whole {
            let each_once = seen.len() == SANDBOXES && seen.iter().collect::<BTreeSet<_>>().len() == SANDBOXES;
            tenant.tally.check("a walk shows each group once", each_once, || format!("{seen:?}"));
            tenant.tally.check("totals are exact", sum == wanted, || format!("a walk: {sum:?}, not {wanted:?}"));
        }
        let mut path = "/api/sandboxes?state=all&limit=9".to_owned();
        let mut listed = Vec::new();
        let whole = loop {
            let Some(answer) = connection.get("page of sandboxes", &path).await else { break false };
            let page = &answer.json();
            let ids = page.as_array().into_iter().flatten().map(|one| one["sandboxID"].as_str().map(str::to_owned));
            listed.extend(ids.flatten());
            let Some(next) = connection.next(&path) else { break true };
            path = next;
        };
        if whole {
            let each_once = listed.len() == SANDBOXES && listed.iter().collect::<BTreeSet<_>>().len() == SANDBOXES;
            tenant.tally.check("a walk shows each group once", each_once, || format!("{listed:?}"));
        }
    }
}

/// Replaces the tags of the writer's own sandboxes and looks for them in every response that contains tags.
pub(crate) async fn writes(tenant: &Tenant, writer: usize) {
    let mut connection = Connection::new(tenant);
    for round in 0_usize.. {
        if !tenant.is_running() {
            return;
        }
        let sandbox = writer * OWN + round % OWN;
        let (path, ticket) = (format!("/api/sandboxes/sb-{sandbox}/tags"), format!("{writer}-{round}"));
        let before = connection.get("read of tags", &path).await.map(|answer| answer.etag);
        let tags = fleet::tags(tenant.number, sandbox, &ticket);
        let body = tags.to_string();
        let Some(before) = before else { continue };
        let condition = round.is_multiple_of(2).then_some(before.as_str());
        let Some(written) = connection.send("write of tags", ("PUT", &path, &body), condition, &[200]).await else {
            continue;
        };
        if let Some(read) = connection.get("read of tags", &path).await {
            let same = [&read, &written].iter().all(|answer| answer.json().get("tags") == Some(&tags))
                && read.etag == written.etag;
            tenant
                .tally
                .check("acknowledged writes are visible", same, || format!("{path}: {}, not {tags}", read.text));
        }
        let found = format!("/api/usage?groupBy=sandbox&filter[tag:ticket]={ticket}&{}", window(FIXED));
        if let Some(answer) = connection.get("report by filter", &found).await {
            let page = &answer.json();
            let same = page.pointer("/items/0/tags") == Some(&tags) && page.pointer("/items/1").is_none();
            tenant.tally.check("acknowledged writes are visible", same, || format!("{found}: {page}"));
            tenant.check_total(&found, page, fleet::fixed(tenant.number, sandbox));
        }
        let outdated = connection.send("write of tags", ("PUT", &path, "{}"), Some(&before), &[200, 412]).await;
        if let Some(answer) = outdated {
            tenant.tally.check("If-Match is obeyed", answer.status == 412, || format!("{path}: {before} matches"));
        }
    }
}

/// Increments a counter in a tag that other clients increment, too.
pub(crate) async fn counts(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    let path = format!("/api/sandboxes/sb-{COUNTED}/tags");
    while tenant.is_running() {
        let Some(read) = connection.get("read of tags", &path).await else { continue };
        let count =
            read.json().pointer("/tags/ticket").and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
        let next = count.unwrap_or_default() + 1;
        let body = fleet::tags(tenant.number, COUNTED, &next.to_string()).to_string();
        let written = connection.send("write of tags", ("PUT", &path, &body), Some(&read.etag), &[200, 412]).await;
        if written.is_some_and(|answer| answer.status == 200) {
            tenant.counted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Imports events with the command line, sometimes twice, and looks for them.
pub(crate) async fn imports(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    let mut sum = Amounts::default();
    for number in 0.. {
        if !tenant.is_running() {
            return;
        }
        let (lines, more) = fleet::growth(number);
        sum += more;
        for _ in 0..=usize::from(number.is_multiple_of(5)) {
            let imported = match std::fs::write(&tenant.file, &lines) {
                Ok(()) => server::import(&tenant.database, &fleet::org(tenant.number), &tenant.file).await.map(|_| ()),
                Err(error) => Err(error.into()),
            };
            tenant.tally.check("imports succeed", imported.is_ok(), || format!("{imported:?}"));
        }
        let path = format!("/api/usage?groupBy=sandbox&{}", window(GROWING));
        if let Some(answer) = connection.get("report of imports", &path).await {
            tenant.check_total(&path, &answer.json(), sum);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Loads the dashboard and requests what it shows.
pub(crate) async fn dashboard(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    let fixed = window(FIXED);
    for round in 0_usize.. {
        if !tenant.is_running() {
            return;
        }
        let Some(page) = connection.get("file of the dashboard", "/").await else { continue };
        let files = page.text.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned);
        for path in files.chain(["/openapi.json", "/healthz", "/readyz", "/metrics"].map(str::to_owned)) {
            connection.get("file of the dashboard", &path).await;
        }
        for path in ["/api/tags", "/api/tags/team?limit=100", "/api/sandboxes?limit=50"] {
            connection.get("list", path).await;
        }
        for days in ["from=2026-01-01&to=2026-01-16", "from=2026-01-16&to=2026-02-01"] {
            let path = format!("/api/usage?groupBy=tag:team&interval=1d&timezone=Europe/Berlin&limit=20&{days}");
            if let Some(answer) = connection.get("report", &path).await {
                let total = total(&answer.json());
                tenant.tally.check("groups and buckets add up", total.is_ok(), || format!("{path}: {total:?}"));
            }
        }
        let sandbox = round % SANDBOXES;
        let path = format!("/api/sandboxes/sb-{sandbox}/usage?interval=1h&{fixed}");
        if let Some(answer) = connection.get("drilldown", &path).await {
            let (drilldown, wanted) = (amounts(&answer.json()), fleet::fixed(tenant.number, sandbox));
            let same = drilldown.as_ref() == Ok(&wanted);
            tenant.tally.check("totals are exact", same, || format!("{path}: {drilldown:?}, not {wanted:?}"));
        }
        let path = format!("/api/sandboxes/missing-{}/usage", tenant.number);
        connection.send("drilldown", ("GET", &path, ""), None, &[404]).await;
    }
}

/// Compares the final state with the acknowledged writes and the exact sums.
pub(crate) async fn settle(tenant: &Tenant) {
    let mut connection = Connection::new(tenant);
    let counted = tenant.counted.load(Ordering::Relaxed);
    if let Some(read) = connection.get("read of tags", &format!("/api/sandboxes/sb-{COUNTED}/tags")).await {
        let wanted = json!(counted.to_string());
        let same = read.json().pointer("/tags/ticket") == Some(&wanted);
        tenant.tally.check("no update is lost", same, || format!("{counted} updates: {}", read.text));
    }
    let rollup = server::rolled_up(&tenant.database, &fleet::org(tenant.number), FIXED).await;
    let wanted = of_tenant(tenant.number);
    let same = rollup.as_ref().is_ok_and(|rollup| amounts(rollup).as_ref() == Ok(&wanted));
    tenant.tally.check("the rollup equals the total", same, || format!("{rollup:?}, not {wanted:?}"));
}
