//! The usage of a page over time.
//!
//! One statement, after that of `sums.rs`, reads the events and counts each event in two buckets: that of its start
//! and that of its end, no matter how many buckets lie between. The core computes the usage of every bucket from these
//! counts.
//!
//! `LIMIT ALL` limits nothing, but keeps the planner from merging a subquery into the query around it. The inner
//! subquery computes the start of an event once, in the scan; merged, it would be computed in each sum. The middle
//! subquery turns the group into a single number. The planner expects few distinct values of a number of unknown
//! origin, but as many distinct instants as there are events, and then would not group in parallel. `OFFSET 0` would
//! prevent parallel plans.

use futures_util::TryStreamExt;
use opencomputer_usage_core::limits::MAX_AGGREGATE_BUCKETS;
use opencomputer_usage_core::query;
use opencomputer_usage_core::usage::dimension::{Dimension, Key};
use opencomputer_usage_core::usage::grid::Buckets;
use opencomputer_usage_core::usage::page::{Page, PageSeries, SeriesTally};
use opencomputer_usage_core::usage::plan::Plan;
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;

use super::conditions::{Conditions, Few, SANDBOX_OF_EVENT};
use super::dimensions;
use super::events::{Events, Products, Shared, Statement, fitting, included_disk, micros};
use super::session;
use super::types::{Instant, Sum};
use crate::store::statements::Arguments;
use crate::store::{Result, StoreError};

/// The base in which two buckets and a slot are written as one number: more than the number of buckets.
const PLACES: i64 = 4_096;
#[allow(clippy::cast_possible_wrap, reason = "a few thousand")]
const _: () = assert!((MAX_AGGREGATE_BUCKETS as i64) < PLACES, "a bucket is less than `PLACES`");

/// The way to find the bucket of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    /// By division: all buckets have the same length, except the first and the last, which may be shorter.
    Division { origin: i64, step: i64 },
    /// By a binary search in the edges.
    Search,
}

impl Lookup {
    fn of(buckets: &Buckets) -> Self {
        let edges = buckets.edges();
        let lengths: Vec<_> =
            edges.windows(2).map(|pair| pair.iter().rev().copied().reduce(|to, from| to - from)).collect();
        let step = lengths.iter().copied().max().flatten().unwrap_or_default();
        let inner = lengths.get(1..lengths.len().saturating_sub(1)).unwrap_or_default();
        match edges.get(1) {
            Some(first_end) if inner.iter().all(|length| *length == Some(step)) => {
                Self::Division { origin: first_end - step, step }
            }
            _ => Self::Search,
        }
    }

    /// Returns the instant that starts are relative to.
    fn origin(self, buckets: &Buckets) -> i64 {
        match self {
            Self::Division { origin, .. } => origin,
            Self::Search => buckets.edges().first().copied().unwrap_or_default(),
        }
    }

    /// Composes the indexes of the buckets in which an event starts and ends, from `started`, in microseconds since the
    /// origin, and `lasted`.
    fn compile(self, buckets: &Buckets, arguments: &mut Arguments<PgArguments>) -> Result<[String; 2]> {
        if let Self::Division { step, .. } = self {
            let last = i64::try_from(buckets.len()).unwrap_or(i64::MAX).saturating_sub(1);
            let (step, last) = (arguments.bind(step)?, arguments.bind(last)?);
            // Events start before the end of the last bucket, but may end beyond it.
            return Ok([format!("started / {step}"), format!("least((started + lasted) / {step}, {last})")]);
        }
        let inner = buckets.edges().get(1..buckets.len()).unwrap_or_default();
        let inner: Vec<_> = inner.iter().map(|edge| edge - self.origin(buckets)).collect();
        let edges = arguments.bind(inner)?;
        Ok(["started", "started + lasted"].map(|instant| format!("width_bucket({instant}, {edges})")))
    }
}

/// A page whose series are requested, and the query that they cover.
struct Request<'a> {
    page: &'a Page,
    buckets: &'a Buckets,
    group_by: &'a [Dimension],
    conditions: &'a query::Conditions,
    few: Option<&'a Few<'a>>,
    products: Products,
}

