//! The routes are the endpoints of the core's table, those of operators and of the dashboard, and no others.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Engine, Request, Server};
use opencomputer_usage_core::operations::Endpoint;

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Paths that are not part of the API.
const OPERATIONS: [&str; 4] = ["/healthz", "/metrics", "/openapi.json", "/readyz"];

/// The views of the dashboard. `{id}` may be anything.
const VIEWS: [&str; 3] = ["/", "/sandboxes", "/sandboxes/{id}"];

/// The folders in which any name is a path.
const NAMED: [&str; 3] = ["/api/sandboxes/", "/api/tags/", "/sandboxes/"];

/// Every path and its methods.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let api = Endpoint::ALL.iter().map(|endpoint| (endpoint.path(), endpoint.method().as_str()));
    let mut table = BTreeMap::<_, BTreeSet<_>>::new();
    let others = OPERATIONS.into_iter().chain(VIEWS).map(|path| (path, "GET"));
    for (path, method) in api.chain(others) {
        table.entry(path).or_default().insert(method);
        if method == "GET" {
            table.entry(path).or_default().insert("HEAD");
        }
    }
    table
}

#[tokio::test]
async fn each_path_of_the_table_accepts_only_its_methods() {
    let server = Server::start(Engine::Sqlite).await;
    for (path, methods) in table() {
        for method in METHODS {
            let target = path.replace("{id}", "sb-1").replace("{key}", "team");
            let answer = Request::new(method, &target).key(&server.key).send(&server).await;
            if methods.contains(method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                assert_ne!(answer.code(), "route_not_found", "{method} {path}");
            } else {
                assert_eq!((answer.status, &*answer.code()), (405, "method_not_allowed"), "{method} {path}");
                let allowed: BTreeSet<_> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
                assert_eq!(allowed, methods, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn paths_outside_of_the_table_are_not_routed() {
    let server = Server::start(Engine::Sqlite).await;
    let table = table();
    let known: BTreeSet<_> = table.keys().copied().collect();
    for &path in &known {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let beside = ["", "/", "/other", "x", "/{id}"].map(|end| format!("{path}{end}"));
        for other in beside.into_iter().chain([parent.to_owned(), format!("{parent}/other")]) {
            let is_named = |place: &&str| other.strip_prefix(place).is_some_and(|name| !name.contains('/'));
            if known.contains(&*other) || other.is_empty() || NAMED.iter().any(is_named) {
                continue;
            }
            for method in METHODS {
                let target = other.replace("{id}", "sb-1").replace("{key}", "team");
                let answer = Request::new(method, &target).key(&server.key).send(&server).await;
                let is_head = method == "HEAD";
                assert!(answer.status == 404, "{method} {target}: {}", answer.status);
                assert!(is_head || answer.code() == "route_not_found", "{method} {target}: {}", answer.text);
            }
        }
    }
}
