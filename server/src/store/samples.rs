//! Measured memory, per UTC minute.

use opencomputer_usage_core::usage::window::Window;

/// The microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// The memory that a sandbox used in a UTC minute that has samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryMinute {
    /// Start of the minute, in microseconds since the epoch.
    pub start: i64,
    /// The mean of the minute's samples, rounded half up to whole bytes.
    pub mean_bytes: u64,
    /// The largest sample, in bytes.
    pub peak_bytes: u64,
}

impl MemoryMinute {
    /// Takes the sum, number and maximum of the samples in the minute that starts at `start`.
    pub(super) fn new(start: i64, sum: u128, samples: u64, peak_bytes: u64) -> Self {
        let twice = u128::from(samples.max(1)) * 2;
        let mean = (sum * 2 + u128::from(samples)) / twice;
        Self { start, mean_bytes: u64::try_from(mean).unwrap_or(u64::MAX), peak_bytes }
    }
}

/// Returns the start of the first and the end of the last minute that a window touches, in microseconds since the
/// epoch. A minute that the window cuts has the mean of all its samples.
pub(super) fn whole_minutes(window: Window) -> (i64, i64) {
    let (from, to) = (window.from().micros(), window.to().micros());
    (from - from.rem_euclid(MINUTE), to + (-to).rem_euclid(MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_rounded_half_up_and_do_not_overflow() {
        for (sum, samples, mean) in [(0, 1, 0), (1, 2, 1), (4, 3, 1), (5, 3, 2), (7, 2, 4), (2_999, 1_000, 3)] {
            assert_eq!(MemoryMinute::new(0, sum, samples, 0).mean_bytes, mean, "{sum} / {samples}");
        }
        let most = u64::from(u32::MAX);
        let sum = u128::from(most) * u128::from(u64::MAX >> 1);
        assert_eq!(MemoryMinute::new(0, sum, most, 0).mean_bytes, u64::MAX >> 1);
    }

    #[test]
    fn a_window_is_widened_to_whole_minutes() {
        let window = |from: &str, to: &str| Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        let micros = |at: &str| window(at, "2030-01-01").from().micros();
        let cut = window("2029-12-31T10:00:00.000001Z", "2029-12-31T10:01:00.000001Z");
        assert_eq!(whole_minutes(cut), (micros("2029-12-31T10:00:00Z"), micros("2029-12-31T10:02:00Z")));
        let whole = window("2029-12-31T10:00:00Z", "2029-12-31T10:01:00Z");
        assert_eq!(whole_minutes(whole), (whole.from().micros(), whole.to().micros()));
        let early = window("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z");
        assert_eq!(whole_minutes(early), (-MINUTE, 0));
    }
}
