//! All routes, and the layers around them.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router, middleware};
use opencomputer_usage_core::Code;

use super::connections::Limits;
use super::cors::{self, Origin};
use super::error::Failure;
use super::handler::App;
use super::metrics::{self, Metrics};
use super::page::Flights;
use super::{auth, compress, dashboard, envelope, health, limit, openapi, sandboxes, tags, usage};
use crate::key_usage::KeyUses;

/// The options of an operator. By default no other origin is allowed and no key is limited.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The origins whose pages may call the API.
    pub cors_origins: Vec<Origin>,
    /// The number of requests that each key may make in a second.
    pub rate_limit: Option<NonZeroU32>,
    /// The most connections.
    pub connections: Limits,
}

/// Returns all routes of the server, with the default options.
pub fn router(app: App) -> Router {
    let metrics = Arc::new(Metrics::new(app.store.clone()));
    with_options(app, &Options::default(), Arc::default(), metrics)
}

/// Returns all routes of the server. Uses of keys are noted in `uses`; the caller has to store them.
pub(super) fn with_options(app: App, options: &Options, uses: Arc<KeyUses>, metrics: Arc<Metrics>) -> Router {
    let limiter = options.rate_limit.map(limit::Limiter::new).map(Arc::new);
    let gate = auth::Gate { store: app.store.clone(), uses, limiter, brake: Arc::default() };
    let not_allowed = async || Failure::from(Code::MethodNotAllowed.plain());
    let api = Router::new()
        .merge(usage::router())
        .merge(tags::router())
        .merge(sandboxes::router())
        .method_not_allowed_fallback(not_allowed)
        .layer(Extension(Arc::new(Flights::new(metrics.bytes_in_flight.clone()))))
        .route_layer(middleware::from_fn_with_state(gate, auth::require))
        .route_layer(middleware::from_fn(envelope::budget));
    let document = Router::new().route("/openapi.json", get(openapi::show)).method_not_allowed_fallback(not_allowed);
    let mut public = api.merge(document).fallback(async || Failure::from(Code::RouteNotFound.plain()));
    public = public.layer(compress::layer());
    public = public.layer(middleware::from_fn(envelope::survive)).layer(middleware::from_fn(envelope::turn_away));
    if !options.cors_origins.is_empty() {
        public = public.layer(cors::layer(&options.cors_origins));
    }
    let operators = health::router()
        .merge(metrics::router(metrics.clone()))
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn(envelope::survive));
    let pages = dashboard::router()
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn(envelope::survive))
        .layer(middleware::from_fn(envelope::turn_away))
        .layer(middleware::map_response(dashboard::protect));
    public.merge(operators).merge(pages).layer(middleware::from_fn_with_state(metrics, envelope::wrap)).with_state(app)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use axum::extract::State;

    use super::*;
    use crate::store;

    /// Returns the response of a route inside of the layers around every request.
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
    async fn a_panic_is_an_internal_error_without_its_message() {
        let answer = answer_of(Router::new().route("/api/x", get(async || -> &str { panic!("the secret") }))).await;
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"internal""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_ends_with_its_budget() {
        let endless = get(async || {
            // The clock is paused only here, because opening the database takes real time.
            tokio::time::pause();
            std::future::pending::<&str>().await
        });
        let router = Router::new().route("/api/x", endless).route_layer(middleware::from_fn(envelope::budget));
        let answer = answer_of(router).await;
        assert!(answer.starts_with("HTTP/1.1 504") && answer.contains(r#""code":"query_timeout""#), "{answer}");
    }

    #[tokio::test]
    async fn counts_requests_whose_client_disconnected() {
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
