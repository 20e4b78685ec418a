//! When each key was last used, written off the path of requests: gathered in memory, stored once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opencomputer_usage_core::window::Timestamp;
use uuid::Uuid;

use crate::store::{KeyUse, Result, Store};

/// How often uses are stored: a key costs at most one write in this time, however busy it is.
pub const INTERVAL: Duration = Duration::from_mins(1);

/// The uses that are not stored yet.
#[derive(Default)]
pub struct KeyUses(Mutex<HashMap<(Uuid, String), Timestamp>>);

impl KeyUses {
    /// Notes a use.
    pub fn note(&self, org: Uuid, key_hash: String, at: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = waiting.entry((org, key_hash)).or_insert(at);
        *latest = at.max(*latest);
    }

    /// Stores what was noted. What was not stored, because of an error or because nobody waited for the end of
    /// this, stays noted.
    pub async fn store(&self, store: &dyn Store) -> Result<()> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let one = |((org, key_hash), at): (&(Uuid, String), &Timestamp)| KeyUse {
            org: *org,
            key_hash: key_hash.clone(),
            at: *at,
        };
        let uses: Vec<_> = noted.iter().map(one).collect();
        if !uses.is_empty() {
            store.touch_keys(&uses).await?;
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|key, at| noted.get(key) != Some(at));
        }
        Ok(())
    }

    /// Stores what was noted again and again, for as long as it is polled.
    pub async fn keep_storing(&self, store: &dyn Store, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.store(store).await {
                tracing::warn!(%error, "the last use of keys could not be stored, it is tried again");
            }
        }
    }
}
