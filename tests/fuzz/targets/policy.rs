//! Fuzzes policy files; what must hold stands in `checks/policy.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::policy::check(input));
