//! Plays a script against a simulated world and writes what happened, line by line.

mod setting;

use std::collections::BTreeMap;

use serin_core::analysis::Metric;
use serin_core::{Hash, Rollout, Span, Strategy, Time, intent};

use crate::control::Faults;
use crate::drive::Sim;
use crate::measure::Plans;
use crate::script::{self, Command};
use crate::transcript::Transcript;
use crate::world::{Cluster, ExperimentPlan, Happening, Plugin, Version};

/// Begin of every story's clock, so that transcripts show small numbers.
const EPOCH: Time = Time::from_secs(1_000_000);

/// Plays a script and returns its transcript.
///
/// # Errors
/// The line and what is wrong with it: a command that cannot be read, or an expectation that does not hold.
pub fn run(text: &str) -> Result<String, String> {
    Ok(play(text, Faults::default())?.transcript)
}

/// A story that was told.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its transcript.
    pub transcript: String,
    /// The world at its end; `None` if nothing was deployed.
    pub sim: Option<Sim>,
}

/// Plays a script in which these faults happen besides its own.
///
/// # Errors
/// As [`run`].
pub fn play(text: &str, faults: Faults) -> Result<Told, String> {
    let commands = script::parse(text)?;
    let mut teller = Teller::new(faults);
    for (line, command) in commands {
        teller.command(command).map_err(|why| format!("line {line}: {why}\n{}", teller.transcript.text()))?;
    }
    Ok(Told { transcript: teller.transcript.text().to_owned(), sim: teller.sim })
}

struct Teller {
    rollout: Rollout,
    metrics: Vec<Metric>,
    versions: Vec<(String, Version)>,
    sim: Option<Sim>,
    before: Option<String>,
    min_ready: Span,
    plugins: Vec<(String, Plugin)>,
    experiments: BTreeMap<usize, ExperimentPlan>,
    faults: Faults,
    transcript: Transcript,
}

