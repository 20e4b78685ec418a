//! Runs calls on the runtime that both clients share. Its thread polls sockets and decodes. It touches Python only to
//! wake an event loop.

use std::time::{Duration, Instant};

use opencomputer_usage::{Call, Transport, random};
use opencomputer_usage_core::client::{Event, Fault, Step};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::decode::answer::Value;
use crate::runtime::per_process::PerProcess;

static RUNTIME: PerProcess<&'static Runtime> = PerProcess::new();

/// Returns the runtime of this process. The first call creates it.
pub fn runtime(py: Python<'_>) -> PyResult<&'static Runtime> {
    let make = || Builder::new_multi_thread().worker_threads(1).enable_all().build();
    Ok(RUNTIME.get(py, || make().map(|runtime| &*Box::leak(Box::new(runtime))))?)
}

/// An event of a call in progress.
pub enum Report {
    /// A line for the log, without the key or parameters.
    Line(String),
    /// The result of the call.
    Step(Box<Step<Value>>),
}

/// Sends and waits until the call is done or needs a change from its user. Logs each attempt.
pub async fn carry(call: &mut Call, transport: &Transport, mut event: Event, log: impl Fn(String)) -> Step<Value> {
    let mut attempt = 0;
    loop {
        event = match call.exchange.advance(event, call.clock.now_ms(), random()) {
            Step::Send { request, timeout_ms } => {
                attempt += 1;
                log(format!("attempt {attempt}: {} sent", request.method));
                let started = Instant::now();
                let event = match transport.send(request, duration(timeout_ms)).await {
                    Ok(event) => event,
                    Err(error) => return Step::Failed { error },
                };
                log(format!("attempt {attempt}: {} after {} ms", outcome(&event), started.elapsed().as_millis()));
                event
            }
            Step::Wait { ms } => {
                log(format!("waiting {ms:.0} ms"));
                tokio::time::sleep(duration(ms)).await;
                Event::Waited
            }
            step => return step,
        };
    }
}

fn outcome(event: &Event) -> String {
    match event {
        Event::Answer(answer) | Event::Unreadable(answer, _) => format!("HTTP {}", answer.status),
        Event::Fault(Fault::Timeout, _) => "no answer in time".to_owned(),
        _ => "no answer".to_owned(),
    }
}

fn duration(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(Duration::MAX)
}
