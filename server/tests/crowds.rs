//! Many clients that hold connections, and floods of wrong keys, on the binary itself.
//!
//! Larger runs: `HOSTILE_CONNECTIONS=10000` (if the limits of the system allow them), `HOSTILE_KEYS=100000`,
//! `HOSTILE_READERS=40`. `HOSTILE_PATIENCE=1` waits half a minute until the server disconnects a slow reader.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod live;

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use live::{Live, Place, answer, key_header, status};
use serde_json::json;
use socket2::{Domain, Socket, Type};

/// Connects from an address of the loopback network. A small receive buffer makes a slow reader noticeable.
fn connect_from(live: &Live, host: u8, receive_buffer: usize) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), 0)).into())?;
    socket.connect(&live.address.parse::<SocketAddr>().unwrap().into())?;
    Ok(socket.into())
}

/// Returns the resident memory of a server in KiB.
fn resident(live: &Live) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", live.id())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    memory.split_whitespace().next().unwrap().parse().unwrap()
}

fn metric(live: &Live, name: &str) -> usize {
    let metrics = live.ask("GET", "/metrics", "");
    let start = format!("opencomputer_usage_{name} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or("0").parse().unwrap()
}

/// Returns import lines of 500 sandboxes with tags that no coding makes much shorter.
fn fleet() -> String {
    let (mut lines, mut random) = (String::new(), 1_u64);
    let mut digits = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:08x}", random >> 32)
    };
    for n in 0..500 {
        let id = format!("sb-{n}");
        let tags: serde_json::Map<_, _> =
            (0..20).map(|k| (format!("key-{k}"), (0..30).map(|_| digits()).collect::<String>().into())).collect();
        for line in [
            json!({ "type": "session", "sandboxId": id, "template": "base", "region": "use2", "workerId": "w-1", "status": "running", "startedAt": "2026-01-01T00:00:00Z" }),
            json!({ "type": "scale", "sandboxId": id, "memoryMb": 1024, "cpuPercent": 100, "diskMb": 20480, "startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-08T00:00:00Z" }),
            json!({ "type": "tags", "sandboxId": id, "tags": tags }),
        ] {
            writeln!(lines, "{line}").unwrap();
        }
    }
    lines
}

/// A page of 500 items, about 2.6 MB.
const LARGE: &str = "/api/usage?groupBy=sandbox&limit=500&from=2026-01-01&to=2026-02-01";

