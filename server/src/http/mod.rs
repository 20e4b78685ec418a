//! The API over HTTP: routes and what every request passes through. The rules are the core's.

mod auth;
mod brake;
mod connections;
mod cors;
mod envelope;
mod error;
mod head;
mod limit;
mod metrics;
pub mod openapi;
mod page;
mod sandboxes;
mod serve;
mod tags;
mod usage;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::Parameters;
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::usage::accounting::Rule;
use serde::Serialize;

pub use self::connections::Limits;
pub use self::cors::Origin;
use self::error::Failure;
use self::metrics::Metrics;
use self::page::Flights;
pub use self::serve::serve;
use crate::key_usage::KeyUses;
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

/// What an operator may choose; by default no other origin is allowed and no key is limited.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose pages may call the API.
    pub cors_origins: Vec<Origin>,
    /// Requests per second that each key may make.
    pub rate_limit: Option<NonZeroU32>,
    /// How many connections there may be.
    pub connections: Limits,
}

/// All routes of the server, with the default options.
pub fn router(app: App) -> Router {
    let metrics = Arc::new(Metrics::new(app.store.clone()));
    routes(app, &Options::default(), Arc::default(), metrics)
}

/// All routes of the server. The uses of keys are noted in `uses`; somebody else has to store them.
fn routes(app: App, options: &Options, uses: Arc<KeyUses>, metrics: Arc<Metrics>) -> Router {
    let limiter = options.rate_limit.map(limit::Limiter::new).map(Arc::new);
    let gate = auth::Gate { store: app.store.clone(), uses, limiter, brake: Arc::default() };
    let not_allowed = async || Failure::from(Code::MethodNotAllowed.plain());
    let api = Router::new()
        .route("/api/usage", get(usage::aggregate))
        .route("/api/tags", get(tags::keys))
        .route("/api/sandboxes", get(sandboxes::list))
        .route("/api/sandboxes/{id}", get(sandboxes::one))
        // An empty id, as in `/api/sandboxes//tags`.
        .route("/api/sandboxes/", get(sandboxes::one))
        .route("/api/sandboxes/{id}/usage", get(usage::drilldown))
        .route("/api/sandboxes/{id}/tags", get(tags::read).put(tags::replace))
        .method_not_allowed_fallback(not_allowed)
        .layer(Extension(Arc::new(Flights::new(metrics.bytes_in_flight.clone()))))
        .route_layer(middleware::from_fn_with_state(gate, auth::require))
        .route_layer(middleware::from_fn(envelope::budget));
    let document = Router::new().route("/openapi.json", get(openapi::show)).method_not_allowed_fallback(not_allowed);
    let mut public = api.merge(document).fallback(async || Failure::from(Code::RouteNotFound.plain()));
    public = public.layer(middleware::from_fn(envelope::survive)).layer(middleware::from_fn(envelope::turn_away));
    if !options.cors_origins.is_empty() {
        public = public.layer(cors::layer(&options.cors_origins));
    }
    let operators = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .merge(Router::new().route("/metrics", get(metrics::show)).with_state(metrics.clone()))
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn(envelope::survive));
    public.merge(operators).layer(middleware::from_fn_with_state(metrics, envelope::wrap)).with_state(app)
}

/// Whether the database answers, has the schema and takes writes.
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

/// The parameters of a request. Their number of bytes was checked with the key.
fn parameters(uri: &Uri) -> Parameters {
    Parameters::decode(uri.query().unwrap_or_default())
}

/// The sandbox that a path names.
struct Named(SandboxId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|_| Code::InvalidSandboxId.error("sandbox id is not valid UTF-8"))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| id).unwrap_or_default();
        Ok(Self(id.parse()?))
    }
}

/// A JSON answer.
fn json(body: &impl Serialize) -> Result {
    let body = serde_json::to_vec(body).map_err(Failure::internal)?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::store;

    /// What a route answers inside of what every request passes through.
    async fn answer_of(router: Router) -> String {
        let metrics = Arc::new(Metrics::new(store::in_memory().await.unwrap()));
        let router = router.layer(middleware::from_fn(envelope::survive));
        let router = router.layer(cors::layer(&["http://page".parse().unwrap()]));
        let router = router.layer(middleware::from_fn_with_state(metrics, envelope::wrap));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /api/x HTTP/1.1\r\nhost: x\r\norigin: http://page\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("x-request-id: ") && answer.contains("allow-origin: http://page"), "{answer}");
        answer
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing() {
        let answer = answer_of(Router::new().route("/api/x", get(async || -> &str { panic!("the secret") }))).await;
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"internal""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_ends_with_its_budget() {
        let endless = get(async || {
            // Opening the database takes real time, which a paused clock would race past.
            tokio::time::pause();
            std::future::pending::<&str>().await
        });
        let router = Router::new().route("/api/x", endless).route_layer(middleware::from_fn(envelope::budget));
        let answer = answer_of(router).await;
        assert!(answer.starts_with("HTTP/1.1 504") && answer.contains(r#""code":"query_timeout""#), "{answer}");
    }

    #[tokio::test]
    async fn a_request_whose_client_went_away_is_counted() {
        let metrics = Arc::new(Metrics::new(store::in_memory().await.unwrap()));
        let endless = get(async || std::future::pending::<&str>().await);
        let router = Router::new().route("/api/{x}", endless);
        let router = router.layer(middleware::from_fn_with_state(metrics.clone(), envelope::wrap));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        stream.write_all(b"GET /api/secret HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let shows = async |wanted: &str| {
            let text = async || metrics::show(State(metrics.clone())).await.unwrap().into_body();
            while !String::from_utf8(axum::body::to_bytes(text().await, 1 << 20).await.unwrap().into())
                .unwrap()
                .contains(wanted)
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        shows("in_flight 1\n").await;
        drop(stream);
        shows(r#"requests_total{method="GET",route="/api/{x}",status="499"} 1"#).await;
        shows("in_flight 0\n").await;
    }
}
