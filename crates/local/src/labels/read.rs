//! Labels as people send them: CSV `request_id,label` with or without that line above, or JSON lines `{"id": …, "label": …}`.

use serde_json::Value;

/// Longest request id of which predictions are kept, in characters.
const ID_MAX: usize = 64;

/// Longest label in bytes: longer classes are not told apart by the router.
const LABEL_MAX: usize = serin_proxy::prediction::CLASS_MAX;

/// Longest line in bytes.
pub const LINE_MAX: usize = 64 << 10;

/// How labels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line `id,label`. The first may name the columns: `request_id` or `id`, and `label`, in any order and among others.
    Csv,
    /// A line `{"id": "…", "label": …}`. Other fields are passed over.
    JsonLines,
}

/// Reads line after line.
#[derive(Debug)]
pub struct Lines {
    format: Option<Format>,
    /// Where id and label stand, and how many fields a line has.
    columns: Option<(usize, usize, usize)>,
}

impl Lines {
    /// Lines of this format; without one, what the first line looks like decides.
    pub fn new(format: Option<Format>) -> Self {
        Self { format, columns: None }
    }

    /// A request id and its label; `None` for a line that has none and needs none.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn line(&mut self, text: &str) -> Option<Result<(String, String), String>> {
        let text = text.trim_end_matches(['\r', '\n']).trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return None;
        }
        let looks = if text.trim_start().starts_with('{') { Format::JsonLines } else { Format::Csv };
        let found = match self.format.get_or_insert(looks) {
            Format::JsonLines => object(text),
            Format::Csv => match self.row(text) {
                Ok(row) => Ok(row?),
                Err(error) => Err(error),
            },
        };
        Some(found.and_then(|(id, label)| pair(&id, &label)))
    }

    /// Id and label of a row, `None` of the one that names the columns.
    fn row(&mut self, text: &str) -> Result<Option<(String, String)>, String> {
        let fields = fields(text)?;
        let first = self.columns.is_none();
        if first && let Some(columns) = named(&fields) {
            self.columns = Some(columns);
            return Ok(None);
        }
        let (id, label, count) = *self.columns.get_or_insert((0, 1, 2));
        if fields.len() != count {
            return Err(format!("{} fields instead of {count}", fields.len()));
        }
        Ok(Some((fields[id].clone(), fields[label].clone())))
    }
}

/// An id and a label that are written side by side, such as `ID=LABEL` split in two.
///
/// # Errors
/// What is wrong with them.
pub fn pair(id: &str, label: &str) -> Result<(String, String), String> {
    let (id, label) = (id.trim(), label.trim());
    if id.is_empty() || id.len() > ID_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) {
        let shown: String = id.chars().take(ID_MAX).collect();
        return Err(format!(
            "\"{}\" is no request id: those have 1 to {ID_MAX} visible characters",
            shown.escape_debug()
        ));
    }
    if label.is_empty() {
        return Err("the label is empty".to_owned());
    }
    if label.len() > LABEL_MAX {
        return Err(format!("the label is {} bytes long: at most {LABEL_MAX} are told apart", label.len()));
    }
    if label.chars().any(char::is_control) {
        return Err("the label has control characters".to_owned());
    }
    Ok((id.to_owned(), label.to_owned()))
}

fn object(text: &str) -> Result<(String, String), String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("this is no JSON: {}", without_line(&e)))?;
    let Value::Object(fields) = value else { return Err("this is no JSON object with id and label".to_owned()) };
    let field = |names: &[&str]| names.iter().find_map(|name| fields.get(*name));
    let text = |value: &Value, what: &str| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null => Err(format!("the {what} is null")),
        Value::Array(_) | Value::Object(_) => Err(format!("the {what} is neither text nor a number")),
    };
    let id = field(&["id", "request_id"]).ok_or("the field id is missing")?;
    let label = field(&["label"]).ok_or("the field label is missing")?;
    Ok((text(id, "id")?, text(label, "label")?))
}

/// The error without "at line 1": the line within the whole is told by who reads it.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned() + &format!(" (column {})", error.column())
}

/// The columns that a first row names.
fn named(fields: &[String]) -> Option<(usize, usize, usize)> {
    let place = |names: &[&str]| fields.iter().position(|f| names.iter().any(|n| f.trim().eq_ignore_ascii_case(n)));
    Some((place(&["request_id", "id"])?, place(&["label"])?, fields.len()))
}

/// The fields of a row, quoted where they have commas in them, as RFC 4180 has it.
fn fields(row: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = row;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.trim().is_empty() => return Ok(fields),
            None => return Err("there is more after a closing quote".to_owned()),
        }
    }
}

/// A field whose opening quote was read, and what comes after its closing one.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or("a quote is not closed")?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, after.trim_start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[Result<(&str, &str), &str>]) {
        let mut lines = Lines::new(None);
        let found: Vec<Result<(String, String), String>> = text.lines().filter_map(|line| lines.line(line)).collect();
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            match (found, want) {
                (Ok((id, label)), Ok(want)) => assert_eq!((id.as_str(), label.as_str()), *want),
                (Err(found), Err(want)) => assert!(found.contains(want), "{found}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn rows_are_read_with_and_without_names() {
        check("a,yes\n\nb, no \r\n", &[Ok(("a", "yes")), Ok(("b", "no"))]);
        check("request_id,label\na,1", &[Ok(("a", "1"))]);
        check("\u{feff}Label,when,ID\nyes,today,a\n", &[Ok(("a", "yes"))]);
        check("a,\"very, very \"\"bad\"\"\"", &[Ok(("a", "very, very \"bad\""))]);
    }

    #[test]
    fn bad_rows_say_what_is_wrong() {
        check(
            "a,yes\nb\nc,no,maybe\nd,\n,yes\ne e,yes\nf,\"no\ng,\"no\"x\nh,good",
            &[
                Ok(("a", "yes")),
                Err("1 fields instead of 2"),
                Err("3 fields instead of 2"),
                Err("the label is empty"),
                Err("\"\" is no request id"),
                Err("\"e e\" is no request id"),
                Err("a quote is not closed"),
                Err("more after a closing quote"),
                Ok(("h", "good")),
            ],
        );
        let long = "x".repeat(65);
        check(&format!("{long},yes\na,{long}"), &[Err("is no request id"), Err("65 bytes long")]);
        check("a,b\tc", &[Err("control characters")]);
    }

    #[test]
    fn objects_are_read() {
        check(
            "{\"id\":\"a\",\"label\":\"yes\"}\n{\"request_id\":7,\"label\":1.5,\"at\":[1]}\n{\"id\":\"b\",\"label\":true}",
            &[Ok(("a", "yes")), Ok(("7", "1.5")), Ok(("b", "true"))],
        );
        check(
            "{\"id\":\"a\",\"label\":null}\n{\"id\":\"a\"}\n{\"label\":1}\n{\"id\":\"a\",\"label\":[1]}\n{\"id\":\nb,yes\n7",
            &[
                Err("the label is null"),
                Err("the field label is missing"),
                Err("the field id is missing"),
                Err("neither text nor a number"),
                Err("no JSON: EOF"),
                Err("no JSON: expected value (column 1)"),
                Err("no JSON object"),
            ],
        );
    }
}
