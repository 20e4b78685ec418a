//! Fuzzes the target `usage_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::usage_query(data));
