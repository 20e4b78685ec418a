//! A call in progress: the core's exchange, and the clock that times it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opencomputer_usage_core::client::{Event, Exchange, Step, Value};

use crate::transport::Transport;

/// A clock that does not jump: one reading of the wall clock, and the time elapsed since.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_ms: f64,
    started: Instant,
}

impl Clock {
    /// Starts at the time of the wall clock.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::start_at(since_epoch.as_secs_f64() * 1_000.0)
    }

    /// Starts at the given time, in milliseconds since the epoch.
    #[must_use]
    pub fn start_at(now_ms: f64) -> Self {
        Self { started_ms: now_ms, started: Instant::now() }
    }

    /// Returns the time in milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> f64 {
        self.started_ms + self.started.elapsed().as_secs_f64() * 1_000.0
    }
}

/// A call in progress.
#[derive(Debug)]
pub struct Call {
    /// Decides what happens next.
    pub exchange: Exchange,
    /// Times the call.
    pub clock: Clock,
}

impl Call {
    /// Takes an exchange and the clock that started with it.
    #[must_use]
    pub const fn new(exchange: Exchange, clock: Clock) -> Self {
        Self { exchange, clock }
    }

    /// Sends and waits until the call is done or needs a change from its user. Never returns `Send` or `Wait`.
    ///
    /// Dropping the future cancels the current request.
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

/// Returns a random number from [0, 1). It comes from the system, so a forked process gets different ones than its parent.
#[must_use]
pub fn random() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / 2_f64.powi(32)
}
