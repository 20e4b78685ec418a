//! `interval`: the calendar unit of buckets.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error};
use crate::usage::interval::Interval;

pub(super) const NAME: &str = "interval";

/// Parses the parameter, if it is given.
pub(super) fn parse(parameters: &Parameters) -> Result<Option<Interval>, Error> {
    parameters.read(NAME, Code::InvalidInterval, str::parse)
}

impl Parameter for Option<Interval> {
    fn write(&self, query: &mut QueryString) {
        if let Some(interval) = self {
            query.push(NAME, interval.as_str());
        }
    }
}

impl Digested for Option<Interval> {
    fn digest(&self, digest: &mut Digest) {
        if let Some(interval) = self {
            digest.field(NAME);
            digest.field(interval.as_str());
        }
    }
}
