//! `serin report`: what an update looked like, from its log: one page that needs nothing else, a picture, or the numbers.

mod data;
mod page;
mod plots;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::arguments::{self, Format, Picture};
use crate::error::CliError;
use crate::judged::LogFile;
use crate::output;
use data::{Collector, Data};

pub(super) fn run(state: &Path, wanted: &arguments::Report, format: Format) -> Result<ExitCode, CliError> {
    let mut log = LogFile::find(state, &wanted.log)?;
    let mut collector = Collector::default();
    let flaw = log.play(|entry| collector.take(entry))?;
    let data = collector.finish(flaw)?;
    if output::machine(format, &data)? {
        return Ok(ExitCode::SUCCESS);
    }
    let text = written(&data, log.bytes(), wanted.format)?;
    let path = wanted.file.clone().unwrap_or_else(|| default_file(&data, wanted.format));
    if path.as_os_str() == "-" {
        output::bytes(&text);
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(&path, text).map_err(CliError::io(format!("write {}", path.display())))?;
    output::line(format!("{} Written to {}.", data.summary, path.display()));
    Ok(ExitCode::SUCCESS)
}

fn written(data: &Data, log: &[u8], format: Picture) -> Result<Vec<u8>, CliError> {
    Ok(match format {
        Picture::Html => page::html(data).into_bytes(),
        Picture::Svg => page::svg(data).into_bytes(),
        Picture::Json => {
            let text = serde_json::to_string_pretty(data).map_err(|e| CliError::Bug(e.to_string()))?;
            (text + "\n").into_bytes()
        }
        Picture::Log => log.to_vec(),
    })
}

fn default_file(data: &Data, format: Picture) -> PathBuf {
    let end = match format {
        Picture::Html => "html",
        Picture::Svg => "svg",
        Picture::Json => "json",
        Picture::Log => "log",
    };
    let name = data.rollout.rsplit('/').next().unwrap_or("rollout");
    // The name may come from a log that somebody made.
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' }).collect();
    PathBuf::from(format!("{safe}-{}.{end}", data.revision))
}

#[cfg(test)]
mod tests;
