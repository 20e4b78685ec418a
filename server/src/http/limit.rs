//! The rate limit of a key: a token bucket of one second's worth, kept as a single instant a key.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use opencomputer_usage_core::Code;
use tokio::time::Instant;

use super::Failure;

/// Keys that are remembered before those are dropped whose buckets are full again.
const SWEEP_ABOVE: usize = 1024;

/// So many requests a second for each key; a key that was quiet may spend one second's worth at once.
pub(super) struct Limiter {
    /// What one request costs.
    cost: Duration,
    /// When each key's bucket will be full again (the generic cell rate algorithm).
    full_at: Mutex<HashMap<String, Instant>>,
}

impl Limiter {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { cost: Duration::from_secs(1) / per_second.get(), full_at: Mutex::default() }
    }

    /// Takes a request of a key, or says how long to wait for it. Only keys that exist may come here, so their
    /// number is bounded.
    pub(super) fn take(&self, key_hash: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > SWEEP_ABOVE {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.get(key_hash).map_or(now, |full_at| now.max(*full_at)) + self.cost;
        let wait = full_at.duration_since(now).saturating_sub(Duration::from_secs(1));
        if !wait.is_zero() {
            return Err(wait);
        }
        buckets.insert(key_hash.to_owned(), full_at);
        Ok(())
    }
}

/// What a key is told that is over its limit. The header counts whole seconds, so it rounds up.
pub(super) fn refusal(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = Failure::from(Code::RateLimited.plain()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32) -> Limiter {
        Limiter::new(NonZeroU32::new(per_second).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_second_and_refills_evenly() {
        let limiter = limiter(10);
        assert_eq!((0..15).filter(|_| limiter.take("a").is_ok()).count(), 10);
        assert_eq!(limiter.take("a"), Err(Duration::from_millis(100)));
        assert_eq!(limiter.take("b"), Ok(()), "keys do not share");
        tokio::time::advance(Duration::from_millis(99)).await;
        assert_eq!(limiter.take("a"), Err(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!((limiter.take("a"), limiter.take("a").is_err()), (Ok(()), true));
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..15).filter(|_| limiter.take("a").is_ok()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_long_run_rate_is_exact() {
        let (limiter, mut taken) = (limiter(7), 0);
        for _ in 0..10_000 {
            taken += u32::from(limiter.take("a").is_ok());
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert!((700..=707).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_keys_are_forgotten() {
        let limiter = limiter(1);
        for key in 0..=SWEEP_ABOVE {
            limiter.take(&key.to_string()).unwrap();
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        limiter.take("last").unwrap();
        assert_eq!(limiter.full_at.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_wait_rounds_up() {
        for (wait, header) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
            assert_eq!(refusal(Duration::from_millis(wait)).headers()[header::RETRY_AFTER], header);
        }
    }
}
