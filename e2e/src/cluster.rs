//! The cluster that `cargo xtask e2e` has booted, and kubectl.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::namespace::Namespace;

/// The booted cluster. Copies are the same one.
#[derive(Debug, Clone)]
pub struct Cluster {
    dir: PathBuf,
}

/// What a program said and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Whether it succeeded.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its error output.
    pub stderr: String,
}

impl Cluster {
    /// The cluster in whose namespaces this test runs.
    ///
    /// # Panics
    /// When there is none: these tests run through `cargo xtask e2e`, or `e2e/enter` by hand.
    pub fn booted() -> Self {
        let dir = std::env::var_os("SERIN_E2E_DIR").map(PathBuf::from);
        let dir = dir.unwrap_or_else(|| panic!("no test cluster: run these tests with `cargo xtask e2e`"));
        let inside = std::fs::read_link("/proc/1/exe").is_ok_and(|init| init == dir.join("bin/init"));
        assert!(inside, "not inside of the cluster in {}: run these tests with `cargo xtask e2e`", dir.display());
        Self { dir }
    }

    /// The folder of the cluster, with `log`, `pki` and `bin`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The root of the repository.
    pub fn root() -> &'static Path {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        package.parent().unwrap_or(package)
    }

    /// A program that the workspace built, such as `serin`.
    ///
    /// # Panics
    /// When it is not there.
    pub fn built(name: &str) -> PathBuf {
        // Tests are in target/debug/deps, programs in target/debug.
        let test = std::env::current_exe().unwrap_or_else(|e| panic!("this test has no file: {e}"));
        let program = test.parent().and_then(Path::parent).map(|dir| dir.join(name));
        match program {
            Some(program) if program.is_file() => program,
            _ => panic!("{name} is not built: cargo build -p serin-cli -p ml-portfolio"),
        }
    }

    /// The kubeconfig of a user: `admin`, `controller` or `argo`, all of them administrators.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.join("pki").join(format!("{user}.kubeconfig"))
    }

    /// Writes a kubeconfig for a token, such as one of `kubectl create token`, and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn kubeconfig_of_token(&self, name: &str, token: &str) -> PathBuf {
        let admin = read(&self.kubeconfig("admin"));
        let path = self.kubeconfig(name);
        let text = admin.replace("token: admin-token", &format!("token: {token}"));
        assert_ne!(text, admin, "the administrator's kubeconfig has no token to replace");
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("failed to write {}: {e}", path.display()));
        path
    }

    /// Runs kubectl as the administrator.
    ///
    /// # Panics
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        succeeded(arguments, self.try_kubectl(arguments, ""))
    }

    /// Runs kubectl with something to read, and returns how it went.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(self.dir.join("bin/kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig("admin")).args(arguments);
        run(&mut command, input)
    }

    /// Applies manifests, on the server's side because definitions are too large for kubectl's own way.
    ///
    /// # Panics
    /// When they are refused.
    pub fn apply(&self, manifests: &str) {
        let arguments = ["apply", "--server-side", "-f", "-"];
        succeeded(&arguments, self.try_kubectl(&arguments, manifests));
    }

    /// An object of the whole cluster or of a namespace, by kind, name and further arguments; none when there is none.
    ///
    /// # Panics
    /// When the API server gives another answer.
    pub fn object(&self, kind: &str, name: &str, more: &[&str]) -> Option<Value> {
        let arguments = [&["get", kind, name, "-o", "json", "--ignore-not-found"], more].concat();
        let text = self.kubectl(&arguments);
        (!text.trim().is_empty())
            .then(|| serde_json::from_str(&text).unwrap_or_else(|e| panic!("kubectl {arguments:?}: {e}: {text}")))
    }

    /// A new namespace for one test, deleted when it is dropped.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn namespace(&self, purpose: &str) -> Namespace {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Namespace::create(self, &format!("{purpose}-{:x}-{now:x}", std::process::id()), None)
    }

    /// A namespace whose name the manifests lay down, such as that of the example. Tests that want the same one take turns.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn claim(&self, name: &str) -> Namespace {
        let path = self.dir.join("pids").join(format!("namespace-{name}.lock"));
        let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
        let lock = lock.unwrap_or_else(|e| panic!("failed to lock {}: {e}", path.display()));
        self.kubectl(&["delete", "namespace", name, "--ignore-not-found", "--timeout=120s"]);
        Namespace::create(self, name, Some(lock))
    }

    /// Stops, starts, restarts or signals a program of the cluster: `process(&["restart", "apiserver"])`, as
    /// `e2e/cluster/process` says. Tests that do so belong into the module `disturbing`.
    ///
    /// # Panics
    /// When it fails.
    pub fn process(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(Self::root().join("e2e/cluster/process"));
        succeeded(arguments, run(command.env("SERIN_E2E_DIR", &self.dir).args(arguments), ""))
    }

    /// Waits until the API server answers.
    ///
    /// # Panics
    /// When it does not in that time.
    pub fn wait_for_api(&self, bound: Duration) {
        crate::wait_for("the API server", bound, || {
            let answer = self.try_kubectl(&["get", "--raw", "/readyz"], "");
            if answer.success { Ok(()) } else { Err(answer.stderr) }
        });
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("failed to start {name}: {e}"));
    let (stdin, input) = (child.stdin.take(), input.to_owned());
    // Beside the reading: a program that prints while it reads would otherwise wait for us, and we for it.
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap_or_else(|e| panic!("failed to wait for {name}: {e}"));
    // A program that does not read its input to the end has said why by itself.
    let _ = writer.join();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a program printed that had to succeed.
pub(crate) fn succeeded(arguments: &[&str], output: Output) -> String {
    assert!(output.success, "{} failed:\n{}{}", arguments.join(" "), output.stdout, output.stderr);
    output.stdout
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("failed to read {}: {e}", path.display()))
}
