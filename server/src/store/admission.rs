//! Admission: the share of connections that each kind of work and each org may use.
//!
//! A queue hands out permits. Requests that find no permit wait: first come, first served within an org, and in turn
//! between orgs. An org with a hundred waiting requests therefore delays another org by one request at most.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use uuid::Uuid;

use super::{Result, StoreError};
use crate::deadline;

/// The time limit of a request.
const BUDGET: Duration = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
/// The time for which a request waits for a permit.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The queues of a database.
pub(super) struct Queues {
    /// Lookups of API keys. The org is not known yet, so each key counts as an org.
    pub(super) keys: Queue,
    /// Reads of one sandbox and short lists.
    pub(super) light: Queue,
    /// Writes of tags.
    pub(super) writes: Queue,
    /// Sums over many events or tags.
    pub(super) heavy: Queue,
}

impl Queues {
    /// Waits for a permit to look up a key.
    pub(super) async fn acquire_for_key(&self, key_hash: &str) -> Result<Permit> {
        let start = key_hash.get(..32).and_then(|start| Uuid::try_parse(start).ok());
        self.keys.acquire(start.unwrap_or_default()).await
    }

    /// Refuses all waiting requests. Otherwise each one would wait behind requests that find the database unreachable,
    /// until it fails as if the database were only busy.
    pub(super) fn refuse_waiting(&self) {
        for queue in [&self.keys, &self.light, &self.writes, &self.heavy] {
            queue.refuse_waiting();
        }
    }
}

/// The queue of one kind of work.
pub(super) struct Queue(Arc<Inner>);

struct Inner {
    name: &'static str,
    permits: u32,
    /// The most permits that one org may hold.
    share: u32,
    state: Mutex<State>,
}

struct State {
    free: u32,
    /// The number of permits that each org holds. Orgs without a permit have no entry.
    held: HashMap<Uuid, u32>,
    /// The orgs with waiting requests, each once, in the order of their turns.
    turns: VecDeque<Uuid>,
    waiting: HashMap<Uuid, VecDeque<oneshot::Sender<()>>>,
}

impl Queue {
    /// Creates a queue with this number of permits, of which one org holds at most three quarters.
    pub(super) fn new(name: &'static str, permits: u32) -> Self {
        let state = State { free: permits, held: HashMap::new(), turns: VecDeque::new(), waiting: HashMap::new() };
        let share = (permits * 3 / 4).max(1);
        Self(Arc::new(Inner { name, permits, share, state: Mutex::new(state) }))
    }

    /// Waits for a permit, at most for [`PATIENCE`].
    pub(super) async fn acquire(&self, org: Uuid) -> Result<Permit> {
        let queue = &*self.0;
        let mut waiter = {
            let mut state = queue.state();
            if state.free > 0 && state.held_by(org) < queue.share && !state.waiting.contains_key(&org) {
                state.take(org);
                return Ok(Permit { queue: self.0.clone(), org });
            }
            let (permit, turn) = oneshot::channel();
            let waiting = state.waiting.entry(org).or_default();
            waiting.push_back(permit);
            if waiting.len() == 1 {
                state.turns.push_back(org);
            }
            Waiter { queue: self.0.clone(), org, turn }
        };
        match tokio::time::timeout(PATIENCE, &mut waiter.turn).await {
            Ok(Ok(())) => Ok(Permit { queue: self.0.clone(), org }),
            Ok(Err(_)) => Err(StoreError::Unavailable("no connection could be opened".into())),
            Err(_) => Err(StoreError::Crowded {
                queue: queue.name,
                by_caller: queue.share < queue.permits && queue.state().held_by(org) >= queue.share,
                waited: PATIENCE,
            }),
        }
    }

    fn refuse_waiting(&self) {
        let mut state = self.0.state();
        state.turns.clear();
        state.waiting.clear();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit back and hands out the free ones.
    fn release(&self, org: Uuid) {
        let mut state = self.state();
        state.give_back(org);
        while let Some((org, waiter)) = state.next(self.share) {
            state.take(org);
            if waiter.send(()).is_err() {
                state.give_back(org);
            }
        }
    }
}

impl State {
    fn held_by(&self, org: Uuid) -> u32 {
        self.held.get(&org).copied().unwrap_or_default()
    }

    fn take(&mut self, org: Uuid) {
        self.free -= 1;
        *self.held.entry(org).or_default() += 1;
    }

    fn give_back(&mut self, org: Uuid) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(&org) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&org);
            }
        }
    }

    /// Removes the next request from the queue: the oldest of the first org in turn that is below its share.
    fn next(&mut self, share: u32) -> Option<(Uuid, oneshot::Sender<()>)> {
        if self.free == 0 {
            return None;
        }
        let at = self.turns.iter().position(|&org| self.held_by(org) < share)?;
        let org = self.turns.remove(at)?;
        let waiting = self.waiting.get_mut(&org)?;
        let waiter = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&org);
        } else {
            self.turns.push_back(org);
        }
        Some((org, waiter))
    }
}

