//! Fuzzes what `crates/local/tests/fuzzed/state_file.rs` says must hold.

#![no_main]

#[path = "../../crates/local/tests/fuzzed/state_file.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|damage: &[u8]| fuzzed::check(damage));
