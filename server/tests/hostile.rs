//! Hostile clients, on the binary itself: their requests are rejected, and others are served.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::io::{Read, Write};
use std::net::TcpStream;

use live::{Live, Place, answer, key_header};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn raw(live: &Live, bytes: &str) -> String {
    let mut stream = live.connect();
    stream.write_all(bytes.as_bytes()).unwrap();
    answer(stream)
}

#[test]
fn rejects_malformed_and_oversized_heads() {
    let place = Place::new();
    let own = key_header(&place.key(&[]));
    let live = place.serve(&[]);
    let chunked = |encoding: &str| {
        format!(
            "PUT /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{own}content-type: application/json\r\ntransfer-encoding: {encoding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        )
    };
    let get = |head: &str| format!("GET /api/tags HTTP/1.1\r\nconnection: close\r\n{own}{head}\r\n");
    let header = |bytes: usize| format!("host: x\r\nx-large: {}\r\n", "x".repeat(bytes));
    for (sent, wanted) in [
        (get("host: x\r\n"), "200"),
        (get(""), "400"),
        (get("host: x\r\nhost: x\r\n"), "400"),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), "200"),
        (chunked("chunked"), "404"),
        (chunked("gzip, chunked"), "400"),
        (chunked("identity"), "400"),
        (get(&header(15_000)), "200"),
        (get(&header(17_000)), "431"),
        (get(&header(100_000)), "431"),
        // A query of the allowed length is accepted, a longer one is rejected.
        (
            format!(
                "GET /api/usage?groupBy=sandbox&x={} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{own}\r\n",
                "y".repeat(32_000)
            ),
            "400",
        ),
        (
            format!(
                "GET /api/usage?groupBy=sandbox&x={} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{own}\r\n",
                "y".repeat(40_000)
            ),
            "414",
        ),
    ] {
        let got = raw(&live, &sent);
        assert_eq!(status(&got), wanted, "{} … {got}", sent.chars().take(80).collect::<String>());
    }
}

#[test]
fn wrong_keys_are_limited_by_address_and_do_not_flood_the_log() {
    let place = Place::new();
    let [known, new] = [(); 2].map(|()| key_header(&place.key(&[])));
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", "/api/tags", &known)), "200");
    let answers: Vec<_> =
        (0..600).map(|n| live.ask("GET", "/api/tags", &key_header(&format!("oc_guess-{n}")))).collect();
    assert!(answers[..100].iter().all(|answer| status(answer) == "401"));
    let braked: Vec<_> = answers.iter().filter(|answer| status(answer) == "429").collect();
    assert!(
        braked.len() > 100 && braked.iter().all(|answer| answer.contains("retry-after: 1\r\n")),
        "{}",
        braked.len()
    );
    // A key that was right is still accepted, and a missing key costs no lookup.
    assert_eq!(status(&live.ask("GET", "/api/tags", &known)), "200");
    assert_eq!(status(&live.ask("GET", "/api/tags", "")), "401");
    while status(&live.ask("GET", "/api/tags", &new)) != "200" {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    live.terminate();
    let log = live.log();
    let lines = log.lines().filter(|line| line.contains("status=401") || line.contains("status=429")).count();
    assert!((50..400).contains(&lines), "{lines} lines for 600 requests");
    assert_eq!(log.matches("status=200").count(), 3, "requests with a key are all logged: {log}");
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let place = Place::new();
    let own = key_header(&place.key(&[]));
    let live = place.serve_with_open_files(256);
    let idle: Vec<_> = (0..400).map(|_| live.connect()).collect();
    for _ in 0..20 {
        assert_eq!(status(&live.ask("GET", "/api/tags", &own)), "200");
        assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
    }
    let metrics = live.ask("GET", "/metrics", "");
    let open = metrics.lines().find_map(|line| line.strip_prefix("opencomputer_usage_http_connections "));
    assert!(open.unwrap().parse::<usize>().unwrap() <= 33, "{metrics}");
    drop(idle);
    live.terminate();
    let log = live.log();
    assert!(log.contains("open_files=256 max_connections=128 max_connections_per_address=32"), "{log}");
    assert_eq!(log.matches("too many connections").count(), 1, "{log}");
}

#[test]
fn busy_connections_leave_room_for_health_checks_and_a_timeout_is_logged() {
    let place = Place::new();
    place.import(
        r#"{"type":"session","sandboxId":"sb-1","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z"}"#,
    );
    let own = key_header(&place.key(&[]));
    let live = place.serve(&["--max-connections", "4", "--max-connections-per-address", "4"]);
    let half = |_| {
        let mut stream = live.connect();
        write!(stream, "PUT /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\n{own}content-type: application/json\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n").unwrap();
        // The server asks for the body when it has read the head.
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    };
    let mut busy: Vec<TcpStream> = (0..4).map(half).collect();
    let refused = live.ask("GET", "/api/tags", &own);
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.contains("the server is busy") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
    assert_eq!(status(&live.ask("GET", "/readyz", "")), "200");
    // The body never arrives.
    let timed_out = answer(busy.remove(0));
    assert_eq!(status(&timed_out), "504", "{timed_out}");
    drop(busy);
    live.terminate();
    let log = live.log();
    let logged = log.lines().find(|line| line.contains("status=504")).unwrap();
    assert!(logged.contains("ERROR") && logged.contains("the request took longer than 10 s"), "{logged}");
}
