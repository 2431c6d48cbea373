//! Columns: each as wide as its widest cell and two blanks more; the last is left as it is.

/// Blanks between two columns.
const GAP: usize = 2;

/// Characters that a terminal shows: colours take no room.
fn width(text: &str) -> usize {
    let mut shown = 0;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => shown += 1,
        }
    }
    shown
}

/// The rows, each with an end of line. All have as many cells as the first.
pub fn aligned<R: AsRef<[String]>>(rows: &[R]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows.iter().map(AsRef::as_ref) {
        widths.resize(widths.len().max(row.len()), 0);
        for (wide, cell) in widths.iter_mut().zip(row) {
            *wide = width(cell).max(*wide);
        }
    }
    let mut out = String::new();
    for row in rows.iter().map(AsRef::as_ref) {
        for (i, (cell, wide)) in row.iter().zip(&widths).enumerate() {
            out.push_str(cell);
            if i + 1 < row.len() {
                out.extend(std::iter::repeat_n(' ', wide + GAP - width(cell)));
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_seen_of_them() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(
            aligned(&[row("A", "B"), row("\u{1b}[32mlong\u{1b}[0m", "")]),
            "A     B\n\u{1b}[32mlong\u{1b}[0m  \n"
        );
        assert_eq!(aligned::<[String; 2]>(&[]), "");
    }
}
