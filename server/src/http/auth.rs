//! Authentication: the key of a request decides its org. The same statement reads the database's clock.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use opencomputer_usage_core::{Code, query};

use super::brake::{Brake, Peer};
use super::envelope::Known;
use super::error::{Failure, Result};
use super::headers::API_KEY;
use super::limit::Limiter;
use crate::key_usage::KeyUses;
use crate::keys;
use crate::store::Store;

/// The state of authentication.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) store: Arc<dyn Store>,
    pub(super) uses: Arc<KeyUses>,
    pub(super) limiter: Option<Arc<Limiter<String>>>,
    pub(super) brake: Arc<Brake>,
}

/// Adds the [`Caller`](crate::store::Caller) to a request, or rejects it.
pub(super) async fn require(State(gate): State<Gate>, mut request: Request, next: Next) -> Result {
    let key = key(request.headers()).ok_or_else(|| Code::Unauthorized.plain())?;
    let hash = keys::hash(key);
    let peer = request.extensions().get::<Peer>();
    let lookup = peer.map(|peer| gate.brake.try_key(*peer, &hash)).transpose().map_err(Failure::rate_limited)?;
    let found = gate.store.authenticate(&hash).await;
    if let Some(lookup) = lookup {
        gate.brake.settle(lookup, &hash, found.as_ref().ok().map(Option::is_some));
    }
    let caller = found?.ok_or_else(|| Code::Unauthorized.plain())?;
    if let Some(known) = request.extensions().get::<Known>() {
        known.set();
    }
    if let Some(limiter) = &gate.limiter {
        limiter.take(&*hash).map_err(Failure::rate_limited)?;
    }
    gate.uses.note(caller.org, hash, caller.now);
    query::check_length(request.uri().query().unwrap_or_default())?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Returns the key in the headers, or `None` if they have several. An `Authorization` of another scheme is ignored.
fn key(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get_all(API_KEY).iter().map(|value| value.to_str().ok());
    let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.to_str().ok()?.trim_start().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(Some(key))
    });
    let mut keys = own.chain(bearer).map(|key| key.map(str::trim));
    let first = keys.next()??;
    (!first.is_empty() && keys.all(|key| key == Some(first))).then_some(first)
}
