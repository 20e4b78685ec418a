//! Targets for whole query strings.

use std::fmt::Debug;

use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::query::position::{ListCursor, Position, SandboxPosition, TagValuePosition};
use opencomputer_usage_core::query::{
    DrilldownQuery, Parameters, SandboxesQuery, TagValuesQuery, UsageQuery, check_length, parse_nothing,
};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::grid::{Buckets, Grid};
use opencomputer_usage_core::usage::page::Part;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::{Code, Error, limits};

use crate::check::{NOW, grows_at_most, rejected_by, rejected_with};
use crate::time::buckets_cover;

/// The query of `GET /api/usage`.
pub fn usage_query(data: &[u8]) {
    let parse = |parameters: &Parameters| UsageQuery::parse(parameters, Some(*NOW));
    let Some(query) = parsed(Endpoint::GetUsage, data, parse, UsageQuery::encode) else {
        // A client knows less, so it may accept it.
        parsed(Endpoint::GetUsage, data, |parameters| UsageQuery::parse(parameters, None), UsageQuery::encode);
        return;
    };
    assert_eq!(UsageQuery::parse(&Parameters::decode(data), None).as_ref(), Ok(&query), "a client accepts it, too");
    for rule in [Rule::V1, Rule::Clipped] {
        match query.plan(*NOW, rule) {
            Ok(plan) => {
                let buckets = plan.grid.buckets.as_ref().map_or(0, Buckets::len);
                assert!(buckets <= limits::MAX_AGGREGATE_BUCKETS);
                assert!(buckets * query.limit.get() <= limits::MAX_PAGE_BUCKETS);
                buckets_cover(&plan.grid);
                if query.cursor.is_none() && query.limit.get() <= 3 {
                    next_page_continues(&query, &plan.grid, rule);
                }
            }
            Err(error) => rejected_by(Endpoint::GetUsage, &error),
        }
    }
}

/// Checks that the cursor of a first page leads to a second page over the same time.
fn next_page_continues(query: &UsageQuery, grid: &Grid, rule: Rule) {
    let dimensions = query.group_by.dimensions().len();
    let parts = (0..=query.limit.get()).map(|index| Part {
        key: vec![Some(format!("group-{index}")); dimensions],
        sandboxes: 1,
        usage: Usage::of(1, 1, 1),
    });
    let parts: Vec<_> = parts.collect();
    let page = query.plan(*NOW, rule).expect("it was planned").page(parts.clone());
    let cursor = page.next_cursor.expect("one group is left");
    let next = Parameters::decode(format!("{}&cursor={cursor}", query.encode()));
    let later = Timestamp::nearest(NOW.micros() + 1_000_000);
    let plan = UsageQuery::parse(&next, Some(later)).and_then(|next| next.plan(later, rule)).expect("the walk goes on");
    assert_eq!(plan.grid, *grid);
    let rest = plan.page(parts.clone());
    assert_eq!((rest.total, rest.next_cursor), (page.total, None));
    let keys: Vec<_> = page.items.iter().chain(&rest.items).map(|group| &group.key).collect();
    assert!(keys.into_iter().eq(parts.iter().map(|part| &part.key)));
}

/// The query of `GET /api/sandboxes/{id}/usage`.
pub fn drilldown_query(data: &[u8]) {
    let parse = |parameters: &Parameters| DrilldownQuery::parse(parameters, Some(*NOW));
    let Some(query) = parsed(Endpoint::GetSandboxUsage, data, parse, DrilldownQuery::encode) else {
        let parse = |parameters: &Parameters| DrilldownQuery::parse(parameters, None);
        parsed(Endpoint::GetSandboxUsage, data, parse, DrilldownQuery::encode);
        return;
    };
    assert_eq!(DrilldownQuery::parse(&Parameters::decode(data), None).as_ref(), Ok(&query), "a client accepts it, too");
    match query.grid(*NOW, Rule::Clipped) {
        Ok(grid) => {
            let buckets = grid.buckets.as_ref().map_or(0, Buckets::len);
            assert!(buckets <= limits::MAX_DRILLDOWN_BUCKETS);
            buckets_cover(&grid);
        }
        Err(error) => rejected_by(Endpoint::GetSandboxUsage, &error),
    }
}

/// The query of `GET /api/sandboxes`, and of the endpoints without parameters.
pub fn sandboxes_query(data: &[u8]) {
    if let Err(error) = parse_nothing(&Parameters::decode(data)) {
        rejected_by(Endpoint::GetTagKeys, &error);
    }
    if let Some(Err(error)) = str::from_utf8(data).ok().map(check_length) {
        rejected_with(&[Code::QueryTooLong], &error);
    }
    if let Some(query) = parsed(Endpoint::ListSandboxes, data, SandboxesQuery::parse, SandboxesQuery::encode) {
        let next = query.slice().map(|slice| slice.page([(position(1), ()), (position(0), ())]).next);
        match (query.limit.get(), next) {
            (1, Ok(Some(next))) => {
                let next = SandboxesQuery { cursor: Some(next), ..query };
                let again = SandboxesQuery::parse(&Parameters::decode(next.encode())).expect("the walk goes on");
                assert_eq!(again, next);
                assert_eq!(again.slice().expect("it is the same query").after, Some(position(1)));
            }
            (limit, Ok(next)) => assert!(limit > 1 && next.is_none()),
            (_, Err(error)) => rejected_with(&[Code::InvalidCursor], &error),
        }
    }
}

fn position(started_at: i64) -> SandboxPosition {
    SandboxPosition { started_at, sandbox_id: "sb-1".to_owned() }
}

/// The query of `GET /api/tags/{key}`.
pub fn tag_values_query(data: &[u8]) {
    let key = TagValuesQuery::parse_key("team").expect("it is a key");
    let parse = |parameters: &Parameters| TagValuesQuery::parse(key.clone(), parameters);
    let Some(query) = parsed(Endpoint::GetTagValues, data, parse, TagValuesQuery::encode) else { return };
    if let Some(prefix) = &query.prefix
        && let Some(end) = prefix.end()
    {
        let start = prefix.as_str();
        assert!(*start < *end && !end.starts_with(start));
        assert!(*format!("{start}{}", char::MAX) < *end);
    }
    match query.slice() {
        Ok(slice) => {
            let items = ["a", "b"].map(|value| (TagValuePosition(value.to_owned()), value));
            let page = slice.page(items);
            assert_eq!(page.items.len(), query.limit.get().min(2));
            page.next.iter().for_each(decodes_again);
        }
        Err(error) => rejected_with(&[Code::InvalidCursor], &error),
    }
}

/// Checks that the text of a cursor is the cursor.
pub(crate) fn decodes_again<P: Position + Debug + PartialEq>(cursor: &ListCursor<P>) {
    assert_eq!(ListCursor::decode(cursor.as_str()).as_ref(), Ok(cursor));
}

/// Parses a query. If it is accepted, its text must be accepted as the same query; otherwise its error must be one of
/// the endpoint's.
fn parsed<Q: Debug + PartialEq>(
    endpoint: Endpoint,
    data: &[u8],
    parse: impl Fn(&Parameters) -> Result<Q, Error>,
    encode: impl Fn(&Q) -> String,
) -> Option<Q> {
    match parse(&Parameters::decode(data)) {
        Ok(query) => {
            let text = encode(&query);
            grows_at_most(3, data.len(), &text);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(parse(&Parameters::decode(&text)).as_ref(), Ok(&query), "{text}");
            Some(query)
        }
        Err(error) => {
            rejected_by(endpoint, &error);
            None
        }
    }
}
