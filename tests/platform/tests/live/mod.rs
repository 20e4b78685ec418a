//! A variant on a socket, and a client that returns the raw response.

use opencomputer_usage_platform::{KEY, Variant, router};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub struct Live {
    address: String,
}

/// A response, split into status, head and body.
pub struct Seen {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Live {
    pub async fn start(variant: Variant) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router(variant)).await });
        Self { address }
    }

    pub async fn get(&self, target: &str) -> Seen {
        self.send("GET", target, &format!("x-api-key: {KEY}\r\n"), "").await
    }

    pub async fn put(&self, target: &str, body: &str) -> Seen {
        let head = format!("x-api-key: {KEY}\r\nif-match: \"stale\"\r\ncontent-type: application/json\r\n");
        self.send("PUT", target, &head, body).await
    }

    /// Sends a request; every header in `head` has its line break.
    pub async fn send(&self, method: &str, target: &str, head: &str, body: &str) -> Seen {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Seen { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}
