//! Every method against every variant of the platform's own servers: it works, or fails with a typed error.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;

use opencomputer_usage::{Client, ClientError, DrilldownOptions, Kind, SandboxQuery, UsageOptions};
use opencomputer_usage_platform::{KEY, Variant, router};
use serde_json::Value;
use tokio::net::TcpListener;

const VARIANTS: [Variant; 4] = [Variant::Original, Variant::Today, Variant::Edge, Variant::Combined];

/// Returns the base URL of a variant. Each has its own fleet.
async fn start(variant: Variant) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router(variant)).await });
    url
}

async fn client(variant: Variant) -> Client {
    Client::builder().api_key(KEY).base_url(start(variant).await).max_retries(0).build().unwrap()
}

fn may() -> UsageOptions {
    UsageOptions::new().from("2026-05-01").to("2026-06-01").limit(2)
}

fn window(from: &str, to: &str) -> DrilldownOptions {
    DrilldownOptions::new().from(from).to(to)
}

fn team(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), name.to_owned())])
}

/// Returns `ok` or the kind of the error. A body that cannot be decoded fails the test.
fn outcome<T>(result: Result<T, ClientError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => {
            assert_ne!(error.kind, Kind::Decode, "{error}");
            error.kind.as_str()
        }
    }
}

async fn call(client: &Client, method: &str) -> &'static str {
    let (usage, tags, sandboxes) = (client.usage(), client.tags(), client.sandboxes());
    match method {
        "usage.by_tag" => outcome(usage.by_tag("team", may()).await),
        "usage.by_tag, default window" => outcome(usage.by_tag("team", UsageOptions::new()).await),
        "usage.by_tag, filter" => outcome(usage.by_tag("team", may().filter("tag:env", ["prod", "dev"])).await),
        "usage.by_tag, filter of absence" => outcome(usage.by_tag("team", may().filter_absent("tag:env")).await),
        "usage.by_tag, filter with a comma" => outcome(usage.by_tag("env", may().filter("tag:team", ["a,b"])).await),
        "usage.by_tag, filter of sandboxes" => outcome(usage.by_tag("env", may().filter("sandbox", ["sb-abc"])).await),
        "usage.by_sandbox" => outcome(usage.by_sandbox(may()).await),
        "usage.by_sandbox, default window" => outcome(usage.by_sandbox(UsageOptions::new()).await),
        "usage.for_sandbox" => outcome(usage.for_sandbox("sb-abc123", window("2026-05-27", "2026-05-28")).await),
        "usage.for_sandbox, default window" => outcome(usage.for_sandbox("sb-abc123", DrilldownOptions::new()).await),
        "usage.for_sandbox, 60 days" => {
            outcome(usage.for_sandbox("sb-abc123", window("2026-04-01", "2026-05-31")).await)
        }
        "usage.for_sandbox, unknown" => outcome(usage.for_sandbox("sb-none", DrilldownOptions::new()).await),
        "tags.list_keys" => outcome(tags.list_keys().await),
        "tags.get" => outcome(tags.get("sb-abc123").await),
        "tags.get, unknown" => outcome(tags.get("sb-none").await),
        "tags.set" => outcome(tags.set("sb-abc123", &team("payments"), None).await),
        "tags.set, unknown" => outcome(tags.set("sb-none", &team("payments"), None).await),
        "tags.set, if_match" => outcome(tags.set("sb-abc123", &team("payments"), Some("\"e1\"")).await),
        "tags.set, 129 two-byte letters" => outcome(tags.set("sb-abc123", &team(&"é".repeat(129)), None).await),
        "tags.update" => outcome(tags.update("sb-abc123", |tags| tags).await),
        "sandboxes.list" => outcome(sandboxes.list(SandboxQuery::new()).await),
        "sandboxes.get" => outcome(sandboxes.get("sb-abc123").await),
        "sandboxes.get, hibernated" => outcome(sandboxes.get("sb-hib").await),
        "sandboxes.get, in a worker that crashes" => outcome(sandboxes.get("sb-crash").await),
        "sandboxes.get, unknown" => outcome(sandboxes.get("sb-none").await),
        _ => unreachable!("{method}"),
    }
}

/// The result of each method on `original`, `today`, `edge` and `combined`.
const OUTCOMES: [(&str, [&str; 4]); 25] = [
    ("usage.by_tag", ["ok"; 4]),
    ("usage.by_tag, default window", ["ok"; 4]),
    ("usage.by_tag, filter", ["ok"; 4]),
    ("usage.by_tag, filter of absence", ["ok"; 4]),
    ("usage.by_tag, filter with a comma", ["unsupported_by_server"; 4]),
    ("usage.by_tag, filter of sandboxes", ["invalid_request"; 4]),
    ("usage.by_sandbox", ["ok"; 4]),
    ("usage.by_sandbox, default window", ["ok"; 4]),
    ("usage.for_sandbox", ["ok"; 4]),
    ("usage.for_sandbox, default window", ["ok"; 4]),
    ("usage.for_sandbox, 60 days", ["ok", "invalid_request", "invalid_request", "invalid_request"]),
    ("usage.for_sandbox, unknown", ["not_found"; 4]),
    ("tags.list_keys", ["ok"; 4]),
    ("tags.get", ["ok"; 4]),
    ("tags.get, unknown", ["not_found"; 4]),
    ("tags.set", ["ok"; 4]),
    ("tags.set, unknown", ["not_found"; 4]),
    ("tags.set, if_match", ["unsupported_by_server"; 4]),
    ("tags.set, 129 two-byte letters", ["invalid_request"; 4]),
    ("tags.update", ["unsupported_by_server"; 4]),
    ("sandboxes.list", ["ok"; 4]),
    ("sandboxes.get", ["ok"; 4]),
    ("sandboxes.get, hibernated", ["ok", "ok", "ok", "not_found"]),
    ("sandboxes.get, in a worker that crashes", ["not_found", "not_found", "server", "not_found"]),
    ("sandboxes.get, unknown", ["not_found"; 4]),
];

