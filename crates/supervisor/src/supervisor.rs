//! The supervisor: members wanted, processes found, probes asked, and what came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::machine::{Effect, Event, Health, Machine, MemberSpec, State};
use crate::probe::{self, Check, Opinion, Probe};
use crate::system::{self, Process};
use crate::{SupervisorError, logs};

/// Probes under way at once: more would starve each other of the time they have.
const PROBES_MAX: usize = 256;

/// Time between two looks at the sizes of the logs, in milliseconds. A member that prints at full speed writes some hundred
/// megabytes in it at most.
const ROTATE_EVERY_MS: u64 = 500;

/// A member as seen from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberView {
    /// Its name.
    pub id: String,
    /// Its port on loopback.
    pub port: u16,
    /// Its process id while it runs.
    pub pid: Option<i32>,
    /// When its process was started, in milliseconds of wall time since 1970, while it runs.
    pub started_ms: Option<i64>,
    /// Where it stands.
    pub state: State,
    /// Its history.
    pub health: Health,
    /// Why it last failed.
    pub trouble: Option<String>,
    /// Its log file.
    pub log: PathBuf,
}

impl MemberView {
    /// Whether it takes requests.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }
}

#[derive(Debug)]
struct Member {
    spec: MemberSpec,
    machine: Machine,
    port: u16,
    process: Option<Process>,
    startup: Option<Opinion>,
    readiness: Option<Opinion>,
    liveness: Option<Opinion>,
    asking: bool,
    epoch: u64,
    trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Startup,
    Readiness,
    Liveness,
}

#[derive(Debug)]
struct Answer {
    member: String,
    epoch: u64,
    question: Question,
    good: bool,
}

/// Processes of one state folder.
#[derive(Debug)]
pub struct Supervisor {
    dir: PathBuf,
    state_id: String,
    began: Instant,
    members: BTreeMap<String, Member>,
    found: BTreeMap<String, system::Found>,
    answers: (mpsc::UnboundedSender<Answer>, mpsc::UnboundedReceiver<Answer>),
    asking: Arc<AtomicUsize>,
    epoch: u64,
    rotated_ms: Option<u64>,
}

