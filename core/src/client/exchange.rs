//! The state machine of one call: sends, waits, and the result.

use super::body::MAX_RESPONSE_BYTES;
use super::retry::{before_retry_ms, before_update_ms};
use super::{Answer, Client, ClientError, JsonValue, Kind, NextPage, Operation, Outcome, Request, Value};
use super::{operation, walk};
use crate::host::json::{ToJson, object};
use crate::host::value::Raw;
use crate::sandbox::SandboxId;
use crate::tags::TagSet;

/// The tolerance for host timers that fire early, in milliseconds.
const TIMER_MS: f64 = 1.0;

/// The next action of the host. `V` is the host's type for results.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<V = Outcome> {
    /// Send a request within the timeout, then report [`Event::Answer`] or [`Event::Fault`].
    Send {
        /// The request.
        request: Request,
        /// The remaining time of the call, in milliseconds.
        timeout_ms: f64,
    },
    /// Wait, then report [`Event::Waited`].
    Wait {
        /// The duration in milliseconds.
        ms: f64,
    },
    /// Ask the user for the new tags, then report [`Event::Changed`].
    Change {
        /// The current user tags.
        tags: TagSet,
        /// The remaining time of the call, in milliseconds. A host that can stop waiting then reports
        /// [`Fault::Timeout`].
        timeout_ms: f64,
    },
    /// The call succeeded.
    Done {
        /// The result.
        value: V,
        /// The parameters of the next page; `None` on the last page and for results that are not pages.
        next: Option<NextPage>,
    },
    /// The call failed.
    Failed {
        /// The error.
        error: ClientError,
    },
}

impl ToJson for Step<JsonValue> {
    fn write_json(&self, out: &mut String) {
        match self {
            Self::Send { request, timeout_ms } => {
                object(out, &[("step", &"send"), ("request", request), ("timeoutMs", &whole_ms(*timeout_ms))]);
            }
            Self::Wait { ms } => object(out, &[("step", &"wait"), ("ms", &whole_ms(*ms))]),
            Self::Change { tags, timeout_ms } => {
                object(out, &[("step", &"change"), ("tags", tags), ("timeoutMs", &whole_ms(*timeout_ms))]);
            }
            Self::Done { value, next } => object(out, &[("step", &"done"), ("value", value), ("next", next)]),
            Self::Failed { error } => object(out, &[("step", &"failed"), ("error", error)]),
        }
    }
}

/// An event that the host reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The call begins.
    Begin,
    /// A response arrived.
    Answer(Answer),
    /// A response arrived that the host rejects. The text gives the reason, such as "its body is longer than 64 MiB".
    Unreadable(Answer, String),
    /// No response arrived. The text describes the cause.
    Fault(Fault, String),
    /// The wait is over.
    Waited,
    /// The user changed the tags.
    Changed(Raw),
}

impl Event {
    /// Returns the event of a successful response whose body is longer than [`MAX_RESPONSE_BYTES`].
    #[must_use]
    pub fn too_long(answer: Answer) -> Self {
        Self::Unreadable(answer, format!("its body is longer than {} MiB", MAX_RESPONSE_BYTES >> 20))
    }
}

/// The reason for a missing response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection failed or broke.
    Connection,
    /// The time ran out: the call's, or a shorter timeout of the host, which is retried like a connection fault.
    Timeout,
}

/// A call in progress.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    operation: Operation,
    deadline_ms: f64,
    /// The number of retries of the current request.
    retries: u32,
    write: Option<Write>,
}

/// A conditional write of tags, by `update` or by `set` with `If-Match`.
#[derive(Debug)]
struct Write {
    sandbox: SandboxId,
    /// The number of times that another writer came first; `None` for a `set`, which fails the first time.
    lost: Option<u32>,
    next: Next,
    /// The tags of a write that got a 412 on a retry but may have been applied before, and the error of the 412.
    doubt: Option<(TagSet, ClientError)>,
}

#[derive(Debug)]
enum Next {
    Read,
    Change { etag: String },
    Write { tags: TagSet, etag: String },
}

impl Client {
    /// Begins a call. `now_ms` is the time in milliseconds since the epoch, from a monotonic clock.
    #[must_use]
    pub fn call(&self, operation: Operation, now_ms: f64) -> Exchange {
        Exchange::new(self.clone(), operation, now_ms + self.settings().timeout_ms)
    }
}

impl Exchange {
    fn new(client: Client, operation: Operation, deadline_ms: f64) -> Self {
        let write = match &operation {
            Operation::UpdateTags(sandbox) => Some((sandbox, Some(0), Next::Read)),
            Operation::SetTags(sandbox, tags, Some(etag)) => {
                Some((sandbox, None, Next::Write { tags: tags.clone(), etag: etag.clone() }))
            }
            _ => None,
        };
        let write = write.map(|(sandbox, lost, next)| Write { sandbox: sandbox.clone(), lost, next, doubt: None });
        Self { client, operation, deadline_ms, retries: 0, write }
    }

    /// Processes an event and returns the next step. `random` is drawn from [0, 1) each time.
    pub fn advance<V: Value>(&mut self, event: Event, now_ms: f64, random: f64) -> Step<V> {
        let step = match event {
            Event::Begin | Event::Waited => self.send(now_ms),
            Event::Answer(answer) if matches!(answer.status, 408 | 429 | 500 | 502 | 503) => {
                let after = answer.retry_after_ms(now_ms);
                self.retry(answer.error(now_ms), after, now_ms, random)
            }
            Event::Answer(answer) => self.conclude(answer, now_ms, random),
            Event::Unreadable(answer, why) => Err(answer.undecodable(&why)),
            Event::Fault(Fault::Timeout, cause) if self.deadline_ms - now_ms < TIMER_MS => Err(self.timeout(&cause)),
            Event::Fault(fault, cause) => {
                let (kind, message) = match fault {
                    Fault::Connection => (Kind::Connection, "no response from the server"),
                    Fault::Timeout => (Kind::Timeout, "no response from the server in time"),
                };
                self.retry(ClientError::new(kind, because(message, &cause)), None, now_ms, random)
            }
            Event::Changed(tags) => self.changed(&tags, now_ms),
        };
        step.unwrap_or_else(|mut error| {
            error.hide(self.client.settings().key());
            Step::Failed { error }
        })
    }

