//! One call under way: what to send, how long to wait, when to stop.

use super::{Answer, Client, ClientError, JsonValue, Kind, NextPage, Operation, Outcome, Request, Value};
use super::{operation, walk};
use crate::json::{ToJson, object};
use crate::raw::Raw;
use crate::sandbox::SandboxId;
use crate::tags::TagSet;
use crate::window::Timestamp;

/// How often an update reads, changes and writes before it gives up.
const UPDATE_TRIES: u32 = 5;
const BACKOFF_MS: f64 = 500.0;
const MAX_BACKOFF_MS: f64 = 8_000.0;

/// What the host does next; a call that succeeded has a value of the host's choice.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<V = Outcome> {
    /// Send this and report [`Event::Answer`] or [`Event::Fault`], within so many milliseconds.
    Send {
        /// What to send.
        request: Request,
        /// What is left of the call's time.
        timeout_ms: f64,
    },
    /// Wait so many milliseconds and report [`Event::Waited`].
    Wait {
        /// Milliseconds.
        ms: f64,
    },
    /// Ask the user what these tags shall become and report [`Event::Changed`].
    Change {
        /// The user's tags as they are.
        tags: TagSet,
        /// What is left of the call's time; a host that can stop waiting reports [`Fault::Timeout`] after it.
        timeout_ms: f64,
    },
    /// The call succeeded.
    Done {
        /// Its result.
        value: V,
        /// The call of the page after it; `None` on the last page and where the result is no page.
        next: Option<NextPage>,
    },
    /// The call failed.
    Failed {
        /// Why.
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

/// What happened to the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The call begins.
    Begin,
    /// An answer came.
    Answer(Answer),
    /// None came.
    Fault(Fault, String),
    /// The wait is over.
    Waited,
    /// The user changed the tags.
    Changed(Raw),
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection failed or broke.
    Connection,
    /// The time was up.
    Timeout,
}

/// A call under way.
#[derive(Debug)]
pub struct Exchange {
    client: Client,
    operation: Operation,
    deadline_ms: f64,
    /// How often the request at hand was sent again.
    retries: u32,
    write: Option<Write>,
}

/// A conditional write of tags: of `update`, or of `set` with `If-Match`, which is an update of one try.
#[derive(Debug)]
struct Write {
    sandbox: SandboxId,
    tries_left: u32,
    next: Next,
    /// The tags of a write that may have been applied although its retry met 412, and that 412.
    doubt: Option<(TagSet, ClientError)>,
}

#[derive(Debug)]
enum Next {
    Read,
    Change { etag: String },
    Write { tags: TagSet, etag: String },
}

impl Exchange {
    pub(super) fn new(client: Client, operation: Operation, deadline_ms: f64) -> Self {
        let write = match &operation {
            Operation::UpdateTags(sandbox) => Some((sandbox, UPDATE_TRIES, Next::Read)),
            Operation::SetTags(sandbox, tags, Some(etag)) => {
                Some((sandbox, 1, Next::Write { tags: tags.clone(), etag: etag.clone() }))
            }
            _ => None,
        };
        let write =
            write.map(|(sandbox, tries_left, next)| Write { sandbox: sandbox.clone(), tries_left, next, doubt: None });
        Self { client, operation, deadline_ms, retries: 0, write }
    }

    /// Takes what happened and says what to do next. `random` is drawn from [0, 1) for each call.
    pub fn advance<V: Value>(&mut self, event: Event, now_ms: f64, random: f64) -> Step<V> {
        let step = match event {
            Event::Begin | Event::Waited => self.send(now_ms),
            Event::Answer(answer) if matches!(answer.status, 408 | 429 | 500 | 502 | 503) => {
                let after = answer.header("retry-after").and_then(|text| retry_after_ms(text, now_ms));
                self.retry(answer.error(), after, now_ms, random)
            }
            Event::Answer(answer) => self.conclude(answer, now_ms),
            Event::Fault(Fault::Timeout, _) => Err(self.timeout()),
            Event::Fault(Fault::Connection, cause) => {
                let error = ClientError::new(Kind::Connection, format!("no answer from the server: {cause}"));
                self.retry(error, None, now_ms, random)
            }
            Event::Changed(tags) => self.changed(&tags, now_ms),
        };
        step.unwrap_or_else(|error| Step::Failed { error })
    }

