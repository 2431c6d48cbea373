//! Fuzzes what `crates/expr/tests/fuzzed/conditions.rs` says must hold.

#![no_main]

#[path = "../../crates/expr/tests/fuzzed/conditions.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|text: &str| fuzzed::check(text));