/// The right to use one connection, held until the value is dropped.
pub(super) struct Permit {
    queue: Arc<Inner>,
    org: Uuid,
}

impl Permit {
    /// Runs work to its end, even if the caller stops waiting for it. The permit is held until then, because the
    /// connection is busy for as long as its statement runs.
    ///
    /// [`Abandoned`] tells the work that its caller has stopped waiting.
    pub(super) async fn finish<T, F>(self, work: impl FnOnce(Abandoned) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (_waiting, abandoned) = oneshot::channel();
        let work = work(Abandoned(abandoned));
        let work = async move {
            let result = work.await;
            drop(self);
            result
        };
        // The task has the deadline of the request.
        let left = deadline::left(BUDGET) + deadline::MARGIN;
        tokio::spawn(deadline::within(left, work)).await.map_err(StoreError::internal)?
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.release(self.org);
    }
}

/// Tells work that its caller has stopped waiting: the client disconnected, or the request timed out.
pub(super) struct Abandoned(oneshot::Receiver<Infallible>);

impl Abandoned {
    /// Waits until the caller has gone.
    pub(super) async fn wait(self) {
        let _ = self.0.await;
    }

    /// Returns whether the caller has gone.
    pub(super) fn now(&mut self) -> bool {
        matches!(self.0.try_recv(), Err(TryRecvError::Closed))
    }
}

/// A request in the queue. If it stops waiting just as it gets a permit, it returns that permit.
struct Waiter {
    queue: Arc<Inner>,
    org: Uuid,
    turn: oneshot::Receiver<()>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            self.queue.release(self.org);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn free(queue: &Queue) -> (u32, usize, usize) {
        let state = queue.0.state();
        (state.free, state.held.len(), state.turns.len() + state.waiting.len())
    }

    #[tokio::test(start_paused = true)]
    async fn an_org_leaves_a_quarter_of_the_permits_to_others() {
        let queue = Queue::new("test", 4);
        let held = join_all((0..3).map(|_| queue.acquire(A))).await;
        let refused = queue.acquire(A).await;
        assert!(matches!(refused, Err(StoreError::Crowded { by_caller: true, .. })));
        let other = queue.acquire(B).await.unwrap();
        let refused = queue.acquire(B).await;
        assert!(matches!(refused, Err(StoreError::Crowded { by_caller: false, .. })));
        drop((held, other));
        assert_eq!(free(&queue), (4, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn orgs_take_turns_however_many_requests_each_has() {
        let queue = Queue::new("test", 1);
        let first = queue.acquire(A).await.unwrap();
        let served = Mutex::new(Vec::new());
        let requests = [A, A, A, A, B, B].map(|org| {
            let (queue, served) = (&queue, &served);
            async move {
                let _permit = queue.acquire(org).await.unwrap();
                served.lock().unwrap().push(org);
            }
        });
        tokio::join!(join_all(requests), async { drop(first) });
        assert_eq!(*served.lock().unwrap(), [A, B, A, B, A, A]);
        assert_eq!(free(&queue), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn refuses_waiting_requests_and_admits_later_ones() {
        let queue = Queue::new("test", 1);
        let held = queue.acquire(A).await.unwrap();
        let waiting = join_all([A, A, B].map(|org| queue.acquire(org)));
        let (refused, ()) = tokio::join!(waiting, async { queue.refuse_waiting() });
        assert!(refused.iter().all(|refused| matches!(refused, Err(StoreError::Unavailable(_)))));
        let (later, ()) = tokio::join!(queue.acquire(A), async { drop(held) });
        drop(later.unwrap());
        assert_eq!(free(&queue), (1, 0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn cancelled_requests_leave_no_permit_behind() {
        let queue = Queue::new("test", 3);
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let request = async |n: u64| {
            let work = async {
                let _permit = queue.acquire(Uuid::from_u128(u128::from(n % 5))).await.unwrap();
                let _at_work = AtWork::start(&at_work, &most);
                tokio::time::sleep(Duration::from_micros(n % 7 * 100)).await;
            };
            // Some finish, some are cancelled in the queue, some at work.
            let _ = tokio::time::timeout(Duration::from_micros(n * 37 % 4_000), work).await;
        };
        for round in 0..50 {
            join_all((0..40).map(|n| request(round * 40 + n))).await;
            assert_eq!(free(&queue), (3, 0, 0), "round {round}");
        }
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }

    struct AtWork<'a>(&'a AtomicUsize);

    impl<'a> AtWork<'a> {
        fn start(at_work: &'a AtomicUsize, most: &AtomicUsize) -> Self {
            most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Self(at_work)
        }
    }

    impl Drop for AtWork<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
