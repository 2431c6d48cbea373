//! Which other objects a rollout looks at, so that a change of one of them makes the rollout due.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serin_controller::Object;
use serin_controller::observe::named;
use serin_spec::wire::Rollout;

use crate::resource::{
    ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, DEPLOYMENT, POD_TEMPLATE, REPLICA_SET, Resource, SERVICE,
};
use crate::store::Name;

/// A set of objects that are looked at.
pub(crate) type Named = BTreeSet<(Resource, Name)>;

/// Who looks at what, both ways. There are few of each, and many rollouts: lists without spare room.
#[derive(Debug, Default)]
pub(crate) struct References {
    of: BTreeMap<Name, Box<[(Resource, Name)]>>,
    to: BTreeMap<(Resource, Name), Vec<Name>>,
}

impl References {
    /// Notes what a rollout looks at now. Returns what it looked at until now and does no more.
    pub(crate) fn set(&mut self, rollout: &Name, named: Named) -> Named {
        if self.of.get(rollout).is_some_and(|former| former.iter().eq(&named)) {
            return Named::new();
        }
        let former = self.of.remove(rollout).unwrap_or_default();
        let dropped: Named = former.into_iter().filter(|one| !named.contains(one)).collect();
        for gone in &dropped {
            if let Some(lookers) = self.to.get_mut(gone) {
                lookers.retain(|looker| looker != rollout);
                if lookers.is_empty() {
                    self.to.remove(gone);
                }
            }
        }
        for one in &named {
            let lookers = self.to.entry(one.clone()).or_insert_with(|| Vec::with_capacity(1));
            if !lookers.contains(rollout) {
                lookers.push(rollout.clone());
            }
        }
        if !named.is_empty() {
            self.of.insert(rollout.clone(), named.into_iter().collect());
        }
        dropped
    }

    /// The rollouts that look at an object.
    pub(crate) fn to(&self, resource: Resource, name: &Name) -> impl Iterator<Item = &Name> {
        self.to.get(&(resource, name.clone())).into_iter().flatten()
    }

    /// What a rollout looks at.
    pub(crate) fn of(&self, rollout: &Name) -> impl Iterator<Item = &(Resource, Name)> {
        self.of.get(rollout).into_iter().flatten()
    }
}

/// Services, templates and the workload that a rollout names. Its routers say themselves what they look at.
//= compat: 9.6-3
pub(crate) fn of_rollout(rollout: &Rollout) -> Named {
    let namespace = rollout.metadata.namespace();
    let mut all: Named = named(rollout).map(|name| (SERVICE, Name::new(namespace, name))).collect();
    if let Some(reference) = &rollout.spec.workload_ref {
        let name = Name::new(namespace, reference.name.as_deref().unwrap_or_default());
        let kind = match reference.kind.as_deref() {
            Some("Deployment") => Some(DEPLOYMENT),
            Some("PodTemplate") => Some(POD_TEMPLATE),
            Some("ReplicaSet") => Some(REPLICA_SET),
            _ => None,
        };
        all.extend(kind.map(|kind| (kind, name)));
    }
    let strategy = serde_json::to_value(&rollout.spec.strategy).unwrap_or(Value::Null);
    templates(&strategy, namespace, &mut all);
    all
}

/// Every `templateName` of a tree, wherever it stands.
pub(crate) fn templates(tree: &Value, namespace: &str, into: &mut Named) {
    match tree {
        Value::Object(fields) => {
            if let Some(name) = fields.get("templateName").and_then(Value::as_str) {
                into.insert(match fields.get("clusterScope") == Some(&Value::Bool(true)) {
                    true => (CLUSTER_ANALYSIS_TEMPLATE, Name::new("", name)),
                    false => (ANALYSIS_TEMPLATE, Name::new(namespace, name)),
                });
            }
            fields.values().for_each(|value| templates(value, namespace, into));
        }
        Value::Array(items) => items.iter().for_each(|item| templates(item, namespace, into)),
        _ => {}
    }
}

/// The name of the object that controls another, if it is of this kind.
pub(crate) fn controller_of(object: &Object, kind: &str) -> Option<Name> {
    let owner = object.controller().filter(|owner| owner.kind == kind)?;
    Some(Name::new(object.namespace(), owner.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_names_its_services_templates_and_workload() {
        let rollout = serde_json::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": { "name": "r", "namespace": "n" },
            "spec": {
                "workloadRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" },
                "strategy": { "canary": {
                    "canaryService": "c", "stableService": "s",
                    "steps": [{ "analysis": { "templates": [{ "templateName": "t" }, { "templateName": "u", "clusterScope": true }] } }],
                }},
            },
        }));
        let named = of_rollout(&rollout.unwrap());
        let named: Vec<String> = named.iter().map(|(resource, name)| format!("{} {name}", resource.kind)).collect();
        assert_eq!(
            named,
            ["Deployment n/d", "AnalysisTemplate n/t", "ClusterAnalysisTemplate u", "Service n/c", "Service n/s"]
        );
    }

    #[test]
    fn what_is_no_longer_looked_at_is_told() {
        let mut references = References::default();
        let rollout = Name::new("n", "r");
        let service = |name: &str| (SERVICE, Name::new("n", name));
        references.set(&rollout, [service("a"), service("b")].into());
        let dropped = references.set(&rollout, [service("b")].into());
        assert_eq!(dropped, [service("a")].into());
        assert_eq!(references.to(SERVICE, &Name::new("n", "a")).count(), 0);
        assert_eq!(references.to(SERVICE, &Name::new("n", "b")).count(), 1);
        references.set(&rollout, Named::new());
        assert_eq!(references.of(&rollout).count(), 0);
    }
}
