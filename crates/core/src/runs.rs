//! Analysis runs of an update, whatever the strategy: begun, followed, stopped, forgotten (section 4 of the reference).

use crate::abort;
use crate::action::Action;
use crate::analysis::{RunKind, RunPhase};
use crate::naming::Names;
use crate::pass::Pass;
use crate::reason::Reason;
use crate::revision;
use crate::status::{PauseReason, RunRef};
use crate::world::Run;

/// Follows the run in use, or begins one: there is none yet, or a person resumed after an inconclusive one.
//= compat: 4.3-3, 4.3-4, 4.3-5
pub fn follow<S>(pass: &mut Pass<S>, kind: RunKind, current: Option<RunRef>) -> Option<RunRef> {
    let world = pass.world;
    let Some(current) = current else {
        return begin(pass, kind);
    };
    let Some(run) = world.run(&current.name) else {
        // Decided before, but not there yet: ask again, under the same name. A pause step is no reason not to, since the
        // background run has to watch over it.
        if pass.status.pause(PauseReason::InconclusiveAnalysisRun).is_none() {
            start(pass, kind, current.name.clone());
        }
        return Some(current);
    };
    if run.terminating && current.phase == RunPhase::Pending {
        // It was to be another one, but its name was taken: by a run that was told to stop before, and that the pass which
        // chose the name did not see. What that one measured is no verdict here.
        return begin(pass, kind);
    }
    // Only a run whose result was seen before can have been resumed: another pause leaves the same mark.
    let resumed = current.phase == RunPhase::Inconclusive
        && run.phase == RunPhase::Inconclusive
        && pass.status.controller_pause
        && pass.status.pause(PauseReason::InconclusiveAnalysisRun).is_none();
    if resumed {
        // The mark is used up by the run it leads to, or it would end the next pause step before that began.
        pass.status.controller_pause = !pass.status.pauses.is_empty();
        return begin(pass, kind);
    }
    let seen = RunRef { name: run.name.clone(), phase: run.phase, message: run.message.clone() };
    if seen.phase != current.phase {
        note_change(pass, kind, &current, &seen);
    }
    react(pass, kind, run);
    Some(seen)
}

fn begin<S>(pass: &mut Pass<S>, kind: RunKind) -> Option<RunRef> {
    if pass.status.pause(PauseReason::InconclusiveAnalysisRun).is_some() {
        return None;
    }
    let name = names(pass, kind).next(pass.world.runs.iter().map(|r| r.name.as_str()));
    start(pass, kind, name.clone());
    Some(RunRef { name, phase: RunPhase::Pending, message: String::new() })
}

fn start<S>(pass: &mut Pass<S>, kind: RunKind, name: String) {
    let hash = pass.rollout().hash.clone();
    let revision = revision::number(pass.world);
    pass.actions.push(Action::StartRun { name, kind, hash, revision });
}

/// The names of the runs of a kind.
//= compat: 4.1-1
fn names<S>(pass: &Pass<S>, kind: RunKind) -> Names {
    let rollout = pass.rollout();
    let mut base = format!("{}-{}-{}", rollout.name, rollout.hash, revision::number(pass.world));
    match kind {
        RunKind::Step(index) => base.push_str(&format!("-{index}")),
        RunKind::Background => {}
        RunKind::PrePromotion => base.push_str("-pre"),
        RunKind::PostPromotion => base.push_str("-post"),
    }
    Names::new(base, '.')
}

