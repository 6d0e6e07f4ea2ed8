//! Fuzzes decisions; what must hold stands in `checks/decide.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::decide::check(input));
