//! ReplicaSets with their roles and pods.

use serin_controller::Object;
use serin_controller::experiment::TEMPLATE;
use serin_core::Time;
use serin_spec::timestamp;
use serin_spec::wire::keys::{HASH_LABEL, SCALE_DOWN_DEADLINE};

use super::{Family, PodInfo, created, is_owned, revision};
use crate::phase::{list, text};

/// A ReplicaSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSetInfo {
    /// Name.
    pub name: String,
    /// When it was made.
    pub created: Option<Time>,
    /// Hash of its pods' template.
    pub hash: String,
    /// Revision, 0 if it has none.
    pub revision: i64,
    /// `Healthy`, `Progressing`, `ScaledDown` or `ReplicaFailure`.
    pub health: &'static str,
    /// Existing pods.
    pub replicas: i64,
    /// Available pods.
    pub available: i64,
    /// Roles of its version, in the order in which they are told.
    pub roles: Vec<String>,
    /// The experiment's template that it is of, empty otherwise.
    pub template: String,
    /// When it goes to zero; a time that cannot be read has passed long ago.
    pub scale_down_at: Option<Time>,
    /// Images of its containers.
    pub images: Vec<String>,
    /// Its pods.
    pub pods: Vec<PodInfo>,
}

impl ReplicaSetInfo {
    /// Whether its version has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|one| one == role)
    }

    /// How the images of an experiment's template are marked.
    pub(super) fn template_tag(&self) -> Vec<String> {
        if self.template.is_empty() { Vec::new() } else { vec![format!("Σ:{}", self.template)] }
    }
}

/// The ReplicaSets of an owner, newest revision first, with the roles that they have for a rollout.
pub(super) fn owned(owner: &str, rollout: Option<&Object>, family: &Family) -> Vec<ReplicaSetInfo> {
    let own = family.replica_sets.iter().filter(|set| is_owned(set, owner));
    let mut own: Vec<ReplicaSetInfo> = own.map(|set| info(set, rollout, &family.pods)).collect();
    own.sort_by_key(|set| (std::cmp::Reverse(set.revision), set.name.clone()));
    own
}

fn info(set: &Object, rollout: Option<&Object>, pods: &[Object]) -> ReplicaSetInfo {
    let count = |field: &str| set.0["status"][field].as_i64().unwrap_or(0);
    let hash = set.label(HASH_LABEL).unwrap_or_default().to_owned();
    let deadline = set.annotation(SCALE_DOWN_DEADLINE).filter(|text| !text.is_empty());
    let mut pods: Vec<PodInfo> = pods.iter().filter(|pod| is_owned(pod, set.uid())).map(PodInfo::of).collect();
    pods.sort_by_key(|pod| (pod.created, pod.name.clone()));
    ReplicaSetInfo {
        name: set.name().to_owned(),
        created: created(set),
        revision: revision(set),
        health: health(set),
        replicas: count("replicas"),
        available: count("availableReplicas"),
        roles: rollout.map_or_else(Vec::new, |rollout| roles(rollout, &hash)),
        hash,
        template: set.annotation(TEMPLATE).unwrap_or_default().to_owned(),
        //= compat: 2.3-17
        scale_down_at: deadline.map(|text| timestamp::parse(text).unwrap_or(Time::from_millis(i64::MIN))),
        images: list(&set.0["spec"]["template"]["spec"]["containers"])
            .iter()
            .map(|container| text(&container["image"]).to_owned())
            .collect(),
        pods,
    }
}

/// What the version is to the rollout.
//= compat: 7.2-3
fn roles(rollout: &Object, hash: &str) -> Vec<String> {
    let (strategy, status) = (&rollout.0["spec"]["strategy"], &rollout.0["status"]);
    let is = |field: &serde_json::Value| text(field) == hash;
    let mut roles = Vec::new();
    let stable = is(&status["stableRS"]);
    if strategy["canary"].is_object() {
        let canary = !stable && is(&status["currentPodHash"]);
        roles.extend(stable.then_some("stable"));
        roles.extend(canary.then_some("canary"));
        if strategy["canary"]["pingPong"].is_object() && (stable || canary) {
            let stable_is_ping = status["canary"]["stablePingPong"] == "ping";
            roles.push(if stable_is_ping == stable { "ping" } else { "pong" });
        }
    } else if strategy["blueGreen"].is_object() {
        let blue_green = &status["blueGreen"];
        let active = is(&blue_green["activeSelector"]);
        roles.extend(stable.then_some("stable"));
        roles.extend(active.then_some("active"));
        roles.extend((!active && is(&blue_green["previewSelector"])).then_some("preview"));
    }
    roles.into_iter().map(str::to_owned).collect()
}

/// Whether its pods are there.
//= compat: 7.2-7
fn health(set: &Object) -> &'static str {
    let status = &set.0["status"];
    let wanted = set.0["spec"]["replicas"].as_i64();
    let failed = |c: &serde_json::Value| c["type"] == "ReplicaFailure" && c["status"] == "True";
    if set.generation() > status["observedGeneration"].as_i64().unwrap_or(0) {
        return "Progressing";
    }
    if list(&status["conditions"]).iter().any(failed) {
        return "ReplicaFailure";
    }
    match wanted {
        Some(wanted) if status["availableReplicas"].as_i64().unwrap_or(0) < wanted => "Progressing",
        Some(0) => "ScaledDown",
        _ => "Healthy",
    }
}