    fn send<V>(&self, now_ms: f64) -> Result<Step<V>, ClientError> {
        let timeout_ms = self.deadline_ms - now_ms;
        if timeout_ms <= 0.0 {
            return Err(self.timeout(""));
        }
        let request = match (&self.operation, &self.write) {
            (_, Some(Write { sandbox, next: Next::Write { tags, etag }, .. })) => {
                operation::write(&self.client, sandbox, tags, Some(etag))
            }
            (Operation::SetTags(sandbox, tags, None), _) => operation::write(&self.client, sandbox, tags, None),
            _ => self.operation.read(&self.client)?,
        };
        Ok(Step::Send { request, timeout_ms })
    }

    fn timeout(&self, cause: &str) -> ClientError {
        let limit = whole_ms(self.client.settings().timeout_ms);
        let message = format!("no response within the {limit} ms of the call");
        ClientError::new(Kind::Timeout, because(&message, cause))
    }

    fn retry<V>(
        &mut self,
        error: ClientError,
        after: Option<f64>,
        now_ms: f64,
        random: f64,
    ) -> Result<Step<V>, ClientError> {
        let ms = after.unwrap_or_else(|| before_retry_ms(self.retries, random));
        if self.retries >= self.client.settings().max_retries || now_ms + ms >= self.deadline_ms {
            return Err(error);
        }
        self.retries += 1;
        Ok(Step::Wait { ms })
    }

    fn conclude<V: Value>(&mut self, mut answer: Answer, now_ms: f64, random: f64) -> Result<Step<V>, ClientError> {
        let Some(write) = &mut self.write else {
            let (value, next): (V, _) = answer.decode(&self.operation, now_ms)?;
            if let (Operation::Usage(query, _), Some(page)) = (&mut self.operation, value.page())
                && let Some(period) = walk::pinned(query, &page)
            {
                query.span.period = period;
                self.retries = 0;
                return self.send(now_ms);
            }
            return Ok(Step::Done { value, next });
        };
        let retried = std::mem::take(&mut self.retries) > 0;
        match &write.next {
            Next::Write { tags, .. } if answer.status == 412 => {
                let conflict = answer.error(now_ms);
                if retried {
                    write.doubt = Some((tags.clone(), conflict));
                    write.next = Next::Read;
                    return self.send(now_ms);
                }
                self.lost(conflict, now_ms, random)
            }
            Next::Write { .. } => {
                let (value, next) = answer.decode(&self.operation, now_ms)?;
                if write.lost.is_none() && answer.etag().is_none() {
                    return Err(answer.unsupported(
                        "the server sent no `ETag`, so it may have ignored the condition: the tags were written",
                    ));
                }
                Ok(Step::Done { value, next })
            }
            Next::Change { .. } | Next::Read => {
                let (value, _): (V, _) = answer.decode(&self.operation, now_ms)?;
                let tags = value.user_tags();
                match write.doubt.take() {
                    Some((wanted, _)) if wanted == tags => return Ok(Step::Done { value, next: None }),
                    Some((_, conflict)) if write.lost.is_none() => return Err(conflict),
                    _ => {}
                }
                let Some(etag) = answer.etag().map(str::to_owned) else {
                    return Err(answer.unsupported(
                        "the server sends no `ETag`, so an update would not be safe: nothing was written",
                    ));
                };
                write.next = Next::Change { etag };
                Ok(Step::Change { tags, timeout_ms: self.deadline_ms - now_ms })
            }
        }
    }

    /// Handles a write that lost to another writer: an update reads again after a wait, until its time is up.
    fn lost<V>(&mut self, mut conflict: ClientError, now_ms: f64, random: f64) -> Result<Step<V>, ClientError> {
        let Some(write) = &mut self.write else {
            return Err(conflict);
        };
        let Some(lost) = &mut write.lost else {
            return Err(conflict);
        };
        let ms = before_update_ms(*lost, random);
        *lost += 1;
        if now_ms + ms >= self.deadline_ms {
            let (times, limit) = (*lost, whole_ms(self.client.settings().timeout_ms));
            conflict.message = format!(
                "the update gave up: other writers changed the tags first {times} times within the {limit} ms of the call"
            );
            return Err(conflict);
        }
        write.next = Next::Read;
        Ok(Step::Wait { ms })
    }

    fn changed<V>(&mut self, tags: &Raw, now_ms: f64) -> Result<Step<V>, ClientError> {
        let Some(Write { next, .. }) = &mut self.write else {
            return Err(ClientError::usage("this call does not change tags"));
        };
        let tags = TagSet::parse(tags)?;
        if let Next::Change { etag } = next {
            *next = Next::Write { tags, etag: std::mem::take(etag) };
        }
        self.send(now_ms)
    }
}

/// Appends the cause to a message, if it is known.
fn because(message: &str, cause: &str) -> String {
    if cause.is_empty() { message.to_owned() } else { format!("{message}: {cause}") }
}

/// Rounds up to whole milliseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float too large for it saturates")]
fn whole_ms(ms: f64) -> u64 {
    ms.ceil() as u64
}
