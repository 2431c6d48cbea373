//! `lint`: the rules that the Rollouts of a file break, in the words of Argo's plugin.

use std::fmt::Write as _;

use serde_json::Value;
use serin_spec::validate::{self, ErrorType};
use serin_spec::wire::Rollout;
use serin_spec::{Entry, Problem, Source, check};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The field as Argo names it.
    pub field: String,
    /// Sort, value and text.
    pub body: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lint {
    /// It is no manifest, or one with fields that nobody knows.
    Malformed(Vec<Problem>),
    /// Its Rollouts break these rules; none if all is well.
    Broken(Vec<Broken>),
}

/// Problems between a rollout and the Services and Ingresses of the same file.
const REFERENCES: [&str; 3] = ["selector-mismatch", "ingress-without-service", "shared-service"];

/// Looks at every Rollout of a file, and at the Services and Ingresses in it that the Rollouts name.
//= compat: 7.6-4
//= compat-differs: 7.6-5 every Rollout of the file is looked at with what it names, in whatever order they stand
pub fn lint(source: &Source) -> Lint {
    let checked = check(std::slice::from_ref(source));
    let catalog = &checked.catalog;
    let is_rollout = |p: &&Problem| p.is_error() && (p.object.is_empty() || p.object.starts_with("Rollout"));
    let rollouts = serin_spec::read::objects(std::slice::from_ref(source));
    let rollouts = rollouts.iter().filter(|object| object["kind"] == "Rollout").count();
    let unreadable = |p: &&Problem| p.object.is_empty();
    if catalog.rollouts.len() < rollouts || checked.problems.iter().filter(is_rollout).any(|p| unreadable(&p)) {
        return Lint::Malformed(checked.problems.iter().filter(is_rollout).cloned().collect());
    }
    let mut broken = Vec::new();
    for entry in &catalog.rollouts {
        broken.extend(validate::rollout(&entry.object).iter().map(|error| {
            let value = entry.value_of(&error.path).unwrap_or(Value::Null);
            Broken { field: error.field.clone(), body: body(error.kind, &value, &error.detail) }
        }));
        broken
            .extend(checked.problems.iter().filter(|p| REFERENCES.contains(&p.code)).filter_map(|p| between(entry, p)));
    }
    Lint::Broken(broken)
}

fn between(entry: &Entry<Rollout>, problem: &Problem) -> Option<Broken> {
    if problem.object != entry.ident() {
        return None;
    }
    let value = entry.value_of(&problem.path).unwrap_or(Value::Null);
    let short = ["spec.strategy.canary.", "spec.strategy.blueGreen."];
    let short = short.iter().find_map(|prefix| problem.path.strip_prefix(prefix));
    let field = short.map_or_else(|| problem.path.clone(), |rest| format!("spec.strategy.{rest}"));
    Some(Broken { field, body: body(ErrorType::Invalid, &value, &problem.message) })
}

/// As Kubernetes writes field errors: the sort, the value where it says something, the text.
fn body(kind: ErrorType, value: &Value, detail: &str) -> String {
    let mut out = kind.to_string();
    if !matches!(kind, ErrorType::Required | ErrorType::Forbidden | ErrorType::Internal) {
        let _ = write!(out, ": {value}");
    }
    if !detail.is_empty() {
        let _ = write!(out, ": {detail}");
    }
    out
}
