//! Limits on clients without a valid key: on wrong keys from one address, and on log lines about them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::limit::Limiter;

/// The number of wrong keys that one address may try at once, and in each second after that.
const WRONG_KEYS: (u32, u32) = (100, 10);
/// The time for which a valid key is exempt from the limit of its address.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The number of remembered keys above which old ones are dropped.
const SWEEP_ABOVE: usize = 10_000;

/// The address that a request came from. An IPv6 client owns a whole /64, so only that part counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
            IpAddr::V4(address) => Self(address.into()),
        }
    }
}

/// Limits key lookups for addresses that have sent many wrong keys.
pub(super) struct Brake {
    wrong: Limiter<Peer>,
    /// The time at which each key was last valid. Behind a proxy, clients with valid keys share an address with others.
    right: Mutex<HashMap<String, Instant>>,
}

impl Default for Brake {
    fn default() -> Self {
        let [burst, rate] = [WRONG_KEYS.0, WRONG_KEYS.1].map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        Self { wrong: Limiter::with_burst(rate, burst), right: Mutex::default() }
    }
}

impl Brake {
    /// Allows a lookup of a key, or returns how long the address has to wait. A key that is not known to be valid
    /// counts as wrong until the lookup is [settled](Self::settle).
    pub(super) fn try_key(&self, peer: Peer, key_hash: &str) -> Result<Try, Duration> {
        let counted = self.right().get(key_hash).is_none_or(|at| at.elapsed() >= REMEMBERED);
        if counted {
            self.wrong.take(&peer)?;
        }
        Ok(Try { peer, counted })
    }

    /// Records the result of a lookup; `None` if it failed.
    pub(super) fn settle(&self, Try { peer, counted }: Try, key_hash: &str, right: Option<bool>) {
        if counted && right != Some(false) {
            self.wrong.refund(&peer);
        }
        let mut keys = self.right();
        match right {
            Some(true) => {
                if keys.len() > SWEEP_ABOVE {
                    keys.retain(|_, at| at.elapsed() < REMEMBERED);
                }
                keys.insert(key_hash.to_owned(), Instant::now());
            }
            Some(false) => drop(keys.remove(key_hash)),
            None => (),
        }
    }

    fn right(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pending lookup of a key.
pub(super) struct Try {
    peer: Peer,
    counted: bool,
}

/// A limit on log lines of one kind in a window of time. Omitted lines are counted.
pub(super) struct Ration {
    lines: u64,
    window: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Ration {
    /// Allows this number of lines in each `window`.
    pub(super) fn new(lines: u64, window: Duration) -> Self {
        Self { lines, window, state: Mutex::default() }
    }

    /// Returns whether to write another line, and how many were omitted in the previous window.
    pub(super) fn take(&self) -> (bool, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (started, asked) = &mut *state;
        let mut left_out = 0;
        if started.is_none_or(|started| started.elapsed() >= self.window) {
            left_out = asked.saturating_sub(self.lines);
            (*started, *asked) = (Some(Instant::now()), 0);
        }
        *asked += 1;
        (*asked <= self.lines, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_keys_limit_their_address_but_not_keys_that_were_right() {
        let brake = Brake::default();
        let (bad, other) = (peer("192.0.2.1"), peer("192.0.2.2"));
        let key = |peer, key, right| brake.try_key(peer, key).map(|lookup| brake.settle(lookup, key, right));
        assert_eq!(key(bad, "right", Some(true)), Ok(()));
        assert_eq!(key(bad, "unknown", None), Ok(()), "a failed lookup costs nothing");
        for _ in 0..WRONG_KEYS.0 {
            assert_eq!(key(bad, "guess", Some(false)), Ok(()));
        }
        let wait = Err(Duration::from_millis(100));
        assert_eq!((key(bad, "guess", Some(false)), key(bad, "new", Some(true))), (wait, wait));
        assert_eq!((key(bad, "right", Some(true)), key(other, "guess", Some(false))), (Ok(()), Ok(())));
        // A deleted key counts like any wrong key.
        assert_eq!((key(bad, "right", Some(false)), key(bad, "right", Some(true))), (Ok(()), wait));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!((key(bad, "new", Some(true)), key(bad, "guess", Some(false))), (Ok(()), Ok(())));
        assert_eq!((key(bad, "guess", Some(false)), key(bad, "new", Some(true))), (wait, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn pending_lookups_count_as_wrong() {
        let brake = Brake::default();
        let bad = peer("192.0.2.1");
        let tries: Vec<_> = (0..WRONG_KEYS.0).map(|_| brake.try_key(bad, "guess").unwrap()).collect();
        assert!(brake.try_key(bad, "guess").is_err());
        drop(tries);
    }

    #[test]
    fn one_client_has_one_address() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::2:3:4:5"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[tokio::test(start_paused = true)]
    async fn lines_above_the_ration_are_counted() {
        let ration = Ration::new(2, Duration::from_secs(10));
        assert_eq!([(); 4].map(|()| ration.take()), [(true, 0), (true, 0), (false, 0), (false, 0)]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([(); 2].map(|()| ration.take()), [(true, 2), (true, 0)]);
    }
}
