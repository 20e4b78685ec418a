//! Random calls with the verdicts of the core, which the packages of other languages must return, too.
//!
//! `examples/verdicts.rs` writes them. `sdks/typescript/tests/differential.test.ts` and
//! `sdks/python/tests/test_differential.py` make the same calls and compare.

mod call;
mod cases;
mod chance;
mod mutate;
mod verdict;
mod write;

pub use call::{Call, Exchange};
pub use cases::{Case, Cases};
pub use verdict::{End, Verdict};
