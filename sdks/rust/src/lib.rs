//! Usage of cloud sandboxes by the customer's own tags.
//!
//! The core makes every decision (checks, retries, paging, decoding). This crate sends its requests with reqwest and
//! waits with tokio.
//!
//! ```no_run
//! use opencomputer_usage::{Client, UsageOptions};
//!
//! # async fn report() -> Result<(), opencomputer_usage::ClientError> {
//! let client = Client::new("oc_key", "https://api.example.com")?;
//! let options = UsageOptions::new().from("2026-04-01").to("2026-05-01").filter("tag:env", ["prod"]);
//! let page = client.usage().by_tag("team", &options).await?;
//! for team in &page.items {
//!     println!("{}: {} GB-seconds", team.tag_value, team.memory_gb_seconds);
//! }
//!
//! let mut sandboxes = client.usage().walk_by_sandbox(UsageOptions::new().limit(200));
//! while let Some(sandbox) = sandboxes.next().await? {
//!     println!("{}: {} GB-seconds", sandbox.sandbox_id, sandbox.memory_gb_seconds);
//! }
//! # Ok(())
//! # }
//! ```

mod body;
mod call;
mod client;
mod options;
mod proxy;
mod route;
mod tls;
mod transport;
mod walk;

pub use opencomputer_usage_core as core;
pub use opencomputer_usage_core::client::{ClientError, Kind, SandboxPage, SandboxTags};
pub use opencomputer_usage_core::error::TagViolation;
pub use opencomputer_usage_core::query::{Sort, State};
pub use opencomputer_usage_core::usage::interval::Interval;
pub use opencomputer_usage_core::usage::window::Timestamp;
pub use opencomputer_usage_core::wire;

pub use call::{Call, Clock, random};
pub use client::{Builder, Client, Sandboxes, Tags, Usage};
pub use options::{DrilldownOptions, SandboxQuery, TagValueQuery, UsageOptions};
pub use transport::{Transport, TransportOptions};
pub use walk::{Page, Walk};

/// Compiles the examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/rust.md")]
struct Guide;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
