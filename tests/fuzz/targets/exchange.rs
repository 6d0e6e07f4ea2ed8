//! Fuzzes the running gate; what must hold stands in `checks/exchange.rs`.

#![no_main]

use quaygate_fuzz::exchange::{Limits, Rig};

thread_local! {
    static RIG: Rig = Rig::start(Limits::default(), tokio::time::pause);
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| RIG.with(|rig| rig.check(input)));