/// Composes the starts and ends of events by slot and bucket.
fn by_place(shared: Shared, request: &Request<'_>) -> Result<Statement> {
    let Request { page, buckets, group_by, conditions, few, products } = *request;
    let Shared { mut arguments, org, counted, billed, start, any_length } = shared;
    let conditions = Conditions::compile(conditions, few, SANDBOX_OF_EVENT, org, &mut arguments)?;
    // Slots are multiplied once per sandbox, not per event.
    let place_of = |slot: usize| i64::try_from(slot).unwrap_or(i64::MAX).saturating_mul(PLACES * PLACES);
    let (rest, slot_places) = (arguments.bind(place_of(page.rest_slot()))?, arguments.bind(place_of(1))?);
    let key_columns = (0..group_by.len()).map(|index| page.items.iter().map(|item| value(&item.key, index)).collect());
    let keys = key_columns.map(|column: Vec<_>| arguments.bind(column)).collect::<Result<Vec<_>>>()?;
    let items = keys.iter().map(|key| format!("{key}::text[]")).collect::<Vec<_>>().join(", ");
    let (slots, missing) = if group_by == [Dimension::Sandbox] {
        let slots = format!(
            r#"SELECT item.sandbox_id COLLATE "C" AS sandbox_id, (item.slot - 1) * {slot_places} AS place
                 FROM unnest({items}) WITH ORDINALITY AS item (sandbox_id, slot)"#
        );
        (slots, rest)
    } else {
        let column = |format: fn(usize) -> String| (0..keys.len()).map(format).collect::<Vec<_>>().join(", ");
        let valued = dimensions::valued(group_by, &conditions, org, &mut arguments)?;
        let (names, items_are) =
            (column(|key| format!("key_{key}")), column(|key| format!(r#"item.key_{key} COLLATE "C""#)));
        let these = column(|key| format!("valued.value_{key}"));
        // Arrays are equal where both have a null, unlike nulls.
        let slots = format!(
            "SELECT valued.sandbox_id, coalesce((item.slot - 1) * {slot_places}, {rest}) AS place
                 FROM ({valued}) AS valued
                 LEFT JOIN unnest({items}) WITH ORDINALITY AS item ({names}, slot)
                     ON ARRAY[{items_are}] = ARRAY[{these}]"
        );
        (slots, arguments.bind(place_of(page.untagged_slot()))?)
    };
    let lookup = Lookup::of(buckets);
    let origin = arguments.bind(Instant(lookup.origin(buckets)))?;
    let [of_start, of_end] = lookup.compile(buckets, &mut arguments)?;
    let started = micros(&origin.to_string(), &start, any_length);
    let (included, places) = (arguments.bind(included_disk())?, arguments.bind(PLACES)?);
    let (group, sums) = match products {
        Products::Database => (
            "place",
            "sum(memory_mb), sum(memory_mb * started), sum(memory_mb * lasted),
                 sum(excess_mb) FILTER (WHERE excess_mb > 0), sum(excess_mb * started) FILTER (WHERE excess_mb > 0),
                 sum(excess_mb * lasted) FILTER (WHERE excess_mb > 0)",
        ),
        Products::Core => (
            "place, memory_mb, excess_mb",
            "memory_mb::bigint, greatest(excess_mb, 0)::bigint, count(*), sum(started), sum(lasted)",
        ),
    };
    let Conditions { kept, left_out, .. } = &conditions;
    let sql = format!(
        "SELECT place, {sums}
             FROM (
                 SELECT memory_mb, excess_mb, started, lasted,
                     coalesce(slots.place, {missing}) + {of_start} * {places} + {of_end} AS place
                 FROM (
                     SELECT {SANDBOX_OF_EVENT} AS sandbox_id, event.memory_mb, event.disk_mb - {included} AS excess_mb,
                         {started} AS started, {billed} AS lasted
                     FROM sandbox_scale_events AS event
                     WHERE {counted}{kept}{left_out}
                     LIMIT ALL) AS event
                 LEFT JOIN ({slots}) AS slots ON slots.sandbox_id = event.sandbox_id
                 LIMIT ALL) AS event
             GROUP BY {group}"
    );
    Ok(Statement { sql, arguments })
}

fn value(key: &Key, index: usize) -> Option<String> {
    key.get(index).cloned().flatten()
}

/// The events of one size and place.
struct Added {
    memory_mb: u64,
    /// Disk above the included size.
    excess_mb: u64,
    events: u64,
    /// The sums of starts since the origin, and of billed times, in microseconds.
    started: u128,
    lasted: u128,
}

/// Adds events to the tally. `shift` is the distance from the origin to the first bucket.
fn add(tally: &mut SeriesTally, place: i64, shift: i128, added: &Added) -> Result<()> {
    let index = |number: i64| usize::try_from(number).map_err(StoreError::internal);
    let (slot, start, end) = (place / PLACES / PLACES, place / PLACES % PLACES, place % PLACES);
    let Added { memory_mb, excess_mb, events, .. } = *added;
    let disk_mb = u64::from(included_disk().unsigned_abs()) + excess_mb;
    let started = i128::try_from(added.started).map_err(StoreError::internal)? - shift * i128::from(events);
    let ended = started + i128::try_from(added.lasted).map_err(StoreError::internal)?;
    if let Some(series) = tally.slot(index(slot)?) {
        series.start(index(start)?, memory_mb, disk_mb, events, started);
        series.end(index(end)?, memory_mb, disk_mb, events, ended);
    }
    Ok(())
}

/// Returns the series of a page. Returns `None` if the products of the database do not fit.
pub(super) async fn series(
    db: &mut PgConnection,
    events: Events,
    plan: &Plan,
    (page, buckets): (&Page, &Buckets),
    few: Option<&Few<'_>>,
    products: Products,
) -> Result<Option<PageSeries>> {
    let (shared, group_by) = (events.measured(&plan.grid)?, plan.group_by.dimensions());
    let request = Request { page, buckets, group_by, conditions: &plan.conditions, few, products };
    let statement = by_place(shared, &request)?;
    let shift = i128::from(plan.grid.window.from().micros()) - i128::from(Lookup::of(buckets).origin(buckets));
    if few.is_some() {
        sqlx::raw_sql(session::JOINED).execute(&mut *db).await?;
    }
    let mut tally = page.series_tally(buckets);
    if products == Products::Core {
        let mut rows = statement.query().fetch(db);
        while let Some((place, memory_mb, excess_mb, events, Sum(started), Sum(lasted))) = rows.try_next().await? {
            let [memory_mb, excess_mb, events] = [memory_mb, excess_mb, events].map(i64::unsigned_abs);
            add(&mut tally, place, shift, &Added { memory_mb, excess_mb, events, started, lasted })?;
        }
        return Ok(Some(tally.finish()));
    }
    let mut rows = statement.query().fetch(db);
    loop {
        let Some(row) = fitting(rows.try_next().await)? else { return Ok(None) };
        let Some((place, memory, started, lasted, excess, excess_started, excess_lasted)) = row else {
            return Ok(Some(tally.finish()));
        };
        // The database has multiplied: events of m MB count like m times as many events of 1 MB.
        let sizes: [(_, _, Option<i64>, Option<Sum>, Option<Sum>); 2] =
            [(1, 0, memory, started, lasted), (0, 1, excess, excess_started, excess_lasted)];
        for (memory_mb, excess_mb, events, started, lasted) in sizes {
            if let (Some(events), Some(Sum(started)), Some(Sum(lasted))) = (events, started, lasted) {
                let events = events.unsigned_abs();
                add(&mut tally, place, shift, &Added { memory_mb, excess_mb, events, started, lasted })?;
            }
        }
    }
}

/// Returns every kind of statement of this module with its name.
pub(super) fn texts(
    plan: &Plan,
    shared: impl Fn() -> Result<Shared>,
    few: &Few<'_>,
) -> Result<Vec<(&'static str, String)>> {
    let (page, (none, all)) = (plan.page([]), (&query::Conditions::default(), &plan.conditions));
    let (sandbox, groups) = (&[Dimension::Sandbox][..], plan.group_by.dimensions());
    let Some(buckets) = &plan.grid.buckets else { return Ok(Vec::new()) };
    let text = |group_by, conditions, few, products| {
        let request = Request { page: &page, buckets, group_by, conditions, few, products };
        by_place(shared()?, &request).map(|statement| statement.sql)
    };
    Ok(vec![
        ("series by sandbox", text(sandbox, none, None, Products::Database)?),
        ("series by group", text(groups, none, None, Products::Database)?),
        ("series by group with conditions", text(groups, all, None, Products::Database)?),
        ("series by group of a few", text(groups, all, Some(few), Products::Database)?),
        ("series by group and size", text(groups, all, None, Products::Core)?),
    ])
}

#[cfg(test)]
mod tests {
    use opencomputer_usage_core::usage::interval::Interval;
    use opencomputer_usage_core::usage::window::Window;

    use super::*;

    fn lookup(from: &str, to: &str, interval: Interval, time_zone: &str) -> Lookup {
        let window = Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        Lookup::of(&Buckets::new(window, interval, time_zone.parse().unwrap()).unwrap())
    }

    #[test]
    fn divides_where_buckets_have_the_same_length() {
        const HOUR: i64 = 3_600_000_000;
        let origin = "2026-01-01".parse::<opencomputer_usage_core::usage::window::Timestamp>().unwrap().micros();
        let day = Lookup::Division { origin, step: 24 * HOUR };
        assert_eq!(lookup("2026-01-01T05:00:00Z", "2026-01-04T01:00:00Z", Interval::Day, "UTC"), day);
        assert_eq!(lookup("2026-01-01", "2026-01-02", Interval::Day, "UTC"), day);
        let cut = Lookup::Division { origin: origin + 5 * HOUR, step: 19 * HOUR };
        assert_eq!(lookup("2026-01-01T05:00:00Z", "2026-01-02T01:00:00Z", Interval::Day, "UTC"), cut);
    }

    #[test]
    fn searches_where_clocks_change_or_months_differ() {
        for (from, to, interval, time_zone) in [
            ("2026-03-01", "2026-04-15", Interval::Day, "Europe/Paris"),
            ("2026-01-01", "2026-03-31", Interval::Month, "UTC"),
        ] {
            assert_eq!(lookup(from, to, interval, time_zone), Lookup::Search, "{from} {to} {time_zone}");
        }
    }
}
