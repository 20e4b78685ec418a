//! The tags of one sandbox as a register: written, written if unchanged, and read.

use super::Model;

/// A set of tags. Each write has its own.
pub type Tags = u64;

#[derive(Clone, Debug)]
pub enum Call {
    Read,
    Write(Tags),
    /// Writes `new` if the tags are `old`.
    WriteIf {
        old: Tags,
        new: Tags,
    },
}

#[derive(Clone, Debug)]
pub enum Reply {
    Read(Tags),
    Written,
    /// The tags were other ones.
    Changed,
}

pub struct Register;

impl Model for Register {
    type State = Tags;
    type Call = Call;
    type Reply = Reply;

    fn step(&self, state: &Tags, call: &Call, reply: Option<&Reply>) -> Option<Tags> {
        match (call, reply) {
            (Call::Read, Some(Reply::Read(tags))) => (tags == state).then_some(*tags),
            (Call::Write(tags), Some(Reply::Written) | None) => Some(*tags),
            (Call::WriteIf { old, new }, Some(Reply::Written) | None) => (old == state).then_some(*new),
            (Call::WriteIf { old, .. }, Some(Reply::Changed)) => (old != state).then_some(*state),
            _ => None,
        }
    }
}

mod tests {
    use super::super::{History, Operation, check};
    use super::{Call, Register, Reply};

    /// Returns a history of calls with the positions of their invocations and responses.
    fn history(operations: &[(usize, usize, Call, Reply)]) -> History<Register> {
        let mut history: History<Register> = operations
            .iter()
            .map(|(invoked, returned, call, reply)| Operation {
                call: call.clone(),
                invoked: *invoked,
                returned: Some((*returned, reply.clone())),
            })
            .collect();
        history.sort_by_key(|operation| operation.invoked);
        history
    }

    fn write(invoked: usize, returned: usize, tags: u64) -> (usize, usize, Call, Reply) {
        (invoked, returned, Call::Write(tags), Reply::Written)
    }

    fn read(invoked: usize, returned: usize, tags: u64) -> (usize, usize, Call, Reply) {
        (invoked, returned, Call::Read, Reply::Read(tags))
    }

    fn write_if(invoked: usize, returned: usize, old: u64, new: u64, reply: Reply) -> (usize, usize, Call, Reply) {
        (invoked, returned, Call::WriteIf { old, new }, reply)
    }

    fn holds(operations: &[(usize, usize, Call, Reply)]) -> bool {
        check(&Register, 0, &history(operations)).is_ok()
    }

    #[test]
    fn accepts_calls_one_after_the_other() {
        assert!(holds(&[read(1, 2, 0), write(3, 4, 1), read(5, 6, 1), write_if(7, 8, 1, 2, Reply::Written)]));
        assert!(holds(&[write(1, 2, 1), write_if(3, 4, 0, 2, Reply::Changed), read(5, 6, 1)]));
    }

    #[test]
    fn accepts_either_order_of_calls_that_overlap() {
        for last in [1, 2] {
            assert!(holds(&[write(1, 4, 1), write(2, 3, 2), read(5, 6, last)]));
        }
        // A read sees a write that has not returned, and a later one sees it, too.
        assert!(holds(&[write(1, 9, 1), read(2, 3, 0), read(4, 5, 1), read(6, 7, 1)]));
        assert!(holds(&[write_if(1, 4, 0, 1, Reply::Changed), write(2, 3, 2), read(5, 6, 2)]));
    }

    #[test]
    fn rejects_a_stale_read() {
        assert!(!holds(&[write(1, 2, 1), read(3, 4, 0)]));
        assert!(!holds(&[write(1, 2, 1), write(3, 4, 2), read(5, 6, 1)]));
    }

    #[test]
    fn rejects_a_lost_update() {
        let both = [write_if(1, 3, 0, 1, Reply::Written), write_if(2, 4, 0, 2, Reply::Written)];
        assert!(!holds(&both));
        assert!(!holds(&[write(1, 2, 1), write(3, 4, 2), write_if(5, 6, 1, 3, Reply::Written)]));
    }

    #[test]
    fn rejects_time_travel() {
        // The write has not returned, but a read has seen it.
        assert!(!holds(&[write(1, 9, 1), read(2, 3, 1), read(4, 5, 0)]));
        // A read sees a write that begins later.
        assert!(!holds(&[read(1, 2, 1), write(3, 4, 1)]));
    }

    #[test]
    fn rejects_a_write_applied_twice() {
        assert!(!holds(&[write(1, 9, 1), read(2, 3, 1), write(4, 5, 2), read(6, 7, 1)]));
    }

    #[test]
    fn rejects_a_change_that_nobody_made() {
        assert!(!holds(&[write(1, 2, 1), write_if(3, 4, 1, 2, Reply::Changed)]));
        assert!(!holds(&[read(1, 2, 7)]));
    }

    #[test]
    fn an_unknown_outcome_takes_effect_once_at_any_later_time_or_never() {
        let unknown = |call: Call, rest: &[(usize, usize, Call, Reply)]| {
            let mut history = history(rest);
            history.insert(0, Operation { call, invoked: 0, returned: None });
            check(&Register, 0, &history).is_ok()
        };
        let late = [write(1, 2, 1), read(3, 4, 1), read(5, 6, 7), read(7, 8, 7)];
        assert!(unknown(Call::Write(7), &late));
        assert!(unknown(Call::Write(7), &[read(1, 2, 0), write_if(3, 4, 0, 1, Reply::Written)]));
        assert!(unknown(Call::Write(7), &[write_if(3, 4, 0, 1, Reply::Changed), read(5, 6, 7)]));
        assert!(!unknown(Call::Write(7), &[read(1, 2, 7), write(3, 4, 1), read(5, 6, 7)]), "twice");
        // A condition holds at the instant of the write.
        let conditional = Call::WriteIf { old: 0, new: 7 };
        assert!(unknown(conditional.clone(), &[read(1, 2, 7)]));
        assert!(!unknown(conditional, &[write(1, 2, 1), read(3, 4, 1), read(5, 6, 7)]));
    }
}
