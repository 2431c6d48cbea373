//! Printing: tables and sentences for people, JSON and YAML for machines, errors with their hints.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::arguments::Format;
use crate::error::{CliError, UNREACHABLE};

/// An error as one message and its hint, on standard error.
pub(crate) fn report(error: &CliError) {
    let stderr = std::io::stderr();
    let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (red, blue, off) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
    let mut stderr = stderr.lock();
    // Nobody is left to tell when standard error is closed.
    let _ = match error {
        CliError::Manifests(rendered) => writeln!(stderr, "{rendered}"),
        other => writeln!(stderr, "{red}error{off}: {other}"),
    };
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "{blue}hint{off}: {hint}");
    }
}

/// Prints a line; a reader that left (`| head`) ends the process quietly, a disk that is full ends it as a failure.
pub(crate) fn line(text: impl AsRef<str>) {
    print(|out| writeln!(out, "{}", text.as_ref()));
}

/// Prints something as it is, as [`line`] does.
pub(crate) fn bytes(bytes: &[u8]) {
    print(|out| out.write_all(bytes).and_then(|()| out.flush()));
}

fn print(what: impl FnOnce(&mut std::io::StdoutLock<'_>) -> std::io::Result<()>) {
    if let Err(source) = what(&mut std::io::stdout().lock()) {
        if source.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        report(&CliError::Io { doing: "print the result".to_owned(), source });
        std::process::exit(i32::from(UNREACHABLE));
    }
}

/// Prints a text that ends its own lines, as [`line`] does.
pub(crate) fn text(text: &str) {
    match text.strip_suffix('\n') {
        Some(text) => line(text),
        None if text.is_empty() => {}
        None => line(text),
    }
}

/// Prints a line of a process that has more to do than print: it goes on where nobody reads, and on a full disk.
pub(crate) fn tell(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Prints a value for machines; returns whether the format is one of those.
pub(crate) fn machine(format: Format, value: &impl Serialize) -> Result<bool, CliError> {
    match format {
        // Commands that cannot write SARIF refuse it before they do anything.
        Format::Text | Format::Sarif => Ok(false),
        Format::Json => {
            line(serde_json::to_string_pretty(value).map_err(|e| CliError::Bug(e.to_string()))?);
            Ok(true)
        }
        Format::Yaml => {
            // Through JSON, so that both formats show the same names.
            let value = serde_json::to_value(value).map_err(|e| CliError::Bug(e.to_string()))?;
            let text = serde_saphyr::to_string(&value).map_err(|e| CliError::Bug(e.to_string()))?;
            line(text.trim_end());
            Ok(true)
        }
    }
}

/// An aligned table in the manner of kubectl: capitals above, three blanks between.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut text = String::new();
        for (i, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if i + 1 < row.len() {
                let pad = widths[i].saturating_sub(cell.chars().count()) + 3;
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out.pop();
    out
}

/// The time of day of a moment, `HH:MM:SS`, UTC.
pub(crate) fn time_of_day(ms: i64) -> String {
    let s = ms.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A length of time as people read it: `45s`, `3m20s`, `2h05m`, `3d4h`.
pub(crate) fn age(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..=119 => format!("{s}s"),
        120..=7199 => format!("{}m{:02}s", s / 60, s % 60),
        7200..=172_799 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{}h", s / 86_400, s / 3600 % 24),
    }
}

/// The tag or digest of an image, for narrow columns.
pub(crate) fn tag(image: &str) -> String {
    if image.is_empty() {
        return "-".to_owned();
    }
    let parts = serin_spec::image::split(image);
    parts.tag.or(parts.digest).unwrap_or("latest").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_without_trailing_blanks() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "N"], &rows), "NAME   N\na      1\nlong");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [age(0), age(61_000), age(200_000), age(7_500_000), age(300_000_000)],
            ["0s", "61s", "3m20s", "2h05m", "3d11h"]
        );
        assert_eq!(time_of_day(3_723_000), "01:02:03");
    }
}
