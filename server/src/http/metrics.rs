//! Metrics for Prometheus at `/metrics`. Labels are route patterns, methods and statuses, and contain no tenant data.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::brake::Ration;
use super::connections::ConnectionMetrics;
use super::error::{Failure, Result};
use super::handler::App;
use crate::log::LOST_LINES;
use crate::store::Store;

/// Upper bounds in seconds. The last is the time limit of a request.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The log lines about requests without a valid key in each window.
const LINES_WITHOUT_KEY: u64 = 100;
const LINES_WINDOW: Duration = Duration::from_secs(10);

const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    method: &'static str,
    route: String,
    status: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Endpoint {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

/// Every metric of the server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Outcome, Counter>,
    durations: Family<Endpoint, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    connections: Family<Connections, Gauge>,
    pub(super) http_connections: ConnectionMetrics,
    /// Bytes of large responses that wait for their clients.
    pub(super) bytes_in_flight: Gauge,
    /// Limits of log lines about requests without a valid key, which anybody can send: for failed requests, and for
    /// others.
    pub(super) failures_without_key: Ration,
    pub(super) lines_without_key: Ration,
    store: Arc<dyn Store>,
}

impl Metrics {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let mut registry = Registry::with_prefix("opencomputer_usage");
        let requests = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let (in_flight, connections) = (Gauge::default(), Family::default());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        let help = "Time from the head of a request to its response, in seconds";
        registry.register("http_request_duration_seconds", help, durations.clone());
        registry.register("http_requests_in_flight", "Requests in progress", in_flight.clone());
        let help = "Lines of the log that could not be written";
        registry.register("log_lines_lost", help, LazyLock::force(&LOST_LINES).clone());
        registry.register("db_connections", "Database connections by pool and state", connections.clone());
        let http_connections = ConnectionMetrics::default();
        let ConnectionMetrics { open, evicted, refused } = http_connections.clone();
        registry.register("http_connections", "Connections of clients that are open", open);
        registry.register("http_connections_evicted", "Idle connections that made room for new ones", evicted);
        registry.register("http_connections_refused", "Connections that were closed at once", refused);
        let bytes_in_flight = Gauge::default();
        let help = "Bytes of large responses that wait for their clients";
        registry.register("http_response_bytes_in_flight", help, bytes_in_flight.clone());
        let [failures_without_key, lines_without_key] = [(); 2].map(|()| Ration::new(LINES_WITHOUT_KEY, LINES_WINDOW));
        Self {
            registry,
            requests,
            durations,
            in_flight,
            connections,
            http_connections,
            bytes_in_flight,
            failures_without_key,
            lines_without_key,
            store,
        }
    }

    /// Counts a request that has arrived.
    pub(super) fn begin(&self) {
        self.in_flight.inc();
    }

    /// Counts a request that was answered or whose client disconnected.
    pub(super) fn end(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.in_flight.dec();
        let route = route.to_owned();
        let endpoint = Endpoint { method, route: route.clone() };
        self.durations.get_or_create(&endpoint).observe(took.as_secs_f64());
        self.requests.get_or_create(&Outcome { method, route, status: status.into() }).inc();
    }

    fn text(&self) -> std::result::Result<String, std::fmt::Error> {
        for pool in self.store.pools() {
            for (state, count) in [("in_use", pool.in_use), ("idle", pool.idle), ("max", pool.max)] {
                let gauge = self.connections.get_or_create(&Connections { pool: pool.name, state });
                gauge.set(count.into());
            }
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Returns the routes of this area.
pub(super) fn router(metrics: Arc<Metrics>) -> Router<App> {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

/// `GET /metrics`
pub(super) async fn show(State(metrics): State<Arc<Metrics>>) -> Result {
    let text = metrics.text().map_err(Failure::internal)?;
    Ok(([(header::CONTENT_TYPE, TYPE)], text).into_response())
}
