//! Purity: crates that decide have no clock, environment or random order, and clippy is told so in each of them.

use toml::{Table, Value};

use super::Finding;
use crate::TaskError;
use crate::repository::TextFile;

/// Crates that are functions of their arguments.
const PURE: [&str; 6] = ["core", "expr", "promql", "routes", "sim", "stats"];

/// What such a crate must not call.
const METHODS: [&str; 4] =
    ["std::time::Instant::now", "std::time::SystemTime::now", "std::env::var", "std::thread::sleep"];
/// What it must not hold: their order is another in every run.
const TYPES: [&str; 2] = ["std::collections::HashMap", "std::collections::HashSet"];

/// Checks the clippy.toml of every pure crate that there is, against the entries above and the workspace's own file, which
/// a crate's file replaces.
pub(super) fn check(files: &[TextFile]) -> Result<Vec<Finding>, TaskError> {
    let shared = parse(files, "clippy.toml")?.unwrap_or_default();
    let mut findings = Vec::new();
    for name in PURE {
        let manifest = format!("crates/{name}/Cargo.toml");
        if !files.iter().any(|file| file.path == manifest) {
            continue;
        }
        let path = format!("crates/{name}/clippy.toml");
        let Some(own) = parse(files, &path)? else {
            findings.push(Finding::error(&manifest, None, "a pure crate needs a clippy.toml like that of crates/core"));
            continue;
        };
        let mut missing = |what: String| findings.push(Finding::error(&path, None, what));
        for (key, value) in &shared {
            if own.get(key) != Some(value) {
                missing(format!("{key} is not as in the workspace's clippy.toml"));
            }
        }
        for (key, wanted) in [("disallowed-methods", &METHODS[..]), ("disallowed-types", &TYPES[..])] {
            let paths = paths(own.get(key));
            for entry in wanted.iter().filter(|entry| !paths.iter().any(|(path, _)| path == *entry)) {
                missing(format!("{key} lacks {entry}"));
            }
            for (path, _) in paths.iter().filter(|(_, reason)| reason.is_empty()) {
                missing(format!("{key}: {path} has no reason"));
            }
        }
    }
    Ok(findings)
}

fn parse(files: &[TextFile], path: &str) -> Result<Option<Table>, TaskError> {
    let file = files.iter().find(|file| file.path == path);
    file.map(|file| file.text.parse::<Table>().map_err(|e| TaskError::read(path, e))).transpose()
}

/// Path and reason of each entry of a list.
fn paths(list: Option<&Value>) -> Vec<(String, String)> {
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.map(|entry| (text(entry, "path"), text(entry, "reason"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(clippy: Option<&str>) -> Vec<String> {
        let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        let mut files =
            vec![file("clippy.toml", "avoid-breaking-exported-api = false\n"), file("crates/core/Cargo.toml", "")];
        files.extend(clippy.map(|text| file("crates/core/clippy.toml", text)));
        check(&files).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pure_crate_bans_what_the_others_ban() {
        let entry = |path: &&str| format!("{{ path = \"{path}\", reason = \"because\" }}");
        let list = |paths: &[&str]| paths.iter().map(entry).collect::<Vec<_>>().join(", ");
        let whole = |methods: &[&str]| {
            format!(
                "avoid-breaking-exported-api = false\ndisallowed-methods = [{}]\ndisallowed-types = [{}]\n",
                list(methods),
                list(&TYPES)
            )
        };
        assert_eq!(findings(Some(&whole(&METHODS))), Vec::<String>::new());
        assert_eq!(
            findings(Some(&whole(&METHODS[..3]))),
            ["crates/core/clippy.toml: error: disallowed-methods lacks std::thread::sleep"]
        );
        assert_eq!(findings(Some("")).len(), 1 + METHODS.len() + TYPES.len());
        assert!(findings(None)[0].contains("needs a clippy.toml"));
        let silent = whole(&METHODS).replace(", reason = \"because\"", "");
        assert!(findings(Some(&silent)).iter().all(|text| text.contains("has no reason")));
    }
}
