//! Pages: groups, totals, order and the cursor of the next page, from exact sums.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::accounting::{Usage, gb_seconds};
use super::dimension::Dimension;
use super::plan::{Plan, Position};
use crate::query::Sort;
use crate::query::cursor::{Cursor, SortValue, Walk};

/// The usage of one sandbox in the window, from a store that sums by sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxSum {
    /// The sandbox.
    pub sandbox_id: String,
    /// Its value of the tag that is grouped by; `None` if it lacks the tag or if sandboxes are the groups.
    pub tag_value: Option<String>,
    /// Its exact usage.
    pub usage: Usage,
}

/// A group or a part of one, as a store sums it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The tag value or sandbox id; `None` if the tag that is grouped by is missing.
    pub name: Option<String>,
    /// The number of sandboxes, none of which another part counts.
    pub sandboxes: u64,
    /// Exact usage.
    pub usage: Usage,
}

/// A group of sandboxes and what they used together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The tag value or sandbox id.
    pub name: String,
    /// Exact usage.
    pub usage: Usage,
    /// The number of sandboxes.
    pub sandboxes: u64,
}

/// One page and the sums beside its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Everything that matches the window and the filters.
    pub total: Usage,
    /// The part of it that lacks the tag; its name is empty.
    pub untagged: Group,
    /// The groups of this page, in order.
    pub items: Vec<Group>,
    /// The cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl Plan {
    /// Returns the part of a group that a sandbox is.
    #[must_use]
    pub fn part(&self, SandboxSum { sandbox_id, tag_value, usage }: SandboxSum) -> Part {
        let name = match self.query.group_by {
            Dimension::Sandbox => Some(sandbox_id),
            Dimension::Tag(_) => tag_value,
        };
        Part { name, sandboxes: 1, usage }
    }

    /// Builds the page from the sums of everything that matches.
    pub fn page(&self, parts: impl IntoIterator<Item = Part>) -> Page {
        let mut total = Usage::default();
        let mut untagged = Group::default();
        let mut groups = BTreeMap::<String, Group>::new();
        for Part { name, sandboxes, usage } in parts {
            total += usage;
            let group = match name {
                Some(name) => groups.entry(name).or_default(),
                None => &mut untagged,
            };
            group.usage += usage;
            group.sandboxes += sandboxes;
        }
        let named = groups.into_iter().map(|(name, group)| Group { name, ..group });
        let mut rest: Vec<_> = named.filter(|group| self.is_after(group)).collect();
        // The sort is stable and groups come ordered by name, so ties stay ascending.
        rest.sort_by_key(|group| Reverse(self.sort_value(group)));
        let limit = self.query.limit.get();
        let more = rest.len() > limit;
        rest.truncate(limit);
        let next_cursor = rest.last().filter(|_| more).and_then(|last| Some(self.cursor_after(last)?.encode()));
        Page { total, untagged, items: rest, next_cursor }
    }

    fn sort_value(&self, group: &Group) -> u128 {
        match self.query.sort {
            Sort::Memory => group.usage.memory,
            Sort::DiskOverage => group.usage.disk_overage,
        }
    }

    fn is_after(&self, group: &Group) -> bool {
        match &self.after {
            None => true,
            Some(Position::Exact { sum, tie }) => (Reverse(self.sort_value(group)), &group.name) > (Reverse(*sum), tie),
            Some(Position::Approximate { value, tie }) => {
                let own = gb_seconds(self.sort_value(group));
                own < *value || (own <= *value && group.name > *tie)
            }
        }
    }

    /// Returns the cursor of a page that ends with this group. A sum of 128 bits is a finite number of GB-seconds.
    fn cursor_after(&self, last: &Group) -> Option<Cursor> {
        let sum = self.sort_value(last);
        Some(Cursor {
            value: SortValue::new(gb_seconds(sum))?,
            tie: last.name.clone(),
            walk: Some(Walk { sum, window: self.window, as_of: self.as_of, digest: self.digest.clone() }),
        })
    }
}
