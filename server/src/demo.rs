//! A generated fleet of sandboxes. It is the same for everyone on the same day, and is imported like real data.

mod chance;
mod fleet;

use opencomputer_usage_core::usage::window::Timestamp;
use uuid::Uuid;

use self::fleet::{DAY, Fleet};
pub use self::fleet::{HISTORY, RUNAWAY_ID, SHARED_ID};
use crate::import::{ImportError, Imported, import};
use crate::store::{Store, StoreError};

/// The org whose key the demo prints.
pub const ORG: Uuid = Uuid::from_u128(0xACE0_0000_0000_4000_8000_0000_0000_0001);
/// Another tenant, with a sandbox of the same id.
pub const OTHER_ORG: Uuid = Uuid::from_u128(0xACE0_0000_0000_4000_8000_0000_0000_0002);
const SANDBOXES: u64 = 320;
const OTHER_SANDBOXES: u64 = 12;

/// Imports the fleets of both tenants for the ninety days before today.
pub async fn load(store: &dyn Store) -> Result<Imported, ImportError> {
    let today = today(store).await?.micros();
    import(store, OTHER_ORG, Fleet::new(today, 2).lines(OTHER_SANDBOXES).as_bytes(), |_, _| {}).await?;
    import(store, ORG, Fleet::new(today, 1).lines(SANDBOXES).as_bytes(), |_, _| {}).await
}

/// Returns the last midnight by the database's clock. All events of the fleet start before it.
pub async fn today(store: &dyn Store) -> Result<Timestamp, StoreError> {
    let now = store.now().await?;
    Ok(Timestamp::from_micros(now.micros().div_euclid(DAY) * DAY).unwrap_or(now))
}
