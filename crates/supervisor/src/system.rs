//! The one file that touches processes: start, find again, signal, and look whether they live.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::machine::MemberSpec;
use crate::{SupervisorError, logs};

/// Environment variable that marks every process of a state folder.
pub const MARK_STATE: &str = "SERIN_STATE_ID";

/// Environment variable that names the member.
pub const MARK_MEMBER: &str = "SERIN_MEMBER";

/// Environment variable with the member's port.
pub const MARK_PORT: &str = "SERIN_PORT";

/// A process that cannot be mistaken for another: pids are reused, pids with a start time are not (within one boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Process id, also of its group.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_ticks: u64,
}

/// A process of ours, started now or found again.
#[derive(Debug)]
pub struct Process {
    /// Which one.
    pub identity: Identity,
    /// When it was started, in milliseconds of wall time since 1970.
    pub started_ms: i64,
    child: Option<Child>,
}

/// Starts a member in a process group of its own, so that a signal reaches all of it and none of ours.
///
/// # Errors
/// When the log cannot be opened or the program cannot be run.
pub fn start(spec: &MemberSpec, port: u16, state_id: &str, log: &Path) -> Result<Process, SupervisorError> {
    let fill = |text: &str| text.replace("{port}", &port.to_string());
    let program = spec.command.first().map(|p| fill(p)).unwrap_or_default();
    let failed = |source| SupervisorError::Start { command: program.clone(), source };
    let output = logs::open(log).map_err(|source| SupervisorError::Write { path: log.to_owned(), source })?;
    let errors = output.try_clone().map_err(failed)?;
    let mut command = Command::new(&program);
    command
        .args(spec.command[1..].iter().map(|a| fill(a)))
        .envs(spec.env.iter().map(|(k, v)| (k.clone(), fill(v))))
        .env(MARK_STATE, state_id)
        .env(MARK_MEMBER, &spec.id)
        .env(MARK_PORT, port.to_string())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0);
    if let Some(dir) = &spec.dir {
        command.current_dir(dir);
    }
    let child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    let start_ticks = stat(pid).map_or(0, |s| s.start_ticks);
    Ok(Process { identity: Identity { pid, start_ticks }, started_ms: wall_ms(), child: Some(child) })
}

impl Process {
    /// A process that an earlier supervisor started.
    pub fn adopted(identity: Identity) -> Self {
        Self { identity, started_ms: started_ms(identity.start_ticks), child: None }
    }

    /// How it ended, if it did: the words for a message.
    pub fn ended(&mut self) -> Option<String> {
        if let Some(child) = &mut self.child {
            return match child.try_wait() {
                Ok(Some(status)) => Some(status.to_string()),
                Ok(None) => None,
                Err(error) => Some(error.to_string()),
            };
        }
        match stat(self.identity.pid) {
            Some(s) if s.start_ticks == self.identity.start_ticks && s.state != 'Z' => None,
            _ => Some("ended".to_owned()),
        }
    }

    /// Sends TERM to the whole group.
    pub fn term(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Sends KILL to the whole group.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Signals the group, never a foreign process: a child of ours keeps its pid until it is waited for, an adopted one
    /// is compared by start time first.
    fn signal(&mut self, signal: Signal) {
        if self.child.is_none() && self.ended().is_some() {
            return;
        }
        if let Some(pid) = Pid::from_raw(self.identity.pid) {
            // Already gone is as good as signalled.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// After the leader ended, whatever is left of its group ends too.
    pub fn sweep(&self) {
        // Looking through all processes for each that ended would cost the square of their number; most leave nobody behind.
        let Some(group) = Pid::from_raw(self.identity.pid) else { return };
        if test_kill_process_group(group).is_err() {
            return;
        }
        let left = std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| {
            let pid: Option<i32> = entry.file_name().to_str().and_then(|n| n.parse().ok());
            pid.and_then(stat).is_some_and(|s| s.group == self.identity.pid && s.state != 'Z')
        });
        if left {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The wall time of a moment in ticks since boot. Ticks and the time since boot are known to a hundredth of a second; the end of
/// that is taken, so that a process never counts as older than it is.
fn started_ms(ticks: u64) -> i64 {
    let uptime = std::fs::read_to_string("/proc/uptime").ok();
    let uptime_s: f64 = uptime.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0.0);
    let ticks_ms = i64::try_from((ticks + 1).saturating_mul(1000) / clock_ticks_per_second().max(1)).unwrap_or(0);
    wall_ms() - (uptime_s * 1000.0) as i64 + ticks_ms
}

struct Stat {
    state: char,
    group: i32,
    start_ticks: u64,
}

/// Reads `/proc/PID/stat`. The command name may hold blanks and parentheses, so fields are counted from the last `)`.
fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// Whether a process of this id runs; one that ended and was not waited for yet does not.
pub fn runs(pid: u32) -> bool {
    i32::try_from(pid).ok().and_then(stat).is_some_and(|s| s.state != 'Z')
}

/// A process of this state folder that still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The member's name.
    pub member: String,
    /// Its port.
    pub port: u16,
    /// The process.
    pub identity: Identity,
}

/// Finds the group leaders that carry this state folder's mark. Nothing has to be written down for that, so a crash
/// between starting a process and remembering it loses none.
pub fn find(state_id: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let Some(stat) = stat(pid).filter(|s| s.group == pid && s.state != 'Z') else { continue };
        let Some(environ) = environment(pid) else { continue };
        let variable = |name: &str| {
            environ.split(|b| *b == 0).find_map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
            })
        };
        if variable(MARK_STATE).as_deref() != Some(state_id) {
            continue;
        }
        let (Some(member), Some(port)) = (variable(MARK_MEMBER), variable(MARK_PORT)) else { continue };
        let Ok(port) = port.parse() else { continue };
        found.push(Found { member, port, identity: Identity { pid, start_ticks: stat.start_ticks } });
    }
    // A descendant that made a group of its own carries the same mark; the member is the one that started first.
    found.sort_by(|a, b| (&a.member, a.identity.start_ticks).cmp(&(&b.member, b.identity.start_ticks)));
    found.dedup_by(|later, first| later.member == first.member);
    found
}

/// The environment of a process, or `None` when it is gone or not ours to read. Whoever looks in the middle of an `execve` gets
/// an empty one, or the beginning of the old one if it takes several reads; either would hide a member that is just becoming the
/// program it stands for. So it is read whole in one call, and an empty one is read again for some milliseconds before it is
/// believed.
fn environment(pid: i32) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 256 * 1024];
    for attempt in 0..10 {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut length = File::open(format!("/proc/{pid}/environ")).ok()?.read(&mut buffer).ok()?;
        while length == buffer.len() {
            buffer.resize(2 * length, 0);
            length = File::open(format!("/proc/{pid}/environ")).ok()?.read(&mut buffer).ok()?;
        }
        if length > 0 {
            buffer.truncate(length);
            return Some(buffer);
        }
    }
    None
}

/// A port that is free on loopback now.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16, SupervisorError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(SupervisorError::Port)?;
    listener.local_addr().map(|a| a.port()).map_err(SupervisorError::Port)
}
