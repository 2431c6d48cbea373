//! Fuzzes what `crates/spec/tests/fuzzed/manifests.rs` says must hold.

#![no_main]

#[path = "../../crates/spec/tests/fuzzed/manifests.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|text: &str| fuzzed::check(text));
