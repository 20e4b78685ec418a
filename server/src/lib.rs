//! The usage API: an axum server over a store. Both are thin; the core holds every rule.

mod deadline;
pub mod demo;
pub mod http;
pub mod import;
pub mod key_usage;
pub mod keys;
pub mod log;
pub mod probe;
pub mod record;
pub mod report;
pub mod store;
