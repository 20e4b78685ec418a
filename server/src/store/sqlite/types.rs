//! Values that the engine has no type for.

use serde::Serialize;

use crate::store::{Result, StoreError};

/// Serializes several values as one argument, for `json_each`.
pub(super) fn json_list<T: Serialize + ?Sized>(items: &T) -> Result<String> {
    serde_json::to_string(items).map_err(StoreError::internal)
}
