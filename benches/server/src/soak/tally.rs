//! Counts the requests, checks and violations of all clients.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opencomputer_usage_bench::quantile;

/// The number of violations that are kept with their text.
const SHOWN: usize = 20;

/// The counts of a run, shared by its clients.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    requests: BTreeMap<&'static str, Vec<f64>>,
    /// How often each invariant was checked, and how often it did not hold.
    checks: BTreeMap<&'static str, (u64, u64)>,
    violations: Vec<String>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that took this many milliseconds.
    pub(crate) fn request(&self, kind: &'static str, millis: f64) {
        self.lock().requests.entry(kind).or_default().push(millis);
    }

    /// Counts a check of an invariant; `text` describes a violation.
    pub(crate) fn check(&self, invariant: &'static str, holds: bool, text: impl FnOnce() -> String) {
        let mut counts = self.lock();
        let (checked, violated) = counts.checks.entry(invariant).or_default();
        *checked += 1;
        if !holds {
            *violated += 1;
            if counts.violations.len() < SHOWN {
                let text = format!("{invariant}: {}", text());
                eprintln!("VIOLATION: {text}");
                counts.violations.push(text);
            }
        }
    }

    pub(crate) fn violations(&self) -> u64 {
        self.lock().checks.values().map(|(_, violated)| violated).sum()
    }

    /// Prints a table of the requests, one of the checks, and the violations.
    pub(crate) fn print(&self) {
        let counts = self.lock();
        println!("  {:34} {:>9} {:>9} {:>9}", "requests", "number", "p50 ms", "p99 ms");
        let all: Vec<f64> = counts.requests.values().flatten().copied().collect();
        for (kind, samples) in counts.requests.iter().map(|(kind, samples)| (*kind, samples)).chain([("all", &all)]) {
            let [middle, slow] = [0.5, 0.99].map(|part| quantile(samples, part).unwrap_or_default());
            println!("  {kind:34} {:>9} {middle:>9.1} {slow:>9.1}", samples.len());
        }
        println!("\n  {:34} {:>9} {:>9}", "invariants", "checked", "violated");
        for (invariant, (checked, violated)) in &counts.checks {
            println!("  {invariant:34} {checked:>9} {violated:>9}");
        }
        for violation in &counts.violations {
            println!("  VIOLATION: {violation}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn counts_violations_and_not_checks_that_hold() {
        let tally = Tally::default();
        tally.check("sums", true, String::new);
        assert_eq!(tally.violations(), 0);
        tally.check("sums", false, || "1 is not 2".to_owned());
        assert_eq!(tally.violations(), 1);
    }
}
