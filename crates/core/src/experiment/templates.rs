//! Where each template stands: its members come, run, and are over (section 5.3 of the reference).

use super::status::{TemplatePhase, TemplateStatus};
use super::world::{Template, TemplatePool};
use super::{ExperimentReason, Pass};
use crate::time::{Span, Time};

/// Judges every template by what is there now. Templates that are gone from the spec are forgotten.
pub fn assess(pass: &mut Pass) {
    let wanted = &pass.experiment().templates;
    pass.status.templates = wanted.iter().map(|template| next(pass, template)).collect();
    for (index, template) in wanted.iter().enumerate() {
        let before = pass.world.status.template(&template.name).map(|t| t.phase);
        note_change(pass, index, before);
        if pass.status.templates[index].phase == TemplatePhase::Progressing {
            let deadline = pass.status.templates[index].transitioned + pass.experiment().progress_deadline;
            pass.wake(deadline);
            await_members(pass, template);
        }
    }
}

/// What comes to its end takes its templates with it: those that are not decided ended well.
//= compat: 5.3-8
pub fn wind_up(pass: &mut Pass) {
    if !pass.terminating() {
        return;
    }
    let now = pass.now;
    for index in 0..pass.status.templates.len() {
        let before = pass.status.templates[index].phase;
        if !before.is_completed() {
            enter(&mut pass.status.templates[index], TemplatePhase::Successful, String::new(), now);
            note_change(pass, index, Some(before));
        }
    }
}

/// Whether the time of the versions is over, and if not, when it will be.
//= compat: 5.3-3
pub fn end(pass: &Pass) -> Option<Time> {
    Some(pass.status.available_at? + pass.experiment().duration?)
}

fn next(pass: &Pass, template: &Template) -> TemplateStatus {
    let pool = pass.world.pool(&template.name);
    let former = pass.world.status.template(&template.name).cloned();
    let mut status = former.unwrap_or_else(|| TemplateStatus {
        name: template.name.clone(),
        transitioned: pass.now,
        ..TemplateStatus::default()
    });
    let gained = pool.map_or(0, |p| p.available) > status.available;
    count(&mut status, pool);
    status.service = service(pass, template);
    //= compat: 5.1-3
    if !status.phase.is_completed() {
        if gained {
            status.transitioned = pass.now;
        }
        let (phase, message) = judge(pass, template, &status, pool);
        enter(&mut status, phase, message, pass.now);
    }
    status
}

fn count(status: &mut TemplateStatus, pool: Option<&TemplatePool>) {
    status.hash = pool.map(|p| p.hash.clone()).or_else(|| status.hash.take());
    status.members = pool.map_or(0, |p| p.members);
    status.ready = pool.map_or(0, |p| p.ready);
    status.available = pool.map_or(0, |p| p.available);
}

/// The service as it is there, not as it is wanted.
fn service(pass: &Pass, template: &Template) -> Option<String> {
    let own = |s: &&super::TemplateService| s.template.as_deref() == Some(template.name.as_str());
    pass.world.services.iter().find(own).map(|s| s.name.clone())
}

fn enter(status: &mut TemplateStatus, phase: TemplatePhase, message: String, now: Time) {
    if status.phase != phase {
        status.phase = phase;
        status.transitioned = now;
        status.message = message;
    }
}

/// The phase of a template that is not decided yet, and why; the first rule that fits wins.
//= compat: 5.2-3, 5.2-7, 5.3-2, 5.3-3, 5.3-4, 5.3-8
fn judge(
    pass: &Pass,
    template: &Template,
    status: &TemplateStatus,
    pool: Option<&TemplatePool>,
) -> (TemplatePhase, String) {
    if pass.experiment().terminate {
        return (TemplatePhase::Successful, String::new());
    }
    if let Some(refused) = pool.and_then(|p| p.refused.clone()) {
        return (TemplatePhase::Error, refused);
    }
    if let Some(name) = &template.service
        && pass.world.service(name).is_some_and(|s| s.template.as_ref() != Some(&template.name))
    {
        let message = format!("service '{name}' exists and does not belong to template '{}'", template.name);
        return (TemplatePhase::Error, message);
    }
    // "Strictly after" in whole milliseconds.
    if end(pass).is_some_and(|end| pass.now > end) {
        return (TemplatePhase::Successful, String::new());
    }
    if pool.is_some_and(|p| p.size == template.replicas && p.available >= template.replicas) {
        return (TemplatePhase::Running, String::new());
    }
    let fell = status.phase == TemplatePhase::Running;
    let deadline = pass.experiment().progress_deadline;
    if !fell && pass.now >= status.transitioned + deadline {
        let seconds = deadline.as_secs();
        let message = format!("Template '{}' exceeded its progressDeadlineSeconds ({seconds})", template.name);
        return (TemplatePhase::Failed, message);
    }
    (TemplatePhase::Progressing, String::new())
}

fn await_members(pass: &mut Pass, template: &Template) {
    let available = pass.world.pool(&template.name).map_or(0, |p| p.available);
    let (template, wanted) = (template.name.clone(), template.replicas);
    pass.reasons.push(ExperimentReason::AwaitingMembers { template, available, wanted });
}

//= compat: 5.3-11
fn note_change(pass: &mut Pass, index: usize, before: Option<TemplatePhase>) {
    let TemplateStatus { name, phase, .. } = &pass.status.templates[index];
    let (phase, from) = (*phase, before.map_or("", TemplatePhase::as_str));
    if before == Some(phase) {
        return;
    }
    let (reason, warning) = match phase {
        TemplatePhase::Progressing => ("TemplateProgressing", false),
        TemplatePhase::Running => ("TemplateRunning", false),
        TemplatePhase::Successful => ("TemplateSuccessful", false),
        TemplatePhase::Failed => ("TemplateFailed", true),
        TemplatePhase::Error => ("TemplateError", true),
    };
    let message = format!("Template '{name}' transitioned from {from} -> {}", phase.as_str());
    pass.event(reason, message, warning);
    let refused = pass.world.pool(&pass.status.templates[index].name).and_then(|p| p.refused.clone());
    //= compat: 5.2-7
    if let (TemplatePhase::Error, Some(refused)) = (phase, refused) {
        pass.event("ReplicaSetUpdateError", refused, true);
    }
}

/// The moment after which the time of the versions is over: strictly after its end, in whole milliseconds.
pub fn over_at(pass: &Pass) -> Option<Time> {
    Some(end(pass)? + Span::from_millis(1))
}
