//! Decodes a response as the result of an operation, and checks that it matches the request.

use super::body::is_success;
use super::walk::{NextPage, Walk};
use super::{Answer, ClientError, Operation, Value};
use crate::error::quoted;
use crate::query::cursor::Cursor;
use crate::query::position::{ListCursor, SandboxPosition, TagValuePosition};
use crate::query::{Conditions, DrilldownQuery, End, ListLimit, SandboxesQuery, Span, UsageQuery};
use crate::usage::dimension::Form;
use crate::usage::interval::Interval;
use crate::usage::time_zone::TimeZone;
use crate::wire::reply::{List, Page, SandboxFacts};

impl Answer {
    /// Decodes the result of `operation` and the parameters of the next page, if the status is a success.
    pub(super) fn decode<V: Value>(
        &mut self,
        operation: &Operation,
        now_ms: f64,
    ) -> Result<(V, Option<NextPage>), ClientError> {
        if !is_success(self.status) {
            return Err(self.error(now_ms));
        }
        let value = V::read(operation.reply(), self).map_err(|why| self.undecodable(&why))?;
        if let (Some(asked), Some(got)) = (operation.sandbox(), value.sandbox()) {
            if asked.as_str() != got.id {
                return Err(self.undecodable(&format!("it describes another sandbox, {}", quoted(&got.id))));
            }
            if let Operation::SandboxUsage(_, DrilldownQuery { span }) = operation
                && let Some(why) = ignored_in_drilldown(span, &got)
            {
                return Err(self.unsupported(&why));
            }
        }
        let next = match (operation, value.page()) {
            (Operation::Usage(query, walk), Some(page)) => {
                let checked = self.check_page(query, walk, &page);
                checked.map_err(|error| match value.taken_body() {
                    Some(body) => error.with_body(body),
                    None => error,
                })?
            }
            _ => self.check_list(operation, value.list())?,
        };
        Ok((value, next))
    }

    /// Checks that a page of a list matches its query, and returns the parameters of the next page.
    fn check_list(&self, operation: &Operation, list: Option<List>) -> Result<Option<NextPage>, ClientError> {
        let Some(List { key, next_cursor, items, all_tagged }) = list else {
            return Ok(None);
        };
        let (walk, sent, is_cursor): (_, _, fn(&str) -> bool) = match operation {
            Operation::ListTagValues(query, walk) => {
                if let Some(got) = key.filter(|got| got != query.key.as_str()) {
                    return Err(self.undecodable(&format!("it describes another tag, {}", quoted(&got))));
                }
                let sent = query.cursor.as_ref().map(ListCursor::as_str);
                (walk, sent, |text| ListCursor::<TagValuePosition>::decode(text).is_ok())
            }
            Operation::ListSandboxes(query, walk) => {
                if let Some(why) = ignored_in_list(query, items, all_tagged) {
                    return Err(self.unsupported(why));
                }
                let sent = query.cursor.as_ref().map(ListCursor::as_str);
                (walk, sent, |text| ListCursor::<SandboxPosition>::decode(text).is_ok())
            }
            _ => return Ok(None),
        };
        let Some(cursor) = next_cursor else {
            return Ok(None);
        };
        if !is_cursor(&cursor) {
            return Err(self.undecodable("its cursor of the next page is not a cursor"));
        }
        let next = walk.next_of_list(sent, &cursor);
        next.map(Some).ok_or_else(|| self.undecodable("its cursor of the next page leads back to an earlier page"))
    }

    /// Checks that a page matches the query, and returns the parameters of the next page.
    fn check_page(&self, query: &UsageQuery, walk: &Walk, page: &Page) -> Result<Option<NextPage>, ClientError> {
        if let Some(why) = ignored(query, page) {
            return Err(self.unsupported(&why));
        }
        let asked = query.group_by.to_string();
        if let Some(got) = page.group_by.as_ref().filter(|got| **got != asked) {
            return Err(self.undecodable(&format!("it is grouped by {} instead of `{asked}`", quoted(got))));
        }
        if page.as_of.is_some() {
            let moved = |asked: Option<End>, got| asked.is_some_and(|asked| !asked.may_be(got));
            if moved(query.span.period.from(), page.from) || moved(query.span.period.to(), page.to) {
                let (from, to) = (page.from, page.to);
                return Err(self.undecodable(&format!("its window, from {from} to {to}, is not the requested one")));
            }
        }
        if walk.as_of().is_some_and(|first| page.as_of != Some(first)) {
            return Err(self.undecodable("its `asOf` differs from that of earlier pages"));
        }
        let Some(cursor) = &page.next_cursor else {
            return Ok(None);
        };
        if Cursor::decode(cursor).is_err() {
            return Err(self.undecodable("its `nextCursor` is not a cursor"));
        }
        let next = walk.next(query, page, cursor);
        next.map(Some).ok_or_else(|| self.undecodable("its `nextCursor` leads back to an earlier page"))
    }
}

/// Returns what a server ignored, if its list of sandboxes shows that it does not know a part of the query: the
/// platform's own servers take no parameters and send no tags.
fn ignored_in_list(query: &SandboxesQuery, items: usize, all_tagged: bool) -> Option<&'static str> {
    if !query.conditions.is_empty() && !all_tagged {
        return Some("the server sends sandboxes without tags, so it may have ignored the filters and exclusions");
    }
    let exceeds = query.limit != ListLimit::default() && items > query.limit.get();
    exceeds.then_some("the server sends more sandboxes than `limit` allows, so it ignores the parameters of the list")
}

/// Returns what a server ignored, if its response shows that it does not know a part of the query.
///
/// The platform's own servers send a point per minute of UTC, whatever the query asks for.
fn ignored_in_drilldown(span: &Span, got: &SandboxFacts) -> Option<String> {
    if got.has_buckets {
        return None;
    }
    match (&span.time_zone, span.interval) {
        (None, Some(Interval::Minute)) if got.has_points => None,
        (_, Some(interval)) => Some(unknown_interval(interval)),
        (Some(zone), None) if !got.has_as_of => Some(unknown_time_zone(zone)),
        (_, None) => None,
    }
}

fn unknown_interval(interval: Interval) -> String {
    format!("the server does not understand `interval={interval}`, so its report has no buckets")
}

fn unknown_time_zone(zone: &TimeZone) -> String {
    format!("the server does not understand `timezone={zone}`, so its days are those of UTC")
}

/// Returns what a server ignored, if its page shows that it does not know a part of the query: the platform's own
/// servers send no `asOf`, and only servers that know intervals send buckets.
fn ignored(query: &UsageQuery, page: &Page) -> Option<String> {
    if let Some(interval) = query.span.interval.filter(|_| !page.has_buckets) {
        return Some(unknown_interval(interval));
    }
    if page.as_of.is_some() {
        return None;
    }
    let Conditions { filters, exclusions } = &query.conditions;
    if let Some((dimension, _)) = filters.iter().find(|(_, filter)| filter.is_quoted()) {
        let fault = "the server does not understand quotes in filters";
        return Some(format!("{fault}, so its report ignores a value of `filter[{dimension}]`"));
    }
    if let Some((dimension, _)) = exclusions.iter().next() {
        let fault = "the server does not understand exclusions";
        return Some(format!("{fault}, so its report contains what `exclude[{dimension}]` drops"));
    }
    if let Some(zone) = &query.span.time_zone {
        return Some(unknown_time_zone(zone));
    }
    match query.group_by.form() {
        Form::Groups => Some(format!("the server does not understand `groupBy={}`", query.group_by)),
        Form::Tag(_) | Form::Sandboxes => None,
    }
}
