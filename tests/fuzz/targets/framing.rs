//! Fuzzes chunked bodies; what must hold stands in `checks/framing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quaygate_fuzz::framing::check(input));
