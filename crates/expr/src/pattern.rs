//! Regular expressions of `matches`, bounded in size.

use regex::{Regex, RegexBuilder};

/// Compiled size in bytes; the default of ten megabytes would let one condition take much memory.
const SIZE_MAX: usize = 1 << 20;

/// Compiles `source`, or says what is wrong with it in one line.
pub(crate) fn compile(source: &str) -> Result<Regex, String> {
    RegexBuilder::new(source).size_limit(SIZE_MAX).nest_limit(50).build().map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or("").trim();
        format!("bad pattern: {}", last.strip_prefix("error: ").unwrap_or(last))
    })
}
