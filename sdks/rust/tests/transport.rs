//! The shared suite `transport`: calls against a TCP server that follows a script.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic; clippy sees only its outermost function")]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{KEY, Stub, head};
use opencomputer_usage::{Client, ClientError};
use opencomputer_usage_vectors::{Case, load, same};
use serde_json::{Value, json};
use socket2::SockRef;

/// Starts a server that follows one entry of the script for each connection.
fn start(script: &Value) -> Stub {
    let ahead = Arc::new(Mutex::new(VecDeque::from(script.as_array().unwrap().clone())));
    Stub::start(move |stream, note| {
        note(read(&stream)?);
        let step = ahead.lock().unwrap().pop_front().unwrap_or_default();
        follow(stream, &step)
    })
}

/// Reads a request with its body; returns its method and target.
fn read(stream: &TcpStream) -> io::Result<String> {
    let mut reader = BufReader::new(stream);
    let head = head(&mut reader)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    Ok(head.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

fn follow(mut stream: TcpStream, step: &Value) -> io::Result<()> {
    stream.write_all(step["answer"].as_str().unwrap_or_default().as_bytes())?;
    match step["end"].as_str() {
        Some("reset") => SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
        Some("hold") => io::copy(&mut stream, &mut io::sink()).map(drop),
        _ => stream.shutdown(Shutdown::Write),
    }
}

async fn call(client: &Client, case: &Case) -> Result<Value, ClientError> {
    let params = case.get("params").unwrap();
    match case.text("operation").unwrap() {
        "tags.list_keys" => client.tags().list_keys().await.map(|keys| json!(keys)),
        "tags.set" => {
            let tags: BTreeMap<String, String> = serde_json::from_value(params["tags"].clone()).unwrap();
            let id = params["sandboxId"].as_str().unwrap();
            client.tags().set(id, &tags, params["ifMatch"].as_str()).await.map(|state| json!(state))
        }
        operation => panic!("no method for {operation}"),
    }
}

fn expect_error(name: &str, error: &ClientError, expected: &Value) {
    for (member, expected) in expected.as_object().unwrap() {
        let actual = match member.as_str() {
            "kind" => json!(error.kind.as_str()),
            "status" => json!(error.status),
            "code" => json!(error.code),
            "requestId" => json!(error.request_id),
            "message" => json!(error.message),
            "retryAfter" => json!(error.retry_after),
            member => panic!("{name}: `{member}` is not compared"),
        };
        assert!(same(&actual, expected), "{name}: `{member}` is {actual}, not {expected}");
    }
}

#[tokio::test]
async fn faults_of_the_transport_are_retried_or_reported() {
    for case in load("transport") {
        let (name, number) = (case.name(), |member| case.get(member).and_then(Value::as_u64));
        let server = start(case.get("connections").unwrap());
        let mut builder = Client::builder().api_key(KEY).base_url(server.url("http"));
        builder = builder.max_retries(number("maxRetries").unwrap().try_into().unwrap());
        if let Some(ms) = number("timeoutMs") {
            builder = builder.timeout(Duration::from_millis(ms));
        }
        match (call(&builder.build().unwrap(), &case).await, case.get("error")) {
            (Ok(result), None) => assert!(same(&result, case.get("result").unwrap()), "{name}: {result}"),
            (Err(error), Some(expected)) => expect_error(name, &error, expected),
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
        assert_eq!(json!(server.seen()), case.get("requests").unwrap().clone(), "{name}");
    }
}
