//! The tenants and their fleets: what is imported, and the usage that it must add up to.

use std::fmt::Write;

use opencomputer_usage_core::usage::window::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// The number of tenants. The ids of their sandboxes are the same.
pub(crate) const TENANTS: usize = 3;
pub(crate) const SANDBOXES: usize = 40;
/// The window whose events never change, and the one into which events are imported meanwhile.
pub(crate) const FIXED: [&str; 2] = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"];
pub(crate) const GROWING: [&str; 2] = ["2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"];
/// The events of a sandbox in the fixed window, and their length.
const EVENTS: usize = 10;
const EVENT_SECONDS: usize = 300;
/// The number of sandboxes that have an event without an end.
const OPEN: usize = 10;

/// The exact sums of memory and disk overage, in MB-microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) memory: i64,
    pub(crate) disk: i64,
}

impl Amounts {
    fn of(memory_mb: usize, disk_mb: usize, micros: i64) -> Self {
        let over = |mb: usize| i64::try_from(mb).unwrap_or(i64::MAX) * micros;
        Self { memory: over(memory_mb), disk: over(disk_mb.saturating_sub(20_480)) }
    }
}

impl std::ops::AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.memory += other.memory;
        self.disk += other.disk;
    }
}

impl std::iter::Sum for Amounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

pub(crate) fn org(tenant: usize) -> String {
    Uuid::from_u128(0x50a4_0000_0000_4000_8000_0000_0000_0000 + tenant as u128).to_string()
}

/// Returns a text that is in the tags of every sandbox of a tenant, and of no other.
pub(crate) fn mark(tenant: usize) -> String {
    format!("owned-by-{tenant}-only")
}

pub(crate) fn id(sandbox: usize) -> String {
    format!("sb-{sandbox}")
}

/// Returns the tags of a sandbox. `ticket` makes a write different from every other.
pub(crate) fn tags(tenant: usize, sandbox: usize, ticket: &str) -> Value {
    let (owner, env) = (mark(tenant), format!("env-{}", sandbox % 3));
    if sandbox.is_multiple_of(5) {
        return json!({ "owner": owner, "env": env, "ticket": ticket });
    }
    json!({ "owner": owner, "env": env, "ticket": ticket, "team": format!("team-{}", (sandbox + ticket.len()) % 6) })
}

const fn memory_mb(tenant: usize, number: usize) -> usize {
    1024 * (1 + (tenant + number) % 4)
}

const fn disk_mb(number: usize) -> usize {
    20_480 + 1024 * (number % 3)
}

fn event(id: &str, [memory_mb, disk_mb]: [usize; 2], start: &str, end: Option<&str>) -> String {
    let line = json!({
        "type": "scale", "sandboxId": id, "memoryMb": memory_mb, "cpuPercent": 100, "diskMb": disk_mb,
        "startedAt": start, "endedAt": end,
    });
    format!("{line}\n")
}

/// Returns the lines of a tenant's fleet. Its events without an end start at `open_since`.
pub(crate) fn lines(tenant: usize, open_since: Timestamp) -> String {
    let mut lines = String::new();
    for sandbox in 0..SANDBOXES {
        let id = id(sandbox);
        let session = json!({
            "type": "session", "sandboxId": id, "template": format!("template-{}", sandbox % 2), "region": "use2",
            "workerId": "w-1", "status": "running", "startedAt": format!("2026-01-01T00:{sandbox:02}:00Z"),
        });
        let tags = json!({ "type": "tags", "sandboxId": id, "tags": tags(tenant, sandbox, "0") });
        let _ = write!(lines, "{session}\n{tags}\n");
        for number in 0..EVENTS {
            let (day, minute) = (1 + number * 3, sandbox % 55);
            let at = |minute: usize| format!("2026-01-{day:02}T10:{minute:02}:00Z");
            let sizes = [memory_mb(tenant, sandbox + number), disk_mb(number)];
            lines += &event(&id, sizes, &at(minute), Some(&at(minute + EVENT_SECONDS / 60)));
        }
        if sandbox < OPEN {
            lines += &event(&id, [memory_mb(tenant, sandbox), 20_480], &open_since.to_string(), None);
        }
    }
    lines
}

/// Returns the usage of a sandbox in the fixed window.
pub(crate) fn fixed(tenant: usize, sandbox: usize) -> Amounts {
    let micros = i64::try_from(EVENT_SECONDS).unwrap_or_default() * 1_000_000;
    (0..EVENTS).map(|number| Amounts::of(memory_mb(tenant, sandbox + number), disk_mb(number), micros)).sum()
}

/// Returns the usage of the open events after this time.
pub(crate) fn open(tenant: usize, micros: i64) -> Amounts {
    (0..OPEN).map(|sandbox| Amounts::of(memory_mb(tenant, sandbox), 20_480, micros)).sum()
}

/// Returns the lines of the import of this number into the growing window, and their usage.
pub(crate) fn growth(number: usize) -> (String, Amounts) {
    let (mut lines, mut sum) = (String::new(), Amounts::default());
    let (day, hour, minute) = (1 + number / 1440 % 30, number / 60 % 24, number % 60);
    for sandbox in 0..5 {
        let length = 1 + (number + sandbox) % 9;
        let at = |second: usize| format!("2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        let sizes = [1024 * (1 + sandbox), 20_480 + 1024 * sandbox];
        lines += &event(&format!("grown-{sandbox}"), sizes, &at(sandbox), Some(&at(sandbox + length)));
        sum += Amounts::of(sizes[0], sizes[1], i64::try_from(length).unwrap_or_default() * 1_000_000);
    }
    (lines, sum)
}
