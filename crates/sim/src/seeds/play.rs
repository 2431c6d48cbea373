//! Plays a scenario: the world goes on, people act, faults happen; then everything heals, and a way out must be found.

use serin_core::analysis::RunPhase;
use serin_core::experiment::ExperimentDecision;
use serin_core::plugin::PluginPhase;
use serin_core::world::World;
use serin_core::{Decision, Hash, Span, Status, Time, intent, restarting};

use super::coverage::Figures;
use super::oracle::{self, Judge, Resting};
use super::scenario::{Act, PLUGIN, Scenario, VERSIONS, When};
use super::tell::{Digest, Transcript};
use crate::control::{After, Fate, PassFault};
use crate::drive::Sim;
use crate::measure::Plans;
use crate::world::{Behaviour, Cluster, Delay, Happening, Plugin, Version};

/// Begin of every play's clock.
pub(super) const EPOCH: Time = Time::from_secs(1_000_000);

/// How long people, faults and failing members trouble the world.
const TROUBLE: Span = Span::from_secs(1_000);

/// How long a rollout may take to come to rest once nothing goes wrong any more. The longest wait of a scenario is a
/// deadline of 600 s; six steps with pauses of 90 s, analyses of two minutes and members of two minutes each fit as well.
const REST: Span = Span::from_secs(4 * 3600);

/// What a person does at most to get a good version promoted: an indefinite pause for each of six steps and for each of
/// their analyses, and a few more.
const ROUNDS: usize = 30;

/// After so many rounds the person skips everything that is left.
const PATIENCE: usize = 22;

/// More steps than any scenario has.
const STEPS_MAX: usize = 10;

/// Passes without a change of time. Far more than any update needs.
const PASSES_MAX: usize = 200;

/// Something that must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which oracle says so.
    pub oracle: &'static str,
    /// What it saw.
    pub why: String,
    /// Seconds after the begin, where there is a moment.
    pub at: Option<i64>,
}

/// What a play came to.
#[derive(Debug, Clone)]
pub struct Played {
    /// Of everything that was decided, and when.
    pub digest: u64,
    /// What was reached and done.
    pub figures: Figures,
}

/// Plays with every oracle listening.
///
/// # Errors
/// The first thing that does not hold.
pub fn judged(scenario: &Scenario) -> Result<Played, Failure> {
    let mut play = Play::new(scenario, Some(Judge::new()), None);
    play.whole()?;
    Ok(Played { digest: play.digest.value(), figures: play.figures })
}

/// Plays without oracles: only what was decided.
pub fn digest(scenario: &Scenario) -> u64 {
    let mut play = Play::new(scenario, None, None);
    // What fails is told by the judged play; a broken play still has its digest.
    let _ = play.whole();
    play.digest.value()
}

/// Plays and tells what happens, line by line, up to the first thing that does not hold.
pub fn transcript(scenario: &Scenario) -> String {
    let mut play = Play::new(scenario, Some(Judge::new()), Some(Transcript::default()));
    let outcome = play.whole();
    let mut told = play.told.take().map_or_else(String::new, Transcript::into_text);
    if let Err(failure) = outcome {
        told.push_str(&failure.to_string());
        told.push('\n');
    }
    told
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at:>5}s  ")?;
        }
        write!(f, "!! {}: {}", self.oracle, self.why)
    }
}

