//! `e2e`: boots a real Kubernetes, runs the tests of the package `serin-e2e` inside, and takes it down.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Args;

use crate::TaskError;
use crate::repository::{self, cargo};
use crate::test::{call, has_nextest};

/// What the tests need beside the cluster itself.
const PARTS: [&str; 2] = ["--traefik", "--prometheus"];

/// What is built from Go modules for them.
const BUILDS: [&str; 4] = ["cluster", "traefik", "plugin", "argo-controller"];

/// The tests, as cargo is told of them.
const TESTS: [&str; 4] = ["--package", "serin-e2e", "--features", "serin-e2e/cluster"];

/// Options of `e2e`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only tests whose name contains this
    filter: Vec<String>,
    /// Leave the cluster up; the next run takes it as it is
    #[arg(long)]
    keep: bool,
}

/// Boots the cluster unless it is up, and runs the tests. One that was up before stays up.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let dir = folder()?;
    // Before the boot, so that a fault in a test is known after seconds, and because inside there is no network to build with.
    call(cargo().args(["build", "--quiet", "-p", "serin-cli", "-p", "ml-portfolio"]))?;
    call(tests(&mut cargo(), &["--no-run"]))?;
    call(script("build").args(BUILDS))?;
    let found = is_up(&dir);
    if found {
        println!("the cluster in {} is up already", dir.display());
        call(script("images").env("SERIN_E2E_DIR", &dir))?;
    } else {
        call(script("up").args(PARTS).env("SERIN_E2E_DIR", &dir))?;
    }
    let outcome = inside(&dir, options);
    if options.keep || found {
        println!("the cluster stays up: e2e/kubectl, e2e/enter, e2e/cluster/down");
        return outcome;
    }
    // The outcome of the tests is the one to tell; a cluster that does not go down is told if they passed.
    let down = call(script("down").env("SERIN_E2E_DIR", &dir).args(outcome.is_err().then_some("--keep-logs")));
    outcome.and(down)
}

/// As a step of `cargo xtask test`.
pub(crate) fn in_tests() -> Result<(), TaskError> {
    run(&Options { filter: Vec::new(), keep: false })
}

/// Begins to build what comes from Go modules beside the Rust builds, which on a first run take as long: Helm first, since the checks
/// of the charts come before the cluster. Whether it succeeds is seen when it is needed: then the same is built in the foreground.
pub(crate) fn begin_builds() -> Option<Child> {
    let mut command = Command::new("nice");
    command.args(["-n", "15"]).arg(repository::root().join("e2e/cluster/build")).arg("helm").args(BUILDS);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().ok()
}

/// Ends them with everything that they started. They are over by now, unless a step failed before they were needed.
pub(crate) fn end_builds(mut builds: Child) {
    if matches!(builds.try_wait(), Ok(None)) {
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", builds.id())]).status();
    }
    let _ = builds.wait();
}

fn inside(dir: &Path, options: &Options) -> Result<(), TaskError> {
    let mut command = Command::new(repository::root().join("e2e/enter"));
    command.env("SERIN_E2E_DIR", dir).arg(cargo().get_program());
    let filter: Vec<&str> = options.filter.iter().map(String::as_str).collect();
    call(tests(&mut command, &[&["--offline"], filter.as_slice()].concat()))
}

/// The command that runs the tests, with nextest where it is installed.
fn tests<'a>(command: &'a mut Command, more: &[&str]) -> &'a mut Command {
    if has_nextest() {
        let config = repository::root().join("e2e/nextest.toml");
        command.args(["nextest", "run", "--config-file"]).arg(config);
    } else {
        command.arg("test");
    }
    command.args(TESTS).args(more)
}

fn script(name: &str) -> Command {
    Command::new(repository::root().join("e2e/cluster").join(name))
}

/// The folder of the cluster: `SERIN_E2E_DIR`, or that of the scripts.
fn folder() -> Result<PathBuf, TaskError> {
    let chosen = std::env::var_os("SERIN_E2E_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = chosen.unwrap_or_else(|| repository::root().join("target/e2e/run"));
    std::path::absolute(&dir).map_err(|e| TaskError::read(dir.display().to_string(), e))
}

fn is_up(dir: &Path) -> bool {
    let pid = std::fs::read_to_string(dir.join("pids/init")).unwrap_or_default();
    let program = std::fs::read_link(Path::new("/proc").join(pid.trim()).join("exe"));
    program.is_ok_and(|program| program == dir.join("bin/init"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_cluster_says_that_it_is_up() {
        let dir = std::env::temp_dir().join(format!("serin-e2e-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("pids")).unwrap();
        assert!(!is_up(&dir));
        // A process that lives, but is another one: numbers are used again.
        std::fs::write(dir.join("pids/init"), std::process::id().to_string()).unwrap();
        assert!(!is_up(&dir));
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::copy("/bin/sleep", dir.join("bin/init")).unwrap();
        let mut init = Command::new(dir.join("bin/init")).arg("60").spawn().unwrap();
        std::fs::write(dir.join("pids/init"), init.id().to_string()).unwrap();
        let up = is_up(&dir);
        init.kill().unwrap();
        init.wait().unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(up);
    }
}
