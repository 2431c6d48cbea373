//! The control process: one loop that looks, decides, makes it durable, and only then brings the machine to it.

mod decide;
mod experiments;
mod labels;
mod logged;
mod manifests;
mod measure;
mod members;
mod plugins;
mod recording;
mod routing;
mod scrape;
mod sequential;
mod serve;
mod switching;
mod traffic;
mod views;

pub use manifests::{check, check_for_cluster, lint};
pub use views::blue_green::stages as blue_green_stages;
pub use views::canary_steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serin_core::{Hash, Time};
use serin_promql::Store as Series;
use serin_providers::sequential::log::folder::Logs;
use serin_supervisor::Supervisor;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::experiment::{ExperimentRecord, ExperimentState};
use crate::journal::Journal;
use crate::link::{Link, RouterCommand};
use crate::model::{Key, Objects, RunState, Workload};
use crate::observe::Staffing;
use crate::record::{RunRecord, WorkloadRecord};
use crate::side::{Overrides, Side};
use crate::store::{Batch, EventRecord, Shelf, Store};
use crate::token::Token;
use crate::{LocalError, control, validity};

/// Time between two looks at the machine. Long enough to cost nothing, short enough for a demo at high speed.
const TICK: Duration = Duration::from_millis(50);

/// Time between two checks that the router is there: it is back well within a second.
const VERIFY_EVERY: Duration = Duration::from_millis(200);

/// Wait before a write that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How to run a control process.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state folder.
    pub state: PathBuf,
    /// The manifest folder, with its side file. Without one, what was applied before is carried on, with the options of then
    /// where no others are given.
    pub folder: Option<PathBuf>,
    /// Speed of the clock; the one it had, or 1, when absent.
    pub speed: Option<f64>,
    /// Program and first arguments of the router.
    pub router_command: Vec<String>,
    /// Where the router takes requests, instead of what the side file says.
    pub listen: Option<std::net::SocketAddr>,
    /// Where the read-only status listens, instead of what the side file says.
    pub status: Option<std::net::SocketAddr>,
    /// A Prometheus server, instead of what the side file says.
    pub prometheus: Option<String>,
}

/// Where a control process comes from, for the next one.
struct Origin {
    /// What its processes are marked with.
    id: String,
    /// The manifest folder.
    folder: Option<PathBuf>,
    /// What was said instead of the side file.
    overrides: Overrides,
}

/// What background tasks report to the loop.
#[derive(Debug)]
enum Report {
    /// A member's metrics page was fetched, or could not be.
    Scraped(scrape::Scraped),
    /// A measurement ended.
    Measured(measure::Measured),
    /// A step plugin answered, or did not.
    Plugin(plugins::Answered),
    /// A server was asked for the counters of a sequential metric.
    Read((RunKey, usize), Result<serin_providers::counters::Reading, String>),
}

/// What a run was created or changed to, until it is durable.
type RunKey = Key;

/// The control process of a state folder.
pub struct Engine {
    options: Options,
    origin: Origin,
    side: Side,
    clock: Clock,
    store: Store,
    objects: Objects,
    workloads: BTreeMap<Key, Workload>,
    runs: BTreeMap<RunKey, RunState>,
    experiments: BTreeMap<Key, ExperimentState>,
    supervisor: Supervisor,
    members: members::Members,
    link: Link,
    series: Series,
    journal: Journal,
    scrapes: scrape::Scrapes,
    measuring: measure::Measuring,
    asking: plugins::Asking,
    traffic: traffic::Traffic,
    /// What was judged, for people to look at later.
    logs: Logs,
    truths: labels::Truths,
    /// Rollouts to decide in the next turn.
    dirty: BTreeSet<Key>,
    /// Experiments to decide in the next turn.
    dirty_experiments: BTreeSet<Key>,
    /// Rollouts to look at again although nothing changed.
    again_at: BTreeMap<Key, Instant>,
    routes_stale: bool,
    /// Pools or members changed since members were last started and stopped.
    staff_stale: bool,
    verified_at: Instant,
    blocked_until: Option<Instant>,
    /// Why the state cannot be written, while it cannot.
    blocked: Option<String>,
    going_down: bool,
    /// Answers that wait for the router.
    held: Vec<switching::Held>,
    /// Where the read-only status listens.
    status: Option<std::net::SocketAddr>,
    reports: (mpsc::UnboundedSender<Report>, mpsc::UnboundedReceiver<Report>),
    watcher: Box<dyn FnMut(&EventRecord)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("state", &self.options.state).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the state folder, takes up what was left there, and connects to the router, which is started if need be.
    /// `watcher` is told every event as it happens.
    ///
    /// # Errors
    /// When the folder is in use or cannot be used, the side file is wrong, or the router cannot be started.
    pub async fn open(options: Options, watcher: Box<dyn FnMut(&EventRecord)>) -> Result<Self, LocalError> {
        let mut engine = Self::take_up(options, side, watcher)?;
        engine.claim()?;
        engine.wait_for_router().await?;
        engine.compare_address()?;
        engine.remember()?;
        engine.adopt();
        Ok(engine)
    }

