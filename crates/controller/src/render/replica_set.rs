//! ReplicaSets: made, and changed once per pass however much is decided about them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serin_core::{Action, Decision, Hash, Time};
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::{DESIRED_REPLICAS, HASH_LABEL, REVISION, REVISION_HISTORY, SCALE_DOWN_DEADLINE};
use serin_spec::{raise, timestamp};

use crate::ephemeral::{self, Role};
use crate::object::{at, fields};
use crate::observe::View;
use crate::pod::{self, affinity};
use crate::replica_set::{PROMOTED, ReplicaSet};
use crate::write::{Failure, Target, Verb, Write};

/// Annotations of a rollout that say something of itself and not of its version.
//= compat: 2.3-16
const OWN_ANNOTATIONS: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    "notified.notifications.argoproj.io",
];

/// The pool of the current template, with no pods yet.
//= compat: 2.3-7, 1.8-2, 1.9-6
pub(super) fn create(view: &View, hash: &Hash, revision: u64, stable: Option<&Hash>) -> Write {
    let rollout = &view.rollout;
    let metadata = &rollout.metadata;
    let template = rollout.spec.template.clone().unwrap_or_default();
    let mut labelled = pod::with_hash(&template, hash.as_str());
    affinity::add(&mut labelled, rollout, stable.map(Hash::as_str), hash.as_str());
    let mut selector = serde_json::to_value(&rollout.spec.selector).unwrap_or(Value::Null);
    *at(&mut selector, &["matchLabels", HASH_LABEL]) = hash.as_str().into();
    let mut annotations = copied(rollout);
    annotations.insert(REVISION.to_owned(), revision.to_string());
    annotations.insert(DESIRED_REPLICAS.to_owned(), view.world.rollout.replicas.to_string());
    let mut replica_set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", metadata.name()),
            "namespace": metadata.namespace(),
            "labels": labelled.labels(),
            "annotations": annotations,
            "ownerReferences": raise::owner(rollout),
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": rollout.spec.min_ready_seconds.unwrap_or(0),
            "selector": selector,
            "template": labelled.0,
        },
    });
    let role = Role::of(hash.as_str(), hash.as_str(), stable.map(Hash::as_str));
    ephemeral::put_on(&mut replica_set, &ephemeral::wanted(rollout, role));
    Write::create(replica_set)
}

/// What follows when the name of a new ReplicaSet is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the one that was to be made, from a pass whose answer was lost.
    Ours,
    /// Another one has the name: the next try must use another ([`super::rollout::name_taken`]).
    Collision,
}

/// Looks at the ReplicaSet that has the name already.
//= compat: 2.3-8
pub fn taken(view: &View, existing: &ReplicaSet) -> Taken {
    let owned = existing.0.is_controlled_by(view.rollout.metadata.uid.as_deref().unwrap_or_default());
    let template = view.rollout.spec.template.clone().unwrap_or_default();
    match owned && pod::is_same(&existing.template(), &existing.ephemeral(), &template) {
        true => Taken::Ours,
        false => Taken::Collision,
    }
}

/// The annotations of a rollout that its pools carry too.
//= compat: 2.3-16
fn copied(rollout: &Rollout) -> BTreeMap<String, String> {
    let all = rollout.metadata.annotations.iter().filter(|(key, _)| !OWN_ANNOTATIONS.contains(&key.as_str()));
    all.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The pools as they are to be: everything decided about one of them becomes one write, since a second would be refused.
pub(super) struct Pools<'a> {
    view: &'a View,
    stable: Option<&'a Hash>,
    wanted: Vec<Value>,
    /// Indices in the order in which something was decided about them.
    order: Vec<usize>,
    deleted: Vec<usize>,
}

impl<'a> Pools<'a> {
    /// The pools with what follows from the rollout alone: its annotations, `minReadySeconds`, and what their role asks for. That of
    /// the current template gets its new revision here, so that all of it counts as one change.
    pub(super) fn of(view: &'a View, decision: &'a Decision) -> Self {
        let stable = decision.status.stable.as_ref();
        let wanted = view.pools.iter().map(|pool| pool.0.0.clone()).collect();
        let mut pools = Self { view, stable, wanted, order: Vec::new(), deleted: Vec::new() };
        let revision = decision.actions.iter().find_map(|action| match action {
            Action::SetRevision { hash, revision } if *hash == view.world.rollout.hash => Some(*revision),
            _ => None,
        });
        for i in 0..pools.wanted.len() {
            pools.sync(i, revision);
        }
        pools
    }

    //= compat: 1.2-3, 1.8-5, 1.8-6, 1.9-1
    fn sync(&mut self, i: usize, revision: Option<u64>) {
        let (rollout, current) = (&self.view.rollout, &self.view.world.rollout.hash);
        let (Some(hash), stable) = (self.view.pools[i].hash(), self.stable.map(Hash::as_str)) else { return };
        let wanted = &mut self.wanted[i];
        if hash == current.as_str() {
            let ready_s = rollout.spec.min_ready_seconds.unwrap_or(0);
            if wanted["spec"]["minReadySeconds"].as_i64().unwrap_or(0) != i64::from(ready_s) {
                *at(wanted, &["spec", "minReadySeconds"]) = ready_s.into();
            }
            if let Some(affinity) = affinity::renewed(&self.view.pools[i].template(), rollout, stable, hash) {
                *at(wanted, &["spec", "template", "spec", "affinity"]) = affinity;
            }
            annotate(wanted, copied(rollout), revision);
        }
        ephemeral::put_on(wanted, &ephemeral::wanted(rollout, Role::of(hash, current.as_str(), stable)));
    }

