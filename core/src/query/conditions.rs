//! The conditions of a query: filters and exclusions.

use super::exclude::{self, Exclusions};
use super::filter::{self, Filters};
use super::parameters::Parameters;
use crate::error::Error;

/// The sandboxes that a query is about: those that every filter keeps and no exclusion drops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The sandboxes to keep.
    pub filters: Filters,
    /// The sandboxes to drop.
    pub exclusions: Exclusions,
}

impl Conditions {
    /// Parses filters, then exclusions.
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, Error> {
        Ok(Self { filters: filter::parse(parameters)?, exclusions: exclude::parse(parameters)? })
    }

    /// Returns whether every sandbox matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.exclusions.is_empty()
    }
}