    /// Stops the members and the router that a killed control process left behind; whatever is not there is not started for it.
    ///
    /// # Errors
    /// When the folder is in use or cannot be used, or when the router does not stop.
    pub async fn stop_leftovers(options: Options) -> Result<(), LocalError> {
        // Without their commands members are stopped all the same, only without waiting for their requests.
        let side = |folder: &Path| Ok(Side::read(folder).unwrap_or_default());
        let mut engine = Self::take_up(options, side, Box::new(|_| {}))?;
        engine.link.connect().await;
        engine.adopt();
        engine.begin_down();
        while !engine.members.is_empty() {
            engine.turn().await;
            tokio::time::sleep(TICK).await;
        }
        engine.link.stop().await
    }

    /// The state as it was left, with nothing of the machine looked at yet.
    fn take_up(
        options: Options,
        side: impl FnOnce(&Path) -> Result<Side, LocalError>,
        watcher: Box<dyn FnMut(&EventRecord)>,
    ) -> Result<Self, LocalError> {
        // Checked before anything is made: a state folder without its socket could not be talked to.
        control::path(&options.state)?;
        let store = Store::open(&options.state)?;
        let meta: BTreeMap<String, serde_json::Value> = store.read(Shelf::Meta)?.into_iter().collect();
        let clock = resumed_clock(&meta, options.speed);
        let id = meta.get("id").and_then(|v| v.as_str()).map_or_else(fresh_id, str::to_owned);
        let folder = options.folder.clone().or_else(|| meta.get("folder").and_then(|v| v.as_str()).map(PathBuf::from));
        let overrides = overrides(&options, &meta);
        let side = folder.as_deref().map_or_else(|| Ok(Side::default()), side)?.with(&overrides);
        let logs = options.state.join("logs");
        crate::store::make_private(&logs)?;
        let link = Link::new(RouterCommand {
            command: options.router_command.clone(),
            listen: side.router.listen,
            workers: side.router.workers,
            socket: options.state.join("router.sock"),
            log: logs.join("router.log"),
        });
        let supervisor = Supervisor::new(&logs, &id)?;
        let journal = Journal::new(&options.state);
        let series = journal.restore(scrape::limits());
        let mut engine = Self {
            origin: Origin { id, folder, overrides },
            side,
            clock,
            objects: Objects::default(),
            workloads: BTreeMap::new(),
            runs: BTreeMap::new(),
            experiments: BTreeMap::new(),
            supervisor,
            members: members::Members::default(),
            link,
            series,
            journal,
            scrapes: scrape::Scrapes::default(),
            measuring: measure::Measuring::default(),
            asking: plugins::Asking::default(),
            traffic: traffic::Traffic::default(),
            logs: Logs::new(options.state.join(crate::evidence::FOLDER)),
            truths: labels::Truths::default(),
            dirty: BTreeSet::new(),
            dirty_experiments: BTreeSet::new(),
            again_at: BTreeMap::new(),
            routes_stale: true,
            staff_stale: true,
            verified_at: Instant::now(),
            blocked_until: None,
            blocked: None,
            going_down: false,
            held: Vec::new(),
            status: None,
            reports: mpsc::unbounded_channel(),
            watcher,
            store,
            options,
        };
        engine.load()?;
        Ok(engine)
    }

