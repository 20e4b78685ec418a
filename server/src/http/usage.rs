//! Usage: the aggregate and the drilldown.

use std::mem;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Extension, Router};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::{UsageQuery, parse_period};
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::wire::{SandboxDetails, SandboxUsage, UsagePage};

use super::error::Result;
use super::handler::{App, Named, json, parameters};
use super::page::{self, Flights};
use crate::store::Caller;

/// Returns the routes of this area.
pub(super) fn router() -> Router<App> {
    Router::new().route("/api/usage", get(aggregate)).route("/api/sandboxes/{id}/usage", get(drilldown))
}

/// `GET /api/usage`
async fn aggregate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(flights): Extension<Arc<Flights>>,
    uri: Uri,
) -> Result {
    let query = UsageQuery::parse(&parameters(&uri), Some(caller.now))?;
    let plan = query.plan(caller.now, app.rule)?;
    let (page, mut details) = app.store.usage(caller.org, &plan).await?;
    match UsagePage::render(&plan, page, |id| details.remove(id).unwrap_or_default()) {
        UsagePage::Tags(mut page) => {
            let items = mem::take(&mut page.items);
            page::respond(&flights, caller.org, &page, items)
        }
        UsagePage::Groups(mut page) => {
            let items = mem::take(&mut page.items);
            page::respond(&flights, caller.org, &page, items)
        }
        UsagePage::Sandboxes(mut page) => {
            let items = mem::take(&mut page.items);
            page::respond(&flights, caller.org, &page, items)
        }
    }
}

/// `GET /api/sandboxes/{id}/usage`
async fn drilldown(State(app): State<App>, Extension(caller): Extension<Caller>, Named(id): Named, uri: Uri) -> Result {
    let window = parse_period(&parameters(&uri))?.resolve(caller.now)?;
    let grid = Grid { window, as_of: caller.now, rule: app.rule, buckets: None };
    let found = app.store.sandbox_usage(caller.org, &id, &grid).await?;
    let found = found.ok_or_else(|| Code::SandboxNotFound.plain())?;
    let SandboxDetails { alias, status, tags, tags_last_updated_at } = found.details;
    json(&SandboxUsage {
        sandbox_id: id.to_string(),
        alias,
        status,
        tags: Some(tags),
        tags_last_updated_at,
        from: window.from(),
        to: window.to(),
        as_of: Some(caller.now),
        interval: None,
        timezone: None,
        buckets: None,
        memory_gb_seconds: found.totals.usage.memory_gb_seconds(),
        disk_overage_gb_seconds: Some(found.totals.usage.disk_overage_gb_seconds()),
        first_started_at: found.first_started_at,
        last_ended_at: found.last_ended_at,
        totals: Some(found.totals.into()),
        points: Some(found.points.into_iter().map(Into::into).collect()),
    })
}
