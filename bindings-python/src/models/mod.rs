//! The classes of responses: immutable models, pages and tables.

pub mod arrow;
pub mod field;
pub mod model;
pub mod page;
pub mod records;
pub mod sandbox_item;
pub mod table;
pub mod tags;
