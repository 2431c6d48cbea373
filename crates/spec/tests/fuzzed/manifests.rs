//! What must hold for every text: it is read or refused with problems whose places lie in it, and what is read without
//! an error is the same when it is written and read again.

use serin_spec::lint::{self, Policy};
use serin_spec::problem::{Colour, render};
use serin_spec::{Checked, Source, check_with, validate};

/// Refuses some queries somewhere inside, at places that depend on the query alone.
fn query(text: &str) -> Result<(), (String, usize, usize)> {
    match text.find(['{', '(']) {
        Some(at) if text.len() % 2 == 1 => Err(("refused".to_owned(), at, text.len())),
        _ => Ok(()),
    }
}

pub(crate) fn check(text: &str) {
    let sources = [Source::new("file.yaml", text)];
    let Checked { catalog, mut problems } = check_with(&sources, &query);
    assert!(problems.len() <= 201, "{} problems", problems.len());
    problems.extend(validate::local(&catalog));
    let findings = lint::check(&catalog);
    assert!(findings.iter().all(|finding| lint::of(finding).is_some()), "{findings:?}");
    lint::queries(&catalog);
    problems = Policy::default().apply(&sources, &catalog, problems, findings);
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').collect();
    for problem in &problems {
        assert!(!problem.message.is_empty() && !problem.to_string().contains('\n'), "{problem:?}");
        let line = problem.line.checked_sub(1).map(|at| lines.get(at).copied().unwrap_or_default());
        let in_text = line.is_none_or(|line| problem.column >= 1 && problem.column <= line.chars().count() + 1);
        assert!(in_text && problem.line <= lines.len(), "{problem}: not in the text");
        render(problem, &sources, Colour::Never);
    }
    if problems.iter().any(|problem| problem.is_error()) {
        return;
    }
    for entry in &catalog.rollouts {
        assert_eq!(validate::rollout(&entry.object), [], "{} passes and is invalid", entry.ident());
        let written = serde_json::to_string(&entry.object).unwrap();
        let again = check_with(&[Source::new("again.json", written.as_str())], &|_| Ok(())).catalog;
        let again = again.rollouts.first().unwrap_or_else(|| panic!("not read again: {written}"));
        assert_eq!(again.object, entry.object, "{written}");
    }
}