#[test]
fn slow_readers_of_large_pages_use_bounded_memory() {
    let wanted: usize = std::env::var("HOSTILE_READERS").map_or(12, |count| count.parse().unwrap());
    let place = Place::new();
    place.import(&fleet());
    let own = key_header(&place.key(&[]));
    let live = place.serve(&[]);
    assert_eq!(status(&live.ask("GET", LARGE, &own)), "200");
    for codings in ["identity", "zstd"] {
        let before = resident(&live);
        let mut readers: Vec<TcpStream> = Vec::new();
        let mut held = 0;
        while readers.len() < wanted {
            let mut stream = connect_from(&live, 1, 2048).unwrap();
            write!(stream, "GET {LARGE} HTTP/1.1\r\nhost: x\r\n{own}accept-encoding: {codings}\r\n\r\n").unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).unwrap();
            match &start {
                b"HTTP/1.1 200" => held += 1,
                // The bytes that wait for clients of one org are limited.
                other => assert_eq!(other, b"HTTP/1.1 429"),
            }
            readers.push(stream);
        }
        let bytes = metric(&live, "http_response_bytes_in_flight");
        assert!(bytes <= 64 << 20, "{bytes} bytes wait for clients of one org");
        let memory = resident(&live).saturating_sub(before);
        println!("{codings}: {held} of {wanted} readers hold {bytes} bytes of pages, {} KiB each", memory / held);
        assert!(memory < (8 << 10) * held, "{memory} KiB");
        for stream in &mut readers {
            stream.read_exact(&mut [0]).unwrap();
        }
        assert_eq!(status(&live.ask("GET", "/api/tags", &own)), "200");
        drop(readers);
        while metric(&live, "http_response_bytes_in_flight") > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    if std::env::var_os("HOSTILE_PATIENCE").is_some() {
        let mut stream = connect_from(&live, 1, 2048).unwrap();
        write!(stream, "GET {LARGE} HTTP/1.1\r\nhost: x\r\n{own}\r\n").unwrap();
        let (started, mut read) = (Instant::now(), 0);
        while metric(&live, "http_response_bytes_in_flight") > 0 || read == 0 {
            read += stream.read(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        println!("a reader of {read} bytes was disconnected after {:?}", started.elapsed());
    }
    live.terminate();
    live.log();
}

#[test]
fn thousands_of_idle_connections_leave_room_for_requests() {
    let wanted: usize = std::env::var("HOSTILE_CONNECTIONS").map_or(2_000, |count| count.parse().unwrap());
    let place = Place::new();
    let own = key_header(&place.key(&[]));
    let live = place.serve(&["--max-connections", "16384", "--max-connections-per-address", "16384"]);
    raise_open_files();
    let before = resident(&live);
    let mut idle = Vec::new();
    while idle.len() < wanted {
        match connect_from(&live, u8::try_from(idle.len() / 1_000).unwrap(), 2048) {
            Ok(mut stream) => {
                // Half of them have sent a part of a head.
                if idle.len() % 2 == 0 {
                    stream.write_all(b"GET /api/tags HTTP/1.1\r\nhost: x\r\n").unwrap();
                }
                idle.push(stream);
            }
            Err(error) => {
                println!("{} connections instead of {wanted}: {error}", idle.len());
                break;
            }
        }
    }
    assert!(idle.len() >= 500);
    for _ in 0..20 {
        assert_eq!(status(&live.ask("GET", "/api/tags", &own)), "200");
        assert_eq!(status(&live.ask("GET", "/healthz", "")), "200");
    }
    let memory = resident(&live).saturating_sub(before);
    println!("{} idle connections, {} KiB each", idle.len(), memory as f64 / idle.len() as f64);
    assert!(memory < 64 * idle.len(), "{memory} KiB");
    drop(idle);
    while metric(&live, "http_connections") > 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
    live.terminate();
    assert_eq!(live.log().matches("too many connections").count(), 0);
}

/// Raises the soft limit of this process, which holds the other ends.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Sends requests on one connection and returns the answers without their dates and request ids.
fn pipelined(live: &Live, host: u8, requests: &[String]) -> Vec<String> {
    let mut stream = connect_from(live, host, 1 << 16).unwrap();
    let (last, others) = requests.split_last().unwrap();
    let sent = others.iter().fold(String::new(), |sent, head| sent + head + "\r\n");
    stream.write_all(format!("{sent}{last}connection: close\r\n\r\n").as_bytes()).unwrap();
    let varies = |line: &&str| {
        !["date: ", "x-request-id: ", "connection: "].iter().any(|name| line.starts_with(name))
            && !line.contains("requestId")
    };
    let answers = answer(stream);
    let answers = answers.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| answer.lines().filter(varies).collect::<Vec<_>>().join("\n")).collect()
}

#[test]
fn a_flood_of_wrong_keys_reveals_nothing_and_logs_few_lines() {
    let tries: usize = std::env::var("HOSTILE_KEYS").map_or(6_000, |count| count.parse().unwrap());
    let place = Place::new();
    let key = place.key(&[]);
    let live = place.serve(&[]);
    // Keys that differ from a valid one in one place, share its start, are longer, or are its stored prefix.
    let near = |n: usize| match n % 5 {
        0 => format!("oc_{n:064x}"),
        1 => format!("{}{:04x}", &key[..key.len() - 4], n % 0xffff),
        2 => key[..3 + n % 64].to_owned(),
        3 => format!("{key}{n}"),
        _ => key.to_uppercase(),
    };
    let head = |key: &str| format!("GET /api/tags HTTP/1.1\r\nhost: x\r\n{}", key_header(key));
    let mut answers = std::collections::BTreeMap::<String, usize>::new();
    for (connection, start) in (0..tries).step_by(50).enumerate() {
        let requests: Vec<_> = (start..tries.min(start + 50))
            .map(|n| head(&near(n)))
            .filter(|head| !head.contains(&format!("{key}\r")))
            .collect();
        // Attempts are limited per address, so the flood comes from many.
        let got = pipelined(&live, u8::try_from(connection % 250).unwrap(), &requests);
        assert_eq!(got.len(), requests.len());
        for answer in got {
            *answers.entry(answer).or_default() += 1;
        }
    }
    let statuses: Vec<_> = answers.keys().map(|answer| &answer[..3]).collect();
    println!("{tries} keys: {:?}", answers.iter().map(|(answer, count)| (&answer[..3], count)).collect::<Vec<_>>());
    assert!(statuses.iter().all(|status| ["401", "429"].contains(status)) && statuses.len() <= 2, "{answers:#?}");
    assert_eq!(status(&live.ask("GET", "/api/tags", &key_header(&key))), "200");
    live.terminate();
    let log = live.log();
    // The server logs at most 100 such requests in 10 s, so the number of lines depends on how long the flood takes.
    assert!(log.lines().count() < tries / 4, "{} lines for {tries} requests", log.lines().count());
    assert!(!log.contains("oc_") && !log.contains("OC_"));
}

#[test]
fn slow_bodies_end_with_the_budget_and_stop_no_other_request() {
    let place = Place::new();
    place.import(&fleet());
    let own = key_header(&place.key(&[]));
    let live = place.serve(&[]);
    let mut slow: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = live.connect();
            write!(stream, "PUT /api/sandboxes/sb-1/tags HTTP/1.1\r\nhost: x\r\n{own}content-type: application/json\r\ncontent-length: 200000\r\n\r\n{{").unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let mut ended = 0;
    while !slow.is_empty() {
        slow.retain_mut(|stream| {
            let mut head = [0; 12];
            match stream.read(&mut head) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = stream.write(b" ");
                    true
                }
                read => {
                    assert_eq!((read.unwrap(), str::from_utf8(&head).unwrap()), (12, "HTTP/1.1 504"));
                    ended += 1;
                    false
                }
            }
        });
        assert_eq!(status(&live.ask("GET", "/api/sandboxes/sb-1/tags", &own)), "200");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(ended, 60);
}
