//! Fuzzes queries; what must hold stands in `checks/query.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::query::check(input));
