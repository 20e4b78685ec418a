//! A log that cannot be written, on the binary itself. Requests must not be affected.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod live;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use live::{Live, Place, key_header};

/// Requests whose log exceeds the 64 KiB of a pipe.
const REQUESTS: usize = 1_500;

/// Sends requests on one connection and returns the statuses of the responses.
fn ask(stream: &mut TcpStream, request: &str, times: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        stream.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        let body_start = |answer: &[u8]| answer.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4);
        let whole = |answer: &[u8]| {
            let start = body_start(answer)?;
            let head = String::from_utf8(answer[..start].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            (answer.len() >= start + length.parse::<usize>().unwrap()).then_some(head)
        };
        let head = loop {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "an empty answer");
            answer.extend(&buffer[..read]);
            if let Some(head) = whole(&answer) {
                break head;
            }
        };
        statuses.push(head.split(' ').nth(1).unwrap().to_owned());
    }
    statuses
}

/// Checks that reads, writes and health checks are answered, that none stays in flight, and that shutdown is clean.
fn serves_normally(live: Live, key: &str) -> usize {
    let own = key_header(key);
    let mut stream = live.connect();
    let put = format!(
        "PUT /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\n{own}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{\"a\":\"b\"}}"
    );
    for (request, times) in [
        ("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 10),
        (format!("GET /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\n{own}\r\n"), REQUESTS),
        (put, 10),
    ] {
        assert_eq!(ask(&mut stream, &request, times), vec!["200"; times], "{request}");
    }
    let metrics = live.ask("GET", "/metrics", "");
    assert!(metrics.contains("http_requests_in_flight 1\n"), "{metrics}");
    let lost = metrics.lines().find_map(|line| line.strip_prefix("opencomputer_usage_log_lines_lost_total "));
    let lost = lost.unwrap_or("0").parse().unwrap();
    live.terminate();
    let ended = live.ended();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    lost
}

fn place() -> (Place, String) {
    let place = Place::new();
    place.import(
        r#"{"type":"session","sandboxId":"sb-1","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z"}"#,
    );
    let key = place.key(&[]);
    (place, key)
}

#[test]
fn a_log_on_a_full_disk_counts_lost_lines_and_stops_no_request() {
    let (place, key) = place();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let lost = serves_normally(place.serve_logging_to(full.into(), &[]), &key);
    assert!(lost > REQUESTS, "{lost}");
}

#[test]
fn a_log_without_a_reader_counts_lost_lines_and_stops_no_request() {
    let (place, key) = place();
    let (reader, writer) = std::io::pipe().unwrap();
    let live = place.serve_logging_to(writer.into(), &[]);
    drop(reader);
    let lost = serves_normally(live, &key);
    assert!(lost > REQUESTS, "{lost}");
}

#[test]
fn a_log_whose_reader_stalls_stops_no_request() {
    let (place, key) = place();
    let (reader, writer) = std::io::pipe().unwrap();
    serves_normally(place.serve_logging_to(writer.into(), &[]), &key);
    drop(reader);
}

#[test]
fn commands_work_without_standard_error() {
    let (place, _) = place();
    for (arguments, code) in [(["migrate", "--log-format=text"], 0), (["import", "missing.jsonl"], 2)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(place.run_logging_to(Stdio::from(writer), &arguments).status.code(), Some(code), "{arguments:?}");
    }
}