    fn send<V>(&self, now_ms: f64) -> Result<Step<V>, ClientError> {
        let timeout_ms = self.deadline_ms - now_ms;
        if timeout_ms <= 0.0 {
            return Err(self.timeout());
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

    fn timeout(&self) -> ClientError {
        let limit = whole_ms(self.client.settings().timeout_ms);
        ClientError::new(Kind::Timeout, format!("no answer within the {limit} ms that the call was given"))
    }

    fn retry<V>(
        &mut self,
        error: ClientError,
        after: Option<f64>,
        now_ms: f64,
        random: f64,
    ) -> Result<Step<V>, ClientError> {
        let backoff = (BACKOFF_MS * f64::from(self.retries).exp2()).min(MAX_BACKOFF_MS);
        let ms = after.unwrap_or(random * backoff);
        if self.retries >= self.client.settings().max_retries || now_ms + ms >= self.deadline_ms {
            return Err(error);
        }
        self.retries += 1;
        Ok(Step::Wait { ms })
    }

    fn conclude<V: Value>(&mut self, mut answer: Answer, now_ms: f64) -> Result<Step<V>, ClientError> {
        let Some(write) = &mut self.write else {
            let (value, next): (V, _) = answer.decode(&self.operation)?;
            if let (Operation::Usage(query, _), Some(page)) = (&mut self.operation, value.page())
                && let Some(pinned) = walk::pinned(query, &page)
            {
                **query = pinned;
                self.retries = 0;
                return self.send(now_ms);
            }
            return Ok(Step::Done { value, next });
        };
        let retried = std::mem::take(&mut self.retries) > 0;
        match &write.next {
            Next::Write { tags, .. } if answer.status == 412 => {
                write.tries_left -= 1;
                let conflict = answer.error();
                if write.tries_left == 0 && !retried {
                    return Err(conflict);
                }
                write.doubt = retried.then(|| (tags.clone(), conflict));
                write.next = Next::Read;
                self.send(now_ms)
            }
            Next::Write { .. } => {
                let (value, next) = answer.decode(&self.operation)?;
                if answer.etag().is_none() && matches!(self.operation, Operation::SetTags(..)) {
                    return Err(answer.unsupported(
                        "the server sends no `ETag`, so it ignored the condition: the tags were written unconditionally",
                    ));
                }
                Ok(Step::Done { value, next })
            }
            Next::Change { .. } | Next::Read => {
                let (value, _) = answer.decode(&self.operation)?;
                write.read(value, &answer, self.deadline_ms - now_ms)
            }
        }
    }

    fn changed<V>(&mut self, tags: &Raw, now_ms: f64) -> Result<Step<V>, ClientError> {
        let Some(Write { next, .. }) = &mut self.write else {
            return Err(ClientError::usage("this call changes no tags"));
        };
        let tags = TagSet::parse(tags)?;
        if let Next::Change { etag } = next {
            *next = Next::Write { tags, etag: std::mem::take(etag) };
        }
        self.send(now_ms)
    }
}

impl Write {
    fn read<V: Value>(&mut self, value: V, answer: &Answer, timeout_ms: f64) -> Result<Step<V>, ClientError> {
        let tags = value.user_tags();
        if let Some((wanted, conflict)) = self.doubt.take() {
            if wanted == tags {
                return Ok(Step::Done { value, next: None });
            }
            if self.tries_left == 0 {
                return Err(conflict);
            }
        }
        let Some(etag) = answer.etag().map(str::to_owned) else {
            return Err(answer
                .unsupported("the server sends no `ETag`, without which an update is not safe: nothing was written"));
        };
        self.next = Next::Change { etag };
        Ok(Step::Change { tags, timeout_ms })
    }
}

/// Whole milliseconds, rounded up: nobody times closer.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float too large for it saturates")]
fn whole_ms(ms: f64) -> u64 {
    ms.ceil() as u64
}

/// Reads `Retry-After`: seconds, or an HTTP date.
fn retry_after_ms(text: &str, now_ms: f64) -> Option<f64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are as far beyond every deadline as the most that do.
        return Some(text.parse().unwrap_or(u64::MAX) as f64 * 1_000.0);
    }
    Some((http_date_ms(text)? - now_ms).max(0.0))
}

/// Reads the date of RFC 9110, `Sun, 06 Nov 1994 08:49:37 GMT`, as milliseconds since the epoch.
fn http_date_ms(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split(' ').skip(1);
    let (day, name, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    parts.next().filter(|zone| *zone == "GMT")?;
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let instant = Timestamp::read(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    Some(instant.micros() as f64 / 1_000.0)
}
