//! `timezone`: the zone of bare dates and of buckets.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error};
use crate::usage::time_zone::TimeZone;

pub(super) const NAME: &str = "timezone";

/// Parses the parameter, if it is given.
pub(super) fn parse(parameters: &Parameters) -> Result<Option<TimeZone>, Error> {
    parameters.read(NAME, Code::InvalidTimezone, str::parse)
}

impl Parameter for Option<TimeZone> {
    fn write(&self, query: &mut QueryString) {
        if let Some(zone) = self {
            query.push(NAME, zone.as_str());
        }
    }
}

impl Digested for Option<TimeZone> {
    fn digest(&self, digest: &mut Digest) {
        if let Some(zone) = self {
            digest.field(NAME);
            digest.field(zone.as_str());
        }
    }
}
