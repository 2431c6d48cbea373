//! The experiment step: one experiment at a time, its weights, and what its end means (section 5.4 of the reference).

use super::Pass;
use crate::abort;
use crate::action::Action;
use crate::analysis::RunPhase;
use crate::naming::Names;
use crate::reason::Reason;
use crate::revision;
use crate::rollout::{ExperimentStep, Step};
use crate::status::PauseReason;
use crate::weight::{Destination, Split};
use crate::world::{StepExperiment, World};

/// Starts, follows and ends the experiments of this pass.
//= compat: 5.4-6, 5.4-8
pub fn reconcile(pass: &mut Pass) {
    let none_wanted = pass.status.stable.is_none()
        || pass.fully_promoted()
        || pass.status.abort
        || pass.status.promote_full
        || revision::within_rollback_window(pass.world);
    match current_step(pass).filter(|_| !none_wanted) {
        None => pass.status.current_experiment = None,
        // As long as a pause lasts nothing is begun and nothing judged.
        Some(_) if !pass.status.pauses.is_empty() => {}
        Some((index, _)) => follow(pass, index),
    }
    stop_unwanted(pass);
    forget_old(pass);
}

fn current_step<'a>(pass: &Pass<'a>) -> Option<(usize, &'a ExperimentStep)> {
    let index = pass.status.step_index?;
    match pass.strategy.step(Some(index))? {
        Step::Experiment(step) => Some((index, step)),
        _ => None,
    }
}

/// The experiment in use, as it is there.
fn current<'a>(pass: &Pass<'a>) -> Option<&'a StepExperiment> {
    pass.world.experiment(pass.status.current_experiment.as_ref()?)
}

//= compat: 4.3-3, 2.6-15, 2.7-1
fn follow(pass: &mut Pass, index: usize) {
    let Some(name) = pass.status.current_experiment.clone() else {
        return begin(pass, index);
    };
    let Some(experiment) = pass.world.experiment(&name) else {
        // Decided before, but not there yet: ask again, under the same name.
        return start(pass, index, name);
    };
    match experiment.phase {
        RunPhase::Failed | RunPhase::Error => {
            let mut cause = "Experiment analysis phase is error/failed".to_owned();
            if !experiment.message.is_empty() {
                cause.push_str(&format!(": {}", experiment.message));
            }
            abort::abort(pass, &cause);
        }
        // Resumed by other means than a promotion, which skips the step: it is tried once more.
        RunPhase::Inconclusive if pass.status.controller_pause => {
            pass.status.controller_pause = false;
            begin(pass, index);
        }
        RunPhase::Inconclusive => {
            pass.status.add_pause(PauseReason::InconclusiveExperiment, pass.now);
            pass.event("RolloutPaused", "Rollout is paused (InconclusiveExperiment)".to_owned());
            let (run, message) = (experiment.name.clone(), experiment.message.clone());
            pass.reasons.push(Reason::PausedInconclusive { run, message });
        }
        RunPhase::Pending | RunPhase::Running | RunPhase::Successful => {}
    }
}

/// A new one: an unfinished one of an earlier try is never taken over, or its age and its stop would be inherited.
fn begin(pass: &mut Pass, index: usize) {
    let name = names(pass, index).next(pass.world.experiments.iter().map(|e| e.name.as_str()));
    pass.status.current_experiment = Some(name.clone());
    pass.event("ExperimentCreated", format!("Created Experiment '{name}'"));
    start(pass, index, name);
}

fn start(pass: &mut Pass, step: usize, name: String) {
    let hash = pass.rollout().hash.clone();
    let revision = revision::number(pass.world);
    pass.actions.push(Action::StartExperiment { name, step, hash, revision });
}

/// The names of the experiments of a step.
//= compat: 5.4-2
fn names<S>(pass: &crate::pass::Pass<S>, index: usize) -> Names {
    let rollout = pass.rollout();
    let base = format!("{}-{}-{}-{index}", rollout.name, rollout.hash, revision::number(pass.world));
    Names::new(base, '-')
}

