//! The interface for dynamic languages: their values, JSON, and the functions that SDKs export.

mod decimal;
pub mod functions;
pub mod json;
pub mod value;

pub(crate) use decimal::Decimal;
