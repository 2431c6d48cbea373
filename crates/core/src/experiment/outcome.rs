//! The phase of an experiment, its conditions, and what is said about it (section 5.3 of the reference).

use super::status::{AnalysisStatus, TemplatePhase, TemplateStatus};
use super::{ExperimentReason, Pass, analyses, templates};
use crate::analysis::RunPhase;
use crate::condition::{Kind, Truth};

/// Says so where the spec cannot be carried out; nothing else is done then. Put right, it goes on as if nothing had been.
//= compat: 5.3-12, 5.3-13, 8.6-1
pub fn invalid(pass: &mut Pass) -> bool {
    let Some(problem) = &pass.experiment().invalid else {
        pass.status.conditions.remove(Kind::InvalidSpec);
        return false;
    };
    let text = format!("The Experiment \"{}\" is invalid: {problem}", pass.experiment().name);
    if pass.status.conditions.get(Kind::InvalidSpec).is_none_or(|c| c.message != text) {
        pass.status.conditions.renew(Kind::InvalidSpec, Truth::True, "InvalidSpec", &text, pass.now);
        pass.event("InvalidSpec", text, true);
    }
    pass.reasons.push(ExperimentReason::Invalid { problem: problem.clone() });
    true
}

/// Decides the phase. A final one stays.
//= compat: 5.3-1
pub fn assess(pass: &mut Pass) {
    if pass.status.is_completed() {
        return;
    }
    let running = |t: &TemplateStatus| t.phase == TemplatePhase::Running;
    //= compat: 5.3-2
    if pass.status.available_at.is_none() && !pass.terminating() && pass.status.templates.iter().all(running) {
        pass.status.available_at = Some(pass.now);
    }
    let (phase, message) = verdict(pass);
    let before = pass.status.phase.replace(phase);
    if before == Some(phase) {
        return;
    }
    pass.status.message = message;
    let from = before.map_or("", RunPhase::as_str);
    let (reason, warning) = match phase {
        RunPhase::Pending => ("ExperimentPending", false),
        RunPhase::Running => ("ExperimentRunning", false),
        RunPhase::Successful => ("ExperimentSuccessful", false),
        RunPhase::Failed => ("ExperimentFailed", true),
        RunPhase::Error => ("ExperimentError", true),
        RunPhase::Inconclusive => ("ExperimentInconclusive", true),
    };
    pass.event(reason, format!("Experiment transitioned from {from} -> {phase}"), warning);
}

/// The phase and why; the first rule that fits wins.
//= compat: 5.3-5, 5.3-6, 5.3-7, 5.3-8
fn verdict(pass: &Pass) -> (RunPhase, String) {
    let status = &pass.status;
    if let Some(worst) = status.templates.iter().max_by_key(|t| t.phase.severity()) {
        match worst.phase {
            TemplatePhase::Failed => return (RunPhase::Failed, worst.message.clone()),
            TemplatePhase::Error => return (RunPhase::Error, worst.message.clone()),
            TemplatePhase::Progressing | TemplatePhase::Running | TemplatePhase::Successful => {}
        }
    }
    let bad = status.analyses.iter().filter(|a| analyses::ended_badly(a));
    if let Some(worst) = bad.max_by_key(|a: &&AnalysisStatus| a.phase.severity()) {
        return (worst.phase, worst.message.clone());
    }
    if analyses::required_succeeded(pass) {
        return (RunPhase::Successful, "Required AnalysisRuns completed".to_owned());
    }
    if all_over(pass) && !analyses::required_open(pass) {
        return (RunPhase::Successful, String::new());
    }
    match status.available_at {
        Some(_) => (RunPhase::Running, String::new()),
        None => (RunPhase::Pending, String::new()),
    }
}

/// Whether every template is over. An experiment without any is over by its time alone.
fn all_over(pass: &Pass) -> bool {
    let templates = &pass.status.templates;
    let over = |t: &TemplateStatus| t.phase == TemplatePhase::Successful;
    let time_over = pass.experiment().terminate || templates::end(pass).is_some_and(|end| pass.now > end);
    templates.iter().all(over) && (!templates.is_empty() || time_over)
}

/// Conditions, the time to come back, and what is said.
pub fn conclude(pass: &mut Pass) {
    condition(pass);
    let Some(phase) = pass.status.phase else { return };
    if phase.is_completed() {
        let message = pass.status.message.clone();
        pass.reasons.insert(0, ExperimentReason::Ended { phase, message });
        return;
    }
    if pass.experiment().terminate {
        pass.reasons.insert(0, ExperimentReason::Terminating);
        return;
    }
    if pass.status.available_at.is_none() {
        return;
    }
    match templates::over_at(pass) {
        None => pass.reasons.insert(0, ExperimentReason::RunsUntilTerminated),
        Some(at) if pass.now < at => {
            let end = at;
            pass.wake(at);
            pass.reasons.insert(0, ExperimentReason::RunsUntil { end, left: end.since(pass.now) });
        }
        // Over, but a required analysis is not.
        Some(_) => {}
    }
}

//= compat: 5.3-12
fn condition(pass: &mut Pass) {
    let name = &pass.experiment().name;
    let (truth, reason, message) = match pass.status.phase {
        None => return,
        Some(RunPhase::Pending) => (Truth::True, "ReplicaSetUpdated", format!("Experiment \"{name}\" is progressing.")),
        Some(RunPhase::Running) => {
            (Truth::True, "NewReplicaSetAvailable", format!("Experiment \"{name}\" is running."))
        }
        Some(RunPhase::Successful) => {
            (Truth::False, "ExperimentCompleted", format!("Experiment \"{name}\" has completed successfully."))
        }
        Some(phase) => (Truth::False, "ExperimentCompleted", format!("Experiment \"{name}\" has ended: {phase}.")),
    };
    pass.status.conditions.set(Kind::Progressing, truth, reason, &message, pass.now);
}
