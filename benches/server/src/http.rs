//! A client with little overhead: HTTP/1.1 on one keep-alive connection.

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection to the server, with an API key.
pub struct Client {
    stream: BufReader<TcpStream>,
    key: String,
    /// The header `Link` of the last response.
    link: Option<String>,
    /// The header `ETag` of the last response.
    etag: Option<String>,
}

impl Client {
    /// Connects.
    pub async fn new(address: &str, key: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server does not listen")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), key: key.to_owned(), link: None, etag: None })
    }

    /// Sends a request and reads the whole response.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        self.send_if(method, path, body, None).await
    }

    /// Sends a request with `If-Match`, if given.
    pub async fn send_if(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        if_match: Option<&str>,
    ) -> Result<(u16, Vec<u8>)> {
        let Self { stream, key, link, etag } = self;
        (*link, *etag) = (None, None);
        let condition = if_match.map(|etag| format!("If-Match: {etag}\r\n")).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n{condition}{kind}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(request.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
        let mut length = Some(0);
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = None;
            } else if name.eq_ignore_ascii_case("link") {
                *link = Some(value.trim().to_owned());
            } else if name.eq_ignore_ascii_case("etag") {
                *etag = Some(value.trim().to_owned());
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => read(stream, length, &mut body).await?,
            // A large page comes in chunks, each after a line with its length; the last one is empty.
            None => loop {
                line.clear();
                stream.read_line(&mut line).await?;
                let length = usize::from_str_radix(line.trim_end(), 16)?;
                read(stream, length, &mut body).await?;
                line.clear();
                stream.read_line(&mut line).await?;
                if length == 0 {
                    break;
                }
            },
        }
        Ok((status, body))
    }

    /// Sends a request that must succeed and returns the response.
    pub async fn get(&mut self, path: &str) -> Result<serde_json::Value> {
        let (status, body) = self.send("GET", path, "").await?;
        anyhow::ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// Returns the entity tag of the last response.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Requests a page of a list and returns the path of the next one, if there is one.
    pub async fn next(&mut self, path: &str) -> Result<Option<String>> {
        self.get(path).await?;
        self.linked(path)
    }

    /// Returns the path of the next page after the last response, if there is one.
    pub fn linked(&self, path: &str) -> Result<Option<String>> {
        let Some(link) = &self.link else { return Ok(None) };
        let target = link.strip_prefix('<').and_then(|link| link.split_once('>')).context("no target in `Link`")?.0;
        // The target is a query, which replaces that of the page.
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Ok(Some(format!("{path}{target}")))
    }
}

/// Reads bytes of a body.
async fn read(stream: &mut BufReader<TcpStream>, length: usize, body: &mut Vec<u8>) -> Result<()> {
    let start = body.len();
    body.resize(start + length, 0);
    stream.read_exact(body.get_mut(start..).unwrap_or_default()).await?;
    Ok(())
}
