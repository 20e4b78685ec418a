//! Settings of connections and transactions.

use std::time::Duration;

use opencomputer_usage_core::limits::QUERY_BUDGET_SECONDS;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::pool::Pool;
use crate::deadline;
use crate::store::Result;

/// The time limit of a request.
pub(super) const BUDGET: Duration = Duration::from_secs(QUERY_BUDGET_SECONDS as u64);
/// The age above which a request sets a time limit for its statements. The session's limit suits younger requests.
const LATE: Duration = Duration::from_millis(100);

/// Chooses the plans of lookups, for the session or the transaction: generic ones, except with Citus, which routes a
/// statement to a shard only if it knows the org. Its workers plan for themselves.
macro_rules! plan_lookups {
    ($local:literal) => {
        concat!(
            "SELECT set_config('plan_cache_mode', CASE WHEN EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')
                 THEN 'force_custom_plan' ELSE 'force_generic_plan' END, ",
            $local,
            ")"
        )
    };
}

/// The settings of every connection, but for the time limit of statements.
///
/// Compiling statements costs more than it saves at this size. Reads of the covering index must not be priced like
/// those of a spinning disk, nor groups that workers exchange as if they crossed a network.
///
/// Most statements look rows up by their whole key. Their plans are generic, without the org: a plan for one org that
/// is missing or outdated in the statistics expects a single row and may use an index on a part of the key.
const SESSION: &str = concat!(
    plan_lookups!("false"),
    "; SET jit = off; SET enable_seqscan = off; SET random_page_cost = 1.1; SET parallel_tuple_cost = 0.01;
     SET client_min_messages = warning; SET statement_timeout = "
);

/// Begins a read-only transaction in which all statements see the same moment.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Begins a transaction that waits for a lock only as long as the writes of one sandbox need to pass each other.
pub(super) const BRIEFLY_LOCKED: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";

/// Begins an import, which waits for its input and takes as long as it needs. It looks up each row of a batch by its
/// whole key: any other join would read the whole org for each batch.
pub(super) const UNHURRIED: &str = "BEGIN; SET LOCAL statement_timeout = 0;
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL enable_hashjoin = off;
     SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off";

/// Settings for statements that read a whole org. Their plans know the org, because orgs differ by orders of magnitude.
/// If it is larger than the statistics say, hashing stays linear; a nested loop does not, and a sort costs three times
/// as much.
pub(super) const WHOLE_ORG: &str = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_nestloop = off;
     SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = on";

/// The setting for joins of the events of a few sandboxes. A generic plan expects few events and would look each one up by
/// a nested loop. Lookups of the sandboxes remain, because a lateral subquery has no other plan.
pub(super) const JOINED: &str = "SET LOCAL enable_nestloop = off";

/// Returns to the settings for lookups after [`WHOLE_ORG`].
pub(super) const BY_KEY: &str = concat!(
    plan_lookups!("true"),
    "; SET LOCAL enable_nestloop = on; SET LOCAL enable_sort = on; SET LOCAL enable_seqscan = off"
);

/// Applies the settings of every connection.
pub(super) async fn set_up(db: &mut PgConnection) -> sqlx::Result<()> {
    let session = format!("{SESSION} {}", BUDGET.saturating_sub(deadline::MARGIN).as_millis());
    sqlx::raw_sql(AssertSqlSafe(session)).execute(db).await?;
    Ok(())
}

/// Begins a transaction whose statements end when the request does.
pub(super) async fn begin(pool: &Pool, how: &'static str) -> Result<Transaction<'static, Postgres>> {
    let mut begun = pool.begin_with(how).await?;
    if let Some(limit) = time_limit() {
        sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *begun).await?;
    }
    Ok(begun)
}

/// Returns the statement that limits the time of the statements after it, if the session's own limit would be too long.
pub(super) fn time_limit() -> Option<String> {
    let left = deadline::left(BUDGET);
    let late = left + LATE < BUDGET.saturating_sub(deadline::MARGIN);
    late.then(|| format!("SET LOCAL statement_timeout = {}", left.as_millis()))
}
