//! Fuzzes what `crates/promql/tests/fuzzed/text_format.rs` says must hold.

#![no_main]

#[path = "../../crates/promql/tests/fuzzed/text_format.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|text: &str| fuzzed::check(text));
