//! The shapes of each variant's responses, byte by byte if the clients depend on it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod live;

use opencomputer_usage_platform::Variant;
use serde_json::{Value, json};

use self::live::Live;

const MAY: &str = "from=2026-05-01T00:00:00Z&to=2026-06-01T00:00:00Z";
const HOUR: &str = "from=2026-05-27T00:00:00Z&to=2026-05-27T01:00:00Z";
const ALL: [Variant; 4] = [Variant::Original, Variant::Today, Variant::Edge, Variant::Combined];

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_aggregate_by_tag_has_sorted_members_and_no_as_of() {
    for variant in ALL {
        let seen =
            Live::start(variant).await.get(&format!("/api/usage?groupBy=tag:env&{MAY}&asOf=now&exclude[x]=y")).await;
        assert_eq!(seen.status, 200);
        assert!(seen.head.contains("content-type: application/json") && !seen.head.contains("etag"), "{}", seen.head);
        let body = seen.json();
        assert_eq!(members(&body), ["from", "groupBy", "items", "nextCursor", "to", "total", "untagged"]);
        assert_eq!(body["items"][0]["tagValue"], "prod");
        let item = ["diskOverageGbSeconds", "memoryGbSeconds", "sandboxCount", "tagKey", "tagValue"];
        assert_eq!(members(&body["items"][0]), item);
        assert_eq!((&body["items"][0]["sandboxCount"], &body["nextCursor"]), (&json!(2), &Value::Null));
        assert!(seen.body.ends_with("}\n"));
    }
}

