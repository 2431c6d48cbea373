//! A ReplicaSet: the pool of a version on a cluster.

use serde_json::Value;
use serin_core::world::Pool;
use serin_core::{Hash, Metadata, Time};
use serin_spec::timestamp;
use serin_spec::wire::PodTemplate;
use serin_spec::wire::keys::{DESIRED_REPLICAS, EPHEMERAL_METADATA, HASH_LABEL, REVISION, SCALE_DOWN_DEADLINE};
use serin_spec::wire::meta::{LabelSelector, PodMetadata};

use crate::object::Object;

/// Annotation of a pool whose version was the stable one of a blue-green rollout: our own, Argo has none for it.
pub const PROMOTED: &str = "serin.dev/promoted";

/// A ReplicaSet as the API server sends it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplicaSet(pub Object);

impl ReplicaSet {
    /// A ReplicaSet from its JSON.
    pub fn new(json: Value) -> Self {
        Self(Object(json))
    }

    /// Its hash label; pools are known by it.
    pub fn hash(&self) -> Option<&str> {
        self.0.label(HASH_LABEL).filter(|hash| !hash.is_empty())
    }

    /// Its revision, 0 if it has none.
    pub fn revision(&self) -> u64 {
        self.0.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Wanted pods.
    pub fn size(&self) -> u32 {
        count(&self.spec("replicas"), 1)
    }

    /// What selects its pods, hash included.
    pub fn selector(&self) -> Option<LabelSelector> {
        serde_json::from_value(self.spec("selector")).ok()
    }

    /// What its pods are made of.
    pub fn template(&self) -> PodTemplate {
        PodTemplate(self.spec("template"))
    }

    /// What was put on its pods for its role.
    //= compat: 1.9-2
    pub fn ephemeral(&self) -> PodMetadata {
        self.0.annotation(EPHEMERAL_METADATA).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// When it is to go to zero. What cannot be read has passed long ago.
    //= compat: 2.3-17, 2.8-28
    pub fn scale_down_at(&self) -> Option<Time> {
        let text = self.0.annotation(SCALE_DOWN_DEADLINE).filter(|text| !text.is_empty())?;
        Some(timestamp::parse(text).unwrap_or(Time::from_millis(i64::MIN)))
    }

    /// The pool it is to decisions; `None` for one without a hash.
    //= compat: 2.3-15
    pub fn pool(&self) -> Option<Pool> {
        let status = |field: &str| count(&self.0.0["status"][field], 0);
        Some(Pool {
            size: self.size(),
            members: status("replicas"),
            ready: status("readyReplicas"),
            available: status("availableReplicas"),
            replicas_seen: self.0.annotation(DESIRED_REPLICAS).and_then(|text| text.parse().ok()),
            scale_down_at: self.scale_down_at(),
            promoted: self.0.annotation(PROMOTED) == Some("true"),
            failure: self.failure(),
            metadata: self.role_metadata(),
            ..Pool::new(Hash::new(self.hash()?), self.revision(), self.0.created())
        })
    }

    /// What its role put on it, for decisions.
    //= compat: 1.9-2
    fn role_metadata(&self) -> Metadata {
        let PodMetadata { labels, annotations } = self.ephemeral();
        Metadata { labels, annotations }
    }

    /// Why its pods cannot be made, if so.
    //= compat: 2.6-8
    fn failure(&self) -> Option<String> {
        let conditions = self.0.0["status"]["conditions"].as_array().into_iter().flatten();
        let failed = conditions.into_iter().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True")?;
        Some(failed["message"].as_str().unwrap_or_default().to_owned())
    }

    fn spec(&self, field: &str) -> Value {
        self.0.0["spec"][field].clone()
    }
}

fn count(value: &Value, absent: u32) -> u32 {
    value.as_u64().map_or(absent, |n| u32::try_from(n).unwrap_or(u32::MAX))
}
