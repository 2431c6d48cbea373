//! Steps of plugins: asking, waiting, and taking back what was begun (section 6.13 of the reference).

use super::Pass;
use crate::abort;
use crate::action::Action;
use crate::plugin::{Operation, PluginAnswer, PluginCall, PluginPhase, PluginStatus, PluginStep};
use crate::reason::Reason;
use crate::status::Status;
use crate::time::{Span, Time};

/// Wait before a plugin is asked again where it does not say, and after it could not be asked.
const BACKOFF: Span = Span::from_secs(30);

/// Shortest wait that a plugin may ask for: often enough to follow anything, and no loop.
const BACKOFF_MIN: Span = Span::from_secs(1);

/// Asks plugins to take back or to end what is not wanted any more.
//= compat: 6.13-4, 6.13-5
//= compat-differs: 6.13-4 the plugin is asked beside the abort, not before it, and also where it could not be asked last: traffic goes back at once, and a slow plugin holds up only a retry
pub fn reconcile(pass: &mut Pass) {
    if pass.status.abort {
        for at in (0..pass.status.plugins.len()).rev() {
            let entry = &pass.status.plugins[at];
            if entry.operation == Operation::Run && entry.phase != PluginPhase::Failed {
                close(&mut pass.status, at, Operation::Abort, pass.now);
            }
        }
    } else {
        let current = pass.status.step_index.filter(|_| !pass.status.promote_full);
        for at in (0..pass.status.plugins.len()).rev() {
            let entry = &pass.status.plugins[at];
            if entry.operation == Operation::Run && !entry.is_finished() && Some(entry.index) != current {
                close(&mut pass.status, at, Operation::Terminate, pass.now);
            }
        }
    }
    if let Some(at) = pass.status.plugins.iter().position(is_open_closing) {
        ask(pass, at);
    }
}

/// A new try knows nothing of the tries before, but for what still has to be taken back.
//= compat: 6.13-5
pub fn forget(pass: &mut Pass) {
    if abort::retried(pass) {
        pass.status.plugins.retain(is_open_closing);
    }
    if !pass.status.abort {
        pass.status.plugins.retain(|entry| entry.operation != Operation::Abort || !entry.is_finished());
    }
}

fn is_open_closing(entry: &PluginStatus) -> bool {
    entry.operation != Operation::Run && !entry.is_finished()
}

/// Begins an operation that ends another, once.
fn close(status: &mut Status, at: usize, operation: Operation, now: Time) {
    let run = &mut status.plugins[at];
    let index = run.index;
    let closing = PluginStatus { state: run.state.clone(), ..PluginStatus::new(index, &run.name, operation, now) };
    let asked = !run.disabled;
    run.finished.get_or_insert(now);
    let known = status.plugins.iter().any(|e| e.operation == operation && e.index == index);
    if asked && !known {
        status.plugins.push(closing);
    }
}

/// Another template: what runs is to end, and what is being taken back goes on.
//= compat-differs: 2.4-2 a plugin whose step still runs is told to end before it is forgotten
pub fn start_over(status: &mut Status, now: Time) {
    for at in 0..status.plugins.len() {
        let entry = &status.plugins[at];
        if entry.operation == Operation::Run && !entry.is_finished() {
            close(status, at, Operation::Terminate, now);
        }
    }
    status.plugins.retain(is_open_closing);
}

/// Whether a plugin still takes something back. No step moves meanwhile, so that it never works for and against an update at
/// once.
pub fn closing(pass: &Pass) -> bool {
    pass.status.plugins.iter().any(is_open_closing)
}

