//! The promises of the API, over HTTP against a live server.
#![allow(clippy::float_cmp, reason = "these sums are exact")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;

use common::{Answer, Engine, ORG, OTHER, Request, Server, on_both_engines};
use opencomputer_usage_core::usage::accounting::Rule;
use serde_json::{Value, json};

fn session(id: &str, status: &str, started_at: &str, stopped_at: Option<&str>) -> String {
    let line = json!({
        "type": "session", "sandboxId": id, "template": "base", "region": "use2", "workerId": "w-1",
        "status": status, "startedAt": started_at, "stoppedAt": stopped_at, "alias": format!("{id}-alias"),
    });
    format!("{line}\n")
}

fn scale(id: &str, memory_mb: u32, disk_mb: u32, started_at: &str, ended_at: Option<&str>) -> String {
    let line = json!({
        "type": "scale", "sandboxId": id, "memoryMb": memory_mb, "cpuPercent": 100, "diskMb": disk_mb,
        "startedAt": started_at, "endedAt": ended_at,
    });
    format!("{line}\n")
}

fn tags(id: &str, tags: &Value) -> String {
    format!("{}\n", json!({ "type": "tags", "sandboxId": id, "tags": tags }))
}

const WINDOW: &str = "from=2026-01-10&to=2026-01-20";

/// Tagged, untagged, running, before the window, and an id that both orgs have.
async fn server(engine: Engine) -> Server {
    let server = Server::start(engine).await;
    let own = [
        session("sb-a", "stopped", "2026-01-09T00:00:00Z", Some("2026-01-12T00:00:00Z")),
        scale("sb-a", 4096, 30_720, "2026-01-09T00:00:00Z", Some("2026-01-11T00:00:00Z")),
        scale("sb-a", 2048, 20_480, "2026-01-11T00:00:00Z", Some("2026-01-12T00:00:00Z")),
        tags("sb-a", &json!({ "team": "payments", "oc:plan": "pro" })),
        session("sb-b", "running", "2026-01-15T00:00:00Z", None),
        scale("sb-b", 1024, 20_480, "2026-01-15T00:00:00Z", None),
        tags("sb-b", &json!({ "team": "search" })),
        session("shared", "stopped", "2026-01-13T00:00:00Z", Some("2026-01-14T00:00:00Z")),
        scale("shared", 1024, 20_480, "2026-01-13T00:00:00Z", Some("2026-01-14T00:00:00Z")),
        session("sb-old", "stopped", "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z")),
        scale("sb-old", 1024, 20_480, "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z")),
    ];
    let other = [
        session("shared", "running", "2026-01-13T00:00:00Z", None),
        scale("shared", 8192, 102_400, "2026-01-13T00:00:00Z", None),
        tags("shared", &json!({ "team": "spies" })),
        session("theirs", "running", "2026-01-13T00:00:00Z", None),
    ];
    server.import(ORG, &own.concat()).await.unwrap();
    server.import(OTHER, &other.concat()).await.unwrap();
    server
}

fn memory(value: &Value) -> f64 {
    value["memoryGbSeconds"].as_f64().unwrap()
}

const DAY: f64 = 86_400.0;

async fn usage_by_tag_adds_up(engine: Engine) {
    let server = server(engine).await;
    let page = server.get(&format!("/api/usage?groupBy=tag:team&{WINDOW}")).await.json();
    assert_eq!(memory(&page["total"]), (4.0 + 2.0 + 5.0 + 1.0) * DAY);
    assert_eq!(page["total"]["diskOverageGbSeconds"], 10.0 * DAY);
    assert_eq!((memory(&page["untagged"]), &page["untagged"]["sandboxCount"]), (DAY, &json!(1)));
    let items: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|item| (&item["tagValue"], memory(item))).collect();
    assert_eq!(items, [(&json!("payments"), 6.0 * DAY), (&json!("search"), 5.0 * DAY)]);
    let page = server.get(&format!("/api/usage?groupBy=sandbox&{WINDOW}")).await.json();
    assert!(page.get("untagged").is_none());
    let first = &page["items"][0];
    assert_eq!(
        (&first["sandboxId"], &first["alias"], &first["status"]),
        (&json!("sb-a"), &json!("sb-a-alias"), &json!("stopped"))
    );
    assert_eq!(first["tags"], json!({ "oc:plan": "pro", "team": "payments" }));
    assert!(first["tagsLastUpdatedAt"].is_string());
}

