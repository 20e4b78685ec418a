//! Health checks, for load balancers and schedulers.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;

use super::error::{Failure, Result};
use super::handler::App;

/// Returns the routes of this area.
pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

/// `GET /readyz`: checks that the database answers, has the schema and takes writes.
async fn ready(State(app): State<App>) -> Result {
    match app.store.schema_version().await {
        Ok(1..) => match app.store.check_writes().await {
            Ok(()) => Ok("ready\n".into_response()),
            Err(error) => Err(Failure::unavailable(error)),
        },
        Ok(0) => Err(Failure::unavailable("the database has no schema")),
        Err(error) => Err(Failure::unavailable(error)),
    }
}
