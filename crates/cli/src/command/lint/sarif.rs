//! Problems as SARIF 2.1.0, which code scanning services read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use serin_spec::lint::{Level, Lint, Policy};
use serin_spec::{Problem, Severity};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run: the rules that found something, and what they found.
pub(super) fn log(problems: &[Problem], policy: &Policy) -> Value {
    let mut ids: Vec<&str> = problems.iter().map(rule_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let ranks: BTreeMap<&str, usize> = ids.iter().enumerate().map(|(rank, id)| (*id, rank)).collect();
    let results: Vec<Value> = problems.iter().map(|problem| result(problem, ranks[rule_id(problem)])).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "serin",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": ids.iter().map(|id| rule(id, policy)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// The code of a lint; the word of an error of the check.
fn rule_id(problem: &Problem) -> &'static str {
    serin_spec::lint::of(problem).map_or(problem.code, |lint| lint.code)
}

fn rule(id: &str, policy: &Policy) -> Value {
    let Some(lint) = serin_spec::lint::find(id) else {
        return json!({ "id": id, "shortDescription": { "text": id.replace('-', " ") } });
    };
    let Lint { name, summary, page, .. } = lint;
    json!({
        "id": id,
        "name": name,
        "shortDescription": { "text": summary },
        "help": { "text": page, "markdown": page },
        "defaultConfiguration": { "level": level(policy.level(lint)) },
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Allow => "none",
        Level::Note => "note",
        Level::Warn => "warning",
        Level::Deny => "error",
    }
}

fn result(problem: &Problem, rank: usize) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = problem.message.clone();
    if let Some(expected) = &problem.expected {
        let _ = write!(text, " (expected {expected})");
    }
    if let Some(hint) = &problem.hint {
        let _ = write!(text, "\n{hint}");
    }
    let mut physical = json!({ "artifactLocation": { "uri": uri(&problem.file) } });
    if problem.line > 0 {
        let column = problem.column.max(1);
        physical["region"] = json!({
            "startLine": problem.line, "startColumn": column, "endColumn": column + problem.width.max(1),
        });
    }
    let mut location = json!({ "physicalLocation": physical });
    if !problem.object.is_empty() {
        let mut logical = json!({ "name": problem.object, "kind": "object" });
        if !problem.path.is_empty() {
            logical["fullyQualifiedName"] = json!(format!("{}: {}", problem.object, problem.path));
        }
        location["logicalLocations"] = json!([logical]);
    }
    json!({
        "ruleId": rule_id(problem),
        "ruleIndex": rank,
        "level": severity,
        "message": { "text": text },
        "locations": [location],
    })
}

/// A path as a URI reference: relative paths stay relative to where the command ran.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => _ = write!(uri, "%{other:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("./k8s/my rollout.yaml"), "k8s/my%20rollout.yaml");
        assert_eq!(uri("/srv/a:b.yaml"), "file:///srv/a%3Ab.yaml");
        assert_eq!(uri("\u{e4}.yaml"), "%C3%A4.yaml");
    }
}