    fn load(&mut self) -> Result<(), LocalError> {
        self.load_objects()?;
        for (key, record) in self.store.read::<WorkloadRecord>(Shelf::Workloads)? {
            let key = Key::try_from(key).map_err(LocalError::Bug)?;
            self.dirty.insert(key.clone());
            let mut workload = record.read();
            validity::look(&mut workload, &self.objects);
            self.workloads.insert(key, workload);
        }
        for (key, record) in self.store.read::<RunRecord>(Shelf::Runs)? {
            self.runs.insert(Key::try_from(key).map_err(LocalError::Bug)?, record.read());
        }
        for (key, record) in self.store.read::<ExperimentRecord>(Shelf::Experiments)? {
            self.experiments.insert(Key::try_from(key).map_err(LocalError::Bug)?, record.read());
        }
        self.load_labels()
    }

    /// A router that an earlier control process left runs where it was told then. Asked for another address it cannot be moved
    /// without cutting off its visitors, so that is said and not ignored.
    fn compare_address(&mut self) -> Result<(), LocalError> {
        let (wanted, here) = (self.side.router.listen, self.link.listen());
        if wanted.port() == 0 || wanted == here {
            return Ok(());
        }
        let message = format!("the router runs on {here} already, not on {wanted}");
        if self.options.listen.is_some() {
            return Err(LocalError::refused_with(message, "stop it with `serin down` first, or leave --listen out"));
        }
        self.note("RouterElsewhere", format!("{message}: it moves with `serin down` and `serin up`"), true);
        Ok(())
    }

