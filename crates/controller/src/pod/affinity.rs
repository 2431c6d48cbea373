//! Keeping the new version off the nodes of the stable one (section 1.8 of the Argo reference).

use serde_json::{Map, Value, json};
use serin_spec::wire::canary::AntiAffinity;
use serin_spec::wire::keys::HASH_LABEL;
use serin_spec::wire::{PodTemplate, Rollout};

use crate::object::{at, fields};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NODE: &str = "kubernetes.io/hostname";

/// What the strategy wants, if it wants anything.
fn wanted(rollout: &Rollout) -> Option<&AntiAffinity> {
    let strategy = &rollout.spec.strategy;
    let canary = strategy.canary.as_ref().and_then(|canary| canary.anti_affinity.as_ref());
    canary.or_else(|| strategy.blue_green.as_ref().and_then(|blue_green| blue_green.anti_affinity.as_ref()))
}

/// Adds the term to the template of a pool, behind those of the user, unless the pool is that of the stable version or there
/// is none. The rollout's own template, and so its hash, never has it.
//= compat: 1.8-2, 1.8-3, 1.8-4
pub fn add(template: &mut PodTemplate, rollout: &Rollout, stable: Option<&str>, hash: &str) {
    let (Some(wanted), Some(stable)) = (wanted(rollout), stable.filter(|stable| *stable != hash)) else { return };
    let term = json!({
        "labelSelector": { "matchExpressions": [{ "key": HASH_LABEL, "operator": "In", "values": [stable] }] },
        "namespaces": [rollout.metadata.namespace()],
        "topologyKey": NODE,
    });
    let (list, term) = match &wanted.preferred_during_scheduling_ignored_during_execution {
        Some(preferred) => (PREFERRED, json!({ "weight": preferred.weight, "podAffinityTerm": term })),
        None => (REQUIRED, term),
    };
    let terms = at(&mut template.0, &["spec", "affinity", "podAntiAffinity", list]);
    match terms {
        Value::Array(terms) => terms.push(term),
        other => *other = json!([term]),
    }
}

/// Takes the terms out again that [`add`] put in, and what they leave empty.
//= compat: 1.8-4
pub fn remove(template: &mut PodTemplate) {
    let Some(spec) = template.0.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) else { return };
    let Some(anti) = affinity.get_mut("podAntiAffinity").and_then(Value::as_object_mut) else { return };
    let mut removed = false;
    for list in [REQUIRED, PREFERRED] {
        let Some(terms) = anti.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let before = terms.len();
        terms.retain(|term| added_for(term).is_none());
        removed |= terms.len() != before;
        if terms.is_empty() {
            anti.remove(list);
        }
    }
    if removed && anti.is_empty() {
        affinity.remove("podAntiAffinity");
        if affinity.is_empty() {
            spec.remove("affinity");
        }
    }
}

/// The stable version that a template keeps away from, if [`add`] put that in.
pub fn keeps_away_from(template: &PodTemplate) -> Option<&str> {
    let anti = &template.0["spec"]["affinity"]["podAntiAffinity"];
    let terms = [REQUIRED, PREFERRED].into_iter().filter_map(|list| anti[list].as_array()).flatten();
    terms.into_iter().find_map(added_for)
}

/// The hash in a term that was added, weighted or not.
fn added_for(term: &Value) -> Option<&str> {
    let term = if term["podAffinityTerm"].is_object() { &term["podAffinityTerm"] } else { term };
    let [expression] = term["labelSelector"]["matchExpressions"].as_array()?.as_slice() else { return None };
    let ours = expression["key"] == HASH_LABEL && expression["operator"] == "In" && term["topologyKey"] == NODE;
    ours.then(|| expression["values"][0].as_str())?
}

/// The affinity that the pool of a new version should have instead of the one it has: it keeps away from another version than
/// the one that is stable now. A pool without such a term, and that of the stable version, stay as they are.
//= compat: 1.8-5, 1.8-6
pub fn renewed(live: &PodTemplate, rollout: &Rollout, stable: Option<&str>, hash: &str) -> Option<Value> {
    let stable = stable.filter(|stable| *stable != hash)?;
    let away = keeps_away_from(live)?;
    if away == stable || wanted(rollout).is_none() {
        return None;
    }
    let mut template = live.clone();
    remove(&mut template);
    add(&mut template, rollout, Some(stable), hash);
    let spec = fields(at(&mut template.0, &["spec"]));
    Some(spec.remove("affinity").unwrap_or(Value::Object(Map::new())))
}
