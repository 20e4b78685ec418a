//! Tags and usage of all sandboxes of an org: retagged, imported, and read in pages.

use super::Model;

/// The team of each sandbox, if it has one, and its usage in GB-seconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    pub teams: Vec<Option<u8>>,
    pub amounts: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
pub enum GroupBy {
    Sandbox,
    Team,
}

#[derive(Clone, Debug)]
pub enum Call {
    Retag {
        sandbox: usize,
        team: Option<u8>,
    },
    /// Adds usage to several sandboxes in one transaction.
    Import(Vec<(usize, u64)>),
    /// Reads the groups after a cursor, which names an amount and a group.
    Page {
        by: GroupBy,
        after: Option<(u64, String)>,
        limit: usize,
    },
}

#[derive(Clone, Debug)]
pub enum Reply {
    Written,
    Page(Page),
}

/// A page as the contract defines it. `total` and `untagged` cover all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub total: u64,
    /// The usage and the number of sandboxes without a team. A page by sandbox has none.
    pub untagged: Option<(u64, usize)>,
    pub items: Vec<Item>,
    pub more: bool,
}

/// A group: its name, its usage, and its number of sandboxes or the team of its only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub amount: u64,
    pub sandboxes: usize,
    pub team: Option<u8>,
}

pub fn sandbox(number: usize) -> String {
    format!("sb-{number}")
}

pub fn team(number: u8) -> String {
    format!("team-{number}")
}

pub struct Fleet;

impl Model for Fleet {
    type State = State;
    type Call = Call;
    type Reply = Reply;

    fn step(&self, state: &State, call: &Call, reply: Option<&Reply>) -> Option<State> {
        let mut after = state.clone();
        match (call, reply) {
            (Call::Retag { sandbox, team }, Some(Reply::Written) | None) => after.teams[*sandbox] = *team,
            (Call::Import(amounts), Some(Reply::Written) | None) => {
                for (sandbox, amount) in amounts {
                    after.amounts[*sandbox] += amount;
                }
            }
            (Call::Page { by, after, limit }, Some(Reply::Page(page))) => {
                if state.page(*by, after.as_ref(), *limit) != *page {
                    return None;
                }
            }
            _ => return None,
        }
        Some(after)
    }
}

impl State {
    /// Returns the page that this state has after a cursor.
    pub fn page(&self, by: GroupBy, after: Option<&(u64, String)>, limit: usize) -> Page {
        let sandboxes = self.teams.iter().zip(&self.amounts).enumerate();
        let mut items: Vec<Item> = Vec::new();
        let mut untagged = (0, 0);
        for (number, (&of, &amount)) in sandboxes {
            let name = match (by, of) {
                (GroupBy::Sandbox, _) => sandbox(number),
                (GroupBy::Team, Some(of)) => team(of),
                (GroupBy::Team, None) => {
                    untagged = (untagged.0 + amount, untagged.1 + 1);
                    continue;
                }
            };
            match items.iter_mut().find(|item| item.name == name) {
                Some(item) => (item.amount, item.sandboxes) = (item.amount + amount, item.sandboxes + 1),
                None => items.push(Item { name, amount, sandboxes: 1, team: of }),
            }
        }
        items.sort_by(|one, other| other.amount.cmp(&one.amount).then_with(|| one.name.cmp(&other.name)));
        if let Some((amount, name)) = after {
            items.retain(|item| item.amount < *amount || item.amount == *amount && item.name > *name);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let untagged = matches!(by, GroupBy::Team).then_some(untagged);
        Page { total: self.amounts.iter().sum(), untagged, items, more }
    }
}

mod tests {
    use super::super::{History, Operation, check};
    use super::{Call, Fleet, GroupBy, Page, Reply, State};

    fn initial() -> State {
        State { teams: vec![Some(1), Some(1), None], amounts: vec![1, 2, 4] }
    }

    /// Returns whether a page by team is possible while one sandbox is retagged and, later, usage of two is imported.
    fn holds(page: Page, after: Option<(u64, String)>) -> bool {
        let written = |invoked, call| Operation { call, invoked, returned: Some((invoked + 1, Reply::Written)) };
        let retag = Operation {
            call: Call::Retag { sandbox: 0, team: Some(2) },
            invoked: 0,
            returned: Some((9, Reply::Written)),
        };
        let import = written(2, Call::Import(vec![(0, 8), (2, 16)]));
        let call = Call::Page { by: GroupBy::Team, after, limit: 1 };
        let page = Operation { call, invoked: 1, returned: Some((4, Reply::Page(page))) };
        let history: History<Fleet> = vec![retag, page, import];
        check(&Fleet, initial(), &history).is_ok()
    }

    /// Returns the first page by team of a state.
    fn first(teams: [Option<u8>; 3], amounts: [u64; 3]) -> Page {
        State { teams: teams.into(), amounts: amounts.into() }.page(GroupBy::Team, None, 1)
    }

    #[test]
    fn accepts_every_snapshot_during_the_request() {
        for teams in [[Some(1), Some(1), None], [Some(2), Some(1), None]] {
            for amounts in [[1, 2, 4], [9, 2, 20]] {
                assert!(holds(first(teams, amounts), None), "{teams:?} {amounts:?}");
            }
        }
    }

    #[test]
    fn rejects_half_of_an_import() {
        assert!(!holds(first([Some(1), Some(1), None], [9, 2, 4]), None));
    }

    #[test]
    fn rejects_a_page_of_two_snapshots() {
        let mut page = first([Some(1), Some(1), None], [1, 2, 4]);
        page.total = 31;
        assert!(!holds(page, None));
        let mut page = first([Some(1), Some(1), None], [1, 2, 4]);
        page.untagged = Some((20, 1));
        assert!(!holds(page, None));
    }

    #[test]
    fn rejects_a_group_that_a_page_before_has_shown() {
        let page = first([Some(1), Some(1), None], [1, 2, 4]);
        let shown = (page.items[0].amount, page.items[0].name.clone());
        assert!(!holds(page, Some(shown)));
    }

    #[test]
    fn rejects_tags_of_another_snapshot() {
        let mut page = initial().page(GroupBy::Sandbox, None, 3);
        let call = Call::Page { by: GroupBy::Sandbox, after: None, limit: 3 };
        let mut read = |team| {
            page.items[2].team = team;
            let page = Operation { call: call.clone(), invoked: 0, returned: Some((1, Reply::Page(page.clone()))) };
            check(&Fleet, initial(), &vec![page]).is_ok()
        };
        assert!(read(Some(1)));
        assert!(!read(Some(2)));
    }
}
