//! The deadline of the current request, for its database statements. A statement ends before its request, so that the
//! log has the cause and no connection works for a finished request.

use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The time between the deadline of a request's statements and its own.
pub(crate) const MARGIN: Duration = Duration::from_millis(250);

/// Runs a request with a time limit.
pub(crate) async fn within<F: Future>(budget: Duration, request: F) -> F::Output {
    DEADLINE.scope(Instant::now() + budget, request).await
}

/// Returns the time left for a statement of the current request. Outside of a request it is `budget` minus the margin.
pub(crate) fn left(budget: Duration) -> Duration {
    let left = DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.map_or(budget, |left| left.min(budget)).saturating_sub(MARGIN).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_statement_gets_the_time_that_its_request_has_left() {
        let budget = Duration::from_secs(10);
        assert_eq!(left(budget), Duration::from_millis(9_750));
        within(budget, async {
            tokio::time::advance(Duration::from_secs(8)).await;
            assert_eq!(left(budget), Duration::from_millis(1_750));
            tokio::time::advance(Duration::from_secs(8)).await;
            assert_eq!(left(budget), Duration::from_millis(1));
        })
        .await;
    }
}
