//! Fuzzes what `crates/proxy/tests/fuzzed/http_framing.rs` says must hold.

#![no_main]

#[path = "../../crates/proxy/tests/fuzzed/http_framing.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::check(bytes));
