//! The state, arguments and responses that handlers share.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use opencomputer_usage_core::Code;
use opencomputer_usage_core::query::{Parameters, TagValuesQuery};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::TagKey;
use opencomputer_usage_core::usage::accounting::Rule;
use serde::Serialize;

use super::error::{Failure, Result};
use crate::store::Store;

/// The state of every handler.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The accounting rule.
    pub rule: Rule,
}

/// Decodes the parameters of a request, whose length was checked with its key.
pub(super) fn parameters(uri: &Uri) -> Parameters {
    Parameters::decode(uri.query().unwrap_or_default())
}

/// The sandbox that a path names.
pub(super) struct Named(pub(super) SandboxId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|_| Code::InvalidSandboxId.error("sandbox id is not valid UTF-8"))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| id).unwrap_or_default();
        Ok(Self(id.parse()?))
    }
}

/// The tag key that a path names.
pub(super) struct Keyed(pub(super) TagKey);

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = RawPathParams::from_request_parts(parts, state).await;
        let path = path.map_err(|_| Code::InvalidTagKey.error("tag key is not valid UTF-8"))?;
        let key = path.iter().find(|(name, _)| *name == "key").map(|(_, key)| key).unwrap_or_default();
        Ok(Self(TagValuesQuery::parse_key(key)?))
    }
}

/// Responds with JSON.
pub(super) fn json(body: &impl Serialize) -> Result {
    let body = serde_json::to_vec(body).map_err(Failure::internal)?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
