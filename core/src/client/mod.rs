//! A client without I/O, which turns a call into requests, waits and finally a result.
//!
//! A host (fetch, reqwest or another transport) sends bytes and keeps time. The client makes every decision:
//!
//! ```
//! use opencomputer_usage_core::client::{Answer, Client, Event, Operation, Outcome, Step};
//! use opencomputer_usage_core::host::value::Raw;
//!
//! let config = Raw::Map(vec![("apiKey".into(), "key".into()), ("baseUrl".into(), "https://example.com/api".into())]);
//! let client = Client::new("usage-report/1.0", &config)?;
//! let mut exchange = client.call(Operation::ListTagKeys, 0.0);
//! let Step::Send { request, .. } = exchange.advance::<Outcome>(Event::Begin, 0.0, 0.5) else { unreachable!() };
//! assert_eq!(request.url, "https://example.com/api/tags");
//! let answer = Answer { status: 200, headers: vec![], body: br#"{"keys":[]}"#.to_vec() };
//! let step = exchange.advance::<Outcome>(Event::Answer(answer), 10.0, 0.5);
//! assert!(matches!(step, Step::Done { value: Outcome::TagKeys(keys), .. } if keys.is_empty()));
//! # Ok::<(), opencomputer_usage_core::client::ClientError>(())
//! ```

mod answer;
mod body;
mod config;
mod decode;
mod exchange;
mod fault;
mod link;
mod operation;
mod retry;
mod value;
mod walk;

pub use answer::Answer;
pub use body::{MAX_ERROR_BODY_BYTES, MAX_RESPONSE_BYTES, is_success, response_limit};
pub use config::{Client, DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT_MS, OptionNames, Request, unknown_option};
pub use exchange::{Event, Exchange, Fault, Step};
pub use fault::{ClientError, Failure, Kind};
pub use operation::Operation;
pub use value::{JsonValue, Value};
pub use walk::{NextPage, Walk};

pub use crate::wire::reply::{
    Host, List, Outcome, Page, Reply, SandboxFacts, SandboxPage, SandboxTags, UnexpectedReply,
};
