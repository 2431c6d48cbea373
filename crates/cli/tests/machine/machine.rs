//! A machine under test: a folder of manifests, a state folder, the real `serin` in the foreground, and the commands that talk to
//! it. Whatever it started ends with it.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::manifests::App;
pub(crate) use crate::ran::Ran;
use crate::service;
use crate::visitor::{Load, Visitor};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Environment variable that everything a machine starts inherits, so that it is found again and nothing else is.
const MARK: &str = "SERIN_TEST_MACHINE";

impl Ran {
    /// Asserts success and reads the standard output as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }
}

/// A machine under test.
pub(crate) struct Machine {
    folder: TempDir,
    up: Option<Child>,
    starts: usize,
    /// How fast its clock runs.
    pub(crate) speed: u32,
    /// Further arguments of every `serin up`.
    pub(crate) arguments: Vec<String>,
}

impl Machine {
    /// A machine on which nothing runs yet, with its side file.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("serin-").tempdir().unwrap();
        let machine = Self { folder, up: None, starts: 0, speed: 50, arguments: Vec::new() };
        std::fs::create_dir(machine.app()).unwrap();
        machine.write("serin.yaml", &side_file());
        machine
    }

    /// A machine on which these rollouts run and are healthy.
    pub(crate) fn with(apps: &[&App], templates: &[String]) -> Self {
        let mut machine = Self::new();
        for app in apps {
            machine.write(&format!("{}-{}.yaml", app.namespace, app.name), &app.yaml());
        }
        if !templates.is_empty() {
            machine.write("templates.yaml", &templates.concat());
        }
        machine.up();
        for app in apps {
            let name = format!("{}/{}", app.namespace, app.name);
            machine.until(&name, "healthy at first", |v| v["phase"] == "Healthy");
        }
        machine
    }

    /// The folder of manifests.
    pub(crate) fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A path beside the two.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the manifest folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.app().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command of `serin` on this machine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command
            .args(arguments)
            .env("SERIN_STATE", self.state())
            .env(MARK, self.folder.path())
            .env_remove("SERIN_LOG")
            .env_remove(service::TAG)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_within(arguments, PATIENCE)
    }

    /// Runs a command that has to end sooner than others.
    pub(crate) fn run_within(&self, arguments: &[&str], patience: Duration) -> Ran {
        finish(self.command(arguments), &arguments.join(" "), patience)
    }

    /// Starts `serin up` with the manifest folder and waits until it answers.
    pub(crate) fn up(&mut self) {
        let app = self.app().to_string_lossy().into_owned();
        let speed = self.speed.to_string();
        self.up_with(&[&app, "--speed", &speed, "--listen", "127.0.0.1:0"]);
    }

    /// Starts `serin up` without a folder: what ran before is carried on.
    pub(crate) fn up_again(&mut self) {
        self.up_with(&[]);
    }

    /// Starts `serin up` with these arguments and waits until it answers.
    pub(crate) fn up_with(&mut self, arguments: &[&str]) {
        self.start(arguments);
        let began = Instant::now();
        loop {
            if let Some(status) = self.up.as_mut().and_then(|c| c.try_wait().unwrap()) {
                panic!("serin up ended: {status}\n{}", self.said());
            }
            if self.run(&["list"]).code == 0 {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "serin up does not answer\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts `serin up` with these arguments and does not wait.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        assert!(self.up.is_none(), "it runs already");
        let mut all = vec!["up"];
        all.extend(arguments);
        all.extend(self.arguments.iter().map(String::as_str));
        let command = self.command(&all);
        self.start_as(command);
    }

    /// Starts the control process by this command and does not wait.
    pub(crate) fn start_as(&mut self, mut command: Command) {
        self.starts += 1;
        let out = std::fs::File::create(self.beside(&format!("out.{}", self.starts))).unwrap();
        let errors = std::fs::File::create(self.beside(&format!("err.{}", self.starts))).unwrap();
        self.up = Some(command.stdout(out).stderr(errors).spawn().unwrap());
    }

    /// What the control process printed since its last start: output, then errors.
    pub(crate) fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.beside(&format!("{name}.{}", self.starts)));
        format!("{}{}", read("out").unwrap_or_default(), read("err").unwrap_or_default())
    }

    /// What every control process so far printed.
    pub(crate) fn said_ever(&self) -> String {
        let read = |n: usize, name: &str| std::fs::read_to_string(self.beside(&format!("{name}.{n}")));
        (1..=self.starts).map(|n| read(n, "out").unwrap_or_default() + &read(n, "err").unwrap_or_default()).collect()
    }

    /// Waits until the control process ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut child = self.up.take().unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("the control process does not end\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the control process.
    pub(crate) fn kill_control(&mut self) {
        let mut child = self.up.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends the control process a signal.
    pub(crate) fn signal_control(&self, signal: Signal) {
        self::signal(self.control_pid(), signal);
    }

    /// The control process.
    pub(crate) fn control_pid(&self) -> i32 {
        i32::try_from(self.up.as_ref().unwrap().id()).unwrap()
    }

    /// Where the router takes requests, as the control process told when it started.
    pub(crate) fn router(&self) -> SocketAddr {
        let said = self.said();
        let line = said.lines().find_map(|l| l.strip_prefix("serin takes requests on http://"));
        line.unwrap_or_else(|| panic!("no address: {said}")).parse().unwrap()
    }

    /// A visitor of a rollout's host.
    pub(crate) fn visitor(&self, app: &App) -> Visitor {
        Visitor::new(self.router(), &app.host())
    }

    /// A load on a rollout's host.
    pub(crate) fn load(&self, app: &App) -> Load {
        Load::start(self.router(), &app.host(), 4)
    }

    /// A rollout as `serin status` shows it.
    pub(crate) fn view(&self, service: &str) -> Value {
        let ran = self.run(&["status", service, "-o", "json"]);
        assert!(ran.code <= 1, "{}{}", ran.out, ran.err);
        let mut views: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.out));
        assert_eq!(views.len(), 1, "{views:?}");
        views.remove(0)
    }

    /// Waits until a rollout fits; gives the view that did.
    #[track_caller]
    pub(crate) fn until(&self, service: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let view = self.view(service);
            if fits(&view) {
                return view;
            }
            assert!(began.elapsed() < PATIENCE, "{service} never {what}: {view:#}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until a rollout is at a step, which it has begun, with the router at its weight.
    #[track_caller]
    pub(crate) fn at_step(&self, service: &str, step: usize, weight: u32) -> Value {
        let fits = |v: &Value| v["stepIndex"] == step && v["weight"]["actual"] == weight && v["phase"] == "Paused";
        self.until(service, &format!("paused at step {step} with weight {weight}"), fits)
    }

    /// The events of a rollout, oldest first.
    pub(crate) fn events(&self, service: &str) -> Vec<Value> {
        let mut history = self.run(&["history", service, "-o", "json"]).json();
        serde_json::from_value(history["events"].take()).unwrap()
    }

    /// Process ids of everything that this machine started and that still runs.
    pub(crate) fn processes(&self) -> Vec<i32> {
        marked(self.folder.path())
    }

    /// Those that carry requests: the arguments of the process begin with these words.
    pub(crate) fn processes_of(&self, word: &str) -> Vec<i32> {
        let has = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|argument| argument == word.as_bytes())
        };
        self.processes().into_iter().filter(has).collect()
    }

    /// The router's process.
    pub(crate) fn router_pid(&self) -> i32 {
        let found = self.processes_of("proxy");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.up.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // One round may meet a process that is just being started.
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(|pid| signal(pid, Signal::KILL));
            std::thread::sleep(Duration::from_millis(10));
        }
        if std::thread::panicking() {
            println!("{}", self.said_ever());
        }
    }
}

