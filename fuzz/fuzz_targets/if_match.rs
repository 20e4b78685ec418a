//! Fuzzes the target `if_match`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::if_match(data));
