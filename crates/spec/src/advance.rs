//! What ends a pause: its time, or what the tests of the background analysis have shown. Two annotations of a Rollout say so.

use serin_core::rollout::Undecided;

use crate::catalog::Entry;
use crate::check::did_you_mean;
use crate::problem::Findings;
use crate::wire::Rollout;
use crate::wire::meta::ObjectMeta;

/// `evidence`: a pause with a duration ends as soon as every sequential metric of the background analysis has passed at its weight.
/// `time`, the default: it ends when its time is over.
pub const ADVANCE: &str = "serin.dev/advance";

/// What happens at the end of such a pause when they have not passed: `hold` (the default), `promote` or `rollback`.
pub const UNDECIDED: &str = "serin.dev/undecided";

const ADVANCES: [&str; 2] = ["evidence", "time"];

/// The words for what is done when time is up and nothing is decided.
pub const POLICIES: [&str; 3] = ["hold", "promote", "rollback"];

/// What the annotations say; `None` where time alone ends a pause.
pub(crate) fn of(metadata: &ObjectMeta) -> Option<Undecided> {
    let said = |name: &str| metadata.annotations.get(name).map(String::as_str);
    (said(ADVANCE) == Some("evidence")).then(|| said(UNDECIDED).and_then(policy).unwrap_or_default())
}

/// Reads one of [`POLICIES`].
pub fn policy(word: &str) -> Option<Undecided> {
    match word {
        "hold" => Some(Undecided::Hold),
        "promote" => Some(Undecided::Promote),
        "rollback" => Some(Undecided::RollBack),
        _ => None,
    }
}

/// Words that mean nothing, and words that have nothing to act on.
pub(crate) fn check(entry: &Entry<Rollout>, problems: &mut Findings) {
    let annotations = &entry.object.metadata.annotations;
    for (name, allowed) in [(ADVANCE, &ADVANCES[..]), (UNDECIDED, &POLICIES[..])] {
        let Some(word) = annotations.get(name).filter(|word| !allowed.contains(&word.as_str())) else { continue };
        let path = format!("metadata.annotations[{name}]");
        let problem = entry.origin.problem("bad-value", &path, format!("{word:?} is not allowed"));
        let expected = format!("one of {}", allowed.join(", "));
        problems.push(problem.expected(expected).maybe_hint(did_you_mean(word, allowed.iter().copied())));
    }
    let asks = annotations.get(ADVANCE).is_some_and(|word| word == "evidence");
    let canary = entry.object.spec.strategy.canary.as_ref();
    if asks && canary.is_none_or(|canary| canary.analysis.as_ref().is_none_or(|a| a.templates.is_empty())) {
        let path = format!("metadata.annotations[{ADVANCE}]");
        let message = "there is no background analysis whose evidence could end a pause";
        let problem = entry.origin.problem("no-evidence", &path, message);
        problems.push(
            problem.hint("add spec.strategy.canary.analysis with a template that has a serin.dev/compare metric"),
        );
    }
}
