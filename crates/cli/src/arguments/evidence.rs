//! Arguments of the commands that read the log of an update.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which log.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogWanted {
    /// A log, or a rollout whose log is in the state folder
    #[arg(value_name = "LOG|NAME")]
    pub(crate) log: String,
    /// Which update of the rollout; the latest when not given
    #[arg(long, value_name = "N")]
    pub(crate) revision: Option<u64>,
    /// Look for the rollout's log in this folder instead: that of a controller (--evidence-log), or a copy
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,
}

/// `replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) log: LogWanted,
    /// Say what this AnalysisTemplate would have done with the same requests (FILE, or FILE:NAME where there are several)
    #[arg(long, value_name = "FILE[:NAME]")]
    pub(crate) template: Option<String>,
    /// A value for an argument of that template
    #[arg(long = "arg", value_name = "NAME=VALUE", requires = "template", value_parser = pair)]
    pub(crate) arguments: Vec<(String, String)>,
}

/// `report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) log: LogWanted,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Picture::Html)]
    pub(crate) format: Picture,
    /// Where to; `-` is standard output [default: NAME-REVISION.html, .svg, .json or .log]
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What a report can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// One page that needs nothing else
    Html,
    /// All plots in one picture
    Svg,
    /// The numbers
    Json,
    /// The log as it is, to be read elsewhere
    Log,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
