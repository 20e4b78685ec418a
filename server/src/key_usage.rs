//! When each key was last used, written off the path of requests: gathered in memory, stored once a minute.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opencomputer_usage_core::usage::window::Timestamp;
use uuid::Uuid;

use crate::store::{KeyUse, Result, Store, StoreError};

/// How often uses are stored: a key costs at most one write in this time, however busy it is.
pub const INTERVAL: Duration = Duration::from_mins(1);

/// The uses that are not stored yet.
#[derive(Default)]
pub struct KeyUses {
    waiting: Mutex<HashMap<(Uuid, String), Timestamp>>,
    /// Set once the database has refused to store them: it would refuse every minute.
    denied: AtomicBool,
}

impl KeyUses {
    /// Notes a use, unless uses cannot be stored.
    pub fn note(&self, org: Uuid, key_hash: String, at: Timestamp) {
        if self.denied.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = waiting.entry((org, key_hash)).or_insert(at);
        *latest = at.max(*latest);
    }

    /// Stores what was noted. What was not stored, because of an error or because nobody waited for the end of
    /// this, stays noted.
    ///
    /// Where the database's user may not update `api_keys`, this fails once and does nothing from then on.
    pub async fn store(&self, store: &dyn Store) -> Result<()> {
        let noted = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let one = |((org, key_hash), at): (&(Uuid, String), &Timestamp)| KeyUse {
            org: *org,
            key_hash: key_hash.clone(),
            at: *at,
        };
        let uses: Vec<_> = noted.iter().map(one).collect();
        if !uses.is_empty() {
            let stored = store.touch_keys(&uses).await;
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(StoreError::Denied(_)) = &stored {
                self.denied.store(true, Ordering::Relaxed);
                waiting.clear();
            }
            stored?;
            waiting.retain(|key, at| noted.get(key) != Some(at));
        }
        Ok(())
    }

    /// Stores what was noted again and again, for as long as it is polled.
    pub async fn keep_storing(&self, store: &dyn Store, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            match self.store(store).await {
                Ok(()) => (),
                Err(error @ StoreError::Denied(_)) => {
                    tracing::warn!(%error, "the last use of keys is not stored until the server is restarted");
                }
                Err(error) => tracing::warn!(%error, "the last use of keys could not be stored, it is tried again"),
            }
        }
    }
}
