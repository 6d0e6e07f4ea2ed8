//! Fuzzes whole request lines; what must hold stands in `checks/target.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::target::check(input));
