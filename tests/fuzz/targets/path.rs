//! Fuzzes paths; what must hold stands in `checks/path.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::path::check(input));
