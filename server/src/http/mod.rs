//! The API over HTTP: routes, and the steps that every request passes through. The core holds the rules.

mod auth;
mod brake;
mod compress;
mod connections;
mod cors;
pub mod dashboard;
mod envelope;
mod error;
mod handler;
mod head;
mod headers;
mod health;
mod limit;
mod metrics;
pub mod openapi;
mod page;
mod router;
mod sandboxes;
mod serve;
mod tags;
mod usage;

pub use self::connections::Limits;
pub use self::cors::Origin;
pub use self::handler::App;
pub use self::router::{Options, router};
pub use self::serve::serve;
