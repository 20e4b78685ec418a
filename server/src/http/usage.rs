//! Usage: the aggregate and the drilldown.

use std::mem;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Extension, Router};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::{DrilldownQuery, UsageQuery};
use opencomputer_usage_core::usage::grid::Buckets;
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
    let query = DrilldownQuery::parse(&parameters(&uri), Some(caller.now))?;
    let grid = query.grid(caller.now, app.rule)?;
    let found = app.store.sandbox_usage(caller.org, &id, &grid).await?;
    let found = found.ok_or_else(|| Code::SandboxNotFound.plain())?;
    let SandboxDetails { alias, status, tags, tags_last_updated_at } = found.details;
    let buckets = grid.buckets.as_ref();
    json(&SandboxUsage {
        sandbox_id: id.to_string(),
        alias,
        status,
        tags: Some(tags),
        tags_last_updated_at,
        from: grid.window.from(),
        to: grid.window.to(),
        as_of: Some(caller.now),
        interval: buckets.map(|buckets| buckets.interval().to_string()),
        timezone: buckets.map(|buckets| buckets.time_zone().to_string()),
        buckets: buckets.map(Buckets::to_wire),
        memory_gb_seconds: found.totals.usage.memory_gb_seconds(),
        disk_overage_gb_seconds: Some(found.totals.usage.disk_overage_gb_seconds()),
        first_started_at: found.first_started_at,
        last_ended_at: found.last_ended_at,
        totals: Some(found.totals.into()),
        points: Some(found.points.into_iter().map(Into::into).collect()),
    })
}
