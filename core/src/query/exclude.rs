//! `exclude[<dimension>]`: the values of a dimension to drop.

use super::filter::{Family, Filter, Filters};
use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::Error;
use crate::limits::MAX_EXCLUSIONS;
use crate::usage::dimension::Dimension;

pub(super) const NAME: &str = "exclude";

/// The conditions of `exclude[…]`.
const EXCLUSIONS: Family = Family { name: NAME, max: MAX_EXCLUSIONS, plural: "exclusions" };

/// The exclusions of one query: each dimension at most once, in the order given.
///
/// An exclusion drops the sandboxes that its [`Filter`] matches. Sandboxes that lack the dimension are dropped only by
/// [`Filter::Absent`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions(Filters);

impl Exclusions {
    /// Returns the exclusions, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&Dimension, &Filter)> {
        self.0.iter()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Parses the parameter.
pub(super) fn parse(parameters: &Parameters) -> Result<Exclusions, Error> {
    Filters::parse(EXCLUSIONS, parameters).map(Exclusions)
}

impl Parameter for Exclusions {
    fn write(&self, query: &mut QueryString) {
        self.0.write(NAME, query);
    }
}

impl Digested for Exclusions {
    fn digest(&self, digest: &mut Digest) {
        if !self.is_empty() {
            digest.field(NAME);
            self.0.digest(digest);
        }
    }
}
