//! Fuzzes the target `timestamps`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::timestamps(data));
