//! The real server as a process, its databases and a client: what the benchmark and the soak test share.

pub mod cluster;
pub mod http;
pub mod server;

/// Returns a quantile of samples.
#[must_use]
pub fn quantile(samples: &[f64], part: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, from 0 to the length")]
    let at = (part * (sorted.len().checked_sub(1)?) as f64).round() as usize;
    sorted.get(at).copied()
}
