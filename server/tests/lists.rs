//! The list of sandboxes and the values of a tag, walked page by page and compared with a plain computation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::{Engine, ORG, OTHER, Server, encode, on_engines};
use serde_json::{Value, json};

/// The number of sandboxes: enough to exceed the limits of a lookup and of a scan for a page of one.
const SANDBOXES: usize = 1_200;

/// A sandbox, by its latest session.
struct Sandbox {
    id: String,
    started_at: String,
    running: bool,
    template: &'static str,
    tags: BTreeMap<&'static str, String>,
}

/// Returns a fleet in which starts coincide and every third sandbox has had other sessions.
fn fleet() -> Vec<Sandbox> {
    let sandbox = |n: usize| {
        let mut tags = BTreeMap::from([("age", if n < 600 { "old" } else { "new" }.to_owned())]);
        if !n.is_multiple_of(3) {
            tags.insert("team", ["payments", "", "a,b"][n % 3].to_owned());
        }
        if n % 100 == 7 {
            tags.insert("rare", format!("v{}", n / 100));
        }
        Sandbox {
            id: format!("sb-{}", (n * 7_919) % 10_007),
            started_at: format!("2026-03-{:02}T{:02}:00:00Z", 1 + n / 48, (n / 2) % 24),
            running: n % 5 < 3,
            template: ["base", "gpu"][n % 2],
            tags,
        }
    };
    (0..SANDBOXES).map(sandbox).collect()
}

