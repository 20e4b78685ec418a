//! The layers around every request: request ids, metrics, the log, panics, time limits and error bodies.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::connections::Crowded;
use super::error::{self, Failure};
use super::headers::REQUEST_ID;
use super::metrics::Metrics;
use crate::deadline;

/// Status logged when the client disconnects before the response (nginx's 499).
const CLIENT_GONE: u16 = 499;

/// Assigns the request id, renders errors, and logs and counts the outcome. This is the outermost layer.
pub(super) async fn wrap(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let is_api = request.uri().path().starts_with("/api");
    let watch = Watch::begin(metrics, &request, &id);
    request.extensions_mut().insert(watch.known.clone());
    let mut response = next.run(request).instrument(watch.span.clone()).await;
    let cause = error::render(&mut response, &id);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    watch.end(response.status().as_u16(), cause);
    response
}

/// Converts a panic to a response, inside of the layers that inspect responses.
pub(super) async fn survive(request: Request, next: Next) -> Response {
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    caught.unwrap_or_else(|panic| Failure::panicked(panic.as_ref()).into_response())
}

/// Rejects requests on connections above the limits.
pub(super) async fn turn_away(request: Request, next: Next) -> Response {
    if request.extensions().get::<Crowded>().is_some() {
        return Failure::busy("there are too many connections").into_response();
    }
    next.run(request).await
}

/// Ends a request that takes longer than the contract allows.
pub(super) async fn budget(request: Request, next: Next) -> Response {
    let budget = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
    let answer = deadline::within(budget, tokio::time::timeout(budget, next.run(request))).await;
    let cause = format_args!("the request took longer than {QUERY_BUDGET_SECONDS} s");
    answer.unwrap_or_else(|_| Failure::timed_out(cause).into_response())
}

/// Whether a request has a valid key. Log lines about other requests are limited.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<AtomicBool>);

impl Known {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A pending request. It is dropped if the client disconnects, and is logged then, too.
struct Watch {
    metrics: Arc<Metrics>,
    span: Span,
    method: &'static str,
    route: String,
    known: Known,
    started: Instant,
    ended: Option<(u16, Option<Arc<str>>)>,
}

impl Watch {
    fn begin(metrics: Arc<Metrics>, request: &Request, id: &str) -> Self {
        metrics.begin();
        let method = known(request.method());
        // The pattern instead of the path, because the log must not contain sandbox ids.
        let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
        let span = tracing::info_span!("request", %id, %method, %route);
        Self { metrics, span, method, route, known: Known::default(), started: Instant::now(), ended: None }
    }

    fn end(mut self, status: u16, cause: Option<Arc<str>>) {
        self.ended = Some((status, cause));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (status, cause) = self.ended.take().unwrap_or((CLIENT_GONE, None));
        self.metrics.end(self.method, &self.route, status, took);
        let (written, left_out) = match (self.known.0.load(Ordering::Relaxed), &cause) {
            (true, _) => (true, 0),
            (false, Some(_)) => self.metrics.failures_without_key.take(),
            (false, None) => self.metrics.lines_without_key.take(),
        };
        if left_out > 0 {
            tracing::warn!(left_out, "too many requests without a valid key to log each of them");
        }
        if !written {
            return;
        }
        let _entered = self.span.enter();
        match cause {
            _ if status == CLIENT_GONE => tracing::warn!(status, ms, "the client disconnected"),
            Some(cause) => tracing::error!(status, ms, %cause, "failed"),
            None => tracing::info!(status, ms, "answered"),
        }
    }
}

/// Returns the name of a known method, because clients must not choose log texts or metric labels.
fn known(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::PUT,
        Method::HEAD,
        Method::OPTIONS,
        Method::POST,
        Method::DELETE,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    let names = ["GET", "PUT", "HEAD", "OPTIONS", "POST", "DELETE", "PATCH", "TRACE", "CONNECT"];
    known.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}

/// Returns the client's request id if it is short and printable, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let visible = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(visible);
    given.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned)
}
