//! Values of dynamic languages in, JSON out, and the functions that SDKs export.

mod decimal;
pub mod functions;
pub mod json;
pub mod value;

pub(crate) use decimal::Decimal;
