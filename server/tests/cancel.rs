//! Clients that disconnect before their response: the database stops their statements.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{Engine, ORG, Request, Server, on_both_engines};
use futures_util::future::join_all;
use opencomputer_usage_core::tags::TagSet;
use serde_json::json;
use tokio::net::TcpStream;

const AGGREGATE: &str = "/api/usage?groupBy=tag:team&from=2026-01-01&to=2026-02-01";

/// The most sums that one org may compute at a time, on the engine that allows more.
const SHARE: usize = 4;

async fn server(engine: Engine, sandboxes: usize) -> Server {
    let server = Server::start(engine).await;
    let lines = |n: usize| {
        let event = json!({
            "type": "scale", "sandboxId": format!("sb-{n}"), "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20_480,
            "startedAt": "2026-01-10T00:00:00Z", "endedAt": "2026-01-11T00:00:00Z",
        });
        let tags = json!({ "type": "tags", "sandboxId": format!("sb-{n}"), "tags": { "team": format!("t{}", n % 3) } });
        format!("{event}\n{tags}\n")
    };
    server.import(ORG, &(0..sandboxes).map(lines).collect::<String>()).await.unwrap();
    server
}

async fn ask(server: &Server) -> TcpStream {
    Request::new("GET", AGGREGATE).key(&server.key).start(server).await
}

async fn clients_that_disconnect_release_their_share(engine: Engine) {
    let server = server(engine, 1).await;
    server.database.make_sums_endless(ORG).await;
    let clients = join_all((0..SHARE).map(|_| ask(&server))).await;
    // All sums that the org may compute are under way or wait for their turn.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(clients);
    // This needs a connection of the same share and waits for one for 5 s, in which no statement reaches its time
    // limit.
    let tags = server.get("/api/tags").await;
    assert_eq!(tags.status, 200, "{}", tags.text);
}

on_both_engines!(clients_that_disconnect_release_their_share);

/// Returns the number of running statements that read events.
async fn sums_under_way(server: &Server) -> usize {
    let sql = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
         AND application_name = 'opencomputer-usage' AND query LIKE '%sandbox_scale_events%'";
    server.database.texts(sql).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_shows_that_the_statement_of_a_departed_client_has_ended() {
    let server = server(Engine::Postgres, 1).await;
    server.database.make_sums_endless(ORG).await;
    let client = ask(&server).await;
    while sums_under_way(&server).await != 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(client);
    let ended = async {
        while sums_under_way(&server).await != 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // The time limit of the statement is 9.75 s.
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the statement still runs");
}

/// Disconnects clients at any point of a short request, also just when its statement ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_never_affects_another_statement() {
    let server = server(Engine::Postgres, 300).await;
    let wanted = server.get(AGGREGATE).await;
    assert_eq!(wanted.status, 200, "{}", wanted.text);
    let leave = async |n: u64| {
        for round in 0..150_u64 {
            let client = ask(&server).await;
            tokio::time::sleep(Duration::from_micros((n * 7 + round * 41) % 6_000)).await;
            drop(client);
        }
    };
    let stay = async || {
        for _ in 0..150 {
            let answer = server.get(AGGREGATE).await;
            assert_eq!((answer.status, &answer.json()["total"]), (200, &wanted.json()["total"]), "{}", answer.text);
        }
    };
    tokio::join!(leave(1), leave(2), stay(), stay());
}

/// Polls a call this often at most, then drops it. Returns whether it has ended.
async fn poll(call: impl Future, times: usize) -> bool {
    let mut call = pin!(call);
    let mut left = times;
    poll_fn(|cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits until no connection is in a transaction.
async fn all_transactions_end(server: &Server) {
    let sql = "SELECT query FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'opencomputer-usage' AND (state <> 'idle' OR xact_start IS NOT NULL)";
    let ended = async {
        while !server.database.texts(sql).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("a dropped call leaves a transaction open");
}

/// Drops calls at each point at which they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_leaves_no_transaction_open() {
    let server = server(Engine::Postgres, 3).await;
    let store = &server.store;
    let id = "sb-1".parse().unwrap();
    let tags = TagSet::from_json(br#"{"team":"x"}"#).unwrap();
    for writes in [false, true] {
        for times in 1.. {
            let ended = if writes {
                poll(store.replace_tags(ORG, &id, &tags, None), times).await
            } else {
                poll(store.tags(ORG, &id), times).await
            };
            all_transactions_end(&server).await;
            if ended {
                assert!(times > 4, "the call ended after {times} polls, so it was hardly dropped");
                break;
            }
        }
    }
}
