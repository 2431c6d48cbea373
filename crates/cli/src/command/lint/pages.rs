//! What there is to know about the lints themselves.

use std::process::ExitCode;

use serde::Serialize;
use serin_spec::lint::{LINTS, Level, Lint, Policy, UnknownLint};

use crate::arguments::Format;
use crate::error::CliError;
use crate::output;

/// Prints the page of a lint.
pub(super) fn explain(word: &str, format: Format) -> Result<ExitCode, CliError> {
    #[derive(Serialize)]
    struct Explained {
        #[serde(flatten)]
        lint: &'static Lint,
        page: &'static str,
    }

    let Some(lint) = serin_spec::lint::find(word) else {
        // The policy knows what may be meant.
        let unknown = Policy::new(&[word.to_owned()], &[], &[]).err();
        let unknown = unknown.unwrap_or_else(|| UnknownLint { word: word.to_owned(), hint: None });
        return Err(no_such_lint(&unknown));
    };
    if !output::machine(format, &Explained { lint, page: lint.page })? {
        output::line(lint.page.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the lints with the levels that a policy gives them.
pub(super) fn list(policy: &Policy, format: Format) -> Result<ExitCode, CliError> {
    let at_level = |lint: &Lint| Lint { level: policy.level(lint), ..*lint };
    let lints: Vec<Lint> = LINTS.iter().map(at_level).collect();
    if !output::machine(format, &lints)? {
        let row =
            |lint: &Lint| vec![lint.code.to_owned(), lint.name.to_owned(), shown(lint.level), lint.summary.to_owned()];
        output::line(output::table(&["CODE", "NAME", "LEVEL", "FINDS"], &lints.iter().map(row).collect::<Vec<_>>()));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(level: Level) -> String {
    level.to_string()
}

/// A word that names no lint is a mistake on the command line.
pub(super) fn no_such_lint(unknown: &UnknownLint) -> CliError {
    let hint = unknown.hint.clone().unwrap_or_else(|| "serin lint --list shows all".to_owned());
    CliError::usage(unknown.to_string(), hint)
}
