//! The classes of responses: immutable models, pages and tables.

pub mod arrow;
pub mod convert;
pub mod field;
#[rustfmt::skip]
pub mod generated;
pub mod lazy;
pub mod model;
pub mod packed;
pub mod page;
pub mod records;
pub mod table;
pub mod tags;
