//! Plays a script against a simulated world and writes what happened, line by line.

use std::fmt::Write as _;

use serin_core::analysis::Metric;
use serin_core::rollout::{Amount, Canary, CanaryScale, Rollout, Step, Strategy, Traffic};
use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
use serin_core::{Hash, RoleMetadata, Span, Time, intent};

use crate::cluster::{Cluster, Happening, Version};
use crate::script::{self, Command};

/// Begin of every story's clock, so that transcripts show small numbers.
const EPOCH: Time = Time::from_secs(1_000_000);

/// Plays a script and returns its transcript.
///
/// # Errors
/// The line and what is wrong with it: a command that cannot be read, or an expectation that does not hold.
pub fn run(text: &str) -> Result<String, String> {
    let commands = script::parse(text)?;
    let mut teller = Teller::new();
    for (line, command) in commands {
        teller.command(command).map_err(|why| format!("line {line}: {why}\n{}", teller.transcript))?;
    }
    Ok(teller.transcript)
}

struct Teller {
    rollout: Rollout,
    metrics: Vec<Metric>,
    versions: Vec<(String, Version)>,
    cluster: Option<Cluster>,
    before: Option<String>,
    transcript: String,
}

impl Teller {
    fn new() -> Self {
        let rollout = Rollout {
            name: "svc".to_owned(),
            generation: 1,
            replicas: 1,
            hash: Hash::new("none"),
            steps_hash: "s1".to_owned(),
            paused: false,
            progress_deadline: Span::from_secs(600),
            progress_deadline_abort: false,
            revision_history_limit: 10,
            rollback_window: None,
            restart_at: None,
            metadata: RoleMetadata::default(),
            run_history_limits: (5, 5),
            workload: None,
            strategy: Strategy::Canary(Canary {
                scale_down_delay: Span::from_secs(30),
                traffic: Some(Traffic { weight_total: 100 }),
                canary_service: Some("svc-canary".to_owned()),
                stable_service: Some("svc-stable".to_owned()),
                ..Canary::default()
            }),
        };
        Self {
            rollout,
            metrics: Vec::new(),
            versions: Vec::new(),
            cluster: None,
            before: None,
            transcript: String::new(),
        }
    }