impl Supervisor {
    /// A supervisor that keeps its logs under `dir`; processes that carry `state_id` and still run are found again as
    /// soon as a member of their name is wanted.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(dir: &Path, state_id: &str) -> Result<Self, SupervisorError> {
        let write = |source| SupervisorError::Write { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(write)?;
        let found = system::find(state_id).into_iter().map(|f| (f.member.clone(), f)).collect();
        Ok(Self {
            dir: dir.to_owned(),
            state_id: state_id.to_owned(),
            began: Instant::now(),
            members: BTreeMap::new(),
            found,
            answers: mpsc::unbounded_channel(),
            asking: Arc::new(AtomicUsize::new(0)),
            epoch: 0,
            rotated_ms: None,
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The log file of a member.
    pub fn log_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.log"))
    }

    /// Wants a member. One that is there already keeps its process.
    pub fn want(&mut self, spec: MemberSpec) {
        if self.members.get(&spec.id).is_some_and(|m| m.machine.state != State::Gone) {
            return;
        }
        let mut machine = Machine::new(&spec);
        let (mut process, mut port) = (None, 0);
        if let Some(found) = self.found.remove(&spec.id) {
            machine.handle(Event::Started, self.now_ms());
            process = Some(Process::adopted(found.identity));
            port = found.port;
        }
        let id = spec.id.clone();
        let member = Member {
            spec,
            machine,
            port,
            process,
            startup: None,
            readiness: None,
            liveness: None,
            asking: false,
            epoch: 0,
            trouble: None,
        };
        self.members.insert(id.clone(), member);
        if port != 0 {
            self.begin_probes(&id);
        }
    }

    /// Takes a member that was found again as ready, because it was before: its readiness probe changes that only after as many
    /// bad answers as it takes for a ready member. Without this a restart of the supervisor would empty the router for a moment.
    pub fn presume_ready(&mut self, id: &str) {
        let Some(member) = self.members.get_mut(id).filter(|m| m.process.is_some()) else { return };
        for opinion in [&mut member.startup, &mut member.readiness].into_iter().flatten() {
            opinion.good = true;
        }
        self.event(id, Event::Readiness(true));
    }

    /// Does not want a member any more: it drains and stops.
    pub fn stop(&mut self, id: &str) {
        self.event(id, Event::Stop);
    }

    /// Says that no request of a draining member is under way any more.
    pub fn drained(&mut self, id: &str) {
        self.event(id, Event::Drained);
    }

    /// Processes of this state folder that nobody wanted by name; they are stopped by [`Supervisor::stop_unclaimed`].
    pub fn unclaimed(&self) -> Vec<String> {
        self.found.keys().cloned().collect()
    }

    /// Stops processes that an earlier supervisor started and that no member stands for.
    pub fn stop_unclaimed(&mut self) {
        for (_, found) in std::mem::take(&mut self.found) {
            let mut process = Process::adopted(found.identity);
            process.term();
            let id = found.member.clone();
            let spec = MemberSpec {
                id: id.clone(),
                command: Vec::new(),
                env: Vec::new(),
                dir: None,
                startup: None,
                readiness: None,
                liveness: None,
                grace_ms: 5_000,
                drain_ms: 0,
            };
            self.want(spec);
            let now = self.now_ms();
            if let Some(member) = self.members.get_mut(&id) {
                member.machine.handle(Event::Started, now);
                member.process = Some(process);
                member.port = found.port;
            }
            self.stop(&id);
        }
    }

    /// All members, by name.
    pub fn members(&self) -> Vec<MemberView> {
        let view = |(id, m): (&String, &Member)| MemberView {
            id: id.clone(),
            port: m.port,
            pid: m.process.as_ref().map(|p| p.identity.pid),
            started_ms: m.process.as_ref().map(|p| p.started_ms),
            state: m.machine.state,
            health: m.machine.health,
            trouble: m.trouble.clone(),
            log: self.log_path(id),
        };
        self.members.iter().map(view).collect()
    }

    /// One turn: takes what the probes answered, looks at the processes, does what is due. Call it some ten times a
    /// second, inside a tokio runtime. Returns whether any member changed its state.
    pub fn turn(&mut self) -> bool {
        let before: Vec<(String, State)> = self.members.iter().map(|(id, m)| (id.clone(), m.machine.state)).collect();
        while let Ok(answer) = self.answers.1.try_recv() {
            self.take(&answer);
        }
        let ids: Vec<String> = self.members.keys().cloned().collect();
        let now = self.now_ms();
        let rotate = self.rotated_ms.is_none_or(|at| now >= at + ROTATE_EVERY_MS);
        if rotate {
            self.rotated_ms = Some(now);
        }
        for id in &ids {
            self.look(id);
            self.event(id, Event::Tick);
            self.ask(id);
            if rotate {
                // A log that cannot be rotated must not stop the others; it is tried again soon.
                let _ = logs::rotate(&self.log_path(id));
            }
        }
        self.members.retain(|_, m| m.machine.state != State::Gone);
        before.len() != self.members.len()
            || before.iter().any(|(id, s)| self.members.get(id).map(|m| m.machine.state) != Some(*s))
    }

    fn event(&mut self, id: &str, event: Event) {
        let now = self.now_ms();
        let Some(member) = self.members.get_mut(id) else { return };
        match member.machine.handle(event, now) {
            Some(Effect::Start) => self.start(id),
            Some(Effect::Term) => member.process.iter_mut().for_each(Process::term),
            Some(Effect::Kill) => member.process.iter_mut().for_each(Process::kill),
            None => {}
        }
    }

    fn start(&mut self, id: &str) {
        let log = self.log_path(id);
        let state_id = self.state_id.clone();
        let Some(member) = self.members.get_mut(id) else { return };
        let started =
            system::free_port().and_then(|port| Ok((port, system::start(&member.spec, port, &state_id, &log)?)));
        match started {
            Ok((port, process)) => {
                member.port = port;
                member.process = Some(process);
                self.event(id, Event::Started);
                self.begin_probes(id);
            }
            Err(error) => {
                member.trouble = Some(error.to_string());
                self.event(id, Event::StartFailed);
            }
        }
    }

    fn begin_probes(&mut self, id: &str) {
        let now = self.now_ms();
        self.epoch += 1;
        let Some(member) = self.members.get_mut(id) else { return };
        let spec = &member.spec;
        member.epoch = self.epoch;
        member.asking = false;
        member.startup = spec.startup.as_ref().map(|p| Opinion::new(p, now, false));
        member.readiness = spec.readiness.as_ref().map(|p| Opinion::new(p, now, false));
        member.liveness = spec.liveness.as_ref().map(|p| Opinion::new(p, now, true));
        if spec.readiness.is_none() && spec.startup.is_none() {
            self.event(id, Event::Readiness(true));
        }
    }

    fn look(&mut self, id: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        let Some(how) = member.process.as_mut().and_then(Process::ended) else { return };
        if let Some(process) = member.process.take() {
            process.sweep();
        }
        member.trouble = Some(how);
        member.epoch = 0;
        self.event(id, Event::Exited);
    }

    fn ask(&mut self, id: &str) {
        let now = self.now_ms();
        let Some(member) = self.members.get_mut(id) else { return };
        if member.asking || !matches!(member.machine.state, State::Starting | State::Ready) {
            return;
        }
        let starting = member.startup.as_ref().is_some_and(|o| !o.good);
        let candidates: [(Question, &Option<Probe>, &Option<Opinion>); 3] = [
            (Question::Startup, &member.spec.startup, &member.startup),
            (Question::Readiness, &member.spec.readiness, &member.readiness),
            (Question::Liveness, &member.spec.liveness, &member.liveness),
        ];
        let due = candidates.into_iter().find_map(|(question, probe, opinion)| {
            let (probe, opinion) = (probe.as_ref()?, opinion.as_ref()?);
            let applies = (question == Question::Startup) == starting;
            (applies && now >= opinion.next_ms).then(|| (question, probe.check.clone(), probe.timeout_ms))
        });
        let Some((question, check, timeout_ms)) = due else { return };
        if self.asking.load(Ordering::Relaxed) >= PROBES_MAX {
            return;
        }
        member.asking = true;
        self.asking.fetch_add(1, Ordering::Relaxed);
        let (send, asking) = (self.answers.0.clone(), Arc::clone(&self.asking));
        let (member_id, epoch, port) = (id.to_owned(), member.epoch, member.port);
        tokio::spawn(async move {
            let check: Check = check;
            let good = probe::ask(&check, port, timeout_ms).await;
            asking.fetch_sub(1, Ordering::Relaxed);
            // The supervisor may be gone by now; then nobody wants the answer.
            let _ = send.send(Answer { member: member_id, epoch, question, good });
        });
    }

    fn take(&mut self, answer: &Answer) {
        let now = self.now_ms();
        let Some(member) = self.members.get_mut(&answer.member) else { return };
        if member.epoch != answer.epoch {
            return;
        }
        member.asking = false;
        let (probe, opinion) = match answer.question {
            Question::Startup => (&member.spec.startup, &mut member.startup),
            Question::Readiness => (&member.spec.readiness, &mut member.readiness),
            Question::Liveness => (&member.spec.liveness, &mut member.liveness),
        };
        let (Some(probe), Some(opinion)) = (probe, opinion) else { return };
        let changed = opinion.answer(probe, answer.good, now);
        let good = opinion.good;
        let exhausted = !good && !changed && !answer.good && answer.question == Question::Startup;
        match answer.question {
            Question::Startup if changed && good && member.spec.readiness.is_none() => {
                self.event(&answer.member, Event::Readiness(true));
            }
            Question::Startup if exhausted && self.startup_over(&answer.member, now) => {
                self.note(&answer.member, "startup probe failed");
                self.event(&answer.member, Event::LivenessLost);
            }
            Question::Readiness if changed => self.event(&answer.member, Event::Readiness(good)),
            Question::Liveness if changed && !good => {
                self.note(&answer.member, "liveness probe failed");
                self.event(&answer.member, Event::LivenessLost);
            }
            _ => {}
        }
    }

    /// A startup probe has `failureThreshold` periods to pass.
    fn startup_over(&self, id: &str, now_ms: u64) -> bool {
        let Some(member) = self.members.get(id) else { return false };
        let Some(probe) = &member.spec.startup else { return false };
        let allowed =
            probe.initial_delay_ms + probe.period_ms.saturating_mul(u64::from(probe.failure_threshold.max(1)));
        now_ms.saturating_sub(member.machine.health.started_ms) >= allowed
    }

    fn note(&mut self, id: &str, trouble: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.trouble = Some(trouble.to_owned());
        }
    }
}
