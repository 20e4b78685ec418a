//! A generated fleet of sandboxes. It is the same for everyone on the same day, and is imported like real data.

use opencomputer_usage_core::usage::window::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::import::{ImportError, Imported, import};
use crate::store::{Store, StoreError};

/// The org whose key the demo prints.
pub const ORG: Uuid = Uuid::from_u128(0xACE0_0000_0000_4000_8000_0000_0000_0001);
/// Another tenant, with a sandbox of the same id.
pub const OTHER_ORG: Uuid = Uuid::from_u128(0xACE0_0000_0000_4000_8000_0000_0000_0002);
/// The id of the sandbox that both tenants have.
pub const SHARED_ID: &str = "sb-shared";

const SANDBOXES: u64 = 320;
const OTHER_SANDBOXES: u64 = 12;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

const TEAMS: [&str; 9] =
    ["payments", "payments", "payments", "search", "search", "platform", "platform", "ml", "growth"];
const ENVIRONMENTS: [&str; 6] = ["prod", "prod", "prod", "staging", "dev", "dev"];
const CUSTOMERS: [&str; 8] =
    ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "Müller & Söhne, Köln"];
const TEMPLATES: [&str; 4] = ["base", "python", "node", "desktop"];
const REGIONS: [&str; 3] = ["use2", "euc1", "aps1"];
const MEMORY_MB: [u64; 8] = [1024, 2048, 2048, 4096, 4096, 4096, 8192, 16_384];
const DISK_MB: [u64; 6] = [10_240, 20_480, 20_480, 20_480, 40_960, 102_400];

/// Imports the fleets of both tenants for the ninety days before today.
pub async fn load(store: &dyn Store) -> Result<Imported, ImportError> {
    let today = today(store).await?.micros();
    import(store, OTHER_ORG, fleet(today, 2, OTHER_SANDBOXES).as_bytes(), |_, _| {}).await?;
    import(store, ORG, fleet(today, 1, SANDBOXES).as_bytes(), |_, _| {}).await
}

/// Returns the last midnight by the database's clock. All events of the fleet lie before it.
pub async fn today(store: &dyn Store) -> Result<Timestamp, StoreError> {
    let now = store.now().await?;
    Ok(Timestamp::from_micros(now.micros().div_euclid(DAY) * DAY).unwrap_or(now))
}

/// Writes a fleet as lines of an import.
fn fleet(today: i64, seed: u64, sandboxes: u64) -> String {
    let mut chance = Chance(seed);
    let mut lines = Vec::new();
    for number in 0..sandboxes {
        let id = if number == 0 { SHARED_ID.to_owned() } else { format!("sb-{:06x}", chance.next() >> 40) };
        sandbox(&mut lines, &mut chance, today, &id, number);
    }
    lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n")
}

fn sandbox(lines: &mut Vec<Value>, chance: &mut Chance, today: i64, id: &str, number: u64) {
    let mut start = today - 90 * DAY + chance.below(89 * DAY);
    let status = match chance.below(100) {
        0..14 => "running",
        14..22 => "hibernated",
        22..25 => "error",
        _ => "stopped",
    };
    let session_start = start;
    let events = 1 + chance.below(4);
    for event in 0..events {
        let last = event + 1 == events;
        // Short sessions are common, long ones rare.
        let scale = 1 << chance.below(9);
        let length = HOUR / 4 + chance.below(scale) * chance.below(3 * HOUR);
        let end = (start + length).min(today - 1);
        let open = last && status == "running";
        let end_text = (!open).then(|| instant(end));
        lines.push(json!({
            "type": "scale", "sandboxId": id, "memoryMb": chance.pick(&MEMORY_MB), "cpuPercent": 100,
            "diskMb": chance.pick(&DISK_MB), "startedAt": instant(start), "endedAt": end_text,
        }));
        start = end;
        if end + 1 >= today {
            break;
        }
    }
    let stopped = matches!(status, "stopped" | "error").then(|| instant(start));
    let alias = (chance.below(3) == 0).then(|| format!("agent-{number}"));
    lines.push(json!({
        "type": "session", "sandboxId": id, "template": chance.pick(&TEMPLATES), "region": chance.pick(&REGIONS),
        "workerId": format!("w-{}", chance.below(12)), "status": status, "startedAt": instant(session_start),
        "stoppedAt": stopped, "alias": alias,
    }));
    if number % 9 == 4 {
        return; // an untagged sandbox
    }
    let mut tags = json!({
        "team": chance.pick(&TEAMS), "env": chance.pick(&ENVIRONMENTS), "customer": chance.pick(&CUSTOMERS),
    });
    if let (true, Value::Object(tags)) = (chance.below(4) == 0, &mut tags) {
        tags.insert("oc:plan".to_owned(), "enterprise".into());
        tags.remove("customer");
    }
    lines.push(json!({ "type": "tags", "sandboxId": id, "tags": tags }));
}

fn instant(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros)
}

/// The random number generator `SplitMix64`, which gives the same numbers on every platform.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a number from 0 to `end`, exclusive.
    fn below(&mut self, end: i64) -> i64 {
        (self.next() >> 1).cast_signed().rem_euclid(end.max(1))
    }

    fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let count = i64::try_from(from.len()).unwrap_or(1);
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        from.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_the_same_every_time() {
        let today = 1_767_225_600_000_000;
        assert_eq!(fleet(today, 1, SANDBOXES), fleet(today, 1, SANDBOXES));
        assert_ne!(fleet(today, 1, 5), fleet(today, 2, 5));
    }
}