fn lines(fleet: &[Sandbox]) -> String {
    let session = |id: &str, template: &str, status: &str, started_at: &str, stopped_at: Value| {
        json!({
            "type": "session", "sandboxId": id, "template": template, "region": "use2", "workerId": "w-1",
            "status": status, "startedAt": started_at, "stoppedAt": stopped_at, "alias": null,
        })
    };
    let mut lines = Vec::new();
    for (n, Sandbox { id, started_at, running, template, tags }) in fleet.iter().enumerate() {
        let (status, stopped_at) =
            if *running { ("running", Value::Null) } else { ("stopped", json!("2026-04-01T00:00:00Z")) };
        lines.push(session(id, template, status, started_at, stopped_at));
        if n % 3 == 0 {
            // An earlier session that was never closed, of another template.
            lines.push(session(id, "earlier", "running", "2026-02-01T00:00:00Z", Value::Null));
        }
        lines.push(json!({ "type": "tags", "sandboxId": id, "tags": tags }));
    }
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// Returns the ids of the sandboxes that match, newest first, then by id.
fn expected(fleet: &[Sandbox], matches: impl Fn(&Sandbox) -> bool) -> Vec<String> {
    let mut kept: Vec<_> = fleet.iter().filter(|sandbox| matches(sandbox)).collect();
    kept.sort_by(|one, other| other.started_at.cmp(&one.started_at).then_with(|| one.id.cmp(&other.id)));
    kept.into_iter().map(|sandbox| sandbox.id.clone()).collect()
}

/// Returns the query of the next page.
fn next(link: Option<&str>) -> Option<String> {
    let target = link?.strip_prefix("<?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    Some(target.to_owned())
}

/// Returns the ids on the first `pages` pages of a list.
async fn walk(server: &Server, query: &str, limit: usize, pages: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut query = format!("{query}&limit={limit}");
    for _ in 0..pages {
        let answer = server.get(&format!("/api/sandboxes?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let page = answer.json();
        let page: Vec<_> = page.as_array().unwrap().iter().map(|row| row["sandboxID"].as_str().unwrap()).collect();
        ids.extend(page.iter().map(|&id| id.to_owned()));
        match next(answer.header("link")) {
            Some(following) => query = following,
            None => break,
        }
        assert_eq!(page.len(), limit, "{query}");
    }
    ids
}

async fn a_walk_shows_every_sandbox_that_matches_once_and_newest_first(engine: Engine) {
    let server = Server::start(engine).await;
    let fleet = fleet();
    server.import(ORG, &lines(&fleet)).await.unwrap();
    server.import(OTHER, &lines(&fleet[..9])).await.unwrap();
    let tag = |sandbox: &Sandbox, key: &str| sandbox.tags.get(key).cloned();
    let quoted = encode(r#""a,b",payments"#);
    let cases: Vec<(String, Vec<String>)> = vec![
        (String::new(), expected(&fleet, |one| one.running)),
        ("state=all".to_owned(), expected(&fleet, |_| true)),
        (
            "filter[tag:team]=payments".to_owned(),
            expected(&fleet, |one| one.running && tag(one, "team") == Some("payments".into())),
        ),
        (
            format!("state=all&filter[tag:team]={quoted}"),
            expected(&fleet, |one| tag(one, "team").is_some_and(|team| !team.is_empty())),
        ),
        (
            "state=all&filter[tag:team]=%22%22".to_owned(),
            expected(&fleet, |one| tag(one, "team") == Some(String::new())),
        ),
        ("state=all&filter[tag:team]=".to_owned(), expected(&fleet, |one| tag(one, "team").is_none())),
        ("state=all&exclude[tag:team]=".to_owned(), expected(&fleet, |one| tag(one, "team").is_some())),
        (
            format!("state=all&exclude[tag:team]={quoted}"),
            expected(&fleet, |one| tag(one, "team").is_none_or(|team| team.is_empty())),
        ),
        (
            "state=all&filter[tag:rare]=v3,v4,nothing".to_owned(),
            expected(&fleet, |one| matches!(tag(one, "rare").as_deref(), Some("v3" | "v4"))),
        ),
        (
            "filter[tag:age]=old&filter[tag:rare]=v1".to_owned(),
            expected(&fleet, |one| one.running && tag(one, "rare").as_deref() == Some("v1")),
        ),
        (
            "filter[tag:age]=old".to_owned(),
            expected(&fleet, |one| one.running && tag(one, "age").as_deref() == Some("old")),
        ),
        (
            "state=all&filter[template]=gpu&exclude[status]=running".to_owned(),
            expected(&fleet, |one| !one.running && one.template == "gpu"),
        ),
        ("state=all&filter[template]=earlier".to_owned(), Vec::new()),
        ("state=all&filter[region]=".to_owned(), Vec::new()),
        (
            format!("state=all&filter[sandbox]={},{},sb-none", fleet[3].id, fleet[1000].id),
            expected(&fleet, |one| one.id == fleet[3].id || one.id == fleet[1000].id),
        ),
        (format!("state=all&exclude[sandbox]={}", fleet[5].id), expected(&fleet, |one| one.id != fleet[5].id)),
    ];
    for (query, wanted) in &cases {
        for limit in [97, 500] {
            assert_eq!(walk(&server, query, limit, usize::MAX).await, *wanted, "{query} by {limit}");
        }
        // A short page scans only a few sessions before it looks the sandboxes up by their tag.
        let few: Vec<_> = wanted.iter().take(4).cloned().collect();
        assert_eq!(walk(&server, query, 1, 4).await, few, "{query} one by one");
    }
}

async fn the_default_list_has_the_newest_100_running(engine: Engine) {
    let server = Server::start(engine).await;
    let fleet = fleet();
    server.import(ORG, &lines(&fleet)).await.unwrap();
    let answer = server.get("/api/sandboxes").await;
    let rows = answer.json();
    let ids: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["sandboxID"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, expected(&fleet, |one| one.running)[..100]);
    assert!(answer.header("link").is_some());
    let newest = fleet.iter().find(|one| one.id == ids[0]).unwrap();
    assert_eq!(
        rows[0],
        json!({
            "sandboxID": newest.id, "status": "running", "region": "use2", "workerID": "w-1",
            "template": newest.template, "startedAt": newest.started_at, "tags": newest.tags,
            "tagsLastUpdatedAt": rows[0]["tagsLastUpdatedAt"],
        })
    );
}

async fn a_cursor_belongs_to_its_query(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, &lines(&fleet()[..20])).await.unwrap();
    let answer = server.get("/api/sandboxes?state=all&exclude[tag:age]=x&limit=3").await;
    let following = next(answer.header("link")).unwrap();
    let cursor = following.split('&').find(|pair| pair.starts_with("cursor=")).unwrap();
    // Another page size is the same list.
    let same = server.get(&format!("/api/sandboxes?state=all&exclude[tag:age]=x&limit=7&{cursor}")).await;
    assert_eq!(same.status, 200);
    for other in ["", "state=all", "state=all&filter[tag:age]=x", "exclude[tag:age]=x", "state=all&exclude[tag:age]=y"]
    {
        let answer = server.get(&format!("/api/sandboxes?{other}&{cursor}")).await;
        assert_eq!(answer.code(), "invalid_cursor", "{other}");
    }
    let values = server.get("/api/tags/team?limit=1").await.json();
    let cursor = values["nextCursor"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/tags/team?cursor={cursor}")).await.status, 200);
    for other in ["age?", "team?prefix=p&", "Team?"] {
        assert_eq!(server.get(&format!("/api/tags/{other}cursor={cursor}")).await.code(), "invalid_cursor", "{other}");
    }
}

async fn the_values_of_a_tag_are_ordered_by_their_bytes(engine: Engine) {
    let server = Server::start(engine).await;
    let values = ["", "B", "a", "a b", "a,b", "aa", "a\u{10ffff}", "b", "\u{e9}", "\u{ffff}", "\u{1f600}"];
    let mut all = Vec::new();
    for (n, value) in values.iter().enumerate() {
        for copy in 0..=n % 3 {
            let line =
                json!({ "type": "tags", "sandboxId": format!("sb-{n}-{copy}"), "tags": { "oc:k": value, "k2": "x" } });
            let session = json!({
                "type": "session", "sandboxId": format!("sb-{n}-{copy}"), "template": "base", "region": "use2",
                "workerId": "w-1", "status": "running", "startedAt": "2026-01-05T00:00:00Z", "stoppedAt": null, "alias": null,
            });
            all.extend([session.to_string(), line.to_string()]);
        }
    }
    server.import(ORG, &all.join("\n")).await.unwrap();
    let mut sorted: Vec<_> = values.iter().enumerate().map(|(n, value)| (*value, n % 3 + 1)).collect();
    sorted.sort_unstable();
    for prefix in ["", "a", "a\u{10ffff}", "\u{1f600}", "c"] {
        let wanted: Vec<_> = sorted
            .iter()
            .filter(|(value, _)| value.starts_with(prefix))
            .map(|(value, count)| json!({ "value": value, "sandboxCount": count }))
            .collect();
        for limit in [1, 2, 500] {
            let given = if prefix.is_empty() { String::new() } else { format!("&prefix={}", encode(prefix)) };
            let (mut got, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = server.get(&format!("/api/tags/oc:k?limit={limit}{given}{cursor}")).await.json();
                assert_eq!(page["key"], "oc:k");
                got.extend(page["values"].as_array().unwrap().clone());
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
                assert_eq!(page["values"].as_array().unwrap().len(), limit);
            }
            assert_eq!(got, wanted, "{prefix:?} by {limit}");
        }
    }
}

on_engines!(
    sqlite = crate::Engine::Sqlite, postgres = crate::Engine::Postgres, platform = crate::Engine::Platform,
    partitioned = crate::Engine::Partitioned;
    [
        a_walk_shows_every_sandbox_that_matches_once_and_newest_first,
        the_default_list_has_the_newest_100_running,
        a_cursor_belongs_to_its_query,
        the_values_of_a_tag_are_ordered_by_their_bytes,
    ]
);
