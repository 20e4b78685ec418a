//! Who asks: the key of a request decides the org, and the same statement reads the clock.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use opencomputer_usage_core::{Code, query};

use super::{App, Result};
use crate::keys;

/// Lets a request through with its [`Caller`](crate::store::Caller), or refuses it.
pub(super) async fn require(State(app): State<App>, mut request: Request, next: Next) -> Result {
    let key = key(request.headers()).ok_or_else(|| Code::Unauthorized.plain())?;
    let caller = app.store.authenticate(&keys::hash(key)).await?.ok_or_else(|| Code::Unauthorized.plain())?;
    query::check_length(request.uri().query().unwrap_or_default())?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The one key that the headers give; none where they give several. An `Authorization` of another scheme
/// is not meant for us.
fn key(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get_all("x-api-key").iter().map(|value| value.to_str().ok());
    let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.to_str().ok()?.trim_start().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(Some(key))
    });
    let mut keys = own.chain(bearer).map(|key| key.map(str::trim));
    let first = keys.next()??;
    (!first.is_empty() && keys.all(|key| key == Some(first))).then_some(first)
}
