//! Step plugins as processes: one command per question, the question as JSON on its standard input, the answer as JSON on its
//! standard output (`docs/step-plugins.md`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_core::plugin::PluginPhase;
use serin_spec::wire::rollout::Rollout;
use serin_supervisor::system::{MARK_MEMBER, MARK_PORT, MARK_STATE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::side::PluginCommand;
use crate::staff;

/// Longest answer. A plugin's status is kept with the rollout's, which must stay small.
const ANSWER_MAX: usize = 64 << 10;

/// Longest message that is kept of an answer, in characters: it stands in conditions and events.
const MESSAGE_MAX: usize = 1000;

/// Time between TERM and KILL for a plugin that took too long.
const GRACE: Duration = Duration::from_secs(2);

/// Longest wait that a plugin may ask for: a day.
const REQUEUE_MAX_S: f64 = 86_400.0;

/// What a plugin is told.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// Name of the question; the same when it is asked again because no answer came.
    pub(crate) id: String,
    /// Name of the plugin.
    pub(crate) plugin: String,
    /// `Run`, `Abort` or `Terminate`.
    pub(crate) operation: &'static str,
    /// Index of the step, from 0.
    pub(crate) step: usize,
    /// The step's `config`; null where the step is not there any more.
    pub(crate) config: Option<Value>,
    /// The `status` of the answer before; null the first time.
    pub(crate) status: Option<Value>,
    /// The rollout with its status.
    pub(crate) rollout: Rollout,
}

/// What a plugin says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    /// How the operation stands.
    pub(crate) phase: Phase,
    /// A sentence for people.
    #[serde(default)]
    pub(crate) message: String,
    /// When to ask again, in seconds on the rollout's clock.
    #[serde(default)]
    pub(crate) requeue_after_seconds: Option<f64>,
    /// What it wants to be told the next time; an object, since Argo's field for it is one.
    #[serde(default)]
    pub(crate) status: Option<serde_json::Map<String, Value>>,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Phase {
    Running,
    Successful,
    Failed,
}

impl From<Phase> for PluginPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Running => PluginPhase::Running,
            Phase::Successful => PluginPhase::Successful,
            Phase::Failed => PluginPhase::Failed,
        }
    }
}

/// A question and who is asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// What is asked.
    pub(crate) request: Request,
    /// The command that stands for the plugin.
    pub(crate) command: PluginCommand,
    /// Marks the process, so that the next control process ends it should this one be killed.
    pub(crate) state_id: String,
    /// Where its standard error goes.
    pub(crate) log: PathBuf,
}

/// Why there is no answer. Texts never repeat what the plugin printed to its standard output or was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    #[error("failed to start '{command}': {source}")]
    Start { command: String, source: std::io::Error },
    #[error("failed to open {path}: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("failed to read the answer: {0}")]
    Read(std::io::Error),
    #[error("no answer within {0} s")]
    Late(u64),
    #[error("it ended with {0}")]
    Exit(std::process::ExitStatus),
    #[error("the answer is longer than {} bytes", ANSWER_MAX)]
    Long,
    #[error("the answer is not what docs/step-plugins.md describes: {0}")]
    Garbage(String),
}

/// The log file of a plugin beside those of the members.
pub(crate) fn log_name(plugin: &str) -> String {
    let safe: String = plugin.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("plugin-{safe}.log")
}

/// Asks a plugin and waits for its answer; its processes end with the question, whatever it comes to.
pub(crate) async fn ask(question: Question) -> Result<Answer, PluginError> {
    let limit = question.command.timeout_seconds;
    let mut group = start(&question)?;
    let text = serde_json::to_vec(&question.request).unwrap_or_default();
    match tokio::time::timeout(Duration::from_secs(limit), converse(&mut group, &text)).await {
        Ok(answer) => answer,
        Err(_) => {
            group.signal(Signal::TERM);
            let _ = tokio::time::timeout(GRACE, group.ended()).await;
            Err(PluginError::Late(limit))
        }
    }
}

