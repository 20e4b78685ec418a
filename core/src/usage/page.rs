//! Pages: groups, totals, order and the cursor of the next page, from exact sums.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::accounting::{Usage, gb_seconds};
use super::dimension::Key;
use super::grid::Buckets;
use super::plan::{Plan, Position, tie};
use super::series::SeriesBuilder;
use crate::query::Sort;
use crate::query::cursor::{Cursor, SortValue, Walk};

/// A group or a part of one, as a store sums it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The group.
    pub key: Key,
    /// The number of sandboxes, which no other part counts.
    pub sandboxes: u64,
    /// The exact usage.
    pub usage: Usage,
}

/// A group of sandboxes and their usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The values that the sandboxes share.
    pub key: Key,
    /// The exact usage.
    pub usage: Usage,
    /// The number of sandboxes.
    pub sandboxes: u64,
}

impl Group {
    /// Returns the first value that the sandboxes have; empty if they lack every dimension.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.iter().flatten().next().map_or("", String::as_str)
    }
}

/// One page and the sums beside its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The usage of everything that matches the window and the conditions.
    pub total: Usage,
    /// The group of the sandboxes that lack all dimensions.
    pub untagged: Group,
    /// The groups of this page, in order.
    pub items: Vec<Group>,
    /// The usage over time, if the plan has buckets; see [`Page::series_tally`].
    pub series: Option<PageSeries>,
    /// The cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// The usage of a page by bucket, beside its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSeries {
    /// Everything that matches the window and the conditions.
    pub total: Vec<Usage>,
    /// The sandboxes that lack all dimensions.
    pub untagged: Vec<Usage>,
    /// The groups of the page, in its order.
    pub items: Vec<Vec<Usage>>,
}

impl Page {
    /// Returns the slot of the sandboxes that lack all dimensions. Each item has its index as slot.
    #[must_use]
    pub const fn untagged_slot(&self) -> usize {
        self.items.len()
    }

    /// Returns the slot of the groups on other pages, which only count in the total.
    #[must_use]
    pub const fn rest_slot(&self) -> usize {
        self.items.len() + 1
    }

    /// Creates the series of the page, to which a store adds the events of everything that matches.
    #[must_use]
    pub fn series_tally(&self, buckets: &Buckets) -> SeriesTally {
        SeriesTally { slots: vec![SeriesBuilder::new(buckets); self.items.len() + 2] }
    }
}

/// The series of a page, while events are added.
#[derive(Clone, Debug)]
pub struct SeriesTally {
    slots: Vec<SeriesBuilder>,
}

impl SeriesTally {
    /// Returns the series of a slot, or that of the rest if there is no such slot.
    pub fn slot(&mut self, slot: usize) -> Option<&mut SeriesBuilder> {
        let last = self.slots.len().saturating_sub(1);
        self.slots.get_mut(slot.min(last))
    }

    /// Returns the series, once all events are added.
    #[must_use]
    pub fn finish(self) -> PageSeries {
        let mut items: Vec<Vec<Usage>> = self.slots.into_iter().map(SeriesBuilder::finish).collect();
        let mut total = items.pop().unwrap_or_default();
        for series in &items {
            for (sum, usage) in total.iter_mut().zip(series) {
                *sum += *usage;
            }
        }
        let untagged = items.pop().unwrap_or_default();
        PageSeries { total, untagged, items }
    }
}

impl Plan {
    /// Builds the page from the sums of everything that matches.
    pub fn page(&self, parts: impl IntoIterator<Item = Part>) -> Page {
        self.cut(self.whole(parts))
    }

    /// Collects all groups, by key, as if they fitted on one page.
    pub fn whole(&self, parts: impl IntoIterator<Item = Part>) -> Page {
        let mut total = Usage::default();
        let untagged = vec![None; self.group_by.dimensions().len()];
        let mut untagged = Group { key: untagged, ..Group::default() };
        let mut groups = BTreeMap::<Key, Group>::new();
        for Part { key, sandboxes, usage } in parts {
            total += usage;
            let group = if key == untagged.key { &mut untagged } else { groups.entry(key).or_default() };
            group.usage += usage;
            group.sandboxes += sandboxes;
        }
        let items = groups.into_iter().map(|(key, group)| Group { key, ..group }).collect();
        Page { total, untagged, items, series: None, next_cursor: None }
    }

    /// Builds the page from all groups and their series. A series adds up to the usage of its group.
    #[must_use]
    pub fn page_of_series(&self, whole: Page, series: PageSeries) -> Page {
        let sum = |series: &[Usage]| series.iter().copied().sum::<Usage>();
        let Page { mut untagged, mut items, .. } = whole;
        untagged.usage = sum(&series.untagged);
        let mut by_key = BTreeMap::new();
        for (group, series) in items.iter_mut().zip(series.items) {
            group.usage = sum(&series);
            by_key.insert(group.key.clone(), series);
        }
        let whole = Page { total: sum(&series.total), untagged, items, series: None, next_cursor: None };
        let page = self.cut(whole);
        let items = page.items.iter().map(|group| by_key.remove(&group.key).unwrap_or_default()).collect();
        Page { series: Some(PageSeries { items, ..series }), ..page }
    }

    /// Cuts the page of the plan out of all groups.
    fn cut(&self, whole: Page) -> Page {
        let mut rest: Vec<_> = whole.items.into_iter().filter(|group| self.is_after(group)).collect();
        // The sort is stable and groups come ordered by key, so ties stay ascending.
        rest.sort_by_key(|group| Reverse(self.sort_value(group)));
        let limit = self.limit.get();
        let more = rest.len() > limit;
        rest.truncate(limit);
        let next_cursor = rest.last().filter(|_| more).and_then(|last| Some(self.cursor_after(last)?.encode()));
        Page { items: rest, next_cursor, ..whole }
    }

    fn sort_value(&self, group: &Group) -> u128 {
        match self.sort {
            Sort::Memory => group.usage.memory,
            Sort::DiskOverage => group.usage.disk_overage,
        }
    }

    fn is_after(&self, group: &Group) -> bool {
        match &self.after {
            None => true,
            Some(Position::Exact { sum, key }) => (Reverse(self.sort_value(group)), &group.key) > (Reverse(*sum), key),
            Some(Position::Approximate { value, key }) => {
                let own = gb_seconds(self.sort_value(group));
                own < *value || (own <= *value && group.key > *key)
            }
        }
    }

    /// Returns the cursor after this group. A sum of 128 bits is always a finite number of GB-seconds.
    fn cursor_after(&self, last: &Group) -> Option<Cursor> {
        let sum = self.sort_value(last);
        let (window, as_of) = (self.grid.window, self.grid.as_of);
        Some(Cursor {
            value: SortValue::new(gb_seconds(sum))?,
            tie: tie(&last.key),
            walk: Some(Walk { sum, window, as_of, digest: self.digest.clone() }),
        })
    }
}
