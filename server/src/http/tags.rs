//! Tags: the keys in use, and the tags of one sandbox.

use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::StreamExt;
use opencomputer_usage_core::limits::MAX_BODY_BYTES;
use opencomputer_usage_core::query::{TagValuesQuery, parse_nothing};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::wire::{SandboxTagsBody, TagKeys, TagValues};
use opencomputer_usage_core::{Code, Error};

use super::error::{Failure, Result};
use super::handler::{App, Keyed, Named, json, parameters};
use crate::store::{Caller, TagWrite};

/// The most bytes of a rejected body that are still read, so that the client sees the response.
const MAX_DRAINED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// Returns the routes of this area.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/tags", get(keys))
        .route("/api/tags/{key}", get(values))
        // An empty key.
        .route("/api/tags/", get(values))
        .route("/api/sandboxes/{id}/tags", get(read).put(replace))
}

/// `GET /api/tags`
async fn keys(State(app): State<App>, Extension(caller): Extension<Caller>, uri: Uri) -> Result {
    parse_nothing(&parameters(&uri))?;
    json(&TagKeys { keys: app.store.tag_keys(caller.org).await? })
}

/// `GET /api/tags/{key}`
async fn values(State(app): State<App>, Extension(caller): Extension<Caller>, Keyed(key): Keyed, uri: Uri) -> Result {
    let query = TagValuesQuery::parse(key, &parameters(&uri))?;
    let page = app.store.tag_values(caller.org, &query, &query.slice()?).await?;
    let next_cursor = page.next.map(|cursor| cursor.as_str().to_owned());
    json(&TagValues { key: query.key.as_str().to_owned(), values: page.items, next_cursor })
}

/// `GET /api/sandboxes/{id}/tags`
async fn read(State(app): State<App>, Extension(caller): Extension<Caller>, Named(id): Named, uri: Uri) -> Result {
    parse_nothing(&parameters(&uri))?;
    let tags = app.store.tags(caller.org, &id).await?;
    tagged(&tags.ok_or_else(|| Code::SandboxNotFound.plain())?)
}

/// `PUT /api/sandboxes/{id}/tags`
async fn replace(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    named: Result<Named>,
    request: Request,
) -> Result {
    let (parts, body) = request.into_parts();
    let mut body = Incoming { chunks: body.into_data_stream(), drained: 0 };
    let checked = check(&app, caller, named, &parts.uri, &parts.headers).await;
    let (id, bytes) = match checked {
        Ok(id) => (id, body.read_all().await),
        Err(refusal) => {
            body.drain().await;
            return Err(refusal);
        }
    };
    let tags = TagSet::from_json(&bytes?)?;
    let if_match = if_match(&parts.headers);
    match app.store.replace_tags(caller.org, &id, &tags, if_match.as_deref()).await? {
        TagWrite::NoSandbox => Err(Code::SandboxNotFound.plain().into()),
        TagWrite::Changed => Err(Code::TagsChanged.plain().into()),
        TagWrite::Written(tags) => tagged(&tags),
    }
}

/// Makes the checks that come before the body is read.
async fn check(app: &App, caller: Caller, named: Result<Named>, uri: &Uri, headers: &HeaderMap) -> Result<SandboxId> {
    let Named(id) = named?;
    parse_nothing(&parameters(uri))?;
    if !app.store.has_sandbox(caller.org, &id).await? {
        return Err(Code::SandboxNotFound.plain().into());
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Code::UnsupportedMediaType.plain().into());
    }
    Ok(id)
}

/// A body, read up to the limit of the contract.
struct Incoming {
    chunks: BodyDataStream,
    drained: usize,
}

impl Incoming {
    async fn read_all(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunks.next().await {
            bytes.extend(chunk.map_err(|_| Code::InvalidBody.error("the body ended early"))?);
            if bytes.len() > MAX_BODY_BYTES {
                self.drain().await;
                return Err(Code::PayloadTooLarge.plain());
            }
        }
        Ok(bytes)
    }

    /// Reads and drops the rest. A client that is still sending would not see the response.
    async fn drain(&mut self) {
        while let Some(Ok(chunk)) = self.chunks.next().await {
            self.drained += chunk.len();
            if self.drained > MAX_DRAINED_BYTES {
                return;
            }
        }
    }
}

/// Returns the condition of a write. A header that is not text matches nothing, like a malformed one.
fn if_match(headers: &HeaderMap) -> Option<String> {
    let given: Vec<_> = headers.get_all(header::IF_MATCH).iter().map(HeaderValue::to_str).collect();
    if given.is_empty() {
        return None;
    }
    let texts: Result<Vec<_>, _> = given.into_iter().collect();
    Some(texts.map_or_else(|_| String::new(), |texts| texts.join(", ")))
}

/// Responds with tags and their entity tag.
fn tagged(tags: &SandboxTagsBody) -> Result<Response> {
    let mut response = json(tags)?;
    let etag = HeaderValue::from_str(&tags.etag()).map_err(Failure::internal)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}
