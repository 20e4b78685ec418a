//! Lanes: how many connections each kind of work may use, and how much of that one org may hold.
//!
//! A lane hands out slots. Requests that find none wait, first come first served within an org and in turn between orgs,
//! so an org with a hundred waiting requests delays another org by one request at most.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Result, StoreError};
use crate::deadline;

/// How long a request may take.
const BUDGET: Duration = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
/// How long a request waits for a slot.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lanes of a database.
pub(super) struct Lanes {
    /// Look-ups of API keys. The org is not known yet, so each key takes turns as an org of its own.
    pub(super) keys: Lane,
    /// Reads of one sandbox and short lists.
    pub(super) light: Lane,
    /// Writes of tags.
    pub(super) writes: Lane,
    /// Sums over many events or tags.
    pub(super) heavy: Lane,
}

impl Lanes {
    /// Waits for a slot to look up a key in.
    pub(super) async fn enter_for_key(&self, key_hash: &str) -> Result<Slot> {
        let start = key_hash.get(..32).and_then(|start| Uuid::try_parse(start).ok());
        self.keys.enter(start.unwrap_or_default()).await
    }
}

/// One kind of work on a database.
pub(super) struct Lane(Arc<Inner>);

struct Inner {
    name: &'static str,
    slots: u32,
    /// The most slots that one org may hold.
    share: u32,
    state: Mutex<State>,
}

struct State {
    free: u32,
    /// The slots that each org holds; no entry where it holds none.
    held: HashMap<Uuid, u32>,
    /// The orgs that wait, each once, with the one whose turn it is first.
    turns: VecDeque<Uuid>,
    waiting: HashMap<Uuid, VecDeque<oneshot::Sender<()>>>,
}

impl Lane {
    /// A lane of `slots`, of which one org holds at most three quarters.
    pub(super) fn new(name: &'static str, slots: u32) -> Self {
        let state = State { free: slots, held: HashMap::new(), turns: VecDeque::new(), waiting: HashMap::new() };
        let share = (slots * 3 / 4).max(1);
        Self(Arc::new(Inner { name, slots, share, state: Mutex::new(state) }))
    }

    /// Waits for a slot, at most for [`PATIENCE`].
    pub(super) async fn enter(&self, org: Uuid) -> Result<Slot> {
        let lane = &*self.0;
        let mut waiter = {
            let mut state = lane.state();
            if state.free > 0 && state.held_by(org) < lane.share && !state.waiting.contains_key(&org) {
                state.take(org);
                return Ok(Slot { lane: self.0.clone(), org });
            }
            let (slot, turn) = oneshot::channel();
            let queue = state.waiting.entry(org).or_default();
            queue.push_back(slot);
            if queue.len() == 1 {
                state.turns.push_back(org);
            }
            Waiter { lane: self.0.clone(), org, turn }
        };
        match tokio::time::timeout(PATIENCE, &mut waiter.turn).await {
            Ok(Ok(())) => Ok(Slot { lane: self.0.clone(), org }),
            _ => Err(StoreError::Crowded {
                lane: lane.name,
                by_caller: lane.share < lane.slots && lane.state().held_by(org) >= lane.share,
                waited: PATIENCE,
            }),
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot back and hands out what is free.
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

    /// Takes the next request out of the queue: the oldest of the first org in turn that is below its share.
    fn next(&mut self, share: u32) -> Option<(Uuid, oneshot::Sender<()>)> {
        if self.free == 0 {
            return None;
        }
        let at = self.turns.iter().position(|&org| self.held_by(org) < share)?;
        let org = self.turns.remove(at)?;
        let queue = self.waiting.get_mut(&org)?;
        let waiter = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&org);
        } else {
            self.turns.push_back(org);
        }
        Some((org, waiter))
    }
}

/// The right to use one connection of a lane, for as long as it lives.
pub(super) struct Slot {
    lane: Arc<Inner>,
    org: Uuid,
}

impl Slot {
    /// Runs work to its end, even if the caller stops waiting for it: the connection is busy for as long as its
    /// statement runs, and so is the slot.
    pub(super) async fn finish<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
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

impl Drop for Slot {
    fn drop(&mut self) {
        self.lane.release(self.org);
    }
}

/// A request in the queue. One that stops waiting returns the slot that it may have got in the same moment.
struct Waiter {
    lane: Arc<Inner>,
    org: Uuid,
    turn: oneshot::Receiver<()>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            self.lane.release(self.org);
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

    fn free(lane: &Lane) -> (u32, usize, usize) {
        let state = lane.0.state();
        (state.free, state.held.len(), state.turns.len() + state.waiting.len())
    }

    #[tokio::test(start_paused = true)]
    async fn an_org_leaves_a_quarter_of_the_slots_to_others() {
        let lane = Lane::new("test", 4);
        let held = join_all((0..3).map(|_| lane.enter(A))).await;
        let refused = lane.enter(A).await;
        assert!(matches!(refused, Err(StoreError::Crowded { by_caller: true, .. })));
        let other = lane.enter(B).await.unwrap();
        let refused = lane.enter(B).await;
        assert!(matches!(refused, Err(StoreError::Crowded { by_caller: false, .. })));
        drop((held, other));
        assert_eq!(free(&lane), (4, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn orgs_take_turns_however_many_requests_each_has() {
        let lane = Lane::new("test", 1);
        let first = lane.enter(A).await.unwrap();
        let served = Mutex::new(Vec::new());
        let queue = [A, A, A, A, B, B].map(|org| {
            let (lane, served) = (&lane, &served);
            async move {
                let _slot = lane.enter(org).await.unwrap();
                served.lock().unwrap().push(org);
            }
        });
        tokio::join!(join_all(queue), async { drop(first) });
        assert_eq!(*served.lock().unwrap(), [A, B, A, B, A, A]);
        assert_eq!(free(&lane), (1, 0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn cancelled_requests_leave_no_slot_behind() {
        let lane = Lane::new("test", 3);
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let request = async |n: u64| {
            let work = async {
                let _slot = lane.enter(Uuid::from_u128(u128::from(n % 5))).await.unwrap();
                let _at_work = AtWork::start(&at_work, &most);
                tokio::time::sleep(Duration::from_micros(n % 7 * 100)).await;
            };
            // Some finish, some are cancelled in the queue, some at work.
            let _ = tokio::time::timeout(Duration::from_micros(n * 37 % 4_000), work).await;
        };
        for round in 0..50 {
            join_all((0..40).map(|n| request(round * 40 + n))).await;
            assert_eq!(free(&lane), (3, 0, 0), "round {round}");
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