/// The processes of one question. However the question ends, none of them is left.
struct Group {
    child: Child,
    pid: Option<Pid>,
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // Already gone is as good as signalled.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Group {
    /// Waits for the leader, and ends what it left behind. After that its id may become another's, so it is forgotten.
    async fn ended(&mut self) -> Result<std::process::ExitStatus, PluginError> {
        let status = self.child.wait().await.map_err(PluginError::Read)?;
        self.signal(Signal::KILL);
        self.pid = None;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn start(question: &Question) -> Result<Group, PluginError> {
    let entry = &question.command;
    let program = entry.command.first().map(String::as_str).unwrap_or_default();
    let program = staff::located(program, entry.directory.as_deref());
    let log = |source| PluginError::Log { path: question.log.clone(), source };
    let errors = serin_supervisor::logs::open(&question.log).map_err(log)?;
    let mut command = Command::new(&program);
    command
        .args(&entry.command[1..])
        .envs(&entry.env)
        .env(MARK_STATE, &question.state_id)
        .env(MARK_MEMBER, format!("plugin-{}", question.request.id))
        .env(MARK_PORT, "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .process_group(0);
    if let Some(directory) = &entry.directory {
        command.current_dir(directory);
    }
    let child = command.spawn().map_err(|source| PluginError::Start { command: program, source })?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok(Group { child, pid })
}

async fn converse(group: &mut Group, request: &[u8]) -> Result<Answer, PluginError> {
    let (stdin, stdout) = (group.child.stdin.take(), group.child.stdout.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // A plugin need not read what it is told; then the pipe breaks.
            let _ = stdin.write_all(request).await;
            let _ = stdin.write_all(b"\n").await;
        }
    };
    let listen = async {
        let mut text = Vec::new();
        if let Some(stdout) = stdout {
            let limit = ANSWER_MAX as u64 + 1;
            stdout.take(limit).read_to_end(&mut text).await.map_err(PluginError::Read)?;
        }
        Ok(text)
    };
    let ((), text) = tokio::join!(tell, listen);
    let text = text?;
    if text.len() > ANSWER_MAX {
        return Err(PluginError::Long);
    }
    let status = group.ended().await?;
    if !status.success() {
        return Err(PluginError::Exit(status));
    }
    read(&text)
}

fn read(text: &[u8]) -> Result<Answer, PluginError> {
    let mut answer: Answer = serde_json::from_slice(text).map_err(|e| PluginError::Garbage(describe(&e)))?;
    if answer.requeue_after_seconds.is_some_and(|s| !(0.0..=REQUEUE_MAX_S).contains(&s)) {
        return Err(PluginError::Garbage(format!("requeueAfterSeconds must be between 0 and {REQUEUE_MAX_S}")));
    }
    if let Some((cut, _)) = answer.message.char_indices().nth(MESSAGE_MAX) {
        answer.message.truncate(cut);
        answer.message.push('…');
    }
    Ok(answer)
}

/// Where the answer goes wrong, without repeating any of it.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "it is no JSON",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => {
            "phase must be one of Running, Successful and Failed, message a text, requeueAfterSeconds a number, status an object"
        }
        serde_json::error::Category::Io => "it cannot be read",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// Whether a file in the folder of logs is that of a plugin.
pub(crate) fn is_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.starts_with("plugin-") && name.ends_with(".log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let answer =
            read(br#"{"phase": "Running", "requeueAfterSeconds": 2.5, "status": {"n": 1}, "later": true}"#).unwrap();
        assert_eq!((answer.phase, answer.requeue_after_seconds), (Phase::Running, Some(2.5)));
        assert_eq!((answer.message.as_str(), answer.status.unwrap()["n"].as_i64()), ("", Some(1)));
        let long = format!(r#"{{"phase": "Successful", "message": "{}"}}"#, "ü".repeat(MESSAGE_MAX + 1));
        let message = read(long.as_bytes()).unwrap().message;
        assert!(message.chars().count() == MESSAGE_MAX + 1 && message.ends_with("ü…"));
    }

    #[test]
    fn what_is_no_answer_is_described_and_not_repeated() {
        let check = |text: &str, want: &str| {
            let why = read(text.as_bytes()).unwrap_err().to_string();
            assert!(why.contains(want) && !why.contains("secret"), "{why}");
        };
        check("secret", "it is no JSON (line 1, column 1)");
        check("", "it ends too early");
        check(r#"{"phase": "secret"}"#, "phase must be one of Running, Successful and Failed");
        check(r#"{"message": "secret"}"#, "phase must be one of");
        check(r#"{"phase": "Running", "status": "secret"}"#, "status an object");
        check(r#"{"phase": "Running", "requeueAfterSeconds": -1}"#, "between 0 and 86400");
        check(r#"{"phase": "Running", "requeueAfterSeconds": 1e300}"#, "between 0 and 86400");
        check(r#"{"phase": "Successful"} secret"#, "it is no JSON");
    }

    #[test]
    fn logs_of_plugins_have_safe_names() {
        assert_eq!(log_name("acme/../gate"), "plugin-acme____gate.log");
        assert!(is_log(Path::new("/x/plugin-acme_gate.log")) && !is_log(Path::new("/x/ns.svc-abc-0.log")));
    }
}