    async fn wait_for_router(&mut self) -> Result<(), LocalError> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.link.is_connected() {
            self.link.ensure().await;
            if let Some(trouble) = self.link.trouble() {
                return Err(LocalError::Router(trouble.to_owned()));
            }
            if Instant::now() > deadline {
                return Err(LocalError::Router("it does not answer on its control socket".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Leaves to the next control process how this one was started; a start that failed leaves what the one before did. Where the
    /// system chose the router's port, visitors find the router there again.
    fn remember(&mut self) -> Result<(), LocalError> {
        if self.side.router.listen.port() == 0 {
            self.origin.overrides.listen = Some(self.link.listen());
        }
        let mut batch = Batch::default();
        batch.put(Shelf::Meta, "clock", &self.clock)?;
        batch.put(Shelf::Meta, "id", &self.origin.id)?;
        if let Some(folder) = &self.origin.folder {
            batch.put(Shelf::Meta, "folder", folder)?;
        }
        batch.put(Shelf::Meta, "overrides", &self.origin.overrides)?;
        self.store.commit(batch)
    }

    /// What the clock shows.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Where the router takes requests.
    pub fn router(&self) -> std::net::SocketAddr {
        self.link.listen()
    }

    /// Serves requests and keeps the rollouts going until `quit` resolves or somebody asks for [`crate::protocol::Request::Down`].
    /// When `quit` resolves to `true` everything is stopped first; `false` leaves members and router running for the next control
    /// process.
    ///
    /// # Errors
    /// When the control socket cannot be made, or when the router does not stop.
    pub async fn run(&mut self, quit: impl Future<Output = bool>) -> Result<(), LocalError> {
        let mut server = control::listen(&self.options.state)?;
        let token = Token::of(&self.options.state)?;
        if let Some(address) = self.side.status {
            self.status = Some(crate::status::listen(address, server.sender.clone(), token).await?);
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(quit);
        let mut quitting = false;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                down = &mut quit, if !quitting => {
                    quitting = true;
                    if !down {
                        self.journal.take(&self.series);
                        self.release(true);
                        return Ok(());
                    }
                    self.begin_down();
                }
                Some(asked) = server.requests.recv() => {
                    let switched = self.switched_by(&asked.request);
                    let answer = self.answer(asked.request).await;
                    self.answer_when_carried(answer, asked.answer, switched);
                }
                Some(report) = self.reports.1.recv() => self.take(report),
            }
            self.turn().await;
            self.release(self.going_down);
            if self.going_down && self.members.is_empty() {
                return self.link.stop().await;
            }
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Scraped(scraped) => self.take_scrape(scraped),
            Report::Measured(measured) => self.take_measurement(measured),
            Report::Plugin(answered) => self.take_answer(answered),
            Report::Read(place, answer) => self.take_reading(place, answer),
        }
    }

    /// One turn: look, decide, make it durable, bring the machine to it.
    async fn turn(&mut self) {
        if !self.going_down {
            self.look_at_router().await;
        }
        self.look_at_members();
        self.scrape().await;
        // Before the measurements, which judge it in this turn.
        self.watch_traffic().await;
        if !self.going_down && self.may_write() {
            self.measure();
            self.decide();
            self.decide_experiments();
            self.staff();
        }
        self.route().await;
        self.drain().await;
        self.watch_predictions().await;
        if self.journal.is_due() {
            self.journal.take(&self.series);
            self.tidy_logs();
        }
    }

    async fn look_at_router(&mut self) {
        if self.link.is_connected() && self.verified_at.elapsed() >= VERIFY_EVERY {
            self.verified_at = Instant::now();
            self.link.verify().await;
        }
        let was_there = self.link.carried().is_some();
        if self.link.ensure().await {
            self.note("RouterStarted", format!("the router takes requests on {}", self.link.listen()), false);
        }
        if !was_there || !self.link.is_connected() {
            self.routes_stale = true;
            self.dirty.extend(self.workloads.keys().cloned());
        }
    }

    /// Whether a write may be tried now; after one that failed, not before its wait is over.
    fn may_write(&self) -> bool {
        self.blocked_until.is_none_or(|at| Instant::now() >= at)
    }

    /// Makes a batch durable; returns whether it is. Where the disk does not take it, nothing of it is acted on and it is
    /// tried again from a new decision.
    fn commit(&mut self, batch: Batch, events: &[EventRecord]) -> bool {
        // Nothing to write says nothing about the disk.
        if batch.is_empty() {
            return true;
        }
        match self.store.commit(batch) {
            Ok(()) => {
                if self.blocked.take().is_some() {
                    tracing::info!("the state can be written again");
                }
                self.blocked_until = None;
                for event in events {
                    (self.watcher)(event);
                }
                true
            }
            Err(error) => {
                let text = error.to_string();
                if self.blocked.as_ref() != Some(&text) {
                    tracing::error!("{text}; nothing is changed until it can be written");
                }
                self.blocked = Some(text);
                self.blocked_until = Some(Instant::now() + RETRY_AFTER);
                false
            }
        }
    }

    /// An event of the machine as a whole, or of a rollout's surroundings.
    fn note(&mut self, reason: &str, message: String, warning: bool) {
        self.note_on("", reason, message, warning);
    }

    fn note_on(&mut self, object: &str, reason: &str, message: String, warning: bool) {
        let event = EventRecord {
            at_ms: self.now().as_millis(),
            object: object.to_owned(),
            reason: reason.to_owned(),
            message,
            warning,
        };
        let mut batch = Batch::default();
        batch.event(event.clone());
        self.commit(batch, &[event]);
    }

    fn staffing(&self, workload: &Workload, hash: &Hash) -> Staffing {
        self.members.staffing(workload, hash)
    }
}

/// The side file of a folder. A folder that is gone is not one without a side file: its members would be stopped for want of
/// a command.
fn side(folder: &Path) -> Result<Side, LocalError> {
    std::fs::metadata(folder).map_err(|source| LocalError::Read { path: folder.to_owned(), source })?;
    Side::read(folder)
}

/// A record of the last start, if it left one.
fn kept<T: serde::de::DeserializeOwned>(meta: &BTreeMap<String, serde_json::Value>, name: &str) -> Option<T> {
    meta.get(name).and_then(|v| serde_json::from_value(v.clone()).ok())
}

/// What is said instead of the side file: now, or, where a start without a folder carries on, the last time.
fn overrides(options: &Options, meta: &BTreeMap<String, serde_json::Value>) -> Overrides {
    let carries_on = options.folder.is_none();
    let before: Overrides = kept(meta, "overrides").filter(|_| carries_on).unwrap_or_default();
    Overrides {
        listen: options.listen.or(before.listen),
        status: options.status.or(before.status),
        prometheus: options.prometheus.clone().or(before.prometheus),
    }
}

/// The clock that the state was left with, at the speed asked for.
fn resumed_clock(meta: &BTreeMap<String, serde_json::Value>, speed: Option<f64>) -> Clock {
    match (kept::<Clock>(meta, "clock"), speed) {
        (None, speed) => Clock::new(speed.unwrap_or(1.0)),
        (Some(clock), None) => clock,
        (Some(clock), Some(speed)) => clock.with_speed(speed, crate::clock::wall_ms()),
    }
}

/// A name for a state folder that no other has: processes carry it, so that no foreign one is ever adopted.
fn fresh_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .map(|id| id.trim().to_owned())
        .unwrap_or_else(|_| format!("{}-{}", std::process::id(), crate::clock::wall_ms()))
}
