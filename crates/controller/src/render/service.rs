//! Services: which version they select, and what is left of that when no rollout cares for them any more.

use serde_json::{Value, json};
use serin_core::Hash;
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::{HASH_LABEL, MANAGED_BY};

use crate::object::Object;
use crate::observe::{View, named};
use crate::write::{Failure, Target, Verb, Write};

/// Lets a service select a version, and says whose it is from now on.
//= compat: 2.11-1, 2.3-18
pub(super) fn point(view: &View, service: &str, hash: &Hash) -> Option<Write> {
    let service = view.services.iter().find(|one| one.name() == service)?;
    let mut patch = json!({ "spec": { "selector": { HASH_LABEL: hash.as_str() } } });
    if service.annotation(MANAGED_BY).is_none() {
        patch["metadata"] = json!({ "annotations": { MANAGED_BY: view.rollout.metadata.name() } });
    }
    Some(Write::new(Target::of(service), Verb::StrategicPatch(patch)))
}

/// Gives a service back to its owner: without the hash it selects all pods that its own selector means. `rollouts` are those
/// of its namespace, read anew, because a cache of some of them only would make an orphan of a service that is in use.
//= compat: 2.11-7
pub fn give_back(service: &Object, rollouts: &[Rollout]) -> Option<Write> {
    service.0["spec"]["selector"][HASH_LABEL].as_str()?;
    let manager = service.annotation(MANAGED_BY);
    let cares = |rollout: &Rollout| {
        rollout.metadata.namespace() == service.namespace()
            && manager.is_none_or(|name| name == rollout.metadata.name())
            && named(rollout).any(|name| name == service.name())
    };
    if rollouts.iter().any(cares) {
        return None;
    }
    let patch = json!({
        "metadata": { "annotations": { MANAGED_BY: Value::Null } },
        "spec": { "selector": { HASH_LABEL: Value::Null } },
    });
    Some(Write::new(Target::of(service), Verb::MergePatch(patch)).or(Failure::Gone))
}

/// The services that a change of the spec let go, to be looked at with [`give_back`].
//= compat: 2.11-8
pub fn let_go<'r>(before: &'r Rollout, after: &Rollout) -> Vec<&'r str> {
    named(before).filter(|name| !named(after).any(|kept| kept == *name)).collect()
}