#[tokio::test]
async fn an_aggregate_by_sandbox_omits_sandboxes_without_a_session_and_escapes_for_html() {
    let seen = Live::start(Variant::Today).await.get(&format!("/api/usage?groupBy=sandbox&{MAY}&limit=500")).await;
    let item = |id: &str| {
        let start = seen.body.find(&format!("\"sandboxId\":\"{id}\"")).unwrap();
        let begin = seen.body[..start].rfind('{').unwrap();
        seen.body[begin..].split_inclusive("tagsLastUpdatedAt\":").next().unwrap().to_owned()
    };
    assert_eq!(
        item("sb-orphan"),
        r#"{"diskOverageGbSeconds":0,"memoryGbSeconds":1800,"sandboxId":"sb-orphan","tags":{},"tagsLastUpdatedAt":"#
    );
    assert_eq!(
        item("sb-html"),
        r#"{"alias":"\u003cb\u003eR\u0026D\u003c/b\u003e","diskOverageGbSeconds":0,"memoryGbSeconds":225,"sandboxId":"sb-html","status":"stopped","tags":{"team":"R\u0026D \u003ccore\u003e"},"tagsLastUpdatedAt":"#
    );
    assert!(item("sb-tiny").contains(r#""memoryGbSeconds":9.765625e-10,"#));
    // Eighteen hours, of which six are in June.
    assert!(item("sb-late").contains(r#""memoryGbSeconds":64800,"#));
}

#[tokio::test]
async fn filters_are_split_at_commas_and_quotes_are_part_of_values() {
    let live = Live::start(Variant::Today).await;
    let found = async |filter: &str| {
        let seen = live.get(&format!("/api/usage?groupBy=sandbox&{MAY}&{filter}")).await;
        let items = seen.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["sandboxId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("filter[tag:team]=%22a,b%22").await, ["sb-half1", "sb-half2"]);
    assert_eq!(found("filter[tag:team]=").await, ["sb-hib", "sb-late", "sb-orphan"]);
    assert_eq!(found("filter[tag:team]=+,+").await, ["sb-hib", "sb-late", "sb-orphan"]);
    assert_eq!(found("filter%5Btag%3Ateam%5D=growth&filter[tag:env]=prod,x").await, ["sb-abc"]);
}

#[tokio::test]
async fn pages_follow_a_cursor_that_pins_no_window() {
    let live = Live::start(Variant::Today).await;
    let page = live.get("/api/usage?groupBy=sandbox&limit=1").await.json();
    assert_eq!(page["items"][0]["sandboxId"], "sb-moves");
    let next = page["nextCursor"].as_str().unwrap();
    // The default window has moved, so the sandbox that it clips has a smaller amount and is returned again.
    let again = live.get(&format!("/api/usage?groupBy=sandbox&limit=1&cursor={next}")).await.json();
    assert_eq!(again["items"][0]["sandboxId"], "sb-moves");
    // In a requested window, every sandbox is returned once, and ties are ordered by id.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = live.get(&format!("/api/usage?groupBy=sandbox&{MAY}&limit=2&cursor={cursor}")).await.json();
        let items = page["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["sandboxId"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen[..6], ["sb-abc", "sb-run1", "sb-run2", "sb-run3", "sb-abc123", "sb-hib"]);
    assert_eq!(seen.len(), 13);
}

#[tokio::test]
async fn an_echoed_window_ends_before_the_one_that_was_measured() {
    let live = Live::start(Variant::Today).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let from = text(&live.get("/api/usage?groupBy=sandbox").await.json()["from"]);
    let query = format!("/api/usage?groupBy=sandbox&filter[tag:team]=search&limit=1&from={from}");
    let page = live.get(&query).await.json();
    let (to, cursor) = (text(&page["to"]), text(&page["nextCursor"]));
    let again = live.get(&format!("{query}&to={to}&cursor={cursor}")).await.json();
    // It has no fraction of a second, so sandboxes that ran to its end sort after the cursor again.
    let shown = [&page, &again].map(|page| text(&page["items"][0]["sandboxId"]));
    assert_eq!(shown, ["sb-run1", "sb-run1"]);
    // Now the window has whole seconds, and the walk continues.
    let cursor = text(&again["nextCursor"]);
    let next = live.get(&format!("{query}&to={to}&cursor={cursor}")).await.json();
    assert_eq!(next["items"][0]["sandboxId"], "sb-run2");
}

#[tokio::test]
async fn the_first_drilldown_has_two_sums() {
    let live = Live::start(Variant::Original).await;
    let seen = live.get(&format!("/api/sandboxes/sb-hib/usage?{MAY}")).await;
    assert_eq!(
        seen.body,
        r#"{"alias":"sleeper","diskOverageGbSeconds":0,"firstStartedAt":"2026-05-02T00:00:00Z","from":"2026-05-01T00:00:00Z","lastEndedAt":null,"memoryGbSeconds":86400,"sandboxId":"sb-hib","status":"hibernated","tags":{},"tagsLastUpdatedAt":null,"to":"2026-06-01T00:00:00Z"}"#
            .to_owned()
            + "\n"
    );
    let refused = live.get("/api/sandboxes/sb-hib/usage?from=2026-05-01").await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "{\"error\":\"`from` must be RFC3339\"}\n"));
}

#[tokio::test]
async fn the_later_drilldown_has_totals_and_a_point_per_minute() {
    for variant in [Variant::Today, Variant::Edge, Variant::Combined] {
        let live = Live::start(variant).await;
        let seen = live.get(&format!("/api/sandboxes/sb-abc123/usage?{HOUR}")).await;
        let zone = if variant == Variant::Combined { "2026-05-26T16:00:00-08:00" } else { "2026-05-27T00:00:00Z" };
        let expected = r#"{"alias":"my-agent","from":"2026-05-27T00:00:00Z","points":[{"ts":"ZONE","memoryAllocatedGbSeconds":60,"memoryUsedGbSeconds":35.15625,"uptimeSeconds":60,"allocatedMemoryMb":1024,"usedMemoryMbAvg":600,"usedMemoryMbPeak":600},"#;
        assert!(seen.body.starts_with(&expected.replace("ZONE", zone)), "{}", seen.body);
        let totals = r#""sandboxId":"sb-abc123","to":"2026-05-27T01:00:00Z","totals":{"memoryAllocatedGbSeconds":3600,"memoryUsedGbSeconds":2250,"uptimeSeconds":3600,"memoryAllocatedPeakMb":1024,"memoryUsedPeakMb":680}}"#;
        assert!(seen.body.ends_with(&format!("{totals}\n")), "{}", seen.body);
        assert_eq!(seen.json()["points"].as_array().unwrap().len(), 60);
        // The default is the last hour, whose first minute started before it.
        let points = live.get("/api/sandboxes/sb-abc/usage").await.json()["points"].as_array().unwrap().len();
        assert!((60..=61).contains(&points), "{points}");
        let wide = live.get(&format!("/api/sandboxes/sb-abc/usage?{MAY}")).await;
        assert_eq!((wide.status, wide.body.as_str()), (400, "{\"error\":\"query window must be \\u003c= 30 days\"}\n"));
    }
}

#[tokio::test]
async fn tags_have_no_entity_tag_and_a_condition_is_ignored() {
    for variant in ALL {
        let live = Live::start(variant).await;
        let read = live.get("/api/sandboxes/sb-abc/tags").await;
        let expected = r#"{"tags":{"env":"prod","team":"growth"},"tagsLastUpdatedAt":"2026-05-10T00:00:00.941Z"}"#;
        assert_eq!(read.body, format!("{expected}\n"));
        let written = live.put("/api/sandboxes/sb-abc/tags", r#"{"team":"growth","x":null}"#).await;
        assert_eq!((written.status, &written.json()["tags"]), (200, &json!({ "team": "growth", "x": "" })));
        assert!(!read.head.contains("etag") && !written.head.contains("etag"));
        assert_eq!(
            live.put("/api/sandboxes/sb-abc/tags", "").await.json(),
            json!({ "tags": {}, "tagsLastUpdatedAt": null })
        );
        let keys = live.get("/api/tags").await.body;
        assert!(keys.starts_with(r#"{"keys":[{"key":"env","sandboxCount":1,"valueCount":1},{"key":"team","#), "{keys}");
    }
}

#[tokio::test]
async fn tag_values_are_counted_in_bytes() {
    let live = Live::start(Variant::Today).await;
    let value = "é".repeat(129);
    let seen = live.put("/api/sandboxes/sb-abc/tags", &json!({ "k": value }).to_string()).await;
    assert_eq!(seen.status, 400);
    assert_eq!(seen.body, "{\"error\":\"tag value for \\\"k\\\": length must be \\u003c= 256\"}\n");
    let refused = live.put("/api/sandboxes/sb-abc/tags", r#"{"k":1}"#).await.body;
    assert_eq!(refused, "{\"error\":\"tag \\\"k\\\": value must be a string\"}\n");
    let refused = live.put("/api/sandboxes/sb-abc/tags", "[]").await.body;
    assert_eq!(refused, "{\"error\":\"request body must be a flat { key: string } map\"}\n");
}

#[tokio::test]
async fn the_first_version_responds_twice_for_an_unknown_sandbox_and_still_writes() {
    let live = Live::start(Variant::Original).await;
    let missing = "{\"error\":\"sandbox not found\"}\n";
    let seen = live.get("/api/sandboxes/nope/tags").await;
    assert_eq!((seen.status, seen.body), (404, format!("{missing}{{\"tags\":{{}},\"tagsLastUpdatedAt\":null}}\n")));
    let seen = live.get("/api/sandboxes/nope/usage").await;
    assert!(seen.body.starts_with(&format!("{missing}{{\"diskOverageGbSeconds\":0,")), "{}", seen.body);
    let seen = live.put("/api/sandboxes/nope/tags", r#"{"lost":"found"}"#).await;
    assert!(seen.status == 404 && seen.body.starts_with(&format!("{missing}{{\"tags\":{{\"lost\":\"found\"}},")));
    assert!(live.get("/api/tags").await.body.contains(r#"{"key":"lost","sandboxCount":1,"valueCount":1}"#));
    for variant in [Variant::Today, Variant::Combined] {
        let live = Live::start(variant).await;
        assert_eq!(live.put("/api/sandboxes/nope/tags", r#"{"lost":"found"}"#).await.body, missing);
        assert!(!live.get("/api/tags").await.body.contains("lost"));
    }
    let edge = Live::start(Variant::Edge).await;
    assert_eq!(edge.get("/api/sandboxes/nope/tags").await.body, missing.trim_end());
}

#[tokio::test]
async fn sandboxes_have_the_shape_of_the_responding_component() {
    let shape = async |variant, id: &str| {
        let live = Live::start(variant).await;
        let list = live.get("/api/sandboxes?state=all&limit=1").await.json();
        let listed = list.as_array().unwrap().iter().find(|one| one["sandboxID"] == id).cloned();
        (listed, live.get(&format!("/api/sandboxes/{id}")).await)
    };
    for variant in [Variant::Original, Variant::Today] {
        let (listed, one) = shape(variant, "sb-abc123").await;
        let expected = r#"{"region":"use2","sandboxID":"sb-abc123","startedAt":"2026-05-01T00:00:00.941123Z","status":"running","tags":{"env":"prod","team":"payments","team:subsystem":"checkout"},"tagsLastUpdatedAt":"2026-05-01T00:00:01Z","template":"base","token":"#;
        assert!(one.body.starts_with(expected), "{}", one.body);
        assert_eq!(listed.unwrap(), one.json());
        let (listed, one) = shape(variant, "sb-hib").await;
        assert!(listed.is_none());
        assert_eq!(
            members(&one.json()),
            ["region", "sandboxID", "startedAt", "status", "tags", "tagsLastUpdatedAt", "template"]
        );
    }
    let (listed, one) = shape(Variant::Edge, "sb-hib").await;
    let expected = r#"{"sandboxID":"sb-hib","templateID":"base","cellID":"azure-us-east-2-a","workerID":"","status":"hibernated","cpuCount":1,"memoryMB":1024,"startedAt":"2026-05-02T00:00:00.000Z","endAt":"0001-01-01T00:00:00Z"#;
    assert_eq!(one.body, format!("{expected}\",\"cellEndpoint\":\"https://cell.example\"}}"));
    assert_eq!(listed.unwrap().to_string(), format!("{expected}\"}}"));
    let (listed, one) = shape(Variant::Combined, "sb-abc123").await;
    let local = ["cpuCount", "endAt", "memoryMB", "sandboxID", "startedAt", "status", "tags", "tagsLastUpdatedAt"];
    assert_eq!((members(&one.json()), members(&listed.unwrap())), (local.to_vec(), local.to_vec()));
    assert_eq!(one.json()["startedAt"], "2026-04-30T16:00:00.941123-08:00");
    let (listed, one) = shape(Variant::Combined, "sb-hib").await;
    assert!(listed.is_none());
    assert_eq!((one.status, one.body.as_str()), (404, "{\"error\":\"sandbox sb-hib not found\"}\n"));
}

#[tokio::test]
async fn errors_have_a_sentence_and_no_code() {
    for (variant, missing, wrong) in [
        (Variant::Original, (401, "{\"error\":\"missing API key\"}\n"), (403, "{\"error\":\"invalid API key\"}\n")),
        (Variant::Today, (401, "{\"error\":\"missing API key\"}\n"), (403, "{\"error\":\"invalid API key\"}\n")),
        (Variant::Combined, (401, "{\"error\":\"missing API key\"}\n"), (403, "{\"error\":\"invalid API key\"}\n")),
        (
            Variant::Edge,
            (401, "{\"error\":\"missing or invalid API key\"}"),
            (401, "{\"error\":\"missing or invalid API key\"}"),
        ),
    ] {
        let live = Live::start(variant).await;
        let bearer = live.send("GET", "/api/tags", "authorization: Bearer osb_platform_key\r\n", "").await;
        assert_eq!((bearer.status, bearer.body.as_str()), missing);
        let other = live.send("GET", "/api/tags", "x-api-key: other\r\n", "").await;
        assert_eq!((other.status, other.body.as_str()), wrong);
        let unknown = live.get("/api/tags/team").await;
        assert_eq!((unknown.status, unknown.body.as_str()), (404, "{\"message\":\"Not Found\"}\n"));
        let method = live.put("/api/tags", "{}").await;
        assert_eq!((method.status, method.body.as_str()), (405, "{\"message\":\"Method Not Allowed\"}\n"));
        for (query, message) in [
            ("", "`groupBy` is required"),
            ("groupBy=template", "unsupported groupBy \\\"template\\\""),
            ("groupBy=sandbox&sort=x", "unsupported sort \\\"x\\\""),
            ("groupBy=sandbox&limit=0", "`limit` must be a positive integer"),
            ("groupBy=sandbox&limit=501", "limit must be \\u003c= 500"),
            (
                "groupBy=sandbox&filter[sandbox]=x",
                "filter dimension \\\"sandbox\\\" not supported (only tag:\\u003ckey\\u003e in v1)",
            ),
            ("groupBy=sandbox&to=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z", "`to` must be after `from`"),
        ] {
            let seen = live.get(&format!("/api/usage?{query}")).await;
            assert_eq!((seen.status, seen.body), (400, format!("{{\"error\":\"{message}\"}}\n")));
        }
    }
    let edge = Live::start(Variant::Edge).await;
    let crashed = edge.get("/api/sandboxes/sb-crash/usage").await;
    assert_eq!((crashed.status, crashed.body.as_str()), (500, "error code: 1101"));
    assert!(crashed.head.contains("content-type: text/plain"));
    assert_eq!(edge.put("/api/sandboxes", "").await.body, "{\"error\":\"method not allowed\"}");
}

#[tokio::test]
async fn requests_are_recorded_until_a_reset() {
    let live = Live::start(Variant::Today).await;
    live.put("/api/sandboxes/sb-abc/tags?a=%20b", r#"{"k":"v"}"#).await;
    let recorded = live.get("/__requests").await.json();
    assert_eq!(
        recorded,
        json!([{
            "method": "PUT",
            "target": "/api/sandboxes/sb-abc/tags?a=%20b",
            "headers": { "content-type": "application/json", "if-match": "\"stale\"", "x-api-key": "osb_platform_key" },
            "body": "{\"k\":\"v\"}",
        }])
    );
    assert_eq!(live.send("POST", "/__reset", "", "").await.status, 204);
    assert_eq!(live.get("/__requests").await.json(), json!([]));
    assert_eq!(live.get("/api/sandboxes/sb-abc/tags").await.json()["tags"]["team"], "growth");
}
