//! Fuzzes the target `sandboxes_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::sandboxes_query(data));