/// Whether the experiment of the current step ended well.
pub fn is_successful(pass: &mut Pass) -> bool {
    let Some(name) = pass.status.current_experiment.clone() else {
        return false;
    };
    if current(pass).is_some_and(|e| e.phase == RunPhase::Successful) {
        return true;
    }
    pass.reasons.push(Reason::AwaitingExperiment { experiment: name });
    false
}

/// What the versions of the current experiment get of the requests while it runs: their weights, in the order of the step, as
/// far as `left` goes and as far as there are members to answer.
//= compat: 5.4-7
pub fn destinations(pass: &Pass, mut left: u32) -> Vec<Destination> {
    let idle = pass.fully_promoted() || pass.status.abort || pass.status.promote_full;
    let running = current(pass).filter(|e| !idle && e.phase == RunPhase::Running && !e.terminating);
    let (Some((_, step)), Some(experiment)) = (current_step(pass), running) else {
        return Vec::new();
    };
    let destination = |(template, weight): &(String, u32)| {
        let pool = experiment.pools.iter().find(|p| p.template == *template && p.available > 0)?;
        let weight = (*weight).min(left);
        left -= weight;
        let (service, hash) = (pool.service.clone()?, pool.hash.clone());
        (weight > 0).then_some(Destination { service, hash, weight })
    };
    step.weights.iter().filter_map(destination).collect()
}

/// Whether the router sends requests to a version of an experiment that has nobody left to answer them.
pub fn has_dead_destination(world: &World, split: &Split) -> bool {
    let alive = |d: &Destination| {
        let mut pools = world.experiments.iter().flat_map(|e| &e.pools);
        pools.any(|p| p.hash == d.hash && p.available > 0)
    };
    split.experiment.iter().any(|d| d.weight > 0 && !alive(d))
}

/// Unfinished experiments that the status does not refer to are told to end.
//= compat: 5.4-8
pub fn stop_unwanted<S>(pass: &mut crate::pass::Pass<S>) {
    for experiment in &pass.world.experiments {
        let wanted = pass.status.current_experiment.as_ref() == Some(&experiment.name);
        if !experiment.phase.is_completed() && !experiment.terminating && !wanted {
            pass.actions.push(Action::StopExperiment { name: experiment.name.clone() });
        }
    }
}

/// Finished experiments beyond the history limits are forgotten, and those of versions that have no pool any more; none as
/// long as it has members. While an update is under way the last one of each step stays, as with runs.
//= compat: 5.4-10, 1.2-6, 1.2-13
//= compat-differs: 5.4-10 the last experiment of each step stays until its update is over, so that no name is given twice
pub fn forget_old<S>(pass: &mut crate::pass::Pass<S>) {
    let current = pass.status.current_experiment.as_ref();
    let finished = |e: &&StepExperiment| e.phase.is_completed() && Some(&e.name) != current;
    let mut finished: Vec<&StepExperiment> = pass.world.experiments.iter().filter(finished).collect();
    finished.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
    let (limit_successful, limit_other) = pass.rollout().run_history_limits;
    let (mut successful, mut other) = (0, 0);
    let mut gone = Vec::new();
    for experiment in finished {
        let (kept, limit) = match experiment.phase {
            RunPhase::Successful => (&mut successful, limit_successful),
            _ => (&mut other, limit_other),
        };
        let empty = experiment.pools.iter().all(|p| p.members == 0);
        if (*kept < limit && pass.world.pool(&experiment.hash).is_some()) || counted_on(pass, experiment) {
            *kept += 1;
        } else if empty {
            gone.push(Action::DeleteExperiment { name: experiment.name.clone() });
        }
    }
    pass.actions.extend(gone);
}

/// Whether the next experiment of this step gets its number after this one.
fn counted_on<S>(pass: &crate::pass::Pass<S>, experiment: &StepExperiment) -> bool {
    let taken = || pass.world.experiments.iter().map(|e| e.name.as_str());
    let mut steps = 0..pass.rollout().steps();
    pass.under_way(&experiment.hash) && steps.any(|index| names(pass, index).is_last(&experiment.name, taken()))
}
