//! Usage queries: parsed from a URL or from the options of an SDK, and encoded again. One file per parameter.

mod conditions;
pub mod cursor;
pub mod exclude;
pub mod filter;
pub(crate) mod group_by;
mod interval;
mod limit;
mod lists;
pub(crate) mod parameter;
mod parameters;
mod period;
pub mod position;
mod prefix;
mod sort;
mod span;
mod state;
mod time_zone;

use crate::error::Error;
use crate::usage::dimension::GroupBy;
use crate::usage::window::Timestamp;

use cursor::CursorText;
use parameter::{Digest, Digested, Parameter, QueryString};

pub use conditions::Conditions;
pub use limit::{Limit, ListLimit};
pub(crate) use lists::{SANDBOXES, TAG_VALUES};
pub use lists::{SandboxesQuery, TagValuesQuery};
pub(crate) use parameters::NOTHING;
pub use parameters::{Names, Parameters, check_length, parse_nothing};
pub(crate) use period::End;
pub use period::Period;
pub use prefix::Prefix;
pub use sort::Sort;
pub(crate) use span::DRILLDOWN;
pub use span::{DrilldownQuery, Span};
pub use state::State;

/// A valid query for aggregated usage.
///
/// ```
/// use opencomputer_usage_core::query::{Parameters, UsageQuery};
///
/// let query = UsageQuery::parse(&Parameters::decode("groupBy=tag:team&filter[tag:env]=prod&limit=10"), None)?;
/// assert_eq!(query.encode(), "groupBy=tag%3Ateam&filter%5Btag%3Aenv%5D=prod&limit=10");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UsageQuery {
    /// The dimensions whose values are the groups.
    pub group_by: GroupBy,
    /// The sandboxes to measure.
    pub conditions: Conditions,
    /// The time to measure.
    pub span: Span,
    /// The order of items.
    pub sort: Sort,
    /// The size of a page.
    pub limit: Limit,
    /// The position of the page; the first page has none.
    pub cursor: Option<CursorText>,
}

/// The parameters of a usage query.
pub(crate) const USAGE: Names = Names {
    scalars: &[
        group_by::NAME,
        period::FROM,
        period::TO,
        time_zone::NAME,
        interval::NAME,
        sort::NAME,
        limit::NAME,
        cursor::NAME,
    ],
    maps: &[filter::NAME, exclude::NAME],
};

impl UsageQuery {
    /// Parses parameters in the contract's order of checks (section 7) and returns the first fault.
    ///
    /// With `now` (the server's `asOf`), an open window is checked as it will be measured. Without it (in a client),
    /// only the given ends are checked, and of a time zone only the form.
    ///
    /// # Errors
    ///
    /// Any code of a query, from `unknown_parameter` to `invalid_cursor`.
    pub fn parse(parameters: &Parameters, now: Option<Timestamp>) -> Result<Self, Error> {
        parameters.check_names(USAGE)?;
        let group_by = group_by::parse(parameters)?;
        let conditions = Conditions::parse(parameters)?;
        let cursor = cursor::parse(parameters);
        let pinned = matches!(&cursor, Ok(Some(cursor)) if cursor.cursor().walk.is_some());
        let span = Span::parse(parameters, now, pinned)?;
        let sort = sort::parse(parameters)?;
        let limit = limit::parse(parameters)?;
        Ok(Self { group_by, conditions, span, sort, limit, cursor: cursor? })
    }

    /// Returns the parameters in their order in a query string.
    fn parameters(&self) -> [&dyn Parameter; 9] {
        let Self { group_by, conditions, span, sort, limit, cursor } = self;
        let Conditions { filters, exclusions } = conditions;
        let Span { time_zone, period, interval } = span;
        [group_by, filters, exclusions, period, time_zone, interval, sort, limit, cursor]
    }

    /// Returns the encoded query string without defaults. Parsing it returns the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut query = QueryString::default();
        self.parameters().into_iter().for_each(|parameter| parameter.write(&mut query));
        query.into_string()
    }

    /// Returns the digest that distinguishes the walks of different queries.
    pub(crate) fn digest(&self, digest: &mut Digest) {
        let Self { group_by, conditions, span, sort, limit, cursor } = self;
        let Conditions { filters, exclusions } = conditions;
        let Span { time_zone, period, interval } = span;
        let parameters: [&dyn Digested; 9] =
            [group_by, filters, exclusions, period, time_zone, interval, sort, limit, cursor];
        for parameter in parameters {
            parameter.digest(digest);
        }
    }
}
