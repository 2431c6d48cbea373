//! The way to a cluster: what `serin install` prints, compares and applies, `serin migrate`, and the image.

mod applied;
mod image;
mod migrated;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `serin` with these arguments and no cluster but the one that they name.
pub(crate) fn serin(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(arguments).env_remove("SERIN_STATE").env_remove("KUBECONFIG").env("HOME", "/nonexistent");
    command.env_remove("KUBERNETES_SERVICE_HOST").current_dir(root()).output().unwrap()
}

/// Standard output of a command that succeeds.
#[track_caller]
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = serin(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