impl Teller {
    fn new(faults: Faults) -> Self {
        Self {
            rollout: setting::usual(),
            metrics: Vec::new(),
            versions: Vec::new(),
            sim: None,
            before: None,
            min_ready: Span::ZERO,
            plugins: Vec::new(),
            experiments: BTreeMap::new(),
            faults,
            transcript: Transcript::new(EPOCH),
        }
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Set(words) => {
                setting::set(&mut self.rollout, &words)?;
                self.changed_spec();
                Ok(())
            }
            Command::Step(words) => {
                let (step, experiment) = match words.first().is_some_and(|word| word == "experiment") {
                    true => setting::experiment(&words).map(|(step, plan)| (step, Some(plan)))?,
                    false => (setting::step(&words)?, None),
                };
                match &mut self.rollout.strategy {
                    Strategy::Canary(canary) => {
                        self.experiments.extend(experiment.map(|plan| (canary.steps.len(), plan)));
                        canary.steps.push(step);
                    }
                    Strategy::BlueGreen(_) => return Err("blue-green has no steps".to_owned()),
                }
                self.changed_spec();
                Ok(())
            }
            Command::Metric(words) => {
                self.metrics.push(metric(&words)?);
                Ok(())
            }
            Command::Plugin(words) => {
                let (name, plugin) = setting::plugin(&words)?;
                match &mut self.sim {
                    Some(sim) => sim.cluster.set_plugin(&name, plugin),
                    None => self.plugins.push((name, plugin)),
                }
                Ok(())
            }
            Command::MinReady(span) => {
                self.min_ready = span;
                Ok(())
            }
            Command::Fault { fate, after } => {
                let sim = self.sim.as_mut().ok_or("nothing is deployed yet")?;
                sim.control.faults.actions.insert(sim.control.actions + after, fate);
                Ok(())
            }
            Command::Version { name, members, measures } => {
                let version = Version { members, measures: measures.into_iter().collect() };
                if let Some(sim) = &mut self.sim {
                    sim.cluster.versions.insert(Hash::new(&name), version.clone());
                }
                self.versions.retain(|(n, _)| *n != name);
                self.versions.push((name, version));
                Ok(())
            }
            Command::Deploy(name) => self.deploy(&name),
            Command::Run(span) => {
                let end = self.world()?.now + span;
                self.play(end, |_| false)
            }
            Command::Until { phase, within } => {
                let end = self.world()?.now + within;
                self.play(end, |c| c.truth.status.phase.as_str().eq_ignore_ascii_case(&phase))?;
                let reached = self.world()?.truth.status.phase.as_str();
                match reached.eq_ignore_ascii_case(&phase) {
                    true => Ok(()),
                    false => Err(format!("still {reached} after {within}")),
                }
            }
            Command::Person(what) => self.person(&what),
            Command::Expect(what, want) => self.expect(&what, &want),
        }
    }

    fn world(&mut self) -> Result<&mut Cluster, String> {
        self.sim.as_mut().map(|sim| &mut sim.cluster).ok_or_else(|| "nothing is deployed yet".to_owned())
    }

    /// A change of the spec in the middle of a story reaches the world.
    fn changed_spec(&mut self) {
        self.rollout.generation += 1;
        self.rollout.steps_hash = format!("s{}", self.rollout.steps());
        let Some(sim) = &mut self.sim else { return };
        let rollout = &mut sim.cluster.truth.rollout;
        let (hash, paused) = (rollout.hash.clone(), rollout.paused);
        let (workload, restart_at) = (rollout.workload, rollout.restart_at);
        *rollout = Rollout { hash, paused, workload, restart_at, ..self.rollout.clone() };
        sim.touch();
    }

    fn deploy(&mut self, name: &str) -> Result<(), String> {
        if !self.versions.iter().any(|(n, _)| n == name) {
            return Err(format!("version {name} is not described"));
        }
        let hash = Hash::new(name);
        self.rollout.generation += 1;
        match &mut self.sim {
            Some(sim) => {
                let rollout = &mut sim.cluster.truth.rollout;
                self.before = Some(rollout.hash.as_str().to_owned());
                rollout.hash = hash;
                rollout.generation += 1;
            }
            None => {
                let mut cluster = Cluster::new(Rollout { hash, ..self.rollout.clone() }, EPOCH, 0);
                cluster.plans = Plans::same(self.metrics.clone());
                cluster.min_ready = self.min_ready;
                cluster.experiment_plans = self.experiments.clone();
                for (name, plugin) in &self.plugins {
                    cluster.set_plugin(name, plugin.clone());
                }
                for (name, version) in &self.versions {
                    cluster.versions.insert(Hash::new(name), version.clone());
                }
                let mut sim = Sim::new(cluster);
                sim.control.faults = std::mem::take(&mut self.faults);
                self.sim = Some(sim);
            }
        }
        self.say(&format!("person: deploy {name}"));
        self.settle()
    }

    fn person(&mut self, what: &str) -> Result<(), String> {
        self.say(&format!("person: {what}"));
        let before = self.before.clone();
        let cluster = self.world()?;
        if what == "restart" {
            cluster.restart(cluster.now);
            return self.settle();
        }
        let world = &mut cluster.truth;
        match what {
            "promote" | "resume" => {
                intent::promote(&world.rollout, &mut world.status);
                world.rollout.paused = false;
            }
            "promote full" => {
                intent::promote_full(&world.rollout, &mut world.status);
                world.rollout.paused = false;
            }
            "abort" => intent::abort(&mut world.status),
            "retry" => intent::retry(&mut world.status),
            "pause" => world.rollout.paused = true,
            "undo" => world.rollout.hash = Hash::new(before.ok_or("there is no version to go back to")?),
            other => return Err(format!("nobody can '{other}'")),
        }
        self.settle()
    }

    fn expect(&mut self, what: &str, want: &str) -> Result<(), String> {
        let cluster = self.world()?;
        let truth = &cluster.truth;
        let selected = |service: Option<&str>| {
            let hash = service.and_then(|name| truth.service(name)).and_then(|s| s.selects.as_ref());
            hash.map_or("-".to_owned(), ToString::to_string)
        };
        let blue_green = truth.rollout.blue_green();
        let got = match what {
            "active" => selected(blue_green.map(|b| b.active_service.as_str())),
            "preview" => selected(blue_green.and_then(|b| b.preview_service.as_deref())),
            "ping" | "pong" => selected(Some(&format!("svc-{what}"))),
            "mirror" => truth
                .split
                .as_ref()
                .and_then(|s| s.mirrors.first())
                .map_or("-".to_owned(), |m| m.percentage.to_string()),
            "available" => truth.pools.iter().map(|p| p.available).sum::<u32>().to_string(),
            "experiments" => truth.experiments.len().to_string(),
            "shares" => {
                let shares = truth.split.iter().flat_map(|s| &s.experiment).map(|d| d.weight.to_string());
                let shares = shares.collect::<Vec<_>>().join(",");
                if shares.is_empty() { "-".to_owned() } else { shares }
            }
            "workload" => truth.rollout.workload.map_or("-".to_owned(), |w| w.replicas.to_string()),
            "stable" => cluster.truth.status.stable.as_ref().map_or(String::new(), ToString::to_string),
            "phase" => cluster.truth.status.phase.as_str().to_owned(),
            "step" => cluster.truth.status.step_index.map_or("-".to_owned(), |i| i.to_string()),
            "weight" => cluster.truth.split.as_ref().map_or("-".to_owned(), |s| s.weight.to_string()),
            "sizes" => cluster.sizes(),
            other => return Err(format!("cannot expect '{other}'")),
        };
        if got == want { Ok(()) } else { Err(format!("{what} is {got}, not {want}")) }
    }

    /// Lets the world run until `end` or until `done`.
    fn play(&mut self, end: Time, done: impl Fn(&Cluster) -> bool) -> Result<(), String> {
        self.settle()?;
        // A moment is over once nothing more happens at it.
        let over = |sim: &Sim| sim.next_at() != Some(sim.cluster.now);
        while !self.sim.as_ref().is_some_and(|sim| over(sim) && done(&sim.cluster)) {
            match self.step(end)? {
                Some(happened) => happened.iter().for_each(|h| self.tell(h)),
                None => break,
            }
        }
        Ok(())
    }

    fn step(&mut self, until: Time) -> Result<Option<Vec<Happening>>, String> {
        self.sim.as_mut().map_or(Ok(None), |sim| sim.step(until, &mut |_, _, _| {})).map_err(|e| e.to_string())
    }

    /// Lets the control process act on a change. One that is killed and back at once acts at this moment, too.
    fn settle(&mut self) -> Result<(), String> {
        let Some(sim) = &mut self.sim else { return Ok(()) };
        sim.touch();
        let now = sim.cluster.now;
        while let Some(happened) = self.step(now)? {
            happened.iter().for_each(|h| self.tell(h));
        }
        Ok(())
    }

    fn tell(&mut self, happening: &Happening) {
        if let Some(sim) = &self.sim {
            self.transcript.tell(sim.cluster.now, happening, &sim.cluster.truth.status);
        }
    }

    fn say(&mut self, what: &str) {
        let now = self.sim.as_ref().map_or(EPOCH, |s| s.cluster.now);
        self.transcript.say(now, what);
    }
}

fn metric(words: &[String]) -> Result<Metric, String> {
    let mut metric = Metric::new(words.first().cloned().ok_or("needs a name")?);
    for pair in words[1..].chunks(2) {
        let [key, value] = pair else { return Err("needs pairs of words".to_owned()) };
        let number = || value.parse::<u32>().map_err(|_| format!("'{value}' is not a number"));
        match key.as_str() {
            "success" => metric.success = Some(value.clone()),
            "failure" => metric.failure = Some(value.clone()),
            "interval" => metric.interval = Some(script::span(value)?),
            "initialDelay" => metric.initial_delay = Some(script::span(value)?),
            "count" => metric.count = number()?,
            "failureLimit" => metric.failure_limit = number()? as i32,
            "inconclusiveLimit" => metric.inconclusive_limit = number()?,
            "consecutiveErrorLimit" => metric.consecutive_error_limit = number()?,
            "consecutiveSuccessLimit" => metric.consecutive_success_limit = number()?,
            "dryRun" => metric.dry_run = value == "yes",
            other => return Err(format!("unknown word '{other}'")),
        }
    }
    Ok(metric)
}
