//! Comma-separated values with quotes (RFC 4180), as far as the data sets need them.

/// A line number and the cells that begin there, or what is wrong there.
pub(super) type Record = Result<(usize, Vec<String>), (usize, String)>;

/// Reads the records of a text. Empty lines are skipped; a quoted cell may hold commas, quotes and line ends.
pub(super) fn records(text: &str) -> impl Iterator<Item = Record> + '_ {
    let mut rest = text;
    let mut line = 1;
    std::iter::from_fn(move || {
        while let Some(after) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            rest = after;
            line += 1;
        }
        if rest.is_empty() {
            return None;
        }
        let begin = line;
        let mut cells = Vec::new();
        loop {
            let Some((cell, after)) = cell(rest) else {
                rest = "";
                return Some(Err((begin, "a quote is not closed".to_owned())));
            };
            line += cell.matches('\n').count();
            cells.push(cell);
            rest = after;
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return Some(Ok((begin, cells))),
            }
        }
    })
}

/// One cell and what follows it; nothing when its quote is not closed.
fn cell(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        return Some((text[..end].trim_end_matches('\r').to_owned(), &text[end..]));
    };
    let mut cell = String::new();
    loop {
        let end = rest.find('"')?;
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => {
                // What stands between a closing quote and the next comma belongs to no cell; it is kept as it is.
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                cell.push_str(rest[..end].trim_end_matches('\r'));
                return Some((cell, &rest[end..]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_line_ends() {
        let text = "a,b\r\n\"x, \"\"y\"\"\",2\n\n\"two\nlines\",\nlast,row";
        let read: Vec<(usize, Vec<String>)> = records(text).map(Result::unwrap).collect();
        let want = [(1, ["a", "b"]), (2, ["x, \"y\"", "2"]), (4, ["two\nlines", ""]), (6, ["last", "row"])];
        assert_eq!(read, want.map(|(line, cells)| (line, cells.map(str::to_owned).to_vec())));
    }
}
