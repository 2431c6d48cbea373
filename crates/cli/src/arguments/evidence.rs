//! Arguments of the commands that read the log of an update.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A log, or a rollout whose log is in the state folder
    #[arg(value_name = "LOG|NAME")]
    pub(crate) log: String,
    /// Which update of the rollout; the latest when not given
    #[arg(long, value_name = "N")]
    pub(crate) revision: Option<u64>,
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
    /// A rollout whose log is in the state folder, or a log
    #[arg(value_name = "NAME|LOG")]
    pub(crate) log: String,
    /// Which update of the rollout; the latest when not given
    #[arg(long, value_name = "N")]
    pub(crate) revision: Option<u64>,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Picture::Html)]
    pub(crate) format: Picture,
    /// Where to; `-` is standard output [default: NAME-REVISION.html, .svg or .json]
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
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