struct Play<'a> {
    scenario: &'a Scenario,
    sim: Sim,
    judge: Option<Judge>,
    told: Option<Transcript>,
    digest: Digest,
    figures: Figures,
    /// Acts that have not happened, the next one last.
    timed: Vec<(i64, &'a Act)>,
    counted: Vec<(u64, &'a Act)>,
    decisions: u64,
    /// Until when an action that is late may still arrive.
    late_until: Time,
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario, judge: Option<Judge>, told: Option<Transcript>) -> Self {
        let mut cluster = Cluster::new(scenario.rollout.clone(), EPOCH, scenario.seed);
        cluster.plans = Plans::same(scenario.metrics.clone());
        let good = Version { members: steady(), measures: measures(scenario, super::scenario::Quality::Good) };
        cluster.versions.insert(Hash::new(VERSIONS[VERSIONS.len() - 1]), good);
        for (name, character) in VERSIONS.iter().zip(&scenario.versions) {
            let version =
                Version { members: character.members.clone(), measures: measures(scenario, character.quality) };
            cluster.versions.insert(Hash::new(*name), version);
        }
        cluster.set_plugin(PLUGIN, scenario.plugin.clone());
        cluster.experiment_plans = (0..STEPS_MAX).map(|step| (step, scenario.experiment.clone())).collect();
        let mut sim = Sim::new(cluster);
        sim.control.faults = scenario.faults.clone();
        let (mut timed, mut counted) = (Vec::new(), Vec::new());
        for (when, act) in &scenario.acts {
            match when {
                When::Seconds(at) => timed.push((*at, act)),
                When::Decision(number) => counted.push((*number, act)),
            }
        }
        // Stable sorts of reversed lists: what was named first happens first.
        timed.reverse();
        counted.reverse();
        timed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        counted.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let (digest, figures) = (Digest::default(), Figures::default());
        Self { scenario, sim, judge, told, digest, figures, timed, counted, decisions: 0, late_until: EPOCH }
    }

    fn whole(&mut self) -> Result<(), Failure> {
        self.figures.plays = 1;
        self.go_on(EPOCH + TROUBLE, |_| false)?;
        self.heal();
        self.come_to_rest()?;
        self.way_out()?;
        self.figures.seconds = self.sim.cluster.now.since(EPOCH).as_secs() as u64;
        Ok(())
    }

    /// Lets time pass up to `until`, or until the control process rests in a state that `enough` takes.
    fn go_on(&mut self, until: Time, enough: impl Fn(&Sim) -> bool) -> Result<(), Failure> {
        loop {
            let act_at = self.timed.last().map(|(at, _)| EPOCH + Span::from_secs(*at));
            let next = self.sim.next_at().into_iter().chain(act_at).min().filter(|at| *at <= until);
            self.sim.go_to(next.unwrap_or(until));
            if next.is_none() {
                return Ok(());
            }
            let now = self.sim.cluster.now;
            while let Some((_, act)) = self.timed.pop_if(|(at, _)| EPOCH + Span::from_secs(*at) <= now) {
                self.act(act);
            }
            self.passes()?;
            if enough(&self.sim) {
                return Ok(());
            }
        }
    }

    fn passes(&mut self) -> Result<(), Failure> {
        for _ in 0..PASSES_MAX {
            if self.pass()? == After::Rest {
                return Ok(());
            }
            while let Some((_, act)) = self.counted.pop_if(|(number, _)| *number <= self.decisions) {
                self.act(act);
            }
        }
        let state = oracle::brief(&self.sim.cluster.truth);
        Err(self.failure("settles", format!("{PASSES_MAX} passes at one moment\n{state}")))
    }

    fn pass(&mut self) -> Result<After, Failure> {
        let mut happened = Vec::new();
        let (mut judge, mut verdict) = (self.judge.take(), Ok(()));
        let mut rest: Option<Resting> = None;
        let pass = self.sim.control.passes;
        let fault = self.sim.control.faults.passes.get(&pass).copied();
        let actions = self.sim.control.actions;
        let figures = &mut self.figures;
        let mut watch = |seen: &World, decision: &Decision, now: Time| {
            figures.saw(seen, fault);
            if decision.actions.is_empty() && decision.status == seen.status && fault.is_none() {
                rest = Some(Resting { wake_at: decision.wake_at, reasons: decision.reasons.len() });
            }
            if let Some(judge) = &mut judge {
                verdict = judge.decision(seen, decision, now);
            }
        };
        let after = self.sim.pass(&mut happened, &mut watch);
        self.judge = judge;
        self.note_faults(fault, actions);
        self.note(&happened);
        verdict.map_err(|(oracle, why)| self.failure(oracle, why))?;
        // What an experiment decided after the rollout, the next pass sees.
        let theirs = happened.iter().any(|h| matches!(h, Happening::Experimented(..)));
        let now = self.sim.cluster.now;
        if let (Some(rest), Some(_)) = (rest, &self.judge)
            && self.late_until < now
            && !theirs
        {
            self.figures.rests += 1;
            oracle::rest(&self.sim.cluster.truth, rest, now).map_err(|(oracle, why)| self.failure(oracle, why))?;
        }
        Ok(after)
    }

    fn note(&mut self, happened: &[Happening]) {
        let now = self.sim.cluster.now;
        for happening in happened {
            match happening {
                Happening::Decided(decision) => {
                    self.decisions += 1;
                    self.figures.decisions += 1;
                    self.digest.decision(now, decision);
                }
                Happening::Experimented(name, decision) => {
                    self.figures.decisions += 1;
                    self.digest.experiment(now, name, decision);
                    if let Some(phase) = ended(decision) {
                        *self.figures.experiments.entry(phase).or_default() += 1;
                    }
                }
                _ => {}
            }
            if let Some(told) = &mut self.told {
                told.tell(now, happening);
            }
        }
    }

    fn note_faults(&mut self, fault: Option<PassFault>, first: u64) {
        let control = &self.sim.control;
        let now = self.sim.cluster.now;
        for (_, fate) in control.faults.actions.range(first..control.actions) {
            self.figures.faults += 1;
            if let Fate::Late(by) = fate {
                self.late_until = self.late_until.max(now + *by);
            }
        }
        self.figures.faults += u64::from(fault.is_some());
    }

    /// Somebody does something, or it befalls the world.
    fn act(&mut self, act: &Act) {
        self.figures.acts += 1;
        let now = self.sim.cluster.now;
        if let Some(told) = &mut self.told {
            told.line(now, &format!("## {act}"));
        }
        if let Some(judge) = &mut self.judge {
            judge.act(act, &self.sim.cluster.truth);
        }
        let scenario = self.scenario;
        let cluster = &mut self.sim.cluster;
        let truth = &mut cluster.truth;
        match act {
            Act::Deploy(index) => edit(truth, |rollout| rollout.hash = Hash::new(VERSIONS[*index])),
            Act::Undo => {
                if let Some(stable) = truth.status.stable.clone() {
                    edit(truth, |rollout| rollout.hash = stable);
                }
            }
            Act::Promote => {
                intent::promote(&truth.rollout, &mut truth.status);
                edit(truth, |rollout| rollout.paused = false);
            }
            Act::PromoteFull => {
                if intent::promote_full(&truth.rollout, &mut truth.status).is_some() {
                    edit(truth, |rollout| rollout.paused = false);
                }
            }
            Act::Abort => intent::abort(&mut truth.status),
            Act::Retry => intent::retry(&mut truth.status),
            Act::Pause => edit(truth, |rollout| rollout.paused = true),
            Act::Steps(steps) => {
                let hash = format!("steps {steps:?}");
                edit(truth, |rollout| {
                    if let serin_core::Strategy::Canary(canary) = &mut rollout.strategy {
                        canary.steps.clone_from(steps);
                        rollout.steps_hash = hash;
                    }
                });
            }
            Act::Replicas(count) => edit(truth, |rollout| rollout.replicas = *count),
            Act::Quality(index, quality) => {
                if let Some(version) = cluster.versions.get_mut(&Hash::new(VERSIONS[*index])) {
                    version.measures = measures(scenario, *quality);
                }
            }
            Act::Restart => cluster.restart(now),
            Act::RouterForgets => {
                truth.split = None;
                truth.services.iter_mut().for_each(|s| s.selects = None);
            }
            Act::MembersDie(index) => cluster.crash(&Hash::new(VERSIONS[*index])),
        }
        self.sim.touch();
    }

    /// Faults are over, members stay, and the plugin answers; members that never come still do not.
    fn heal(&mut self) {
        let now = self.sim.cluster.now;
        if let Some(told) = &mut self.told {
            told.line(now, "## faults are over");
        }
        (self.sim.control.faults.actions, self.sim.control.faults.passes) = Default::default();
        self.timed.clear();
        self.counted.clear();
        if self.scenario.plugin.runs.is_empty() {
            let answers = Plugin { runs: vec![PluginPhase::Successful], ..self.scenario.plugin.clone() };
            self.sim.cluster.set_plugin(PLUGIN, answers);
        }
        let hashes: Vec<Hash> = self.sim.cluster.versions.keys().cloned().collect();
        for hash in hashes {
            if let Some(version) = self.sim.cluster.versions.get_mut(&hash) {
                let members = &mut version.members;
                (members.crash_every, members.flap_every) = (None, None);
                if members.never_ready < 1.0 {
                    members.never_ready = 0.0;
                    self.sim.cluster.restart_unready(&hash);
                }
            }
        }
        self.sim.touch();
    }

    /// With nothing going wrong any more, a state is reached that is final or waits for a person.
    fn come_to_rest(&mut self) -> Result<(), Failure> {
        let begun = (self.sim.cluster.now, self.decisions);
        self.go_on(begun.0 + REST, at_rest)?;
        if self.judge.is_none() {
            return Ok(());
        }
        let truth = &self.sim.cluster.truth;
        let verdict = oracle::final_state(truth, at_rest(&self.sim), lame(&self.sim));
        verdict.map_err(|(oracle, why)| self.failure(oracle, why))?;
        self.figures.longest_rest =
            self.figures.longest_rest.max(self.sim.cluster.now.since(begun.0).as_secs().unsigned_abs());
        let most = oracle::decisions_on_the_way(truth);
        if self.decisions - begun.1 > most {
            let count = self.decisions - begun.1;
            return Err(self.failure("bounded", format!("{count} decisions to come to rest, {most} must do")));
        }
        Ok(())
    }

    /// From wherever it rests, a person who deploys a good version and promotes gets it to be the stable one.
    fn way_out(&mut self) -> Result<(), Failure> {
        let good = VERSIONS.len() - 1;
        if self.sim.cluster.truth.rollout.replicas == 0 {
            self.act(&Act::Replicas(2));
        }
        self.act(&Act::Deploy(good));
        self.act(&Act::Promote);
        let hash = Hash::new(VERSIONS[good]);
        for round in 0..ROUNDS {
            let end = self.sim.cluster.now + REST;
            self.go_on(end, at_rest)?;
            let truth = &self.sim.cluster.truth;
            if truth.status.stable.as_ref() == Some(&hash) && truth.status.phase == serin_core::phase::Phase::Healthy {
                let verdict = oracle::experiments_are_over(truth);
                return verdict.map_err(|(oracle, why)| self.failure(oracle, why));
            }
            let act = match truth.status.abort {
                // Where the stable version never got a member, the steps have nothing to shift weight from.
                _ if round >= PATIENCE => Act::PromoteFull,
                true => Act::Retry,
                false => Act::Promote,
            };
            self.act(&act);
        }
        let state = oracle::brief(&self.sim.cluster.truth);
        Err(self.failure("way-out", format!("a good version does not get there\n{state}")))
    }

    fn failure(&self, oracle: &'static str, why: String) -> Failure {
        Failure { oracle, why, at: Some(self.sim.cluster.now.since(EPOCH).as_secs()) }
    }
}

