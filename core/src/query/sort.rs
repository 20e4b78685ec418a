//! `sort`: the order of items.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error, quoted};

pub(super) const NAME: &str = "sort";

/// The amount by which items are ordered, descending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// `-memoryGbSeconds`
    #[default]
    Memory,
    /// `-diskOverageGbSeconds`
    DiskOverage,
}

impl Sort {
    /// Returns the wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "-memoryGbSeconds",
            Self::DiskOverage => "-diskOverageGbSeconds",
        }
    }

    fn read(text: &str) -> Result<Self, Error> {
        [Self::Memory, Self::DiskOverage].into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let text = quoted(text);
            let message = format!("invalid `{NAME}` {text}, allowed: `-memoryGbSeconds` and `-diskOverageGbSeconds`");
            Code::InvalidSort.error(message)
        })
    }
}

/// Parses the parameter, or returns the default.
pub(super) fn parse(parameters: &Parameters) -> Result<Sort, Error> {
    Ok(parameters.read(NAME, Code::InvalidSort, Sort::read)?.unwrap_or_default())
}

impl Parameter for Sort {
    fn write(&self, query: &mut QueryString) {
        if *self != Self::default() {
            query.push(NAME, self.as_str());
        }
    }
}

impl Digested for Sort {
    fn digest(&self, digest: &mut Digest) {
        digest.field(self.as_str());
    }
}
