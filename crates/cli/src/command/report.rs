//! `serin report`.
use crate::arguments::{self, Format};
use crate::error::CliError;
use std::path::Path;
use std::process::ExitCode;
pub(super) fn run(_state: &Path, _wanted: &arguments::Report, _format: Format) -> Result<ExitCode, CliError> {
    Err(CliError::Bug("not there".to_owned()))
}
