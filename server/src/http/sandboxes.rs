//! Sandbox reads, with tags if they can be read.

use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::routing::get;
use axum::{Extension, Router};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::{SandboxesQuery, parse_nothing};
use opencomputer_usage_core::wire::{Sandbox, SandboxTagsBody};
use uuid::Uuid;

use super::error::{Failure, Result};
use super::handler::{App, Named, json, parameters};
use crate::store::Caller;

/// Returns the routes of this area.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/sandboxes", get(list))
        .route("/api/sandboxes/{id}", get(one))
        // An empty id, as in `/api/sandboxes//tags`.
        .route("/api/sandboxes/", get(one))
}

/// `GET /api/sandboxes`
async fn list(State(app): State<App>, Extension(caller): Extension<Caller>, uri: Uri) -> Result {
    let query = SandboxesQuery::parse(&parameters(&uri))?;
    let mut page = app.store.sandboxes(caller.org, &query, &query.slice()?).await?;
    add_tags(&app, caller.org, &mut page.items).await;
    let mut response = json(&page.items)?;
    if let Some(cursor) = page.next {
        let link = HeaderValue::from_str(&query.continued(cursor).link()).map_err(Failure::internal)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// `GET /api/sandboxes/{id}`
async fn one(State(app): State<App>, Extension(caller): Extension<Caller>, Named(id): Named, uri: Uri) -> Result {
    parse_nothing(&parameters(&uri))?;
    let sandbox = app.store.sandbox(caller.org, &id).await?;
    let mut sandbox = [sandbox.ok_or_else(|| Code::SandboxNotFound.plain())?];
    add_tags(&app, caller.org, &mut sandbox).await;
    let [sandbox] = sandbox;
    json(&sandbox)
}

/// Adds the tags. If they cannot be read, the response goes without them.
async fn add_tags(app: &App, org: Uuid, sandboxes: &mut [Sandbox]) {
    let ids: Vec<_> = sandboxes.iter().map(|sandbox| sandbox.sandbox_id.as_str()).collect();
    match app.store.tags_of(org, &ids).await {
        Ok(mut tags) => {
            for sandbox in sandboxes {
                let SandboxTagsBody { tags, tags_last_updated_at } =
                    tags.remove(&sandbox.sandbox_id).unwrap_or_default();
                (sandbox.tags, sandbox.tags_last_updated_at) = (Some(tags), Some(tags_last_updated_at));
            }
        }
        Err(error) => tracing::warn!(%error, "the tags of sandboxes could not be read"),
    }
}
