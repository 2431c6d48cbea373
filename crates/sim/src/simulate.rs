//! One run of a scenario: from the deploy to the end of the update.

use serin_core::phase::Phase;
use serin_core::{Hash, Span, Time, intent};

use crate::control::Unsettled;
use crate::drive::Sim;
use crate::load::{Load, Tally};
use crate::scenario::{Deed, Expected, Scenario};
use crate::transcript::Transcript;
use crate::world::Cluster;

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The new version is the stable one.
    Promoted,
    /// The new version was taken back.
    Aborted,
    /// It waits for a person, and nobody comes.
    Waiting,
    /// It had not ended when the time was over.
    Unfinished,
}

impl Outcome {
    /// Every outcome, best first.
    pub const ALL: [Outcome; 4] = [Outcome::Promoted, Outcome::Aborted, Outcome::Waiting, Outcome::Unfinished];

    /// One word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Promoted => "promoted",
            Outcome::Aborted => "aborted",
            Outcome::Waiting => "waiting",
            Outcome::Unfinished => "unfinished",
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The seed that repeats it.
    pub seed: u64,
    /// How the update ended.
    pub outcome: Outcome,
    /// From the deploy to the end.
    pub took: Span,
    /// From the deploy to the decision to take the new version back.
    pub detected: Option<Span>,
    /// The requests from the deploy to the end.
    pub tally: Tally,
    /// Decisions made from the deploy on.
    pub decisions: u64,
    /// Where the rollout stood at the end, in its own words.
    pub message: String,
}

impl Report {
    /// Whether the outcome was the wrong one: a bad version promoted, or a good one taken back.
    pub fn is_wrong(&self, expected: Option<Expected>) -> bool {
        match expected {
            Some(Expected::Promoted) => self.outcome == Outcome::Aborted,
            Some(Expected::Aborted) => self.outcome == Outcome::Promoted,
            None => false,
        }
    }
}

/// Runs a scenario with a seed. The same seed gives the same report, and the same transcript byte for byte.
///
/// # Errors
/// When decisions do not come to an end, which is a fault of the core.
pub fn run(scenario: &Scenario, seed: u64, transcript: Option<&mut Transcript>) -> Result<Report, Unsettled> {
    let mut run = Run { scenario, sim: world(scenario, seed), transcript, before: None };
    run.play(scenario.deploy_at, false)?;
    run.sim.control.faults = scenario.faults(seed);
    // Faults count from the deploy.
    (run.sim.control.actions, run.sim.control.passes) = (0, 0);
    if let Some(load) = &mut run.sim.cluster.load {
        load.begin(scenario.new.clone(), scenario.stable.clone());
    }
    run.deed(&Deed::Deploy(scenario.new.clone()));
    run.settle(true)?;
    run.update(seed)
}

/// A transcript that calls the versions of a scenario by their tags.
pub fn transcript(scenario: &Scenario) -> Transcript {
    let mut transcript = Transcript::new(scenario.deploy_at);
    for (hash, (tag, _)) in &scenario.rollouts {
        transcript.rename(hash.as_str(), tag.as_str());
    }
    transcript
}

fn world(scenario: &Scenario, seed: u64) -> Sim {
    let begin = scenario.deploy_at - scenario.warm_up;
    let (_, rollout) = &scenario.rollouts[&scenario.stable];
    let mut cluster = Cluster::new(rollout.clone(), begin, seed);
    cluster.versions = scenario.versions.clone();
    cluster.plans = scenario.plans.clone();
    cluster.experiment_plans = scenario.experiments.clone();
    cluster.min_ready = scenario.min_ready;
    cluster.set_load(Load::new(scenario.scene.clone(), begin, seed));
    Sim::new(cluster)
}

struct Run<'a> {
    scenario: &'a Scenario,
    sim: Sim,
    transcript: Option<&'a mut Transcript>,
    /// The version that was wanted before the last deploy.
    before: Option<Hash>,
}

