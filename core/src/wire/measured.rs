//! The ratio of measured to allocated memory.

use super::types::{SandboxUsageTotals, UsagePoint};

/// Returns measured memory as a fraction of allocated memory; `None` without samples.
#[must_use]
pub fn used_fraction(used: f64, allocated: f64) -> Option<f64> {
    (used > 0.0 && allocated > 0.0).then(|| used / allocated)
}

impl SandboxUsageTotals {
    /// Returns measured memory as a fraction of allocated memory; `None` without samples.
    #[must_use]
    pub fn used_fraction(&self) -> Option<f64> {
        used_fraction(self.memory_used_gb_seconds, self.memory_allocated_gb_seconds)
    }
}

impl UsagePoint {
    /// Returns measured memory as a fraction of allocated memory; `None` without samples.
    #[must_use]
    pub fn used_fraction(&self) -> Option<f64> {
        used_fraction(self.memory_used_gb_seconds, self.memory_allocated_gb_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_samples_or_allocation_there_is_no_fraction() {
        let totals = |used, allocated| SandboxUsageTotals {
            memory_used_gb_seconds: used,
            memory_allocated_gb_seconds: allocated,
            ..SandboxUsageTotals::default()
        };
        assert_eq!(totals(2.5, 10.0).used_fraction(), Some(0.25));
        assert_eq!(totals(0.0, 10.0).used_fraction(), None);
        assert_eq!(totals(2.5, 0.0).used_fraction(), None);
        assert_eq!(totals(0.0, 0.0).used_fraction(), None);
    }
}
