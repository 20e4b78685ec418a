//! The API over HTTP: routes and what every request passes through. The rules are the core's.

mod auth;
mod error;
mod sandboxes;
mod tags;
mod usage;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::FutureExt;
use opencomputer_usage_core::Code;
use opencomputer_usage_core::accounting::Rule;
use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use opencomputer_usage_core::query::Parameters;
use opencomputer_usage_core::sandbox::SandboxId;
use serde::Serialize;
use tracing::Instrument;
use uuid::Uuid;

use self::error::Failure;
use crate::store::Store;

/// What an endpoint comes back with.
type Result<T = Response, E = Failure> = std::result::Result<T, E>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every request needs.
#[derive(Clone)]
pub struct App {
    /// Where the data is.
    pub store: Arc<dyn Store>,
    /// How usage is measured.
    pub rule: Rule,
}

/// All routes of the server.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/api/usage", get(usage::aggregate))
        .route("/api/tags", get(tags::keys))
        .route("/api/sandboxes", get(sandboxes::list))
        .route("/api/sandboxes/{id}", get(sandboxes::one))
        // An empty id, as in `/api/sandboxes//tags`.
        .route("/api/sandboxes/", get(sandboxes::one))
        .route("/api/sandboxes/{id}/usage", get(usage::drilldown))
        .route("/api/sandboxes/{id}/tags", get(tags::read).put(tags::replace))
        .method_not_allowed_fallback(async || Failure::from(Code::MethodNotAllowed.plain()))
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::require))
        .route_layer(middleware::from_fn(budget));
    let open = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(async || Failure::from(Code::MethodNotAllowed.plain()));
    api.merge(open)
        .fallback(async || Failure::from(Code::RouteNotFound.plain()))
        .layer(middleware::from_fn(envelope))
        .with_state(app)
}

/// Whether the database answers.
async fn ready(State(app): State<App>) -> Result {
    app.store.now().await?;
    Ok("ready\n".into_response())
}

/// Ends a request that takes longer than the contract allows.
async fn budget(request: Request, next: Next) -> Response {
    let budget = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
    let answer = tokio::time::timeout(budget, next.run(request)).await;
    answer.unwrap_or_else(|_| Failure::from(Code::QueryTimeout.plain()).into_response())
}

/// The outermost layer: names the request, survives a panic, renders errors and logs the outcome.
async fn envelope(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/api");
    // The pattern: ids are the tenant's business and no log's.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", %id, %method, %route);
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = caught.unwrap_or_else(|panic| Failure::panicked(panic.as_ref()).into_response());
    let cause = error::render(&mut response, &id);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if is_api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let status = response.status().as_u16();
    let ms = started.elapsed().as_millis();
    let _entered = span.enter();
    if let Some(cause) = cause {
        tracing::error!(status, ms, %cause, "failed");
    } else {
        tracing::info!(status, ms, "answered");
    }
    response
}

/// The client's own id, where it is short and printable, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let visible = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(visible);
    given.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// The parameters of a request. Their number of bytes was checked with the key.
fn parameters(uri: &Uri) -> Parameters {
    Parameters::decode(uri.query().unwrap_or_default())
}

/// The sandbox that a path names.
fn sandbox_id(
    path: std::result::Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
) -> Result<SandboxId> {
    let broken = || Code::InvalidSandboxId.error("sandbox id is not valid UTF-8");
    let path = path.map_err(|_| broken())?;
    let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| id).unwrap_or_default();
    Ok(id.parse()?)
}

/// A JSON answer.
fn json(body: &impl Serialize) -> Result {
    let body = serde_json::to_vec(body).map_err(Failure::internal)?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn answer_of(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router.layer(middleware::from_fn(envelope))).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /api/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing() {
        let answer = answer_of(Router::new().route("/api/x", get(async || -> &str { panic!("the secret") }))).await;
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"internal""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_with_its_budget() {
        let endless = get(async || std::future::pending::<&str>().await);
        let router = Router::new().route("/api/x", endless).route_layer(middleware::from_fn(budget));
        let answer = answer_of(router).await;
        assert!(answer.starts_with("HTTP/1.1 504") && answer.contains(r#""code":"query_timeout""#), "{answer}");
    }
}
