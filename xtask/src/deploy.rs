//! `deploy`: what is published for an installation, written anew from what `serin install` prints, or rendered by Helm and kubectl
//! and compared with it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;

use crate::repository::{self, cargo, root};
use crate::{TaskError, test};

/// Options of `deploy`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing; render chart and bases and compare them
    #[arg(long)]
    check: bool,
}

/// Writes the files, or checks what they render to.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    if options.check { check() } else { write() }
}

fn write() -> Result<(), TaskError> {
    let mut task = cargo();
    task.args(["test", "--quiet", "--package", "serin-controller", "--test", "deploy"]).env("UPDATE_GOLDEN", "1");
    test::call(&mut task)
}

/// Helm is built once; kubectl is the one on the path, else the one of the test cluster.
pub(crate) fn check() -> Result<(), TaskError> {
    let mut task = cargo();
    task.args(["test", "--quiet", "--package", "serin-controller", "--features", "charts", "--test", "charts"]);
    task.env("SERIN_HELM", helm()?).env("SERIN_KUBECTL", kubectl()?);
    test::call(&mut task)
}

fn helm() -> Result<PathBuf, TaskError> {
    match std::env::var_os("SERIN_HELM") {
        Some(named) => Ok(named.into()),
        None => built("helm"),
    }
}

/// The one on the path; else that of the test cluster, a program of many names that is called by this one.
fn kubectl() -> Result<PathBuf, TaskError> {
    if let Some(named) = std::env::var_os("SERIN_KUBECTL") {
        return Ok(named.into());
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|program| program.is_file())
    });
    if let Some(found) = on_path {
        return Ok(found);
    }
    let built = built("hyperkube")?;
    let link = repository::metadata()?.target_directory.join("kubectl");
    let failed = |e: std::io::Error| TaskError::run("kubectl", e);
    if link.symlink_metadata().is_ok() {
        std::fs::remove_file(&link).map_err(failed)?;
    }
    std::os::unix::fs::symlink(built, &link).map_err(failed)?;
    Ok(link)
}

/// A program that is built from Go modules, once.
fn built(name: &str) -> Result<PathBuf, TaskError> {
    printed("e2e/cluster/build", &[name])?;
    Ok(PathBuf::from(printed("e2e/cluster/build", &["--path", name])?).join(name))
}

/// The last line that a script of the repository prints; what it says to people is shown.
fn printed(script: &str, words: &[&str]) -> Result<String, TaskError> {
    let output = Command::new(root().join(script)).args(words).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| TaskError::run(script, e))?;
    if !output.status.success() {
        return Err(TaskError::run(script, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().trim().to_owned())
}
