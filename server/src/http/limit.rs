//! Token buckets, each stored as a single instant.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The number of buckets above which full ones are dropped.
const SWEEP_ABOVE: usize = 1024;

/// A token bucket for each key. An idle key may use its whole bucket at once.
pub(super) struct Limiter<K> {
    /// The time that one request takes out of a bucket.
    cost: Duration,
    /// The time in a full bucket.
    bucket: Duration,
    /// The instant at which each key's bucket will be full again (the generic cell rate algorithm).
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq> Limiter<K> {
    /// Allows this number of requests per second, and as many at once.
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self::with_burst(per_second, per_second)
    }

    /// Allows this number of requests per second, and `burst` at once.
    pub(super) fn with_burst(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let cost = Duration::from_secs(1) / per_second.get();
        Self { cost, bucket: cost * burst.get(), full_at: Mutex::default() }
    }

    /// Takes a request from a key's bucket, or returns how long to wait for it.
    pub(super) fn take<Q>(&self, key: &Q) -> Result<(), Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let now = Instant::now();
        let mut buckets = self.buckets();
        let full_at = buckets.get(key).map_or(now, |full_at| now.max(*full_at)) + self.cost;
        let wait = full_at.duration_since(now).saturating_sub(self.bucket);
        if !wait.is_zero() {
            return Err(wait);
        }
        buckets.insert(key.to_owned(), full_at);
        Ok(())
    }

    /// Returns a request to a key's bucket.
    pub(super) fn refund<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(full_at) = self.buckets().get_mut(key) {
            *full_at -= self.cost;
        }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > SWEEP_ABOVE {
            let now = Instant::now();
            buckets.retain(|_, full_at| *full_at > now);
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32) -> Limiter<String> {
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
    async fn a_bucket_may_hold_more_than_a_second() {
        let limiter = Limiter::<String>::with_burst(NonZeroU32::new(10).unwrap(), NonZeroU32::new(25).unwrap());
        assert_eq!((0..40).filter(|_| limiter.take("a").is_ok()).count(), 25);
        limiter.refund("a");
        assert_eq!((limiter.take("a"), limiter.take("a")), (Ok(()), Err(Duration::from_millis(100))));
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
}
