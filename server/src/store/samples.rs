//! Samples of used memory by UTC minute.

use opencomputer_usage_core::usage::window::Window;

/// The microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// Returns the mean of samples, rounded half up to whole bytes.
pub(super) fn mean(sum: u128, samples: u64) -> u64 {
    let samples = u128::from(samples);
    let mean = sum.saturating_mul(2).saturating_add(samples).checked_div(samples * 2);
    u64::try_from(mean.unwrap_or_default()).unwrap_or(u64::MAX)
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
        for (sum, samples, wanted) in
            [(0, 0, 0), (0, 1, 0), (1, 2, 1), (4, 3, 1), (5, 3, 2), (7, 2, 4), (2_499, 1_000, 2)]
        {
            assert_eq!(mean(sum, samples), wanted, "{sum} / {samples}");
        }
        let (samples, size) = (u64::from(u32::MAX), u64::MAX >> 1);
        assert_eq!(mean(u128::from(samples) * u128::from(size), samples), size);
    }

    #[test]
    fn a_window_is_widened_to_whole_minutes() {
        let whole = |from: &str, to: &str| {
            let (from, to) = whole_minutes(Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap());
            (from / MINUTE, to / MINUTE, from % MINUTE, to % MINUTE)
        };
        assert_eq!(whole("1970-01-01T00:01:00.000001Z", "1970-01-01T00:02:00.000001Z"), (1, 3, 0, 0));
        assert_eq!(whole("1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z"), (1, 2, 0, 0));
        assert_eq!(whole("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z"), (-1, 0, 0, 0));
    }
}
