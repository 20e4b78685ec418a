//! Fuzzes the target `calls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::calls(data));