/// The current step. Returns whether it is complete.
//= compat: 6.13-1, 6.13-2, 6.13-3
//= compat-differs: 6.13-2 a plugin is asked again when it wants to be, from 1 s on; the original makes any wish of up to 10 s into 30 s
pub fn step(pass: &mut Pass, index: usize, plugin: &PluginStep) -> bool {
    let known = pass.status.plugins.iter().position(|e| e.operation == Operation::Run && e.index == index);
    let at = known.unwrap_or_else(|| {
        pass.status.plugins.push(PluginStatus::new(index, &plugin.name, Operation::Run, pass.now));
        pass.status.plugins.len() - 1
    });
    if pass.world.plugins.disabled.contains(&plugin.name) {
        let now = pass.now;
        let entry = &mut pass.status.plugins[at];
        entry.disabled = true;
        entry.phase = PluginPhase::Successful;
        entry.finished.get_or_insert(now);
        return true;
    }
    let entry = &pass.status.plugins[at];
    let due = entry.updated.map(|updated| updated + entry.backoff);
    if let Some(due) = due.filter(|due| pass.now < *due && !entry.is_finished()) {
        say_waiting(pass, at);
        pass.wake(due);
        return false;
    }
    if !pass.status.plugins[at].is_finished() {
        ask(pass, at);
    }
    let entry = &pass.status.plugins[at];
    match entry.phase {
        PluginPhase::Successful => true,
        PluginPhase::Failed => {
            let cause = format!("Step Plugin {} ({}) failed: {}", index + 1, plugin.name, entry.message);
            abort::abort(pass, &cause);
            false
        }
        // A question that is on its way wakes by its answer, and an answer by what it changed.
        PluginPhase::Running | PluginPhase::Error => false,
    }
}

/// Takes the answer to the next question of an operation, or asks it.
fn ask(pass: &mut Pass, at: usize) {
    let entry = &pass.status.plugins[at];
    let id = entry.call_id(&pass.rollout().name);
    match pass.world.plugins.calls.iter().find(|call| call.id == id) {
        None => {
            let (index, plugin, operation) = (entry.index, entry.name.clone(), entry.operation);
            let state = entry.state.clone();
            pass.actions.push(Action::CallPlugin(PluginCall { id, index, plugin, operation, state }));
        }
        Some(call) => {
            if let Some(answer) = &call.answer {
                return take(pass, at, answer.clone());
            }
        }
    }
    say_waiting(pass, at);
}

fn say_waiting(pass: &mut Pass, at: usize) {
    let entry = &pass.status.plugins[at];
    let (plugin, operation, message) = (entry.name.clone(), entry.operation, entry.message.clone());
    pass.reasons.push(Reason::AwaitingPlugin { plugin, operation, message });
}

/// An answer becomes part of the memory; the same question is never asked again.
//= compat: 6.13-2, 6.13-4, 6.13-5
fn take(pass: &mut Pass, at: usize, answer: Result<PluginAnswer, String>) {
    let now = pass.now;
    let entry = &mut pass.status.plugins[at];
    let before = entry.phase;
    entry.executions = entry.executions.saturating_add(1);
    entry.updated = Some(now);
    entry.backoff = Span::ZERO;
    match answer {
        Ok(answer) => {
            entry.phase = answer.phase;
            entry.message = answer.message;
            entry.state = answer.state.or(entry.state.take());
            if entry.phase == PluginPhase::Running {
                entry.backoff = answer.requeue_after.map_or(BACKOFF, |span| span.max(BACKOFF_MIN));
            }
        }
        Err(why) => {
            entry.phase = PluginPhase::Error;
            entry.message = why;
            entry.backoff = BACKOFF;
        }
    }
    let closing = entry.operation != Operation::Run;
    if closing && entry.phase == PluginPhase::Running {
        entry.phase = PluginPhase::Failed;
        entry.message = format!("{} must be over when it is answered: {}", entry.operation.as_str(), entry.message);
    }
    if closing || matches!(entry.phase, PluginPhase::Successful | PluginPhase::Failed) {
        entry.backoff = Span::ZERO;
        entry.finished = Some(now);
    }
    tell(pass, at, before);
}

fn tell(pass: &mut Pass, at: usize, before: PluginPhase) {
    let entry = &pass.status.plugins[at];
    let (number, name, phase) = (entry.index + 1, entry.name.clone(), entry.phase);
    let what = format!("Step Plugin {number} ({name}) {}", entry.operation.as_str());
    let said = if entry.message.is_empty() { String::new() } else { format!(": {}", entry.message) };
    if phase == PluginPhase::Error {
        pass.warning("ReconciliationError", format!("{what} could not be asked{said}"));
    } else if phase != before {
        let text = format!("{what} transitioned from {} to {}{said}", before.as_str(), phase.as_str());
        match phase {
            PluginPhase::Failed => pass.warning("StepPluginTransition", text),
            _ => pass.event("StepPluginTransition", text),
        }
    }
}
