//! One call under way: the core's exchange and the clock that it is told the time by.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opencomputer_usage_core::client::{Event, Exchange, Step, Value};

use crate::transport::Transport;

/// Milliseconds since the epoch that never jump: a reading of the wall clock and what has elapsed since.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_ms: f64,
    started: Instant,
}

impl Clock {
    /// Reads the wall clock.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::start_at(since_epoch.as_secs_f64() * 1_000.0)
    }

    /// Takes a reading of the wall clock, in milliseconds since the epoch.
    #[must_use]
    pub fn start_at(now_ms: f64) -> Self {
        Self { started_ms: now_ms, started: Instant::now() }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> f64 {
        self.started_ms + self.started.elapsed().as_secs_f64() * 1_000.0
    }
}

/// One call under way.
#[derive(Debug)]
pub struct Call {
    /// What decides.
    pub exchange: Exchange,
    /// What tells the time.
    pub clock: Clock,
}

impl Call {
    /// Takes an exchange that was begun when the clock was started.
    #[must_use]
    pub const fn new(exchange: Exchange, clock: Clock) -> Self {
        Self { exchange, clock }
    }

    /// Sends and waits until the call is over or its user is asked: never answers with a `Send` or a `Wait`.
    ///
    /// Dropping the future cancels the request at hand.
    pub async fn carry<V: Value>(&mut self, transport: &Transport, mut event: Event) -> Step<V> {
        loop {
            event = match self.exchange.advance(event, self.clock.now_ms(), random()) {
                Step::Send { request, timeout_ms } => match transport.send(request, millis(timeout_ms)).await {
                    Ok(event) => event,
                    Err(error) => return Step::Failed { error },
                },
                Step::Wait { ms } => {
                    tokio::time::sleep(millis(ms)).await;
                    Event::Waited
                }
                step => return step,
            };
        }
    }
}

fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(Duration::MAX)
}

/// A random number from [0, 1). The system's own, so that a forked process does not draw what its parent draws.
#[must_use]
pub fn random() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / 2_f64.powi(32)
}