/// Whether nothing more happens by itself, except that runs go on which nothing waits for. A restart that waits for members
/// that never come, or for a person, looks again every half minute, in vain.
fn at_rest(sim: &Sim) -> bool {
    let truth = &sim.cluster.truth;
    let status: &Status = &truth.status;
    let tried = oracle::experiments_are_over(truth).is_err();
    let awaited = status.runs().any(|r| !r.phase.is_completed()) && status.pauses.is_empty();
    let held = truth.rollout.paused || !status.pauses.is_empty();
    let in_vain = restarting::due(&truth.rollout, status, sim.cluster.now) && (held || lame(sim));
    (sim.control.wake_at().is_none() || in_vain) && sim.cluster.members_rest() && !awaited && !tried
}

/// Whether members are missing that never come.
fn lame(sim: &Sim) -> bool {
    let never = |hash: &Hash| sim.cluster.versions.get(hash).is_none_or(|v| v.members.never_ready >= 1.0);
    sim.cluster.truth.pools.iter().any(|p| p.size > 0 && p.available < p.size && never(&p.hash))
}

/// How an experiment ends with this decision, if it does.
fn ended(decision: &ExperimentDecision) -> Option<RunPhase> {
    let told = decision.events.iter().any(|e| e.message.starts_with("Experiment transitioned"));
    decision.status.phase.filter(|phase| told && phase.is_completed())
}

fn edit(truth: &mut World, edit: impl FnOnce(&mut serin_core::Rollout)) {
    let before = truth.rollout.clone();
    edit(&mut truth.rollout);
    if truth.rollout != before {
        truth.rollout.generation += 1;
    }
}

fn steady() -> Behaviour {
    Behaviour { ready_after: Delay::Fixed(Span::from_secs(3)), ..Behaviour::steady(Some(Span::from_secs(3))) }
}

fn measures(
    scenario: &Scenario,
    quality: super::scenario::Quality,
) -> std::collections::BTreeMap<String, crate::world::Measure> {
    scenario.metrics.iter().map(|m| (m.name.clone(), quality.measure())).collect()
}
