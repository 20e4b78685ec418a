//! A checker of recorded histories: whether calls that overlapped can be explained one after the other.
//!
//! It replays a history and keeps every state that the calls so far allow, as in Lowe's *Testing for linearizability*
//! (2017). A call takes effect at one instant between its invocation and its response.

pub mod fleet;
pub mod register;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Mutex;

/// The object that the calls of a history act on.
pub trait Model {
    type State: Clone + Debug + Ord;
    type Call: Clone + Debug;
    type Reply: Clone + Debug;

    /// Returns the state after a call, or nothing if the call cannot have this reply in this state. A call without a
    /// known outcome has no reply.
    fn step(&self, state: &Self::State, call: &Self::Call, reply: Option<&Self::Reply>) -> Option<Self::State>;
}

/// A call with the positions of its invocation and its response in the order of all of them.
#[derive(Clone, Debug)]
pub struct Operation<C, R> {
    pub call: C,
    pub invoked: usize,
    /// The position of the response, and the reply. If the outcome is unknown, the call may take effect at any later
    /// time, or never.
    pub returned: Option<(usize, R)>,
}

/// Operations in the order of their invocations.
pub type History<M> = Vec<Operation<<M as Model>::Call, <M as Model>::Reply>>;

/// Records operations of concurrent clients. Positions are assigned under one lock, so they are a monotonic clock.
pub struct Recorder<M: Model>(Mutex<(usize, History<M>)>);

impl<M: Model> Recorder<M> {
    pub fn new() -> Self {
        Self(Mutex::new((0, Vec::new())))
    }

    /// Records an invocation, before the request is sent.
    pub fn invoke(&self, call: M::Call) -> usize {
        let mut recorded = self.0.lock().unwrap();
        recorded.0 += 1;
        let invoked = recorded.0;
        recorded.1.push(Operation { call, invoked, returned: None });
        recorded.1.len() - 1
    }

    /// Records a response, after it has been read.
    pub fn complete(&self, operation: usize, reply: M::Reply) {
        let mut recorded = self.0.lock().unwrap();
        recorded.0 += 1;
        recorded.1[operation].returned = Some((recorded.0, reply));
    }

    pub fn history(self) -> History<M> {
        self.0.into_inner().unwrap().1
    }
}

/// Invoked operations that have not returned. Each has a bit, which the next operation takes over when it returns.
#[derive(Default)]
struct Pending {
    returning: Vec<Option<usize>>,
    /// The operations whose outcome is unknown, which stay pending.
    unknown: Vec<usize>,
}

impl Pending {
    fn add(&mut self, index: usize, returns: bool) {
        if !returns {
            self.unknown.push(index);
        } else if let Some(free) = self.returning.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(index);
        } else {
            self.returning.push(Some(index));
        }
        assert!(self.returning.len() <= 64 && self.unknown.len() <= 64, "too many operations are pending");
    }

    /// Returns every operation with its bit.
    fn operations(&self) -> impl Iterator<Item = (usize, Effective)> {
        let returning = self.returning.iter().enumerate().filter_map(|(bit, index)| Some((bit, (*index)?)));
        let returning = returning.map(|(bit, index)| (index, Effective { known: 1 << bit, unknown: 0 }));
        let unknown = self.unknown.iter().enumerate();
        returning.chain(unknown.map(|(bit, index)| (*index, Effective { known: 0, unknown: 1 << bit })))
    }
}

/// The pending operations that have taken effect, by whether their outcome is known.
#[derive(Clone, Copy, Default)]
struct Effective {
    known: u64,
    unknown: u64,
}

/// The possible states, each with the pending operations that must have taken effect for it.
struct Possible<S>(BTreeMap<(S, u64), Vec<u64>>);

impl<S: Clone + Ord> Possible<S> {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a state. Returns whether it allows more than the states so far: an operation without a known outcome may
    /// still take effect or not, so the state that used fewer of them allows everything that the other allows.
    fn add(&mut self, state: S, Effective { known, unknown }: Effective) -> bool {
        let used = self.0.entry((state, known)).or_default();
        if used.iter().any(|fewer| fewer & !unknown == 0) {
            return false;
        }
        used.retain(|more| unknown & !more != 0);
        used.push(unknown);
        true
    }

    fn into_iter(self) -> impl Iterator<Item = (S, Effective)> {
        self.0.into_iter().flat_map(|((state, known), used)| {
            used.into_iter().map(move |unknown| (state.clone(), Effective { known, unknown }))
        })
    }
}

/// Checks that a history has an order in which each operation has its reply.
///
/// # Errors
///
/// The first response that no order explains, with the states that were possible before it.
pub fn check<M: Model>(model: &M, initial: M::State, history: &History<M>) -> Result<(), String> {
    let mut events = BTreeMap::new();
    for (index, operation) in history.iter().enumerate() {
        events.insert(operation.invoked, (index, false));
        if let Some((returned, _)) = &operation.returned {
            events.insert(*returned, (index, true));
        }
    }
    let mut pending = Pending::default();
    let mut possible = vec![(initial, Effective::default())];
    for (index, returns) in events.into_values() {
        if !returns {
            pending.add(index, history[index].returned.is_some());
            continue;
        }
        let slot = pending.returning.iter().position(|slot| *slot == Some(index)).unwrap();
        let next = explain(model, history, &pending, slot, &possible);
        pending.returning[slot] = None;
        if next.is_empty() {
            let states: BTreeSet<_> = possible.iter().map(|(state, _)| state).collect();
            let operation = &history[index];
            let overlapping: Vec<_> = pending.operations().map(|(index, _)| &history[index]).collect();
            return Err(format!(
                "nothing explains {operation:?}\npossible states before: {states:?}\noverlapping: {overlapping:?}"
            ));
        }
        possible = next;
    }
    Ok(())
}

/// Returns the states in which an operation has taken effect, after any pending ones that had to be before it.
fn explain<M: Model>(
    model: &M,
    history: &History<M>,
    pending: &Pending,
    slot: usize,
    possible: &[(M::State, Effective)],
) -> Vec<(M::State, Effective)> {
    let (mut seen, mut explained) = (Possible::new(), Possible::new());
    let mut open = possible.to_vec();
    while let Some((state, mut effective)) = open.pop() {
        if effective.known & 1 << slot != 0 {
            effective.known &= !(1 << slot);
            explained.add(state, effective);
            continue;
        }
        for (index, bit) in pending.operations() {
            if effective.known & bit.known != 0 || effective.unknown & bit.unknown != 0 {
                continue;
            }
            let operation = &history[index];
            let reply = operation.returned.as_ref().map(|(_, reply)| reply);
            let Some(next) = model.step(&state, &operation.call, reply) else { continue };
            let (known, unknown) = (effective.known | bit.known, effective.unknown | bit.unknown);
            let after = Effective { known, unknown };
            if seen.add(next.clone(), after) {
                open.push((next, after));
            }
        }
    }
    explained.into_iter().collect()
}
