//! Fuzzes the target `group_by`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::group_by(data));
