//! Which ReplicaSets are a rollout's: those it owns, those it takes, those it lets go.

use serde_json::json;
use serin_spec::raise;
use serin_spec::wire::Rollout;

use crate::replica_set::ReplicaSet;
use crate::write::{Failure, Target, Verb, Write};

/// The ReplicaSets of a rollout.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// Those it decides about in this pass.
    pub owned: Vec<ReplicaSet>,
    /// What makes others its own, or lets go those that it no longer selects.
    pub writes: Vec<Write>,
}

/// Sorts ReplicaSets of the rollout's namespace. An orphan is taken if it is selected, carries a hash, and neither is on its
/// way out; the write asks for the rollout to be read anew first, because one that was deleted and made again under its name
/// must not take over what the former one left to others. Those of an experiment are controlled by it, and so are no pools.
//= compat: 2.2-2, 2.2-3, 1.5-2
pub fn claim(rollout: &Rollout, replica_sets: &[ReplicaSet]) -> Claimed {
    let uid = rollout.metadata.uid.as_deref().unwrap_or_default();
    let dying = rollout.metadata.deletion_timestamp.is_some();
    let mut claimed = Claimed::default();
    for replica_set in replica_sets.iter().filter(|one| one.0.namespace() == rollout.metadata.namespace()) {
        let object = &replica_set.0;
        let selected = rollout.spec.selector.as_ref().is_some_and(|selector| selector.matches(&object.labels()));
        match object.controller() {
            Some(owner) if owner.uid != uid || uid.is_empty() => {}
            Some(_) if selected => claimed.owned.push(replica_set.clone()),
            Some(_) if dying => {}
            Some(_) => claimed.writes.push(release(replica_set, uid)),
            None if selected && replica_set.hash().is_some() && !dying && !object.is_deleted() => {
                claimed.writes.push(adopt(replica_set, rollout));
                claimed.owned.push(replica_set.clone());
            }
            None => {}
        }
    }
    claimed
}

fn adopt(replica_set: &ReplicaSet, rollout: &Rollout) -> Write {
    let patch = json!({
        "metadata": { "ownerReferences": raise::owner(rollout), "uid": replica_set.0.uid() },
    });
    // What else is decided takes it for the rollout's own.
    let write = Write::new(Target::of(&replica_set.0), Verb::StrategicPatch(patch));
    Write { owner: rollout.metadata.uid.clone(), ..write }
}

fn release(replica_set: &ReplicaSet, owner: &str) -> Write {
    let patch = json!({
        "metadata": { "ownerReferences": [{ "$patch": "delete", "uid": owner }], "uid": replica_set.0.uid() },
    });
    Write::new(Target::of(&replica_set.0), Verb::StrategicPatch(patch)).or(Failure::Gone)
}
