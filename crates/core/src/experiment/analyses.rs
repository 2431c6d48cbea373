//! The analyses of an experiment: begun when all versions are there, followed, stopped at its end (section 5.3 of the
//! reference).

use super::status::AnalysisStatus;
use super::world::Analysis;
use super::{ExperimentAction, ExperimentReason, Pass};
use crate::analysis::RunPhase;
use crate::decision::Event;
use crate::naming::Names;

/// Takes over what the runs say. An analysis that cannot be begun is an error, also before it is its time.
//= compat: 5.3-2
pub fn assess(pass: &mut Pass) {
    let wanted = &pass.experiment().analyses;
    let ending = pass.terminating();
    let next: Vec<AnalysisStatus> = wanted.iter().filter_map(|analysis| follow(pass, analysis, ending)).collect();
    for status in &next {
        let before = pass.world.status.analysis(&status.name).map(|a| a.phase);
        if before != Some(status.phase) {
            note_change(pass, status, before);
        }
    }
    pass.status.analyses = next;
}

fn follow(pass: &Pass, analysis: &Analysis, ending: bool) -> Option<AnalysisStatus> {
    let Some(former) = pass.world.status.analysis(&analysis.name) else {
        let problem = analysis.problem.clone().filter(|_| !ending)?;
        let name = analysis.name.clone();
        return Some(AnalysisStatus { name, run: String::new(), phase: RunPhase::Error, message: problem });
    };
    let mut status = former.clone();
    match pass.world.run(&former.run) {
        _ if former.phase.is_completed() => {}
        Some(run) => (status.phase, status.message) = (run.phase, run.message.clone()),
        // Decided, never there, and now it is too late.
        None if ending => (status.phase, status.message) = (RunPhase::Successful, "Run Terminated".to_owned()),
        None => {}
    }
    Some(status)
}

/// Whether an analysis ended in a way that ends the experiment.
pub fn ended_badly(status: &AnalysisStatus) -> bool {
    matches!(status.phase, RunPhase::Failed | RunPhase::Error | RunPhase::Inconclusive)
}

/// Whether there are required analyses and all of them succeeded.
//= compat: 5.3-7
pub fn required_succeeded(pass: &Pass) -> bool {
    let succeeded =
        |a: &Analysis| pass.status.analysis(&a.name).is_some_and(|status| status.phase == RunPhase::Successful);
    let mut required = pass.experiment().analyses.iter().filter(|a| a.required).peekable();
    required.peek().is_some() && required.all(succeeded)
}

/// Whether the experiment lasts until one of its required analyses is decided. One that was never begun is not waited for
/// once it is too late for it.
//= compat: 5.3-6
pub fn required_open(pass: &Pass) -> bool {
    let begins = !pass.terminating();
    let open = |a: &&Analysis| pass.status.analysis(&a.name).map_or(begins, |status| !status.phase.is_completed());
    pass.experiment().analyses.iter().filter(|a| a.required).any(|a| open(&a))
}

/// Begins the runs whose time has come; at the end of the experiment stops all of them.
//= compat: 5.3-2, 5.3-5
pub fn reconcile(pass: &mut Pass) {
    let ending = pass.terminating();
    if !ending && pass.status.available_at.is_some() {
        for analysis in &pass.experiment().analyses {
            begin(pass, analysis);
        }
    }
    let world = pass.world;
    for run in world.runs.iter().filter(|r| r.analysis.is_some() && !r.phase.is_completed()) {
        let current = pass.status.analyses.iter().any(|a| a.run == run.name);
        if (ending || !current) && !run.terminating {
            let message = format!("AnalysisRun '{}' terminates with its experiment", run.name);
            pass.event("AnalysisRunTerminating", message, false);
            pass.actions.push(ExperimentAction::StopRun { name: run.name.clone() });
        }
        if current {
            let required =
                pass.experiment().analyses.iter().any(|a| a.required && Some(&a.name) == run.analysis.as_ref());
            pass.reasons.push(ExperimentReason::AwaitingRun { run: run.name.clone(), required });
        }
    }
}

fn begin(pass: &mut Pass, analysis: &Analysis) {
    let name = match pass.status.analysis(&analysis.name) {
        Some(status) if status.phase.is_completed() || pass.world.run(&status.run).is_some() => return,
        // Decided before, but not there yet: ask again, under the same name.
        Some(status) => status.run.clone(),
        None => {
            let run = free_name(pass, analysis);
            let name = analysis.name.clone();
            let status = AnalysisStatus { name, run: run.clone(), ..AnalysisStatus::default() };
            pass.status.analyses.push(status);
            run
        }
    };
    pass.actions.push(ExperimentAction::StartRun { name, analysis: analysis.name.clone() });
}

/// The name of a run that is begun.
//= compat: 5.3-9
fn free_name(pass: &Pass, analysis: &Analysis) -> String {
    let runs = pass.world.runs.iter().map(|r| r.name.as_str());
    let referred = pass.status.analyses.iter().map(|a| a.run.as_str());
    Names::new(format!("{}-{}", pass.experiment().name, analysis.name), '.').next(runs.chain(referred))
}

/// The experiment is told, and its rollout as a warning whatever the phase is, as in the original.
//= compat: 5.3-11
fn note_change(pass: &mut Pass, status: &AnalysisStatus, before: Option<RunPhase>) {
    let reason = match status.phase {
        RunPhase::Pending => "AnalysisRunPending",
        RunPhase::Running => "AnalysisRunRunning",
        RunPhase::Successful => "AnalysisRunSuccessful",
        RunPhase::Failed => "AnalysisRunFailed",
        RunPhase::Error => "AnalysisRunError",
        RunPhase::Inconclusive => "AnalysisRunInconclusive",
    };
    let from = before.map_or("", RunPhase::as_str);
    let mut message = format!("AnalysisRun '{}' transitioned from {from} -> {}", status.name, status.phase);
    if !status.message.is_empty() {
        message.push_str(&format!(": {}", status.message));
    }
    pass.owner_events.push(Event { reason, message: message.clone(), warning: true });
    pass.event(reason, message, ended_badly(status));
}