impl Run<'_> {
    /// Lets time pass until the update has ended.
    fn update(mut self, seed: u64) -> Result<Report, Unsettled> {
        let deploy_at = self.scenario.deploy_at;
        let end = deploy_at + self.scenario.within;
        let mut people = self.scenario.people.iter().peekable();
        let mut detected = None;
        let outcome = loop {
            let now = self.sim.cluster.now;
            let status = &self.sim.cluster.truth.status;
            if status.abort && detected.is_none() {
                detected = Some(now.since(deploy_at));
            }
            if people.peek().is_none()
                && let Some(outcome) = self.ended()
            {
                break outcome;
            }
            if now >= end {
                break Outcome::Unfinished;
            }
            match people.peek() {
                Some(person) if person.at <= now => {
                    self.deed(&person.deed);
                    people.next();
                    self.settle(true)?;
                }
                person => {
                    let until = person.map_or(end, |p| p.at.min(end));
                    self.step(until, true)?;
                }
            }
        };
        let cluster = &mut self.sim.cluster;
        Ok(Report {
            seed,
            outcome,
            took: cluster.now.since(deploy_at),
            detected,
            tally: cluster.load.as_mut().map(|load| load.tally()).unwrap_or_default(),
            decisions: self.sim.control.passes,
            message: cluster.truth.status.message.clone(),
        })
    }

    /// How the update ended, if it did.
    fn ended(&self) -> Option<Outcome> {
        let truth = &self.sim.cluster.truth;
        let status = &truth.status;
        if self.sim.control.is_down(self.sim.cluster.now) || self.sim.is_touched() {
            return None;
        }
        match status.phase {
            Phase::Healthy if status.stable.as_ref() == Some(&self.scenario.new) => Some(Outcome::Promoted),
            Phase::Healthy => Some(Outcome::Aborted),
            Phase::Degraded if status.abort && self.is_back() => Some(Outcome::Aborted),
            Phase::Paused if self.sim.control.wake_at().is_none() && !self.runs_are_open() => Some(Outcome::Waiting),
            _ => None,
        }
    }

    /// Whether the users' requests go to the stable version.
    fn is_back(&self) -> bool {
        let truth = &self.sim.cluster.truth;
        let split = truth.split.as_ref().is_none_or(|s| s.weight == 0 && s.header_routes.is_empty());
        let active = truth.rollout.blue_green().map(|b| b.active_service.as_str());
        let active = active.and_then(|name| truth.service(name)).and_then(|s| s.selects.as_ref());
        split && active.is_none_or(|hash| Some(hash) == truth.status.stable.as_ref())
    }

    fn runs_are_open(&self) -> bool {
        let truth = &self.sim.cluster.truth;
        truth.runs.iter().any(|run| !run.phase.is_completed())
            || truth.experiments.iter().any(|experiment| !experiment.phase.is_completed())
    }

    fn play(&mut self, until: Time, told: bool) -> Result<(), Unsettled> {
        while self.step(until, told)? {}
        Ok(())
    }

    fn step(&mut self, until: Time, told: bool) -> Result<bool, Unsettled> {
        let happened = self.sim.step(until, &mut |_, _, _| {})?;
        let on = happened.is_some();
        self.tell(happened.unwrap_or_default(), told);
        Ok(on)
    }

    fn settle(&mut self, told: bool) -> Result<(), Unsettled> {
        self.sim.touch();
        let happened = self.sim.settle(&mut |_, _, _| {})?;
        self.tell(happened, told);
        Ok(())
    }

    fn tell(&mut self, happened: Vec<crate::world::Happening>, told: bool) {
        let Some(transcript) = self.transcript.as_mut().filter(|_| told) else { return };
        let cluster = &self.sim.cluster;
        happened.iter().for_each(|h| transcript.tell(cluster.now, h, &cluster.truth.status));
    }

    fn deed(&mut self, deed: &Deed) {
        let now = self.sim.cluster.now;
        let said = self.said(deed);
        if let Some(transcript) = &mut self.transcript {
            transcript.say(now, &format!("person: {said}"));
        }
        let truth = &mut self.sim.cluster.truth;
        match deed {
            Deed::Promote => {
                intent::promote(&truth.rollout, &mut truth.status);
                truth.rollout.paused = false;
            }
            Deed::PromoteFull => {
                intent::promote_full(&truth.rollout, &mut truth.status);
                truth.rollout.paused = false;
            }
            Deed::Abort => intent::abort(&mut truth.status),
            Deed::Retry => intent::retry(&mut truth.status),
            Deed::Pause => truth.rollout.paused = true,
            Deed::Replicas(replicas) => {
                truth.rollout.replicas = *replicas;
                truth.rollout.generation += 1;
            }
            Deed::Undo => {
                if let Some(before) = self.before.clone() {
                    self.want(&before);
                }
            }
            Deed::Deploy(hash) => self.want(hash),
        }
    }

    fn said(&self, deed: &Deed) -> String {
        match deed {
            Deed::Promote => "promote".to_owned(),
            Deed::PromoteFull => "promote full".to_owned(),
            Deed::Abort => "abort".to_owned(),
            Deed::Retry => "retry".to_owned(),
            Deed::Pause => "pause".to_owned(),
            Deed::Undo => "undo".to_owned(),
            Deed::Deploy(hash) => format!("deploy {hash}"),
            Deed::Replicas(replicas) => format!("{replicas} replicas"),
        }
    }

    /// Another version is wanted; what people changed besides stays.
    fn want(&mut self, hash: &Hash) {
        let Some((_, wanted)) = self.scenario.rollouts.get(hash) else { return };
        let rollout = &mut self.sim.cluster.truth.rollout;
        self.before = Some(rollout.hash.clone());
        let (replicas, paused, generation) = (rollout.replicas, rollout.paused, rollout.generation + 1);
        *rollout = serin_core::Rollout { replicas, paused, generation, ..wanted.clone() };
    }
}
