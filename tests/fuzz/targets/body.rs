//! Fuzzes decisions; what must hold stands in `checks/body.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::body::check(input));