    fn canary(&mut self) -> &mut Canary {
        match &mut self.rollout.strategy {
            Strategy::Canary(canary) => canary,
            Strategy::BlueGreen(_) => panic!("not a canary story"),
        }
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Set(words) => self.set(&words),
            Command::Step(words) => {
                let step = step(&words)?;
                self.canary().steps.push(step);
                self.changed_spec();
                Ok(())
            }
            Command::Metric(words) => {
                self.metrics.push(metric(&words)?);
                Ok(())
            }
            Command::Version { name, ready_after, measures } => {
                let version = Version { ready_after, measures: measures.into_iter().collect() };
                if let Some(cluster) = &mut self.cluster {
                    cluster.versions.insert(Hash::new(&name), version.clone());
                }
                self.versions.retain(|(n, _)| *n != name);
                self.versions.push((name, version));
                Ok(())
            }
            Command::Deploy(name) => self.deploy(&name),
            Command::Run(span) => {
                let end = self.world()?.now + span;
                self.play(end, |_| false);
                Ok(())
            }
            Command::Until { phase, within } => {
                let end = self.world()?.now + within;
                self.play(end, |c| c.status.phase.as_str().eq_ignore_ascii_case(&phase));
                let reached = self.world()?.status.phase.as_str();
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
        self.cluster.as_mut().ok_or_else(|| "nothing is deployed yet".to_owned())
    }

    fn set(&mut self, words: &[String]) -> Result<(), String> {
        let value = words.get(1).cloned().unwrap_or_default();
        let number = || value.parse::<u32>().map_err(|_| format!("'{value}' is not a number"));
        match words[0].as_str() {
            "replicas" => self.rollout.replicas = number()?,
            "router" => {
                let traffic = (value != "none").then_some(Traffic { weight_total: 100 });
                let canary = self.canary();
                canary.traffic = traffic;
                if traffic.is_none() {
                    canary.scale_down_delay = Span::ZERO;
                    (canary.canary_service, canary.stable_service) = (None, None);
                }
            }
            "surge" => self.canary().max_surge = Amount::Count(number()?),
            "unavailable" => self.canary().max_unavailable = Amount::Count(number()?),
            "dynamic" => self.canary().dynamic_stable_scale = true,
            "minPods" => self.canary().min_pods = Some(number()?),
            "scaleDownDelay" => self.canary().scale_down_delay = script::span(&value)?,
            "abortDelay" => self.canary().abort_scale_down_delay = Some(script::span(&value)?),
            "background" => self.canary().background_from = Some(number()? as usize),
            "history" => self.rollout.revision_history_limit = number()?,
            "window" => self.rollout.rollback_window = Some(number()?),
            "deadline" => {
                self.rollout.progress_deadline = script::span(&value)?;
                self.rollout.progress_deadline_abort = words.get(2).is_some_and(|w| w == "abort");
            }
            other => return Err(format!("unknown setting '{other}'")),
        }
        self.changed_spec();
        Ok(())
    }

    /// A change of the spec in the middle of a story reaches the world.
    fn changed_spec(&mut self) {
        self.rollout.generation += 1;
        self.rollout.steps_hash = format!("s{}", self.canary().steps.len());
        let Some(cluster) = &mut self.cluster else { return };
        let (hash, paused) = (cluster.rollout.hash.clone(), cluster.rollout.paused);
        cluster.rollout = Rollout { hash, paused, ..self.rollout.clone() };
    }

    fn deploy(&mut self, name: &str) -> Result<(), String> {
        if !self.versions.iter().any(|(n, _)| n == name) {
            return Err(format!("version {name} is not described"));
        }
        let hash = Hash::new(name);
        self.rollout.generation += 1;
        match &mut self.cluster {
            Some(cluster) => {
                self.before = Some(cluster.rollout.hash.as_str().to_owned());
                cluster.rollout.hash = hash;
                cluster.rollout.generation += 1;
            }
            None => {
                let mut cluster = Cluster::new(Rollout { hash, ..self.rollout.clone() }, EPOCH);
                cluster.metrics.clone_from(&self.metrics);
                for (name, version) in &self.versions {
                    cluster.versions.insert(Hash::new(name), version.clone());
                }
                self.cluster = Some(cluster);
            }
        }
        self.say(&format!("person: deploy {name}"));
        self.settle();
        Ok(())
    }

    fn person(&mut self, what: &str) -> Result<(), String> {
        self.say(&format!("person: {what}"));
        let before = self.before.clone();
        let cluster = self.world()?;
        match what {
            "promote" | "resume" => {
                intent::promote(&cluster.rollout, &mut cluster.status);
                cluster.rollout.paused = false;
            }
            "promote full" => {
                intent::promote_full(&cluster.rollout, &mut cluster.status);
                cluster.rollout.paused = false;
            }
            "abort" => intent::abort(&mut cluster.status),
            "retry" => intent::retry(&mut cluster.status),
            "pause" => cluster.rollout.paused = true,
            "undo" => cluster.rollout.hash = Hash::new(before.ok_or("there is no version to go back to")?),
            other => return Err(format!("nobody can '{other}'")),
        }
        self.settle();
        Ok(())
    }

    fn expect(&mut self, what: &str, want: &str) -> Result<(), String> {
        let cluster = self.world()?;
        let got = match what {
            "stable" => cluster.status.stable.as_ref().map_or(String::new(), ToString::to_string),
            "phase" => cluster.status.phase.as_str().to_owned(),
            "step" => cluster.status.step_index.map_or("-".to_owned(), |i| i.to_string()),
            "weight" => cluster.split.as_ref().map_or("-".to_owned(), |s| s.weight.to_string()),
            "sizes" => cluster.sizes(),
            other => return Err(format!("cannot expect '{other}'")),
        };
        if got == want { Ok(()) } else { Err(format!("{what} is {got}, not {want}")) }
    }

    /// Lets the world run until `end` or until `done`.
    fn play(&mut self, end: Time, done: impl Fn(&Cluster) -> bool) {
        loop {
            let next = self.settle();
            let Some(cluster) = &mut self.cluster else { return };
            if done(cluster) {
                return;
            }
            match next {
                Some(at) if at <= end => cluster.now = at.max(cluster.now),
                _ => {
                    cluster.now = end;
                    self.settle();
                    return;
                }
            }
        }
    }

    fn settle(&mut self) -> Option<Time> {
        let (happened, next) = self.cluster.as_mut()?.settle();
        for happening in happened {
            self.tell(&happening);
        }
        next
    }

    fn tell(&mut self, happening: &Happening) {
        match happening {
            Happening::Measured { run, metric, value, phase } => {
                self.say(&format!("{run}: {metric} = {} {phase}", if value.is_empty() { "?" } else { value }));
            }
            Happening::RunEnded { run, phase, message } => {
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                self.say(&format!("{run} is {phase}{message}"));
            }
            Happening::Decided(decision) => {
                for event in &decision.events {
                    self.say(&format!("{}{}", if event.warning { "! " } else { "" }, event.message));
                }
                for action in &decision.actions {
                    self.say(&format!("  -> {action}"));
                }
                let line = self.state_line();
                if !self.transcript.lines().rev().any(|l| l.contains("== ")) || self.last_state() != line {
                    self.say(&line);
                }
            }
        }
    }

    fn state_line(&self) -> String {
        let Some(cluster) = &self.cluster else { return String::new() };
        let status = &cluster.status;
        let step = status.step_index.map_or(String::new(), |i| format!(" step {i}"));
        let message = if status.message.is_empty() { String::new() } else { format!(" ({})", status.message) };
        format!("== {}{step}{message}", status.phase.as_str())
    }

    fn last_state(&self) -> String {
        let line = self.transcript.lines().rev().find(|l| l.contains("== ")).unwrap_or("");
        line.find("== ").map_or(String::new(), |at| line[at..].to_owned())
    }

    fn say(&mut self, what: &str) {
        let seconds = self.cluster.as_ref().map_or(0, |c| c.now.since(EPOCH).as_secs());
        let _ = writeln!(self.transcript, "{seconds:>5}s  {what}");
    }
}

fn step(words: &[String]) -> Result<Step, String> {
    let number = |i: usize| -> Result<u32, String> {
        words.get(i).and_then(|w| w.parse().ok()).ok_or_else(|| "needs a number".to_owned())
    };
    match words.first().map(String::as_str) {
        Some("setWeight") => Ok(Step::SetWeight(number(1)?)),
        Some("pause") => Ok(Step::Pause(words.get(1).map(|w| script::span(w)).transpose()?)),
        Some("analysis") => Ok(Step::Analysis),
        Some("setCanaryScale") => match words.get(1).map(String::as_str) {
            Some("replicas") => Ok(Step::SetCanaryScale(CanaryScale::Replicas(number(2)?))),
            Some("weight") => Ok(Step::SetCanaryScale(CanaryScale::Weight(number(2)?))),
            _ => Ok(Step::SetCanaryScale(CanaryScale::MatchTrafficWeight)),
        },
        Some("setHeaderRoute") => {
            let matches = match (words.get(2), words.get(3)) {
                (Some(header), Some(value)) => {
                    vec![HeaderMatch { header: header.clone(), value: ValueMatch::Exact(value.clone()) }]
                }
                _ => Vec::new(),
            };
            let name = words.get(1).cloned().ok_or("needs a name")?;
            Ok(Step::SetHeaderRoute(HeaderRoute { name, matches }))
        }
        other => Err(format!("unknown step {other:?}")),
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
