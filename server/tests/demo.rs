//! The demo with clients that disconnect, on the binary itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use live::{Live, Place, answer, key_header};
use opencomputer_usage_core::usage::window::Timestamp;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const BURSTS: usize = 125;
const CALLS: usize = 40;

/// Reads of every kind, over a past window.
const READS: [&str; 6] = [
    "/api/usage?groupBy=tag:team&limit=500",
    "/api/usage?groupBy=sandbox&limit=500",
    "/api/tags",
    "/api/sandboxes",
    "/api/sandboxes/sb-shared/usage",
    "/api/sandboxes/sb-shared/tags",
];

fn put(key: &str, value: &str) -> String {
    let body = format!(r#"{{"team":"{value}"}}"#);
    format!(
        "PUT /api/sandboxes/sb-shared/tags HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        key_header(key),
        body.len()
    )
}

/// Returns the responses to all reads, without members that depend on the clock.
fn answers(live: &Live, key: &str, window: &str) -> Vec<Value> {
    let ask = |read: &&str| {
        let (path, query) = read.split_once('?').unwrap_or((read, ""));
        let window = if path.ends_with("usage") { window } else { "" };
        let answer = live.ask("GET", &format!("{path}?{query}{window}"), &key_header(key));
        assert!(answer.starts_with("HTTP/1.1 200"), "{read}: {answer}");
        let mut body = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        forget_times(&mut body);
        body
    };
    READS.iter().map(ask).collect()
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["asOf", "nextCursor", "tagsLastUpdatedAt"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => (),
    }
}

#[test]
fn the_fleet_is_loaded_into_a_database() {
    let place = Place::new();
    let loaded = place.run(&["demo", "--load", "--listen", "usage.example.com"]);
    assert!(loaded.status.success(), "{loaded:?}");
    let printed = String::from_utf8(loaded.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    let key = lines[1].strip_prefix("key ").unwrap();
    assert!(lines[0].starts_with("imported ") && lines.len() == 3, "{printed}");
    assert_eq!(lines[2], format!("dashboard http://usage.example.com/#key={key}"));
    let tags = place.serve(&[]).ask("GET", "/api/tags", &key_header(key));
    assert!(tags.starts_with("HTTP/1.1 200") && tags.contains("team"), "{tags}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_cancelled_calls_do_not_change_responses() {
    let place = Place::new();
    let (live, key) = place.demo();
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let write = |value: &str| {
        let mut stream = live.connect();
        stream.write_all(put(&key, value).as_bytes()).unwrap();
        let written = answer(stream);
        assert!(written.starts_with("HTTP/1.1 200") && written.contains(value), "{written}");
    };
    let day = |days: u64| {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Timestamp::from_micros(i64::try_from((seconds / 86_400 - days) * 86_400_000_000).unwrap()).unwrap()
    };
    let window = format!("&from={}&to={}", day(60), day(2));
    write("before");
    let before = answers(&live, &key, &window);
    for _ in 0..BURSTS {
        let calls =
            (0..CALLS).map(|_| (random.next_u32(), Duration::from_micros(u64::from(random.next_u32() % 30_000))));
        let calls: Vec<_> = calls.collect();
        let call = async |(kind, patience): (u32, Duration)| {
            let kind = kind as usize % (READS.len() + 1);
            let request = READS.get(kind).map_or_else(
                || put(&key, "during"),
                |read| format!("GET {read} HTTP/1.1\r\nhost: x\r\n{}\r\n", key_header(&key)),
            );
            let mut stream = TcpStream::connect(&live.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            tokio::time::sleep(patience).await;
        };
        join_all(calls.into_iter().map(call)).await;
    }
    // A write of a departed client may still be running.
    while !live.ask("GET", "/metrics", "").contains("http_requests_in_flight 1\n") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    write("after");
    write("before");
    for (read, (before, after)) in READS.iter().zip(before.iter().zip(answers(&live, &key, &window))) {
        assert_eq!(*before, after, "{read}");
    }
}
