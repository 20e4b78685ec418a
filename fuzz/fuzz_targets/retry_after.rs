//! Fuzzes the target `retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::retry_after(data));