/// Runs a command to its end, at most so long.
pub(crate) fn finish(mut command: Command, what: &str, patience: Duration) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let drain = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        let mut pipe = pipe.unwrap();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let out = drain(child.stdout.take().map(|p| Box::new(p) as _));
    let err = drain(child.stderr.take().map(|p| Box::new(p) as _));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > patience {
            child.kill().unwrap();
            panic!("`serin {what}` does not end: {} {}", out.join().unwrap(), err.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(4));
    };
    Ran { code: status.code().unwrap_or(-1), out: out.join().unwrap(), err: err.join().unwrap() }
}

/// Sends a signal; one that is gone already needs none.
pub(crate) fn signal(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Whether a process runs.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn marked(folder: &Path) -> Vec<i32> {
    let mark = format!("{MARK}={}", folder.display());
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|pair| pair == mark.as_bytes())
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(pid).filter(carries).filter(|pid| alive(*pid)).collect()
}

/// The side file: this test program is the model service; a second image ignores TERM, a third cannot be run.
fn side_file() -> String {
    let own = std::env::current_exe().unwrap();
    let own = own.display();
    format!(
        r#"images:
  - image: "*/model"
    command: ["{own}", --exact, service, --nocapture]
    env: {{SERIN_TEST_SERVICE: "{{tag}}"}}
  - image: "*/bankchurn-predictor"
    command: ["{own}", --exact, service, --nocapture]
    env: {{SERIN_TEST_SERVICE: "{{tag}}"}}
  - image: "*/stubborn"
    command: [/bin/sh, -c, "trap '' TERM; exec \"$0\" --exact service --nocapture", "{own}"]
    env: {{SERIN_TEST_SERVICE: "{{tag}}"}}
  - image: "*/absent"
    command: [/nonexistent/program]
"#
    )
}
