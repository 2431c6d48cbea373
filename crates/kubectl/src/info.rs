//! What there is to see of a rollout or an experiment: itself and everything it owns, in the order in which it is shown.

pub mod pod;
pub mod replica_set;
pub mod run;

use serde_json::Value;
use serin_controller::Object;
use serin_core::Time;
use serin_spec::timestamp;
use serin_spec::wire::keys::REVISION;

pub use pod::PodInfo;
pub use replica_set::ReplicaSetInfo;
pub use run::RunInfo;

use crate::paint::Icon;
use crate::phase::{self, list, text};

/// The objects of a namespace among which those of a rollout or an experiment are found by their owners.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// ReplicaSets.
    pub replica_sets: Vec<Object>,
    /// Pods.
    pub pods: Vec<Object>,
    /// Experiments.
    pub experiments: Vec<Object>,
    /// Analysis runs.
    pub runs: Vec<Object>,
}

/// A rollout and what it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutInfo {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// When it was made.
    pub created: Option<Time>,
    /// `Canary`, `BlueGreen`, or empty.
    pub strategy: &'static str,
    /// Steps done of all, such as `1/8`; empty where there are none.
    pub step: String,
    /// Weight that the steps want; empty for other strategies than the canary.
    pub set_weight: String,
    /// Weight that the new version has; empty for other strategies than the canary.
    pub actual_weight: String,
    /// Phase.
    pub phase: String,
    /// Why.
    pub message: String,
    /// Wanted, existing, new, ready and available pods.
    pub replicas: Replicas,
    /// ReplicaSets, newest revision first.
    pub replica_sets: Vec<ReplicaSetInfo>,
    /// Experiments, newest revision first.
    pub experiments: Vec<ExperimentInfo>,
    /// Analysis runs, newest revision first.
    pub runs: Vec<RunInfo>,
}

/// Numbers of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replicas {
    /// Wanted.
    pub desired: i64,
    /// Existing, of all versions.
    pub current: i64,
    /// Existing, of the new version.
    pub updated: i64,
    /// Ready.
    pub ready: i64,
    /// Available.
    pub available: i64,
}

/// An experiment and what it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentInfo {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// When it was made.
    pub created: Option<Time>,
    /// Phase.
    pub phase: String,
    /// Why.
    pub message: String,
    /// Revision of the rollout that made it, 0 if none did.
    pub revision: i64,
    /// ReplicaSets.
    pub replica_sets: Vec<ReplicaSetInfo>,
    /// Analysis runs.
    pub runs: Vec<RunInfo>,
}

/// An image and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image.
    pub image: String,
    /// The roles of the versions that run it.
    pub tags: Vec<String>,
}

impl RolloutInfo {
    /// What is known of a rollout.
    pub fn of(rollout: &Object, family: &Family, now: Time) -> Self {
        let (spec, status) = (&rollout.0["spec"], &rollout.0["status"]);
        let canary = &spec["strategy"]["canary"];
        let strategy = match () {
            () if canary.is_object() => "Canary",
            () if spec["strategy"]["blueGreen"].is_object() => "BlueGreen",
            () => "",
        };
        let replica_sets = replica_set::owned(rollout.uid(), Some(rollout), family);
        let (set_weight, actual_weight) = match strategy {
            "Canary" => (set_weight(rollout).to_string(), actual_weight(rollout, &replica_sets).to_string()),
            _ => (String::new(), String::new()),
        };
        let (phase, message) = phase::of(rollout, now);
        let count = |field: &str| status[field].as_i64().unwrap_or(0);
        Self {
            name: rollout.name().to_owned(),
            namespace: rollout.namespace().to_owned(),
            created: created(rollout),
            strategy,
            step: step(rollout),
            set_weight,
            actual_weight,
            phase,
            message,
            replicas: Replicas {
                desired: spec["replicas"].as_i64().unwrap_or(1),
                current: count("replicas"),
                updated: count("updatedReplicas"),
                ready: count("readyReplicas"),
                available: count("availableReplicas"),
            },
            replica_sets,
            experiments: experiments(rollout.uid(), family),
            runs: run::owned(rollout.uid(), family),
        }
    }

    /// Its icon.
    pub fn icon(&self) -> Icon {
        Icon::of_rollout(&self.phase)
    }

    /// Images that run, each once, sorted, with the roles of their versions.
    //= compat: 7.2-3
    pub fn images(&self) -> Vec<Image> {
        let own = self.replica_sets.iter().map(|one| (one, one.roles.clone()));
        let of_experiments = self.experiments.iter().flat_map(|e| &e.replica_sets).map(|one| (one, one.template_tag()));
        images(own.chain(of_experiments))
    }

    /// Revisions of everything it owns, newest first.
    pub fn revisions(&self) -> Vec<i64> {
        let of_sets = self.replica_sets.iter().map(|one| one.revision);
        let all =
            of_sets.chain(self.experiments.iter().map(|e| e.revision)).chain(self.runs.iter().map(|r| r.revision));
        let mut all: Vec<i64> = all.collect();
        all.sort_unstable_by_key(|revision| std::cmp::Reverse(*revision));
        all.dedup();
        all
    }
}

