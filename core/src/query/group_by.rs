//! `groupBy`: the dimension whose values are the groups.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Parameters, Scalar};
use crate::error::{Code, Error};
use crate::usage::dimension::Dimension;

pub(crate) const NAME: &str = "groupBy";

impl Parameters {
    /// Sets the dimension that the call implies, or the reason why it is invalid.
    #[must_use]
    pub fn grouped_by(self, group_by: Result<String, String>) -> Self {
        self.implying(NAME, group_by)
    }
}

/// Parses the parameter, which is required.
pub(super) fn parse(parameters: &Parameters) -> Result<Dimension, Error> {
    match parameters.scalar(NAME).map(Scalar::text) {
        None => Err(Code::MissingGroupBy.plain()),
        Some(Ok(text)) => text.parse(),
        Some(Err(fault)) => Err(Code::InvalidGroupBy.error(format!("invalid `{NAME}`: {fault}"))),
    }
}

impl Parameter for Dimension {
    fn write(&self, query: &mut QueryString) {
        query.push(NAME, &self.to_string());
    }
}

impl Digested for Dimension {
    fn digest(&self, digest: &mut Digest) {
        digest.field(&self.to_string());
    }
}
