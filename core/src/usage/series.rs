//! Series: the exact usage of each bucket, from the starts and ends of events.

use super::accounting::Usage;
use super::grid::{Buckets, Edges};

/// Splits the billed time of events over buckets.
///
/// Each event is added twice, whatever its length: in the bucket that contains its start, and in the bucket that
/// contains its end. Events of equal size may be added together, with the sum of their instants. All instants are
/// microseconds since the start of the first bucket. The last bucket also gets the time after its end, so the series
/// adds up to the billed usage under every accounting rule.
///
/// ```
/// use opencomputer_usage_core::usage::accounting::Usage;
/// use opencomputer_usage_core::usage::grid::Buckets;
/// use opencomputer_usage_core::usage::interval::Interval;
/// use opencomputer_usage_core::usage::series::SeriesBuilder;
/// use opencomputer_usage_core::usage::window::Window;
///
/// const HOUR: i128 = 3_600_000_000;
/// let window = Window::new("2026-01-01".parse()?, "2026-01-03".parse()?)?;
/// let buckets = Buckets::new(window, Interval::Day, Default::default())?;
/// let mut series = SeriesBuilder::new(&buckets);
/// // Two events of 1 GB: one from 22:00 to 01:00, one from 23:00 to 02:00.
/// series.start(0, 1024, 0, 2, 22 * HOUR + 23 * HOUR);
/// series.end(1, 1024, 0, 2, 25 * HOUR + 26 * HOUR);
/// let hours = |hours: u128| Usage::of(1024, 0, hours * 3_600_000_000);
/// assert_eq!(series.finish(), [hours(3), hours(3)]);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SeriesBuilder {
    edges: Edges,
    changes: Vec<Change>,
}

/// The change of the allocated size in one bucket.
///
/// Arithmetic wraps: intermediate values may exceed 128 bits, but the result is exact if it fits.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    memory: Rate,
    disk_overage: Rate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    /// Megabytes that start, minus megabytes that end.
    mb: i128,
    /// The same, each multiplied by its instant.
    mb_micros: i128,
}

impl SeriesBuilder {
    /// Creates a series without events.
    #[must_use]
    pub fn new(buckets: &Buckets) -> Self {
        Self::over(buckets.shared_edges())
    }

    pub(super) fn over(edges: Edges) -> Self {
        let changes = vec![Change::default(); edges.buckets()];
        Self { edges, changes }
    }

    /// Adds the starts of `events` events of one size. `sum` is the sum of the starts.
    ///
    /// An index beyond the last bucket counts as the last.
    pub fn start(&mut self, bucket: usize, memory_mb: u64, disk_mb: u64, events: u64, sum: i128) {
        self.change(bucket, memory_mb, disk_mb, events.into(), sum);
    }

    /// Adds the ends of `events` events of one size. `sum` is the sum of the ends.
    ///
    /// An index beyond the last bucket counts as the last. An end at the edge of two buckets may be added to either.
    pub fn end(&mut self, bucket: usize, memory_mb: u64, disk_mb: u64, events: u64, sum: i128) {
        self.change(bucket, memory_mb, disk_mb, -i128::from(events), sum.wrapping_neg());
    }

    /// Adds one event by the start and end of its billed time, in microseconds since the epoch.
    pub fn add(&mut self, memory_mb: u64, disk_mb: u64, start: i64, end: i64) {
        let relative = |micros: i64| i128::from(micros) - i128::from(self.edges.first());
        let (from, to) = (relative(start), relative(end));
        self.start(self.edges.position(start), memory_mb, disk_mb, 1, from);
        self.end(self.edges.position(end), memory_mb, disk_mb, 1, to);
    }

    fn change(&mut self, bucket: usize, memory_mb: u64, disk_mb: u64, events: i128, sum: i128) {
        let last = self.changes.len().saturating_sub(1);
        let Some(change) = self.changes.get_mut(bucket.min(last)) else {
            return;
        };
        // The size of one event, in the unit of each metric.
        let Usage { memory, disk_overage } = Usage::of(memory_mb, disk_mb, 1);
        change.memory.add(memory, events, sum);
        change.disk_overage.add(disk_overage, events, sum);
    }

    /// Returns the usage of each bucket.
    #[must_use]
    pub fn finish(self) -> Vec<Usage> {
        let first = i128::from(self.edges.first());
        let (mut memory, mut disk_overage) = (0_i128, 0_i128);
        let pairs = self.edges.pairs().map(|(from, to)| (i128::from(from) - first, i128::from(to) - first));
        let usage = |(change, (from, to)): (&Change, (i128, i128))| Usage {
            memory: change.memory.advance(&mut memory, from, to),
            disk_overage: change.disk_overage.advance(&mut disk_overage, from, to),
        };
        self.changes.iter().zip(pairs).map(usage).collect()
    }
}

impl Rate {
    fn add(&mut self, mb: u128, events: i128, sum: i128) {
        let mb = i128::try_from(mb).unwrap_or(i128::MAX);
        self.mb = self.mb.wrapping_add(mb.wrapping_mul(events));
        self.mb_micros = self.mb_micros.wrapping_add(mb.wrapping_mul(sum));
    }

    /// Returns the amount of a bucket and updates the megabytes at its start to those at its end.
    fn advance(&self, mb: &mut i128, from: i128, to: i128) -> u128 {
        let carried = mb.wrapping_mul(to - from);
        let changed = self.mb.wrapping_mul(to).wrapping_sub(self.mb_micros);
        *mb = mb.wrapping_add(self.mb);
        u128::try_from(carried.wrapping_add(changed)).unwrap_or_default()
    }
}
