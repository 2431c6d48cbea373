//! Somebody at a terminal: the real binary under one of its names, with a kubeconfig that leads to a server of the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ran::Ran;
use crate::server::Server;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody with a kubeconfig.
pub(crate) struct Person {
    folder: TempDir,
}

impl Person {
    /// Whose kubeconfig leads to this server, with `shop` as its namespace, and `other` as a context of another one.
    pub(crate) fn at(server: &Server) -> Self {
        let folder = tempfile::Builder::new().prefix("serin-").tempdir().unwrap();
        let context = |name: &str, namespace: &str| {
            format!("- {{name: {name}, context: {{cluster: c, user: u, namespace: {namespace}}}}}\n")
        };
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: main\nclusters:\n- {{name: c, cluster: {{server: \"{}\"}}}}\nusers:\n- {{name: u, user: {{token: t}}}}\ncontexts:\n{}{}",
            server.url(),
            context("main", "shop"),
            context("other", "elsewhere"),
        );
        std::fs::write(folder.path().join("kubeconfig"), text).unwrap();
        for name in ["kubectl-argo-rollouts", "kubectl-serin", "kubectl_complete-argo-rollouts", "serin"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_serin"), folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, program: PathBuf, line: &str) -> Command {
        let mut command = Command::new(program);
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.env("KUBECONFIG", self.path("kubeconfig")).env("COLUMNS", "100").env_remove("SERIN_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the plugin.
    pub(crate) fn kubectl(&self, line: &str) -> Ran {
        self.run(self.path("kubectl-argo-rollouts"), line)
    }

    /// Runs `serin`.
    pub(crate) fn serin(&self, line: &str) -> Ran {
        self.run(self.path("serin"), line)
    }

    /// Runs some program.
    pub(crate) fn run(&self, program: PathBuf, line: &str) -> Ran {
        finish(self.command(program, line).spawn().unwrap(), line)
    }

    /// Begins the plugin and leaves it running.
    pub(crate) fn begin(&self, line: &str) -> Child {
        self.command(self.path("kubectl-argo-rollouts"), line).spawn().unwrap()
    }
}

/// Waits for the end of a command.
pub(crate) fn finish(mut child: Child, line: &str) -> Ran {
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            let ended = child.wait_with_output().unwrap();
            panic!("{line} did not end: {}", String::from_utf8_lossy(&ended.stdout));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: ended.status.code().unwrap_or(-1), out: text(ended.stdout), err: text(ended.stderr) }
}
