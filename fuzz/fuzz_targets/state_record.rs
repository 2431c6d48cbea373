//! Fuzzes what `crates/local/tests/fuzzed/state_record.rs` says must hold.

#![no_main]

#[path = "../../crates/local/tests/fuzzed/state_record.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|text: &str| fuzzed::check(text));
