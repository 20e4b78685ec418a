//! The drilldown of one sandbox: its billed usage, and its allocated and measured memory over time.

use super::accounting::{Measure, Rule, Usage};
use super::grid::{Edges, Grid};
use super::series::SeriesBuilder;
use super::window::Timestamp;

const MINUTE: i64 = 60_000_000;
const MB: u128 = 1 << 20;

/// The usage of one sandbox in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The usage that is billed under the accounting rule.
    pub usage: Usage,
    /// Allocated memory in MB × µs, clipped to the window under every rule.
    pub allocated: u128,
    /// Measured memory in bytes × µs.
    pub used: u128,
    /// The time with at least one event, in µs. Overlapping events count once.
    pub uptime_micros: u64,
    /// The largest allocation of non-zero duration, in MB.
    pub peak_mb: u64,
    /// The largest measurement, in bytes.
    pub used_peak: u64,
}

impl Totals {
    /// Returns the largest measurement in whole MB.
    #[must_use]
    pub fn used_peak_mb(&self) -> u64 {
        rounded(self.used_peak.into(), MB)
    }
}

/// The memory of one sandbox in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Start of the bucket.
    pub start: Timestamp,
    /// Length of the bucket in µs.
    pub length_micros: u64,
    /// Allocated memory in MB × µs.
    pub allocated: u128,
    /// Measured memory in bytes × µs.
    pub used: u128,
    /// The time with at least one event, in µs.
    pub uptime_micros: u64,
    /// The largest measurement, in bytes.
    pub used_peak: u64,
}

impl Point {
    /// Returns the mean allocation over the bucket in whole MB.
    #[must_use]
    pub fn allocated_mb(&self) -> u64 {
        rounded(self.allocated, self.length_micros.into())
    }

    /// Returns the mean measurement over the bucket in whole MB. Time without samples counts as 0.
    #[must_use]
    pub fn used_mb(&self) -> u64 {
        rounded(self.used, MB.saturating_mul(self.length_micros.into()))
    }

    /// Returns the largest measurement in whole MB.
    #[must_use]
    pub fn used_peak_mb(&self) -> u64 {
        rounded(self.used_peak.into(), MB)
    }
}

/// Divides and rounds half up.
fn rounded(amount: u128, unit: u128) -> u64 {
    let half = amount.saturating_add(unit / 2);
    u64::try_from(half.checked_div(unit).unwrap_or_default()).unwrap_or(u64::MAX)
}

/// Adds up the events and samples of one sandbox.
///
/// ```
/// use opencomputer_usage_core::usage::accounting::Rule;
/// use opencomputer_usage_core::usage::grid::Grid;
/// use opencomputer_usage_core::usage::window::Window;
///
/// let window = Window::new("2026-01-01".parse()?, "2026-01-02".parse()?)?;
/// let grid = Grid { window, as_of: window.to(), rule: Rule::Clipped, buckets: None };
/// let mut tally = grid.tally();
/// let from = window.from().micros();
/// tally.add(4096, 20_480, from, Some(from + 3_600_000_000));
/// let (totals, points) = tally.finish();
/// assert_eq!((totals.uptime_micros, totals.peak_mb), (3_600_000_000, 4096));
/// assert!(points.is_empty());
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tally {
    billed: Measure,
    clipped: Measure,
    usage: Usage,
    peak_mb: u64,
    /// The start and end of each allocation, unordered.
    spans: Vec<(i64, i64)>,
    edges: Edges,
    allocated: SeriesBuilder,
    /// Measured memory, in bytes instead of MB.
    used: SeriesBuilder,
    /// The largest measurement of each bucket.
    used_peaks: Vec<u64>,
    has_points: bool,
}

impl Grid {
    /// Creates an empty tally of one sandbox's events.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally::new(self)
    }
}

impl Tally {
    /// Creates a tally without events.
    #[must_use]
    pub fn new(grid: &Grid) -> Self {
        let [billed, clipped] = [grid.rule, Rule::Clipped].map(|rule| Measure::new(rule, grid.window, grid.as_of));
        let edges = grid.edges();
        Self {
            billed,
            clipped,
            usage: Usage::default(),
            peak_mb: 0,
            spans: Vec::new(),
            allocated: SeriesBuilder::over(edges.clone()),
            used: SeriesBuilder::over(edges.clone()),
            used_peaks: vec![0; edges.buckets()],
            edges,
            has_points: grid.buckets.is_some(),
        }
    }

    /// Adds an event, whose instants are microseconds since the epoch. Events may come in any order.
    pub fn add(&mut self, memory_mb: u64, disk_mb: u64, started_at: i64, ended_at: Option<i64>) {
        let billed = self.billed.billed_micros(started_at, ended_at).unwrap_or_default();
        self.usage += Usage::of(memory_mb, disk_mb, billed.into());
        if let Some((start, end)) = self.clipped.billed_span(started_at, ended_at)
            && end > start
        {
            self.allocated.add(memory_mb, 0, start, end);
            self.peak_mb = self.peak_mb.max(memory_mb);
            self.spans.push((start, end));
        }
    }

    /// Adds the samples of one UTC minute, each minute once: its start in microseconds since the epoch, the mean of
    /// all its samples in whole bytes, and the largest.
    ///
    /// They count for as much of the minute as lies in the window and not after `asOf`.
    pub fn sample(&mut self, minute: i64, mean_bytes: u64, max_bytes: u64) {
        let start = minute.max(self.clipped.from);
        let end = minute.saturating_add(MINUTE).min(self.clipped.open_end);
        if end <= start {
            return;
        }
        self.used.add(mean_bytes, 0, start, end);
        let buckets = self.edges.position(start)..=self.edges.position(end - 1);
        for peak in self.used_peaks.get_mut(buckets).unwrap_or_default() {
            *peak = max_bytes.max(*peak);
        }
    }

    /// Returns the totals of the window, and a point for each bucket if the grid has any.
    #[must_use]
    pub fn finish(mut self) -> (Totals, Vec<Point>) {
        let mut uptime = SeriesBuilder::over(self.edges.clone());
        self.spans.sort_unstable();
        let mut covered_until = i64::MIN;
        for (start, end) in self.spans {
            let start = start.max(covered_until);
            if end > start {
                // A size of 1 MB, so that the amount is the time.
                uptime.add(1, 0, start, end);
                covered_until = end;
            }
        }
        let memory = |series: SeriesBuilder| series.finish().into_iter().map(|usage| usage.memory);
        let amounts = memory(self.allocated).zip(memory(self.used)).zip(memory(uptime));
        let buckets = self.edges.pairs().zip(amounts).zip(self.used_peaks);
        let point = |(((from, to), ((allocated, used), uptime)), used_peak): (((i64, i64), _), u64)| Point {
            start: Timestamp::nearest(from),
            length_micros: to.abs_diff(from),
            allocated,
            used,
            uptime_micros: u64::try_from(uptime).unwrap_or(u64::MAX),
            used_peak,
        };
        let mut points: Vec<Point> = buckets.map(point).collect();
        let totals = Totals {
            usage: self.usage,
            allocated: points.iter().map(|point| point.allocated).sum(),
            used: points.iter().map(|point| point.used).sum(),
            uptime_micros: points.iter().map(|point| point.uptime_micros).sum(),
            peak_mb: self.peak_mb,
            used_peak: points.iter().map(|point| point.used_peak).max().unwrap_or_default(),
        };
        if !self.has_points {
            points.clear();
        }
        (totals, points)
    }
}