impl ExperimentInfo {
    /// What is known of an experiment.
    pub fn of(experiment: &Object, family: &Family) -> Self {
        let status = &experiment.0["status"];
        Self {
            name: experiment.name().to_owned(),
            namespace: experiment.namespace().to_owned(),
            created: created(experiment),
            phase: text(&status["phase"]).to_owned(),
            message: text(&status["message"]).to_owned(),
            revision: revision(experiment),
            replica_sets: replica_set::owned(experiment.uid(), None, family),
            runs: run::owned(experiment.uid(), family),
        }
    }

    /// Its icon.
    pub fn icon(&self) -> Icon {
        Icon::of_analysis(&self.phase)
    }

    /// Images that run, each once, sorted, with the templates that run them.
    pub fn images(&self) -> Vec<Image> {
        images(self.replica_sets.iter().map(|one| (one, one.template_tag())))
    }
}

fn experiments(owner: &str, family: &Family) -> Vec<ExperimentInfo> {
    let own = family.experiments.iter().filter(|e| is_owned(e, owner));
    let mut own: Vec<ExperimentInfo> = own.map(|e| ExperimentInfo::of(e, family)).collect();
    own.sort_by_key(|e| (std::cmp::Reverse(e.revision), e.created, e.name.clone()));
    own
}

fn images<'s>(sets: impl Iterator<Item = (&'s ReplicaSetInfo, Vec<String>)>) -> Vec<Image> {
    let mut all: Vec<Image> = Vec::new();
    for (set, tags) in sets.filter(|(set, _)| set.replicas > 0) {
        for image in &set.images {
            match all.iter_mut().find(|known| known.image == *image) {
                Some(known) => {
                    known.tags.extend(tags.iter().cloned());
                    known.tags.sort();
                    known.tags.dedup();
                }
                None => all.push(Image { image: image.clone(), tags: tags.clone() }),
            }
        }
    }
    all.sort_by(|a, b| a.image.cmp(&b.image));
    all
}

/// Steps done of all; empty where there are none.
pub fn step(rollout: &Object) -> String {
    let steps = steps(rollout).len();
    let index = rollout.0["status"]["currentStepIndex"].as_i64();
    index.filter(|_| steps > 0).map_or_else(String::new, |index| format!("{index}/{steps}"))
}

/// The steps of a canary.
pub(crate) fn steps(rollout: &Object) -> &[Value] {
    list(&rollout.0["spec"]["strategy"]["canary"]["steps"])
}

/// Index of the step that is next, if the rollout has steps and they are not over.
fn open_step(rollout: &Object) -> Option<usize> {
    let index = rollout.0["status"]["currentStepIndex"].as_u64().unwrap_or(0);
    usize::try_from(index).ok().filter(|index| *index < steps(rollout).len())
}

/// Weight of everything.
fn max_weight(rollout: &Object) -> i64 {
    rollout.0["spec"]["strategy"]["canary"]["trafficRouting"]["maxTrafficWeight"].as_i64().unwrap_or(100)
}

/// Weight that the steps want at the moment.
pub fn set_weight(rollout: &Object) -> i64 {
    if rollout.0["status"]["abort"] == true {
        return 0;
    }
    let Some(index) = open_step(rollout) else { return max_weight(rollout) };
    steps(rollout)[..=index].iter().rev().find_map(|step| step["setWeight"].as_i64()).unwrap_or(0)
}

/// Weight that the new version has: what the router was last told, without one its share of the pods.
//= compat: 7.2-4
fn actual_weight(rollout: &Object, replica_sets: &[ReplicaSetInfo]) -> i64 {
    let status = &rollout.0["status"];
    let available = status["availableReplicas"].as_i64().unwrap_or(0);
    if open_step(rollout).is_none() {
        return max_weight(rollout);
    }
    if available <= 0 {
        return 0;
    }
    if rollout.0["spec"]["strategy"]["canary"]["trafficRouting"].is_null() {
        let canary = replica_sets.iter().find(|one| one.has_role("canary"));
        return canary.map_or(0, |one| one.available * max_weight(rollout) / available);
    }
    let weights = &status["canary"]["weights"];
    if weights.is_null() { set_weight(rollout) } else { weights["canary"]["weight"].as_i64().unwrap_or(0) }
}

/// Whether one of an object's owners has this uid.
pub(crate) fn is_owned(object: &Object, uid: &str) -> bool {
    !uid.is_empty() && list(&object.0["metadata"]["ownerReferences"]).iter().any(|owner| owner["uid"] == uid)
}

/// The revision it carries, 0 without one.
pub fn revision(object: &Object) -> i64 {
    object.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// When it was made, if a server made it.
pub fn created(object: &Object) -> Option<Time> {
    object.0["metadata"]["creationTimestamp"].as_str().and_then(timestamp::parse)
}
