//! The health check of a container, whose image has no other program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The longest wait for a response, which is below the default timeout of container engines.
const TIMEOUT: Duration = Duration::from_secs(20);
/// More than the head of any response of `/readyz`.
const MAX_BYTES: u64 = 16 * 1024;

/// Asks the server at this address whether it is ready.
pub fn check(address: &str) -> Result<()> {
    let answer = ask(address).with_context(|| format!("cannot reach a server at `{address}`"))?;
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200 "), "the server is not ready: {status}");
    Ok(())
}

fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
