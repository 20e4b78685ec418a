//! Runs calls: the client, its connections, and the delivery of results to threads and event loops.

pub mod carry;
pub mod client;
pub mod completions;
pub mod connections;
pub mod exchange;
pub mod exit;
pub mod per_process;
pub mod step;
