//! Labels and annotations that pods have for the role of their version: on ReplicaSets, and on live pods without a restart
//! (section 1.9 of the Argo reference).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::EPHEMERAL_METADATA;
use serin_spec::wire::meta::PodMetadata;

use crate::object::Object;
use crate::object::{at, fields};
use crate::replica_set::ReplicaSet;
use crate::write::{Failure, Target, Verb, Write};

type Texts = BTreeMap<String, String>;

/// The role of a version at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Under way.
    New,
    /// Promoted.
    Stable,
    /// Neither.
    Old,
}

impl Role {
    /// The role of a pool.
    //= compat: 1.9-1
    pub fn of(hash: &str, current: &str, stable: Option<&str>) -> Self {
        match stable {
            Some(stable) if hash == stable => Role::Stable,
            None if hash == current => Role::Stable,
            Some(_) if hash == current => Role::New,
            _ => Role::Old,
        }
    }
}

/// The two sets of the strategy: for the new version, for the stable one.
fn sets(rollout: &Rollout) -> [Option<&PodMetadata>; 2] {
    let strategy = &rollout.spec.strategy;
    match (&strategy.canary, &strategy.blue_green) {
        (Some(canary), _) => [canary.canary_metadata.as_ref(), canary.stable_metadata.as_ref()],
        (None, Some(blue_green)) => [blue_green.preview_metadata.as_ref(), blue_green.active_metadata.as_ref()],
        (None, None) => [None, None],
    }
}

/// What the pods of a role carry; nothing for old versions, and nothing where the strategy says nothing.
//= compat: 1.9-1
pub fn wanted(rollout: &Rollout, role: Role) -> PodMetadata {
    let [new, stable] = sets(rollout);
    let set = match role {
        Role::New => new,
        Role::Stable => stable,
        Role::Old => None,
    };
    set.cloned().unwrap_or_default()
}

/// Puts a set on the template of a ReplicaSet that is about to be made or updated, and takes off what it had for another role.
/// Keys that it did not put there itself stay. Returns whether anything changed.
//= compat: 1.9-2, 1.9-6
pub fn put_on(replica_set: &mut Value, wanted: &PodMetadata) -> bool {
    let former = ReplicaSet::new(replica_set.clone()).ephemeral();
    if former == *wanted {
        return false;
    }
    let template = at(replica_set, &["spec", "template", "metadata"]);
    for (kind, had, has) in
        [("labels", &former.labels, &wanted.labels), ("annotations", &former.annotations, &wanted.annotations)]
    {
        if had.is_empty() && has.is_empty() {
            continue;
        }
        let held = fields(at(template, &[kind]));
        had.keys().filter(|key| !has.contains_key(*key)).for_each(|key| _ = held.remove(key));
        held.extend(has.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
    }
    let annotations = fields(at(replica_set, &["metadata", "annotations"]));
    if *wanted == PodMetadata::default() {
        annotations.remove(EPHEMERAL_METADATA);
    } else {
        annotations.insert(EPHEMERAL_METADATA.to_owned(), serde_json::to_string(wanted).unwrap_or_default().into());
    }
    true
}

/// The live pods of a pool that do not carry what its role wants, changed in place. They are looked at in every pass, so that
/// one that was missed is found; they are written after their ReplicaSet, which makes further ones as it then says. A pool
/// without pods needs nothing.
//= compat: 1.9-3, 1.9-4
pub fn pod_writes(rollout: &Rollout, pool: &ReplicaSet, role: Role, pods: &[Object]) -> Vec<Write> {
    if pool.size() == 0 {
        return Vec::new();
    }
    let (wanted, removable) = (wanted(rollout, role), removable(rollout, pool));
    let own = pods.iter().filter(|pod| pod.is_controlled_by(pool.0.uid()) && !pod.is_deleted());
    let write = |pod: &Object| {
        let patch = pod_patch(pod, &removable, &wanted)?;
        // A pod that ends meanwhile needs nothing any more.
        Some(Write::new(Target::of(pod), Verb::MergePatch(patch)).or(Failure::Gone))
    };
    own.filter_map(write).collect()
}

/// Keys that may be taken off pods: those that were put there for a role, and those that the strategy puts there, be it that
/// the ReplicaSet was written and the pods were not. What the user's own template says is none of them.
fn removable(rollout: &Rollout, pool: &ReplicaSet) -> [BTreeSet<String>; 2] {
    let former = pool.ephemeral();
    let all: Vec<&PodMetadata> = sets(rollout).into_iter().flatten().chain([&former]).collect();
    let template = pool.template();
    let (labels, annotations) = (template.labels(), template.annotations());
    let own = |of: fn(&PodMetadata) -> &Texts, user: &Texts| {
        let keys = all.iter().flat_map(|set| of(set).keys());
        keys.filter(|key| of(&former).contains_key(*key) || !user.contains_key(*key)).cloned().collect()
    };
    [own(|set| &set.labels, &labels), own(|set| &set.annotations, &annotations)]
}

fn pod_patch(pod: &Object, removable: &[BTreeSet<String>; 2], wanted: &PodMetadata) -> Option<Value> {
    let mut patch = Map::new();
    let kinds = [("labels", pod.labels(), &wanted.labels), ("annotations", pod.annotations(), &wanted.annotations)];
    for ((kind, held, wanted), removable) in kinds.into_iter().zip(removable) {
        let mut changes: Map<String, Value> = wanted
            .iter()
            .filter(|(key, value)| held.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect();
        let gone = removable.iter().filter(|key| held.contains_key(*key) && !wanted.contains_key(*key));
        changes.extend(gone.map(|key| (key.clone(), Value::Null)));
        if !changes.is_empty() {
            patch.insert(kind.to_owned(), Value::Object(changes));
        }
    }
    (!patch.is_empty()).then(|| json!({ "metadata": patch }))
}
