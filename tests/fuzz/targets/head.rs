//! Fuzzes heads of requests and answers; what must hold stands in `checks/head.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::head::check(input));
