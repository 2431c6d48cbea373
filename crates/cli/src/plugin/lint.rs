//! `lint`: the Rollouts of a file in the words of Argo's plugin; silent when all is well.

use std::path::Path;
use std::process::ExitCode;

use serin_kubectl::lint::{Lint, lint};

use super::PluginError;
use crate::output::line;

//= compat: 7.6-4
pub(super) fn run(path: &Path) -> Result<ExitCode, PluginError> {
    match lint(&super::create::source(path)?) {
        Lint::Malformed(problems) => {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(PluginError::Said(told.join("\n")))
        }
        Lint::Broken(broken) => {
            broken.iter().for_each(|one| line(&one.body));
            match broken.first() {
                None => Ok(ExitCode::SUCCESS),
                Some(first) => Err(PluginError::Said(format!("{}: {}", first.field, first.body))),
            }
        }
    }
}
