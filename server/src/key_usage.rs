//! The last use of each key, collected in memory and stored once a minute, so that no request waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opencomputer_usage_core::usage::window::Timestamp;
use uuid::Uuid;

use crate::store::{KeyUse, Result, Store, StoreError};

/// The interval at which uses are stored. A key causes at most one write per interval.
pub const INTERVAL: Duration = Duration::from_mins(1);

/// The uses that are not stored yet.
#[derive(Default)]
pub struct KeyUses {
    waiting: Mutex<HashMap<(Uuid, String), Timestamp>>,
    /// Whether the database has denied the write. It would deny it again every minute.
    denied: AtomicBool,
}

impl KeyUses {
    /// Records a use, unless the database denies storing it.
    pub fn note(&self, org: Uuid, key_hash: String, at: Timestamp) {
        if self.denied.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = waiting.entry((org, key_hash)).or_insert(at);
        *latest = at.max(*latest);
    }

    /// Stores the recorded uses. They are kept until they are stored, also if this fails or is cancelled.
    ///
    /// If the database's user may not update `api_keys`, this fails once and does nothing after that.
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

    /// Stores the recorded uses periodically, as long as it is polled.
    pub async fn keep_storing(&self, store: &dyn Store, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            match self.store(store).await {
                Ok(()) => (),
                Err(error @ StoreError::Denied(_)) => {
                    tracing::warn!(%error, "last uses of keys are not stored until the server is restarted");
                }
                Err(error) => tracing::warn!(%error, "last uses of keys could not be stored, trying again"),
            }
        }
    }
}
