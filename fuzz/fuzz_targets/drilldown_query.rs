//! Fuzzes the target `drilldown_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencomputer_usage_fuzz::drilldown_query(data));
