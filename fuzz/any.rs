//! Drives one of the targets of `tests/fuzz` with libFuzzer; `FUZZ_TARGET` names it.

#![no_main]

#[path = "../tests/fuzz/mod.rs"]
mod fuzz;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static RUN: LazyLock<fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    fuzz::target(&name).expect("there is a target of this name")
});

fuzz_target!(|data: &[u8]| RUN(data));
