//! The life of one member as a pure state machine. Times are milliseconds on any steady clock.
//!
//! ```text
//! Waiting --start--> Starting --ready--> Ready <--> Starting (readiness lost)
//!    ^                  |  exit / liveness lost    |
//!    +---- back-off ----+--------------------------+
//! any --stop--> Draining --drained or time--> Stopping --exit--> Gone
//!                                                  | grace over: KILL
//! ```

use crate::probe::Probe;

/// What a member is and how it is to be treated.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberSpec {
    /// Unique name, also of its files.
    pub id: String,
    /// Program and arguments; `{port}` stands for the member's port.
    pub command: Vec<String>,
    /// Environment on top of the inherited one; `{port}` stands for the member's port.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub dir: Option<std::path::PathBuf>,
    /// Until it passes, the other probes do not run.
    pub startup: Option<Probe>,
    /// Without one, a running process is ready.
    pub readiness: Option<Probe>,
    /// When it fails the process is restarted.
    pub liveness: Option<Probe>,
    /// Time between TERM and KILL.
    pub grace_ms: u64,
    /// Longest wait for requests under way before TERM.
    pub drain_ms: u64,
}

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its (next) start.
    Waiting {
        /// Not before this time.
        until_ms: u64,
    },
    /// Runs, not ready.
    Starting,
    /// Runs and is ready.
    Ready,
    /// Takes no new requests; finishes those under way.
    Draining {
        /// At most until this time.
        until_ms: u64,
    },
    /// Was sent TERM.
    Stopping {
        /// KILL at this time.
        kill_ms: u64,
        /// KILL was sent.
        killed: bool,
        /// Start again afterwards (liveness) or be gone.
        restart: bool,
    },
    /// Stopped for good.
    Gone,
}

/// Something that happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Time passed.
    Tick,
    /// Its process was started (or found again).
    Started,
    /// Its process could not be started.
    StartFailed,
    /// Its process is gone.
    Exited,
    /// The readiness it shows (after thresholds).
    Readiness(bool),
    /// Liveness was lost (after thresholds).
    LivenessLost,
    /// It is not wanted any more.
    Stop,
    /// No request is under way any more.
    Drained,
}

/// What has to be done to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Start its process.
    Start,
    /// Ask its process group to end.
    Term,
    /// End its process group.
    Kill,
}

/// How often it failed and since when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Starts after the first.
    pub restarts: u32,
    /// Failures since it last ran long enough.
    pub failures: u32,
    /// When the process was started.
    pub started_ms: u64,
}

/// First wait after a failure; doubles with each until [`BACK_OFF_MAX_MS`]. Short, because on one machine a restart costs
/// little and a rollout waits for it; Kubernetes begins with 10 s.
pub const BACK_OFF_MS: u64 = 500;

/// Longest wait between starts: a minute keeps a broken version from eating the machine and still lets a healed
/// dependency be noticed soon.
pub const BACK_OFF_MAX_MS: u64 = 60_000;

/// A process that ran this long begins with a short back-off again.
pub const STEADY_MS: u64 = 60_000;

/// One member.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Where it stands.
    pub state: State,
    /// Its history.
    pub health: Health,
    grace_ms: u64,
    drain_ms: u64,
}

impl Machine {
    /// A member that wants to be started at once.
    pub fn new(spec: &MemberSpec) -> Self {
        Self {
            state: State::Waiting { until_ms: 0 },
            health: Health::default(),
            grace_ms: spec.grace_ms,
            drain_ms: spec.drain_ms,
        }
    }

    /// Whether its process should exist.
    pub fn runs(&self) -> bool {
        !matches!(self.state, State::Waiting { .. } | State::Gone)
    }

    /// Takes an event at a time and says what to do.
    pub fn handle(&mut self, event: Event, now_ms: u64) -> Option<Effect> {
        match (self.state, event) {
            (State::Gone, _) => None,
            (State::Waiting { until_ms }, Event::Tick) if now_ms >= until_ms => Some(Effect::Start),
            (State::Waiting { .. }, Event::Started) => {
                self.health.started_ms = now_ms;
                self.state = State::Starting;
                None
            }
            (State::Waiting { .. }, Event::StartFailed) => {
                self.back_off(now_ms);
                None
            }
            (State::Waiting { .. }, Event::Stop) => {
                self.state = State::Gone;
                None
            }
            (State::Starting | State::Ready, Event::Readiness(ready)) => {
                self.state = if ready { State::Ready } else { State::Starting };
                None
            }
            (State::Starting | State::Ready, Event::LivenessLost) => Some(self.stop(now_ms, true)),
            (State::Starting | State::Ready, Event::Exited) => {
                self.back_off(now_ms);
                None
            }
            (State::Starting | State::Ready, Event::Stop) => {
                self.state = State::Draining { until_ms: now_ms.saturating_add(self.drain_ms) };
                None
            }
            (State::Draining { .. } | State::Stopping { restart: false, .. }, Event::Exited) => {
                self.state = State::Gone;
                None
            }
            (State::Draining { .. }, Event::Drained) => Some(self.stop(now_ms, false)),
            (State::Draining { until_ms }, Event::Tick) if now_ms >= until_ms => Some(self.stop(now_ms, false)),
            (State::Stopping { kill_ms, killed: false, restart }, Event::Tick) if now_ms >= kill_ms => {
                self.state = State::Stopping { kill_ms, killed: true, restart };
                Some(Effect::Kill)
            }
            (State::Stopping { restart: true, .. }, Event::Exited) => {
                self.back_off(now_ms);
                None
            }
            (State::Stopping { kill_ms, killed, restart: true }, Event::Stop) => {
                self.state = State::Stopping { kill_ms, killed, restart: false };
                None
            }
            _ => None,
        }
    }

