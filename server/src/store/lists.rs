//! How both engines find a page of sandboxes.
//!
//! Usually, sessions are read and checked newest first until the page is full. That takes long if a filter keeps few
//! sandboxes or only old ones. In that case, the sandboxes are looked up by the filter and sorted.

use opencomputer_usage_core::query::filter::{Filter, Filters};
use opencomputer_usage_core::usage::dimension::Dimension;

/// A filter that keeps at most this many sandboxes for each sandbox on the page is looked up without a scan. In an org
/// of a million sandboxes and with a page of 100, a scan takes about as long as looking up 10,000 sandboxes.
const LOOKED_UP: usize = 100;

/// The number of sessions that are scanned for each sandbox on the page before the sandboxes of a filter are looked up.
const SCANNED: usize = 200;

/// The sessions that are searched for sandboxes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'q> {
    /// All of the org, newest first.
    Newest,
    /// The newest few.
    Scanned(usize),
    /// Those of the sandboxes that a filter keeps.
    Kept(&'q Dimension, &'q Filter),
}

/// A filter by which sandboxes can be looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'q> {
    pub(super) dimension: &'q Dimension,
    pub(super) filter: &'q Filter,
    /// The number of sandboxes that it keeps, counted up to [`countable`].
    pub(super) kept: usize,
}

/// Returns the filters by which sandboxes can be looked up.
pub(super) fn lookups(filters: &Filters) -> impl Iterator<Item = (&Dimension, &Filter)> {
    filters.iter().filter(|(dimension, filter)| {
        matches!(dimension, Dimension::Sandbox | Dimension::Tag(_)) && **filter != Filter::Absent
    })
}

/// Returns the number up to which the sandboxes of a filter are counted.
pub(super) const fn countable(wanted: usize) -> usize {
    LOOKED_UP * wanted + 1
}

/// Returns the sources to try until a page is full. The last one always fills it, unless the list ends.
pub(super) fn sources<'q>(lookups: &[Lookup<'q>], wanted: usize) -> Vec<Source<'q>> {
    let Some(Lookup { dimension, filter, kept }) = lookups.iter().min_by_key(|lookup| lookup.kept) else {
        return vec![Source::Newest];
    };
    let looked_up = Source::Kept(dimension, filter);
    if *kept < countable(wanted) { vec![looked_up] } else { vec![Source::Scanned(SCANNED * wanted), looked_up] }
}
