//! Back to the template of an earlier revision.

use serde_json::{Value, json};
use serin_controller::pod;
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, ReplicaSet, Write};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::keys::{HASH_LABEL, REVISION};

use super::VerbError;

/// What comes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Undone {
    /// The template is that of this revision already.
    Already(i64),
    /// The template of this revision, put where the present one is.
    To(i64, Box<Write>),
}

/// Puts the template of a revision (0 for the one before the newest) where the present one is: into the rollout, or into the
/// object that its `workloadRef` names.
///
/// What a role put on the pods of that revision, and what keeps versions apart, is no part of it and is left out, so that the
/// result is the version that ran, and its ReplicaSet is found again.
///
/// # Errors
/// When there is no such revision, or the object behind `workloadRef` holds no template.
//= compat: 7.4-5
pub fn undo(
    rollout: &Object,
    workload: Option<&Object>,
    replica_sets: &[Object],
    revision: i64,
) -> Result<Undone, VerbError> {
    let (number, set) = chosen(rollout, replica_sets, revision)?;
    let restored = template(set);
    let holder = match rollout.0["spec"]["workloadRef"]["kind"].as_str() {
        None => rollout,
        Some("Deployment" | "ReplicaSet" | "PodTemplate") => workload.unwrap_or(rollout),
        Some(kind) => return Err(VerbError::Workload(kind.to_owned())),
    };
    let present = holder.0.pointer(path(holder)).unwrap_or(&Value::Null);
    if present.is_object() && pod::is_same(&restored, &Default::default(), &PodTemplate(present.clone())) {
        return Ok(Undone::Already(number));
    }
    Ok(Undone::To(number, Box::new(replace(holder, &restored))))
}

/// Another template in the object that holds it: the whole template, and nothing else of the object.
pub fn replace(holder: &Object, template: &PodTemplate) -> Write {
    let patch = json!([{ "op": "replace", "path": path(holder), "value": template.0 }]);
    Write::new(Target::of(holder), Verb::JsonPatch(patch))
}

/// Where an object holds its template.
fn path(holder: &Object) -> &'static str {
    if holder.kind() == "PodTemplate" { "/template" } else { "/spec/template" }
}

/// The ReplicaSet of a revision among those of the rollout.
fn chosen<'s>(rollout: &Object, replica_sets: &'s [Object], revision: i64) -> Result<(i64, &'s Object), VerbError> {
    let own = replica_sets.iter().filter(|set| set.is_controlled_by(rollout.uid()));
    let numbered = |set: &'s Object| {
        let number = set.annotation(REVISION).map_or(Ok(0), str::parse::<i64>).ok()?;
        Some((number, set))
    };
    let mut own: Vec<(i64, &Object)> = own.filter_map(numbered).collect();
    own.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    match revision {
        0 => own.get(1).copied().ok_or_else(|| VerbError::NoRevision(rollout.name().to_owned())),
        wanted => own.into_iter().find(|(n, _)| *n == wanted).ok_or(VerbError::NoSuchRevision(wanted)),
    }
}

/// What the version is, without what its ReplicaSet adds.
//= compat-differs: 7.4-5 without the labels and annotations of a role and the anti-affinity of that ReplicaSet, which are no part of the version: with them it would be another one
pub fn template(set: &Object) -> PodTemplate {
    let set = ReplicaSet::new(set.0.clone());
    let mut template = set.template();
    let ephemeral = set.ephemeral();
    let mut take = |kind: &str, keys: &mut dyn Iterator<Item = &str>| {
        let Some(metadata) = template.0.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        let Some(held) = metadata.get_mut(kind).and_then(Value::as_object_mut) else { return };
        keys.for_each(|key| _ = held.remove(key));
        if held.is_empty() {
            metadata.remove(kind);
        }
    };
    take("labels", &mut ephemeral.labels.keys().map(String::as_str).chain([HASH_LABEL]));
    take("annotations", &mut ephemeral.annotations.keys().map(String::as_str));
    pod::affinity::remove(&mut template);
    template
}

/// The selector of a rollout's own ReplicaSets as the API server takes it; empty where the rollout has none of its own.
pub fn selector(rollout: &Object) -> String {
    let selector = serde_json::from_value(rollout.0["spec"]["selector"].clone());
    selector.map_or_else(|_| String::new(), |selector| serin_spec::raise::selector(&selector))
}

/// The object that a rollout's `workloadRef` names: version, kind and name.
pub fn reference(rollout: &Object) -> Option<(String, String, String)> {
    let reference = &rollout.0["spec"]["workloadRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = || (text(&reference["apiVersion"]), text(&reference["kind"]), text(&reference["name"]));
    reference.is_object().then(parts)
}