async fn filters_keep_the_named_values(engine: Engine) {
    let server = server(engine).await;
    let cases = [
        ("filter[tag:team]=payments", vec!["sb-a"]),
        ("filter[tag:team]=search,payments", vec!["sb-a", "sb-b"]),
        ("filter[tag:team]=", vec!["shared"]),
        ("filter[tag:oc:plan]=pro", vec!["sb-a"]),
        ("filter[sandbox]=sb-b,shared,sb-old", vec!["sb-b", "shared"]),
        ("filter[tag:team]=payments,search&filter[sandbox]=sb-b", vec!["sb-b"]),
        ("filter[tag:team]=spies", vec![]),
        ("filter[tag:team]=payments&filter[tag:oc:plan]=", vec![]),
    ];
    for (filter, wanted) in cases {
        let page = server.get(&format!("/api/usage?groupBy=sandbox&{WINDOW}&{filter}")).await.json();
        let ids: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|item| item["sandboxId"].as_str().unwrap()).collect();
        assert_eq!(ids, wanted, "{filter}");
    }
}

async fn a_walk_shows_each_group_once_and_keeps_its_instant(engine: Engine) {
    let server = server(engine).await;
    let mut seen = BTreeSet::new();
    let (mut cursor, mut as_of, mut sum) = (String::new(), None, 0.0);
    loop {
        let page = server.get(&format!("/api/usage?groupBy=sandbox&{WINDOW}&limit=1{cursor}")).await.json();
        assert_eq!(*as_of.get_or_insert(page["asOf"].clone()), page["asOf"]);
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        assert!(seen.insert(items[0]["sandboxId"].to_string()));
        sum += memory(&items[0]);
        let Some(next) = page["nextCursor"].as_str() else {
            assert_eq!(sum, memory(&page["total"]));
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 3);
    let moved = server.get(&format!("/api/usage?groupBy=tag:team&limit=1{cursor}")).await;
    assert_eq!((moved.status, moved.code().as_str()), (400, "invalid_cursor"));
}

async fn a_cursor_belongs_to_the_accounting_rule_it_was_made_under(engine: Engine) {
    let clipped = server(engine).await;
    let v1 = Server::on(clipped.database.clone(), Rule::V1).await;
    let path = format!("/api/usage?groupBy=sandbox&{WINDOW}&limit=1");
    for (own, other) in [(&clipped, &v1), (&v1, &clipped)] {
        let cursor = own.get(&path).await.json()["nextCursor"].as_str().unwrap().to_owned();
        let next = format!("{path}&cursor={cursor}");
        assert_eq!(own.get(&next).await.status, 200);
        assert_eq!(other.get(&next).await.code(), "invalid_cursor");
    }
}

async fn a_drilldown_has_the_first_start_and_the_last_end(engine: Engine) {
    let server = server(engine).await;
    let get = async |id: &str| server.get(&format!("/api/sandboxes/{id}/usage?{WINDOW}")).await.json();
    let stopped = get("sb-a").await;
    assert_eq!(memory(&stopped), 6.0 * DAY);
    assert_eq!(stopped["firstStartedAt"], "2026-01-10T00:00:00Z");
    assert_eq!(stopped["lastEndedAt"], "2026-01-12T00:00:00Z");
    let running = get("sb-b").await;
    assert_eq!((memory(&running), &running["lastEndedAt"]), (5.0 * DAY, &Value::Null));
    assert_eq!(running["firstStartedAt"], "2026-01-15T00:00:00Z");
    let before = get("sb-old").await;
    assert_eq!((memory(&before), &before["firstStartedAt"], &before["lastEndedAt"]), (0.0, &Value::Null, &Value::Null));
}

async fn a_session_is_open_until_it_stops_or_fails(engine: Engine) {
    let server = Server::start(engine).await;
    let (start, end) = ("2026-01-15T00:00:00Z", json!("2026-01-20T00:00:00Z"));
    for (status, ended) in [
        ("running", &Value::Null),
        ("hibernated", &Value::Null),
        ("pending", &Value::Null),
        ("migrating", &Value::Null),
        ("stopped", &end),
        ("error", &end),
    ] {
        server.import(ORG, &session(status, status, start, None)).await.unwrap();
        let target = format!("/api/sandboxes/{status}/usage?from=2026-01-10&to=2026-01-20");
        assert_eq!(&server.get(&target).await.json()["lastEndedAt"], ended, "{status}");
    }
}

async fn tenants_do_not_see_each_other(engine: Engine) {
    let server = server(engine).await;
    let own = server.get(&format!("/api/sandboxes/shared/usage?{WINDOW}")).await.json();
    assert_eq!((memory(&own), &own["tags"]), (DAY, &json!({})));
    assert_eq!(server.get("/api/sandboxes/shared").await.json()["status"], "stopped");
    assert_eq!(server.put("/api/sandboxes/shared/tags", r#"{"team":"mine"}"#).await.status, 200);
    let other = Request::new("GET", "/api/sandboxes/shared/tags").key(&server.other_key).send(&server).await;
    assert_eq!(other.json()["tags"], json!({ "team": "spies" }));
    let keys = server.get("/api/tags").await.json();
    let expected = json!([
        { "key": "oc:plan", "sandboxCount": 1, "valueCount": 1 }, { "key": "team", "sandboxCount": 3, "valueCount": 3 },
    ]);
    assert_eq!(keys["keys"], expected);
    for path in ["", "/tags", "/usage"] {
        let fixed = |id: &str| {
            Request::new("GET", &format!("/api/sandboxes/{id}{path}")).key(&server.key).header("x-request-id", "r")
        };
        let (foreign, unknown) = (fixed("theirs").send(&server).await, fixed("nobodys").send(&server).await);
        assert_eq!((foreign.status, &foreign.text), (404, &unknown.text));
    }
    let listed = server.get("/api/sandboxes").await.json();
    assert_eq!(listed.as_array().unwrap().iter().map(|one| &one["sandboxID"]).collect::<Vec<_>>(), ["sb-b"]);
}

async fn put_if(server: &Server, if_match: &[&str], body: &str) -> Answer {
    let mut request = Request::new("PUT", "/api/sandboxes/sb-a/tags").key(&server.key);
    for value in if_match {
        request = request.header("if-match", value);
    }
    request.json(body).send(server).await
}

async fn a_conditional_write_needs_the_current_tags(engine: Engine) {
    let server = server(engine).await;
    let etag = server.get("/api/sandboxes/sb-a/tags").await.header("etag").unwrap().to_owned();
    let refused = put_if(&server, &["\"other\""], r#"{"team":"a"}"#).await;
    assert_eq!((refused.status, refused.code().as_str()), (412, "tags_changed"));
    assert_eq!(put_if(&server, &["\u{e9}"], r#"{"team":"a"}"#).await.status, 412);
    assert_eq!(server.get("/api/sandboxes/sb-a/tags").await.header("etag"), Some(etag.as_str()));
    let written = put_if(&server, &["\"other\"", &format!("W/{etag}")], r#"{"team":"a"}"#).await;
    assert_eq!(written.status, 200);
    assert_ne!(written.header("etag"), Some(etag.as_str()));
    assert_eq!(put_if(&server, &[&etag], r#"{"team":"b"}"#).await.status, 412);
    assert_eq!(put_if(&server, &["*"], r#"{"team":"b"}"#).await.status, 200);
}

async fn a_conditional_write_accepts_tags_that_proxies_rewrote(engine: Engine) {
    let server = server(engine).await;
    for (n, (start, end)) in
        [("W/\"", "\""), ("\"", "-gzip\""), ("\"", "--gzip\""), ("W/\"", "-br\"")].into_iter().enumerate()
    {
        let answer = server.get("/api/sandboxes/sb-a/tags").await;
        let rewritten = format!("{start}{}{end}", answer.header("etag").unwrap().trim_matches('"'));
        let body = json!({ "team": n.to_string() }).to_string();
        assert_eq!(put_if(&server, &[&rewritten], &body).await.status, 200, "{rewritten}");
        // The same tag names tags that are gone.
        let refused = put_if(&server, &[&rewritten], "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (412, "tags_changed"), "{rewritten}");
    }
}

async fn a_write_changes_only_rows_that_differ(engine: Engine) {
    let server = server(engine).await;
    let read = async || server.get("/api/sandboxes/sb-a/tags").await.json();
    let before = read().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(server.put("/api/sandboxes/sb-a/tags", r#"{"team":"payments"}"#).await.json(), before);
    assert_eq!(server.put("/api/sandboxes/sb-a/tags", r#"{"team":1,"oc:plan":"x"}"#).await.status, 400);
    assert_eq!(read().await, before);
    let cleared = server.put("/api/sandboxes/sb-a/tags", "{}").await.json();
    assert_eq!(cleared["tags"], json!({ "oc:plan": "pro" }));
    assert_eq!(cleared["tagsLastUpdatedAt"], before["tagsLastUpdatedAt"]);
    let changed = server.put("/api/sandboxes/sb-a/tags", r#"{"team":"search"}"#).await.json();
    assert!(changed["tagsLastUpdatedAt"].as_str() > before["tagsLastUpdatedAt"].as_str());
}

async fn writers_never_mix(engine: Engine) {
    let server = server(engine).await;
    let sets: Vec<_> = (0..16).map(|n| json!({ "a": n.to_string(), format!("only-{n}"): "x" })).collect();
    let writes = sets.iter().map(|tags| server.put("/api/sandboxes/sb-b/tags", tags.to_string()));
    for (answer, tags) in futures_util::future::join_all(writes).await.iter().zip(&sets) {
        assert_eq!((answer.status, &answer.json()["tags"]), (200, tags));
    }
    assert!(sets.contains(&server.get("/api/sandboxes/sb-b/tags").await.json()["tags"]));
}

async fn sandboxes_are_returned_without_tags_if_only_tags_fail(engine: Engine) {
    let server = server(engine).await;
    assert_eq!(server.get("/api/sandboxes/sb-b").await.json()["tags"], json!({ "team": "search" }));
    server.database.execute("DROP TABLE sandbox_tags").await;
    for answer in [server.get("/api/sandboxes/sb-b").await.json(), server.get("/api/sandboxes").await.json()[0].clone()]
    {
        assert_eq!(answer["sandboxID"], "sb-b");
        assert!(answer.get("tags").is_none() && answer.get("tagsLastUpdatedAt").is_none());
    }
    let broken = server.get("/api/sandboxes/sb-b/usage").await;
    assert_eq!((broken.status, broken.code().as_str()), (500, "internal"));
    assert!(!broken.text.contains("sandbox_tags"), "{}", broken.text);
}

async fn rejects_expired_and_ambiguous_keys(engine: Engine) {
    let server = server(engine).await;
    let status = async |request: Request| request.send(&server).await.status;
    let tags = || Request::new("GET", "/api/tags");
    assert_eq!(status(tags()).await, 401);
    assert_eq!(status(tags().header("authorization", format!("bearer {}", server.key))).await, 200);
    let both = tags().key(&server.key).header("authorization", format!("Bearer {}", server.other_key));
    assert_eq!(status(both).await, 401);
    assert_eq!(status(tags().key(&server.key).header("authorization", "Basic eA==")).await, 200);
    let refused = tags().send(&server).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    for (year, wanted) in [(Some(2200), 200), (Some(1980), 401), (None, 200)] {
        let expiry = year.map_or_else(|| "NULL".to_owned(), |year| server.database.start_of(year));
        server.database.execute(&format!("UPDATE api_keys SET expires_at = {expiry}")).await;
        assert_eq!(status(tags().key(&server.key)).await, wanted, "{year:?}");
    }
}

async fn every_response_has_a_request_id_and_is_not_cached(engine: Engine) {
    let server = server(engine).await;
    let given = Request::new("GET", "/api/nothing").header("x-request-id", "my-id").send(&server).await;
    assert_eq!((given.status, given.header("x-request-id")), (404, Some("my-id")));
    assert_eq!(given.json()["requestId"], "my-id");
    assert_eq!(given.header("cache-control"), Some("no-store"));
    let made = Request::new("GET", "/healthz").header("x-request-id", "not visible").send(&server).await;
    assert_eq!((made.status, made.header("x-request-id").unwrap().len()), (200, 32));
    assert_eq!(server.get("/readyz").await.status, 200);
    for answer in [&given, &made, &server.get("/openapi.json").await, &server.get("/api/tags").await] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let wrong = Request::new("DELETE", "/api/sandboxes/sb-a/tags").key(&server.key).send(&server).await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,PUT"));
    let head = Request::new("HEAD", "/api/tags").key(&server.key).send(&server).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

async fn the_first_thousand_violations_are_reported_and_all_are_counted(engine: Engine) {
    let server = server(engine).await;
    for (tags, reported, counted) in [(1, 1, 1), (999, 1_000, 1_000), (1_000, 1_000, 1_001), (2_000, 1_000, 2_001)] {
        let body: serde_json::Map<_, _> = (0..tags).map(|n| (format!("k{n}"), Value::Null)).collect();
        let refused = server.put("/api/sandboxes/sb-a/tags", Value::from(body).to_string()).await;
        let body = refused.json();
        assert_eq!((refused.status, body["violations"].as_array().unwrap().len()), (400, reported));
        assert_eq!(body["violationCount"], counted);
    }
}

on_both_engines!(
    the_first_thousand_violations_are_reported_and_all_are_counted,
    usage_by_tag_adds_up,
    filters_keep_the_named_values,
    a_walk_shows_each_group_once_and_keeps_its_instant,
    a_cursor_belongs_to_the_accounting_rule_it_was_made_under,
    a_drilldown_has_the_first_start_and_the_last_end,
    a_session_is_open_until_it_stops_or_fails,
    tenants_do_not_see_each_other,
    a_conditional_write_needs_the_current_tags,
    a_conditional_write_accepts_tags_that_proxies_rewrote,
    a_write_changes_only_rows_that_differ,
    writers_never_mix,
    sandboxes_are_returned_without_tags_if_only_tags_fail,
    rejects_expired_and_ambiguous_keys,
    every_response_has_a_request_id_and_is_not_cached,
);
