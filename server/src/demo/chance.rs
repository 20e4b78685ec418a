//! Random numbers.

/// The random number generator `SplitMix64`, which gives the same numbers on every platform.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Returns a number from 0 to `end`, exclusive.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        (self.next() >> 1).cast_signed().rem_euclid(end.max(1))
    }

    /// Returns a number from `start` to `end`, exclusive.
    pub(super) fn between(&mut self, start: i64, end: i64) -> i64 {
        start + self.below(end - start)
    }

    pub(super) fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let count = i64::try_from(from.len()).unwrap_or(1);
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        from.get(index).copied().unwrap_or_default()
    }
}