//= compat: 4.3-6
fn note_change<S>(pass: &mut Pass<S>, kind: RunKind, from: &RunRef, to: &RunRef) {
    let previous = if from.phase == RunPhase::Pending { "NoPreviousStatus" } else { from.phase.as_str() };
    let message = format!(
        "{} Analysis Run '{}' Status New: '{}' Previous: '{previous}'",
        kind.as_str(),
        to.name,
        to.phase.as_str()
    );
    let reason = match to.phase {
        RunPhase::Pending => "AnalysisRunPending",
        RunPhase::Running => "AnalysisRunRunning",
        RunPhase::Successful => "AnalysisRunSuccessful",
        RunPhase::Failed => "AnalysisRunFailed",
        RunPhase::Error => "AnalysisRunError",
        RunPhase::Inconclusive => "AnalysisRunInconclusive",
    };
    match to.phase {
        RunPhase::Failed | RunPhase::Error => pass.warning(reason, message),
        _ => pass.event(reason, message),
    }
}

/// A bad result aborts, an unclear one pauses for a person.
//= compat: 4.3-3, 2.6-15
fn react<S>(pass: &mut Pass<S>, kind: RunKind, run: &Run) {
    let label = match kind {
        RunKind::Step(_) => "Step-based",
        RunKind::Background => "Background",
        RunKind::PrePromotion => "Blue/green pre-promotion",
        RunKind::PostPromotion => "Blue/green post-promotion",
    };
    match run.phase {
        RunPhase::Failed | RunPhase::Error => {
            let mut cause = format!("{label} analysis phase error/failed");
            if !run.message.is_empty() {
                cause.push_str(&format!(": {}", run.message));
            }
            abort::abort(pass, &cause);
        }
        RunPhase::Inconclusive => {
            let new = pass.status.pause(PauseReason::InconclusiveAnalysisRun).is_none();
            pass.status.add_pause(PauseReason::InconclusiveAnalysisRun, pass.now);
            if new {
                pass.event("RolloutPaused", "Rollout is paused (InconclusiveAnalysisRun)".to_owned());
            }
            let (run, message) = (run.name.clone(), run.message.clone());
            pass.reasons.push(Reason::PausedInconclusive { run, message });
        }
        RunPhase::Pending | RunPhase::Running | RunPhase::Successful => {}
    }
}

/// Unfinished runs that no status refers to are told to stop.
//= compat: 4.2-8
pub fn stop_unwanted<S>(pass: &mut Pass<S>) {
    let wanted: Vec<String> = pass.status.runs().map(|r| r.name.clone()).collect();
    for run in &pass.world.runs {
        if !run.phase.is_completed() && !run.terminating && !wanted.contains(&run.name) {
            pass.actions.push(Action::StopRun { name: run.name.clone() });
        }
    }
}

/// Finished runs beyond the history limits are forgotten, and all finished runs of versions that have no pool any more. While an
/// update is under way the last one of each kind stays, since the numbers of the names count on from it.
//= compat: 1.2-13, 4.3-7
//= compat-differs: 4.3-7 the last run of each kind stays until its update is over, so that no name is given twice
pub fn forget_old<S>(pass: &mut Pass<S>) {
    let current: Vec<&str> = pass.status.runs().map(|r| r.name.as_str()).collect();
    let mut finished: Vec<&Run> =
        pass.world.runs.iter().filter(|r| r.phase.is_completed() && !current.contains(&r.name.as_str())).collect();
    finished.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
    let (limit_successful, limit_other) = pass.rollout().run_history_limits;
    let (mut successful, mut other) = (0, 0);
    let mut gone = Vec::new();
    for run in finished {
        let (kept, limit) = match run.phase {
            RunPhase::Successful => (&mut successful, limit_successful),
            _ => (&mut other, limit_other),
        };
        if (*kept < limit && pass.world.pool(&run.hash).is_some()) || counted_on(pass, run) {
            *kept += 1;
        } else {
            gone.push(Action::DeleteRun { name: run.name.clone() });
        }
    }
    pass.actions.extend(gone);
}

/// Whether the next run of this kind gets its number after this one.
fn counted_on<S>(pass: &Pass<S>, run: &Run) -> bool {
    let taken = pass.world.runs.iter().map(|r| r.name.as_str());
    pass.under_way(&run.hash) && names(pass, run.kind).is_last(&run.name, taken)
}