    fn stop(&mut self, now_ms: u64, restart: bool) -> Effect {
        self.state = State::Stopping { kill_ms: now_ms.saturating_add(self.grace_ms), killed: false, restart };
        Effect::Term
    }

    fn back_off(&mut self, now_ms: u64) {
        if self.runs() && now_ms.saturating_sub(self.health.started_ms) >= STEADY_MS {
            self.health.failures = 0;
        }
        let wait = BACK_OFF_MS.saturating_mul(1 << self.health.failures.min(16)).min(BACK_OFF_MAX_MS);
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.restarts = self.health.restarts.saturating_add(1);
        self.state = State::Waiting { until_ms: now_ms.saturating_add(wait) };
    }

    /// When time alone changes something; `None` while only an event can.
    pub fn wake_ms(&self) -> Option<u64> {
        match self.state {
            State::Waiting { until_ms } | State::Draining { until_ms } => Some(until_ms),
            State::Stopping { kill_ms, killed: false, .. } => Some(kill_ms),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec() -> MemberSpec {
        MemberSpec {
            id: "m".to_owned(),
            command: vec!["x".to_owned()],
            env: Vec::new(),
            dir: None,
            startup: None,
            readiness: None,
            liveness: None,
            grace_ms: 1_000,
            drain_ms: 500,
        }
    }

    fn check(events: &[(Event, u64)], effects: &[Effect], state: State) {
        let mut machine = Machine::new(&spec());
        let got: Vec<Effect> = events.iter().filter_map(|(event, at)| machine.handle(*event, *at)).collect();
        assert_eq!((got.as_slice(), machine.state), (effects, state));
    }

    #[test]
    fn a_member_starts_and_becomes_ready() {
        check(&[(Event::Tick, 0), (Event::Started, 5), (Event::Readiness(true), 9)], &[Effect::Start], State::Ready);
    }

    #[test]
    fn a_stop_drains_then_terms_then_kills() {
        let started = [(Event::Tick, 0), (Event::Started, 0), (Event::Stop, 10)];
        let drained = [started.as_slice(), &[(Event::Drained, 20)]].concat();
        let stopping = State::Stopping { kill_ms: 1_020, killed: false, restart: false };
        check(&drained, &[Effect::Start, Effect::Term], stopping);
        let overdue =
            [drained.as_slice(), &[(Event::Tick, 1_020), (Event::Tick, 1_021), (Event::Exited, 1_030)]].concat();
        check(&overdue, &[Effect::Start, Effect::Term, Effect::Kill], State::Gone);
    }

    #[test]
    fn a_drain_ends_by_time_too() {
        let events = [(Event::Tick, 0), (Event::Started, 0), (Event::Stop, 10), (Event::Tick, 510)];
        let stopping = State::Stopping { kill_ms: 1_510, killed: false, restart: false };
        check(&events, &[Effect::Start, Effect::Term], stopping);
    }

    #[test]
    fn failures_back_off_longer_each_time_and_reset_after_a_steady_run() {
        let mut machine = Machine::new(&spec());
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..10 {
            machine.handle(Event::Started, now);
            machine.handle(Event::Exited, now + 1);
            let State::Waiting { until_ms } = machine.state else { panic!("{:?}", machine.state) };
            waits.push(until_ms - now - 1);
            now = until_ms;
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
        machine.handle(Event::Started, now);
        machine.handle(Event::Exited, now + STEADY_MS);
        assert_eq!(machine.state, State::Waiting { until_ms: now + STEADY_MS + BACK_OFF_MS });
    }

    #[test]
    fn lost_liveness_restarts_and_a_stop_meanwhile_wins() {
        let events = [(Event::Tick, 0), (Event::Started, 0), (Event::LivenessLost, 5), (Event::Exited, 9)];
        check(&events, &[Effect::Start, Effect::Term], State::Waiting { until_ms: 509 });
        let stopped =
            [(Event::Tick, 0), (Event::Started, 0), (Event::LivenessLost, 5), (Event::Stop, 6), (Event::Exited, 9)];
        check(&stopped, &[Effect::Start, Effect::Term], State::Gone);
    }

    proptest! {
        /// Whatever happens, a member that is not wanted is gone once its process ended, and nothing is started after.
        #[test]
        fn a_stopped_member_never_starts_again(events in prop::collection::vec(0u8..8, 0..40)) {
            let mut machine = Machine::new(&spec());
            let mut now = 0;
            let mut stopped = false;
            for event in events {
                now += 100;
                let event = match event {
                    0 => Event::Tick, 1 => Event::Started, 2 => Event::StartFailed, 3 => Event::Exited,
                    4 => Event::Readiness(true), 5 => Event::LivenessLost, 6 => Event::Stop, _ => Event::Drained,
                };
                stopped |= event == Event::Stop;
                let effect = machine.handle(event, now);
                prop_assert!(!(stopped && effect == Some(Effect::Start)));
            }
            machine.handle(Event::Stop, now);
            machine.handle(Event::Tick, now + 10_000);
            machine.handle(Event::Exited, now + 20_000);
            prop_assert_eq!(machine.state, State::Gone);
        }
    }
}
