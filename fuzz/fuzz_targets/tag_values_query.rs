//! Fuzzes the target `tag_values_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::tag_values_query(data));