#[tokio::test]
async fn every_method_works_or_fails_with_a_typed_error() {
    for (index, variant) in VARIANTS.into_iter().enumerate() {
        let client = client(variant).await;
        for (method, outcomes) in OUTCOMES {
            assert_eq!(call(&client, method).await, outcomes[index], "{method} on {variant:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let expected = [Kind::PermissionDenied, Kind::PermissionDenied, Kind::Authentication, Kind::PermissionDenied];
    for (variant, kind) in VARIANTS.into_iter().zip(expected) {
        let client = Client::new("wrong", start(variant).await).unwrap();
        assert_eq!(client.tags().list_keys().await.unwrap_err().kind, kind, "{variant:?}");
    }
}

#[tokio::test]
async fn a_walk_returns_every_group_once_and_adds_up() {
    for variant in VARIANTS {
        let client = client(variant).await;
        let mut walk = client.usage().walk_by_sandbox(may());
        let (mut ids, mut sum) = (Vec::new(), 0.0);
        while let Some(item) = walk.next().await.unwrap() {
            sum += item.memory_gb_seconds;
            ids.push(item.sandbox_id);
        }
        let page = client.usage().by_sandbox(may().limit(500)).await.unwrap();
        assert_eq!(ids, page.items.iter().map(|item| item.sandbox_id.clone()).collect::<Vec<_>>(), "{variant:?}");
        assert!(ids.len() > 10 && (sum - page.total.memory_gb_seconds).abs() < 1e-6, "{variant:?}: {sum}");
        let mut walk = client.usage().walk_by_tag("team", may());
        let mut teams = Vec::new();
        while let Some(item) = walk.next().await.unwrap() {
            teams.push(item.tag_value);
        }
        assert!(teams.contains(&"R&D <core>".to_owned()) && teams.contains(&"a,b".to_owned()), "{teams:?}");
    }
}

/// If the server does not pin the window, it moves between pages, so the walk has to pin it.
#[tokio::test]
async fn a_walk_over_a_moving_window_returns_no_group_twice() {
    for variant in VARIANTS {
        let client = client(variant).await;
        for options in [UsageOptions::new(), UsageOptions::new().from("2026-10-01").filter("tag:team", ["search"])] {
            let mut walk = client.usage().walk_by_sandbox(options.limit(1));
            let mut ids = Vec::new();
            while let Some(item) = walk.next().await.unwrap() {
                assert!(!ids.contains(&item.sandbox_id), "{} came twice on {variant:?}", item.sandbox_id);
                ids.push(item.sandbox_id);
            }
            assert!(ids.len() >= 3, "{ids:?}");
        }
    }
}

#[tokio::test]
async fn members_that_a_server_does_not_send_are_none() {
    for variant in VARIANTS {
        let client = client(variant).await;
        let page = client.usage().by_tag("team", may()).await.unwrap();
        assert!(page.as_of.is_none() && page.untagged.is_some(), "{variant:?}");
        let state = client.tags().get("sb-abc123").await.unwrap();
        assert_eq!(state.condition().unwrap_err().kind, Kind::UnsupportedByServer);
        assert_eq!(state.tags.user().get("team").map(String::as_str), Some("payments"));
        let sandbox = client.sandboxes().get("sb-abc123").await.unwrap();
        assert_eq!(sandbox.region.is_some(), matches!(variant, Variant::Original | Variant::Today), "{variant:?}");
        let usage = client.usage().for_sandbox("sb-abc123", DrilldownOptions::new()).await.unwrap();
        assert_eq!(usage.points.is_some(), variant != Variant::Original, "{variant:?}");
    }
}

#[tokio::test]
async fn an_update_fails_if_the_server_would_ignore_its_condition() {
    for variant in VARIANTS {
        let url = start(variant).await;
        let client = Client::new(KEY, &url).unwrap();
        let error = client.tags().update("sb-abc123", |tags| tags).await.unwrap_err();
        assert_eq!(error.kind, Kind::UnsupportedByServer, "{variant:?}");
        let requests: Value = serde_json::from_str(&requests(&url).await).unwrap();
        let methods: Vec<_> = requests.as_array().unwrap().iter().map(|request| &request["method"]).collect();
        assert_eq!(methods, ["GET"], "{variant:?}: nothing was written");
    }
}

/// Returns the requests that the server received.
async fn requests(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /__requests HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
