//! The scale events of an org as SQL: which of them count, and for how long.

use opencomputer_usage_core::limits::INCLUDED_DISK_MB;
use opencomputer_usage_core::usage::accounting::Measure;
use opencomputer_usage_core::usage::grid::Grid;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, FromRow, Postgres};
use uuid::Uuid;

use super::types::Instant;
use crate::store::Result;
use crate::store::statements::{Arguments, Placeholder};

/// The error code of a number out of range.
const OUT_OF_RANGE: &str = "22003";

/// The longest time in microseconds that a float of seconds represents exactly when rounded (35 years).
const FLOAT_MICROS: i64 = 1 << 50;
/// The largest distance from 1970 at which a float represents an instant in microseconds exactly (142 years).
const FLOAT_INSTANT: i64 = 1 << 52;

/// The events of an org, and the table that holds them.
#[derive(Clone, Copy)]
pub(super) struct Events {
    pub(super) org: Uuid,
    /// Whether the table is a platform's, which has no column `lasted_micros`.
    pub(super) platform: bool,
}

/// A composed statement with its arguments.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) arguments: Arguments<PgArguments>,
}

impl Statement {
    pub(super) fn query<T: for<'r> FromRow<'r, PgRow>>(self) -> QueryAs<'static, Postgres, T, PgArguments> {
        // The texts are this engine's own; values from outside are arguments.
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments.into_inner())
    }
}

/// Turns the error that a number is out of range into `None`.
pub(super) fn fitting<T>(result: sqlx::Result<T>) -> Result<Option<T>> {
    match result {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OUT_OF_RANGE) => Ok(None),
        result => Ok(Some(result?)),
    }
}

/// The pieces of statements that only ask which events count.
pub(super) struct Selection {
    pub(super) arguments: Arguments<PgArguments>,
    pub(super) org: Placeholder,
    /// See [`Shared::counted`].
    pub(super) counted: String,
    from: Placeholder,
}

/// The pieces that the statements on events share.
pub(super) struct Shared {
    pub(super) arguments: Arguments<PgArguments>,
    pub(super) org: Placeholder,
    /// The conditions on the rows of `event` that count. No index can seek by them. `IS TRUE` and `IS NOT FALSE` keep
    /// PostgreSQL from evaluating them as index conditions for every entry.
    pub(super) counted: String,
    /// The billed microseconds of an event.
    pub(super) billed: String,
    /// The start of the billed time.
    pub(super) start: String,
    /// Whether instants are too far apart for floats.
    pub(super) any_length: bool,
}

impl Events {
    /// Binds as much of the measure of a grid as decides which events count.
    pub(super) fn counted(self, grid: &Grid) -> Result<Selection> {
        let Measure { from, started_before, .. } = grid.measure();
        let mut arguments = Arguments::new('$');
        let org = arguments.bind(self.org)?;
        let (from, started_before) = (arguments.bind(Instant(from))?, arguments.bind(Instant(started_before))?);
        let counted = format!(
            "event.org_id = {org} AND (event.started_at < {started_before}) IS TRUE
                 AND (event.ended_at > {from}) IS NOT FALSE"
        );
        Ok(Selection { arguments, org, counted, from })
    }

    /// Binds the measure of a grid and writes the accounting rule with it.
    pub(super) fn measured(self, grid: &Grid) -> Result<Shared> {
        let Measure { from, as_of, open_end, last_end, .. } = grid.measure();
        let any_length = as_of.saturating_sub(from) >= FLOAT_MICROS || from.saturating_abs() >= FLOAT_INSTANT;
        let Selection { mut arguments, org, counted, from } = self.counted(grid)?;
        let whole_until = arguments.bind(Instant(as_of.min(last_end)))?;
        let [as_of, open_end, last_end] = [as_of, open_end, last_end].map(|at| arguments.bind(Instant(at)));
        let (as_of, open_end, last_end) = (as_of?, open_end?, last_end?);
        let start = format!("greatest(event.started_at, {from})");
        let end =
            format!("CASE WHEN event.ended_at <= {as_of} THEN least(event.ended_at, {last_end}) ELSE {open_end} END");
        // Most events lie in the window and have ended: their length is stored.
        let lasted = if self.platform {
            at_least_0(&micros("event.started_at", "event.ended_at", any_length))
        } else {
            "event.lasted_micros".to_owned()
        };
        let part = at_least_0(&micros(&start, &end, any_length));
        let billed = format!(
            "CASE WHEN event.started_at >= {from} AND event.ended_at <= {whole_until} THEN {lasted}
                 ELSE {part} END"
        );
        Ok(Shared { arguments, org, counted, billed, start, any_length })
    }
}

/// Returns the expression for the microseconds between two instants. `tstzrange_subdiff`, the distance by which ranges
/// are indexed, is several times as fast as `extract`, but a float of seconds.
pub(super) fn micros(from: &str, to: &str, any_length: bool) -> String {
    if any_length {
        format!("(extract(epoch FROM ({to}) - ({from})) * 1000000)::bigint")
    } else {
        format!("(tstzrange_subdiff({to}, {from}) * 1000000)::bigint")
    }
}

fn at_least_0(micros: &str) -> String {
    format!("greatest({micros}, 0)")
}

/// The side that multiplies sizes and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Products {
    /// The database, whose products are 64 bits wide. It returns fewer rows.
    Database,
    /// The core, for sandboxes so large or long that products do not fit.
    Core,
}

/// Returns the included disk in MB; only the excess counts.
pub(super) fn included_disk() -> i32 {
    i32::try_from(INCLUDED_DISK_MB).unwrap_or(i32::MAX)
}
