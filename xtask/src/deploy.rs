//! `deploy`: what is published for an installation, written anew from what `serin install` prints, or rendered by Helm and kubectl
//! and compared with it.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::repository::{cargo, root};
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

fn helm() -> Result<String, TaskError> {
    if let Some(named) = std::env::var_os("SERIN_HELM") {
        return Ok(named.to_string_lossy().into_owned());
    }
    let build = root().join("deploy/helm/tool/build");
    let output = Command::new(&build).stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|e| TaskError::run("deploy/helm/tool/build", e))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(TaskError::run("deploy/helm/tool/build", output.status)),
    }
}

fn kubectl() -> Result<PathBuf, TaskError> {
    if let Some(named) = std::env::var_os("SERIN_KUBECTL") {
        return Ok(named.into());
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|program| program.is_file())
    });
    let cached = || {
        let entries = std::fs::read_dir(cache()?).ok()?;
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("kubectl")).collect();
        found.retain(|program| program.is_file());
        found.sort();
        found.pop()
    };
    on_path.or_else(cached).ok_or_else(|| {
        TaskError::Found("kubectl is on no path and in no cache: install it, or build the test cluster".to_owned())
    })
}

/// Where programs that were built for tests are kept.
fn cache() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/serin-e2e"));
    std::env::var_os("SERIN_E2E_CACHE").map(PathBuf::from).or_else(home)
}
