//! What is written on the rollout itself, and on the workload behind it.

use serde_json::{Value, json};
use serin_core::condition::{Kind, Truth};
use serin_core::decision::Event;
use serin_core::{Action, Decision, Status, Time};
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::{REVISION, WORKLOAD_GENERATION};
use serin_spec::{raise, workload};

use super::event;
use crate::merge_patch;
use crate::observe::View;
use crate::replica_set::ReplicaSet;
use crate::write::{Failure, Target, Verb, Write};

fn target(rollout: &Rollout) -> Target {
    Target::new("argoproj.io/v1alpha1", "Rollout", rollout.metadata.namespace(), rollout.metadata.name())
}

/// What differs between the status that was read and the one that was decided; nothing is sent when nothing does. What a
/// person changes between reading and writing stays, unless the decision changed the same field.
//= compat: 2.1-1, 1.3-8
pub fn status(view: &View, decided: &Status) -> Option<Write> {
    let rollout = &view.rollout;
    let mut wanted = raise::status(decided, rollout);
    wanted.workload_observed_generation =
        rollout.spec.workload_ref.as_ref().and_then(|_| rollout.metadata.annotations.get(WORKLOAD_GENERATION).cloned());
    if let Some(active) = active(view, decided) {
        // The autoscaler looks at the version that the users see.
        wanted.hpa_replicas = active.pool().and_then(|pool| i32::try_from(pool.members).ok());
        wanted.selector = active.selector().as_ref().map(raise::selector);
    }
    // Argo writes parts of the status that say nothing as empty objects: nothing is written only to take them away.
    let json = |status: &serin_spec::wire::status::RolloutStatus| {
        let mut json = serde_json::to_value(status).unwrap_or(Value::Null);
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|_, value| value.as_object().is_none_or(|part| !part.is_empty()));
        }
        json
    };
    let before = json(&rollout.status.clone().unwrap_or_default());
    let patch = merge_patch::difference(&before, &json(&wanted))?;
    Some(Write::new(target(rollout), Verb::StatusPatch(json!({ "status": patch }))))
}

/// The pool behind the active service of a blue-green rollout.
fn active<'v>(view: &'v View, decided: &Status) -> Option<&'v ReplicaSet> {
    view.rollout.spec.strategy.blue_green.as_ref()?;
    let hash = decided.blue_green.active.as_ref()?;
    view.pools.iter().find(|pool| pool.hash() == Some(hash.as_str()))
}

/// The revision under way, noted where people and tools look for it.
//= compat: 2.3-13
pub(super) fn revision(view: &View, decision: &Decision) -> Option<Write> {
    let decided = decision.actions.iter().find_map(|action| match action {
        Action::CreatePool { revision, .. } | Action::SetRevision { revision, .. } => Some(*revision),
        _ => None,
    });
    let revision = decided.or_else(|| Some(view.world.new_pool()?.revision))?.to_string();
    let noted = view.rollout.metadata.annotations.get(REVISION);
    let patch = json!({ "metadata": { "annotations": { REVISION: revision } } });
    (noted != Some(&revision)).then(|| Write::new(target(&view.rollout), Verb::MergePatch(patch)))
}

/// The workload at another size. It never holds the rollout up: a pass that finds it at the wrong size tries again.
//= compat: 1.3-14
pub(super) fn scale_workload(rollout: &Rollout, replicas: u32) -> Option<Write> {
    let reference = rollout.spec.workload_ref.as_ref()?;
    let kind = workload::kind(reference).ok()?;
    let version = reference.api_version.as_deref().unwrap_or_default();
    let name = reference.name.as_deref().unwrap_or_default();
    let target = Target::new(version, kind.as_str(), rollout.metadata.namespace(), name);
    let patch = json!({ "spec": { "replicas": replicas } });
    Some(Write::new(target, Verb::MergePatch(patch)).or(Failure::Skip))
}

/// A ReplicaSet could not be made: the rollout says so, in its conditions and as an event, and is tried again later.
//= compat: 2.3-9
pub fn create_failed(view: &View, name: &str, error: &str, now: Time) -> Vec<Write> {
    let text = format!("Failed to create new replica set \"{name}\": {error}");
    let mut decided = view.world.status.clone();
    decided.conditions.set(Kind::Progressing, Truth::False, "ReplicaSetCreateError", &text, now);
    let told = Event { reason: "ReplicaSetCreateError", message: text, warning: true };
    status(view, &decided).into_iter().chain([event::create(&view.rollout, &told, now)]).collect()
}

/// The name of a new ReplicaSet is taken by somebody else's, so the next one gets another.
//= compat: 2.3-8
pub fn name_taken(view: &View) -> Option<Write> {
    let mut decided = view.world.status.clone();
    decided.collision_count = decided.collision_count.saturating_add(1);
    status(view, &decided)
}
