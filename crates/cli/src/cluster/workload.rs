//! A rollout of a cluster as a control process would hold it: so the same requests are judged by the same rules, and the same
//! decision says why it is where it is.

use serin_controller::observe::{Cluster as Snapshot, Observed, find, new_hash, observe};
use serin_controller::{Object, ReplicaSet};
use serin_core::{Action, Hash, Metadata, Reason, Split, Time, World, decide, invalid};
use serin_kubectl::verb::undo;
use serin_local::model::{PoolState, Workload};
use serin_spec::wire::Rollout;
use serin_spec::workload::resolve;
use serin_spec::{lower, timestamp};

use super::seen::{Seen, wires};
use crate::error::CliError;

/// What is held of a rollout. `holder` is the object that its template is in, where that is another one.
pub(crate) fn workload(
    rollout: &Object,
    holder: Option<&Object>,
    seen: &Seen,
    now: Time,
) -> Result<Workload, CliError> {
    let object: Rollout = serde_json::from_value(rollout.0.clone()).map_err(|error| {
        let name = format!("{}/{}", rollout.namespace(), rollout.name());
        CliError::usage(format!("failed to read the rollout {name}: {error}"), "it has fields that are not known here")
    })?;
    let reference = object.spec.workload_ref.clone();
    let held = reference.and_then(|reference| resolve(&reference, holder.map(|holder| &holder.0)).ok());
    let mut whole = object.clone();
    if let Some(held) = &held {
        held.clone().put_into(&mut whole.spec);
    }
    let own = seen.family.replica_sets.iter().filter(|set| set.is_controlled_by(rollout.uid()));
    let mut sets: Vec<ReplicaSet> = own.cloned().map(ReplicaSet).collect();
    sets.sort_by_key(|set| (set.0.created(), set.0.name().to_owned()));
    let status = lower::status(&object.status.clone().unwrap_or_default());
    let collisions = object.status.as_ref().and_then(|status| status.collision_count);
    let mut lowered = lower::rollout(&whole, object.metadata.generation.unwrap_or(0), collisions);
    let found = find(&whole, &sets).and_then(ReplicaSet::hash).map(Hash::new);
    lowered.hash = found.unwrap_or_else(|| new_hash(&whole));
    let (reasons, wake_at) = reasons(&object, holder, &sets, seen, now);
    let services = lowered.blue_green().map(|blue_green| {
        let active = (blue_green.active_service.clone(), status.blue_green.active.clone());
        let preview = blue_green.preview_service.clone().map(|name| (name, status.blue_green.preview.clone()));
        std::iter::once(active).chain(preview).collect()
    });
    Ok(Workload {
        applied: serde_json::Value::Null,
        held,
        taken: None,
        problem: None,
        split: None,
        pools: sets.iter().filter_map(pool).collect(),
        services: services.unwrap_or_default(),
        rollout: lowered,
        status,
        reasons,
        wake_at,
        object,
    })
}

fn pool(set: &ReplicaSet) -> Option<PoolState> {
    let pool = set.pool()?;
    Some(PoolState {
        hash: pool.hash,
        revision: pool.revision,
        created: pool.created,
        size: pool.size,
        replicas_seen: pool.replicas_seen,
        scale_down_at: pool.scale_down_at,
        promoted: pool.promoted,
        metadata: Metadata::default(),
        evictions: Default::default(),
        template: undo::template(&set.0),
    })
}

/// Why the rollout is where it is: what a controller decides that sees what was read.
fn reasons(
    rollout: &Rollout,
    holder: Option<&Object>,
    sets: &[ReplicaSet],
    seen: &Seen,
    now: Time,
) -> (Vec<Reason>, Option<Time>) {
    let snapshot = Snapshot {
        rollout: rollout.clone(),
        workload: holder.cloned(),
        replica_sets: sets.to_vec(),
        services: seen.services.clone(),
        templates: seen.templates.clone(),
        runs: wires(&seen.family.runs),
        experiments: wires(&seen.family.experiments),
        pods: seen.family.pods.clone(),
        split: None,
    };
    match observe(&snapshot) {
        Observed::Ready(view) => {
            let mut world = view.world;
            world.split = carried(&world, rollout, now);
            let decision = decide(&world, now);
            (decision.reasons, decision.wake_at)
        }
        Observed::Invalid(view, problem) => {
            let decision = invalid(&view.world, &problem, now);
            (decision.reasons, decision.wake_at)
        }
        // It is leaving, or no controller has looked at it yet.
        Observed::Leaving | Observed::Written(_) => (Vec::new(), None),
    }
}

/// What the router carries, as far as the status says: the split that is decided, if the weights that were written are those of
/// it and nobody found them to be others. Routers themselves are not asked.
fn carried(world: &World, rollout: &Rollout, now: Time) -> Option<Split> {
    let weights = rollout.status.as_ref()?.canary.as_ref()?.weights.as_ref()?;
    let wanted = decide(world, now).actions.into_iter().find_map(|action| match action {
        Action::SetSplit(split) => Some(split),
        _ => None,
    })?;
    let written = u32::try_from(weights.canary.weight).ok();
    (written == Some(wanted.weight) && weights.verified != Some(false)).then_some(wanted)
}

/// A time as objects carry it.
pub(super) fn moment(value: &serde_json::Value) -> Option<Time> {
    value.as_str().and_then(timestamp::parse)
}