    fn edit(&mut self, hash: &Hash, edit: impl FnOnce(&mut Value)) {
        let Some(i) = self.index(hash) else { return };
        if !self.order.contains(&i) {
            self.order.push(i);
        }
        edit(&mut self.wanted[i]);
    }

    fn index(&self, hash: &Hash) -> Option<usize> {
        self.view.pools.iter().position(|pool| pool.hash() == Some(hash.as_str()))
    }

    //= compat: 2.3-15, 2.8-30
    pub(super) fn scale(&mut self, hash: &Hash, size: u32, replicas_seen: u32) {
        self.edit(hash, |wanted| {
            *at(wanted, &["spec", "replicas"]) = size.into();
            let annotations = fields(at(wanted, &["metadata", "annotations"]));
            annotations.insert(DESIRED_REPLICAS.to_owned(), replicas_seen.to_string().into());
            if size == 0 {
                annotations.remove(SCALE_DOWN_DEADLINE);
            }
        });
    }

    //= compat: 2.3-17
    pub(super) fn scale_down_at(&mut self, hash: &Hash, at_time: Option<Time>) {
        self.edit(hash, |wanted| {
            let annotations = fields(at(wanted, &["metadata", "annotations"]));
            match at_time {
                Some(time) => _ = annotations.insert(SCALE_DOWN_DEADLINE.to_owned(), timestamp::format(time).into()),
                None => _ = annotations.remove(SCALE_DOWN_DEADLINE),
            }
        });
    }

    pub(super) fn mark_promoted(&mut self, hash: &Hash) {
        self.edit(hash, |wanted| *at(wanted, &["metadata", "annotations", PROMOTED]) = "true".into());
    }

    /// Forgets a pool; nothing else is written to it.
    pub(super) fn delete(&mut self, hash: &Hash) -> Option<Write> {
        let i = self.index(hash)?;
        self.deleted.push(i);
        let target = Target::of(&self.view.pools[i].0);
        Some(Write::new(target, Verb::Delete { foreground: false }).or(Failure::Gone))
    }

    /// One write for each that changes: those that something was decided about first. An old pool that cannot be written
    /// holds nobody up. Those that lose pods are apart: requests must have left them first.
    //= compat: 2.2-12
    pub(super) fn into_writes(self) -> Changed {
        let rest = (0..self.wanted.len()).filter(|i| !self.order.contains(i));
        let order: Vec<usize> = self.order.iter().copied().chain(rest).collect();
        let changed =
            order.into_iter().filter(|i| !self.deleted.contains(i) && self.wanted[*i] != self.view.pools[*i].0.0);
        let mut all = Changed::default();
        for i in changed {
            let hash = self.view.pools[i].hash().map(Hash::new);
            let used = hash.as_ref() == Some(&self.view.world.rollout.hash) || hash.as_ref() == self.stable;
            let failure = if used { Failure::Stop } else { Failure::Skip };
            let wanted = ReplicaSet::new(self.wanted[i].clone());
            let shrinks = wanted.size() < self.view.pools[i].size();
            let write = Write::new(Target::of(&wanted.0), Verb::Update(wanted.0.0)).or(failure);
            if shrinks { all.shrinking.push(write) } else { all.others.push(write) }
        }
        all
    }
}

/// Writes of pools.
#[derive(Default)]
pub(super) struct Changed {
    /// Of those that lose pods.
    pub(super) shrinking: Vec<Write>,
    /// Of the others.
    pub(super) others: Vec<Write>,
}

/// Puts annotations and perhaps a newer revision on a pool. If that changes one that had a revision already, the number it had
/// is added to its history.
//= compat: 2.3-12, 2.3-14, 2.3-16
fn annotate(replica_set: &mut Value, copied: BTreeMap<String, String>, revision: Option<u64>) {
    let held = fields(at(replica_set, &["metadata", "annotations"]));
    let text =
        |key: &str, held: &serde_json::Map<String, Value>| held.get(key).and_then(Value::as_str).map(str::to_owned);
    let former = text(REVISION, held);
    let mut changed = false;
    for (key, value) in copied {
        let value = Value::from(value);
        changed |= held.get(&key) != Some(&value);
        held.insert(key, value);
    }
    let number = former.as_deref().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if let Some(revision) = revision.filter(|revision| *revision > number) {
        held.insert(REVISION.to_owned(), revision.to_string().into());
        changed = true;
    }
    if let Some(former) = former.filter(|_| changed) {
        let history = match text(REVISION_HISTORY, held).filter(|history| !history.is_empty()) {
            Some(history) => format!("{history},{former}"),
            None => former,
        };
        held.insert(REVISION_HISTORY.to_owned(), history.into());
    }
}
