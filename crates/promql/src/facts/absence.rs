//! Series that are not there while all is well, and without which there is no answer.

use super::{Reads, read};
use crate::syntax::{Expr, Node, Operator};

/// Labels by which counters of requests tell how these ended. Libraries make a series at the first request that ended so.
const OUTCOME_LABELS: [&str; 12] = [
    "code",
    "code_class",
    "grpc_code",
    "grpc_status",
    "grpc_status_code",
    "http_code",
    "http_response_status_code",
    "http_status_code",
    "response_code",
    "result",
    "status",
    "status_code",
];

/// The selectors of failed requests without which the answer is empty.
pub(super) fn of(root: &Expr) -> Vec<Reads> {
    let mut found = Vec::new();
    needed(root, &mut found);
    found
}

/// Collects the selectors of failed requests without which an expression has no answer.
fn needed(expr: &Expr, found: &mut Vec<Reads>) {
    match &expr.node {
        Node::Number(_) | Node::Text(_) => {}
        Node::Selector(selector) | Node::Range { selector, .. } => {
            let reads = read(selector, expr);
            if reads.conditions.iter().any(|condition| !condition.negated && fails(&condition.label, &condition.value))
            {
                found.push(reads);
            }
        }
        Node::Subquery(subquery) => needed(&subquery.inner, found),
        Node::Unary { inner, .. } => needed(inner, found),
        // Either side is an answer; `bad or bad` needs one of them, which is as little there.
        Node::Binary(binary) if binary.operator == Operator::Or => {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            needed(&binary.left, &mut left);
            needed(&binary.right, &mut right);
            if !right.is_empty() {
                found.extend(left);
            }
        }
        Node::Binary(binary) => {
            needed(&binary.left, found);
            if binary.operator != Operator::Unless {
                needed(&binary.right, found);
            }
        }
        Node::Call { function, .. } if matches!(function.name, "absent" | "absent_over_time" | "scalar") => {}
        Node::Call { args, .. } => args.iter().for_each(|arg| needed(arg, found)),
        Node::Aggregate(aggregate) => needed(&aggregate.inner, found),
    }
}

/// Whether a label has this value, or one that matches it, on failed requests alone.
fn fails(label: &str, value: &str) -> bool {
    let value = value.trim_matches(['(', ')', '^', '$']).to_ascii_lowercase();
    let each = || value.split('|');
    let of_server = |part: &str| {
        part.strip_prefix('5').is_some_and(|rest| {
            matches!(rest, "xx" | "..") || rest.starts_with(['.', '[', '\\', '0', '1', '2', '3', '5'])
        })
    };
    OUTCOME_LABELS.contains(&label)
        && !value.is_empty()
        && each().all(|part| of_server(part) || part.contains("error") || part.contains("fail"))
}
