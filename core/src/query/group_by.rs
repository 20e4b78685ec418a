//! `groupBy`: the dimensions whose values are the groups.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Parameters, Scalar};
use crate::error::{Code, Error};
use crate::host::value::{Raw, text_of};
use crate::usage::dimension::{Dimension, GroupBy, invalid};

pub(crate) const NAME: &str = "groupBy";

impl Parameters {
    /// Sets the dimensions that the call implies, or the reason why they are invalid.
    #[must_use]
    pub fn grouped_by(self, group_by: Result<String, String>) -> Self {
        self.implying(NAME, group_by)
    }
}

/// Parses the parameter, which is required. SDKs take the text of a URL or a list of dimensions.
pub(super) fn parse(parameters: &Parameters) -> Result<GroupBy, Error> {
    match parameters.scalar(NAME) {
        None => Err(Code::MissingGroupBy.plain()),
        Some(Scalar::Option(Raw::List(given))) => {
            let mut dimensions = Vec::new();
            for dimension in given {
                let dimension = text_of(dimension).map_err(|fault| format!("a dimension: {fault}"));
                let dimension = dimension.and_then(|dimension| Dimension::parse(&dimension));
                dimensions.push(dimension.map_err(|fault| invalid(&fault))?);
            }
            GroupBy::new(dimensions)
        }
        Some(Scalar::Option(value @ Raw::Text(_))) => text_of(value).map_err(|fault| invalid(&fault))?.parse(),
        Some(Scalar::Option(value)) => {
            Err(invalid(&format!("it must be a string or an array of strings, got {}", value.kind())))
        }
        Some(Scalar::Wire(text)) => text.as_deref().map_err(|fault| invalid(fault))?.parse(),
    }
}

impl Parameter for GroupBy {
    fn write(&self, query: &mut QueryString) {
        query.push(NAME, &self.to_string());
    }
}

impl Digested for GroupBy {
    fn digest(&self, digest: &mut Digest) {
        digest.field(&self.to_string());
    }
}
