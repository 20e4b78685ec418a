//! A small server that responds like the platform, in its past and present variants.
//!
//! It shares no code with the core, so that the clients are tested against independent responses. `README.md`
//! lists what each variant does.

mod aggregate;
mod answer;
mod drilldown;
mod edge;
mod go;
mod query;
mod routes;
mod sandboxes;
mod store;
mod tags;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use self::answer::Answer;
use self::query::Parameters;
use self::store::Store;

/// The API key that every variant accepts.
pub const KEY: &str = "osb_platform_key";

/// The size limit of request bodies.
const BODY_LIMIT: usize = 1 << 20;

/// A server of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// The control plane after the pull request that added tags and usage, April 2026.
    Original,
    /// The control plane of August 2026.
    Today,
    /// The public edge of August 2026, in front of such a control plane.
    Edge,
    /// A control plane and its only worker in one process, August 2026.
    Combined,
}

/// Returns the routes of a variant, with a fleet of its own.
///
/// In addition to the platform's routes, `GET /__requests` lists the requests received so far, and `POST /__reset`
/// clears them and restores the fleet.
pub fn router(variant: Variant) -> Router {
    let platform = Platform { variant, store: Mutex::new(Store::new(now())), requests: Mutex::default() };
    Router::new().fallback(receive).with_state(Arc::new(platform))
}

struct Platform {
    variant: Variant,
    store: Mutex<Store>,
    requests: Mutex<Vec<Recorded>>,
}

/// A request as `GET /__requests` shows it.
#[derive(Serialize)]
struct Recorded {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A request as the handlers see it.
struct Call {
    variant: Variant,
    method: Method,
    path: String,
    parameters: Parameters,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Returns the current time in microseconds since the epoch.
    now: i64,
}

async fn receive(State(platform): State<Arc<Platform>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/__requests") => {
            return Answer::javascript(StatusCode::OK, &*lock(&platform.requests)).into_response();
        }
        (&Method::POST, "/__reset") => {
            lock(&platform.requests).clear();
            *lock(&platform.store) = Store::new(now());
            return StatusCode::NO_CONTENT.into_response();
        }
        _ => {}
    }
    lock(&platform.requests).push(Recorded {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: recorded(&parts.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let call = Call {
        variant: platform.variant,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        parameters: Parameters::decode(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        body: body.into(),
        now: now(),
    };
    let mut store = lock(&platform.store);
    match call.variant {
        Variant::Edge => edge::answer(&call, &mut store),
        _ => routes::answer(&call, &mut store),
    }
    .into_response()
}

/// Returns the headers that a test may ask about.
fn recorded(headers: &HeaderMap) -> BTreeMap<String, String> {
    let names = [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::USER_AGENT];
    let names = names.iter().map(header::HeaderName::as_str).chain(["x-api-key"]);
    let value = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    names.filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}
