//! The durable form of the model: JSON records, in Argo's own fields where Argo has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_core::analysis::RunKind;
use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
use serin_core::{Hash, Split, Time};
use serin_spec::{lower, raise, wire};

use crate::model::{Key, PoolState, RunState, Workload};

/// A workload on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    object: wire::rollout::Rollout,
    applied: Value,
    status: wire::status::RolloutStatus,
    pools: Vec<PoolRecord>,
    services: BTreeMap<String, Option<String>>,
    split: Option<SplitRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolRecord {
    hash: String,
    revision: u64,
    created_ms: i64,
    size: u32,
    replicas_seen: Option<u32>,
    scale_down_at_ms: Option<i64>,
    template: wire::pod::PodTemplate,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitRecord {
    stable: String,
    canary: String,
    weight: u32,
    weight_total: u32,
    header_routes: Vec<HeaderRouteRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRouteRecord {
    name: String,
    matches: Vec<(String, MatchRecord)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MatchRecord {
    Exact(String),
    Prefix(String),
    Regex(String),
}

/// A run on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    owner: Option<Key>,
    kind: Option<KindRecord>,
    hash: String,
    created_ms: i64,
    spec: wire::analysis::AnalysisRunSpec,
    status: wire::analysis::AnalysisRunStatus,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindRecord {
    Step(usize),
    Background,
}

impl From<&Workload> for WorkloadRecord {
    fn from(w: &Workload) -> Self {
        let status = raise::status(&w.status, &w.object);
        Self {
            object: w.object.clone(),
            applied: w.applied.clone(),
            status,
            pools: w.pools.iter().map(PoolRecord::from).collect(),
            services: w.services.iter().map(|(n, h)| (n.clone(), h.as_ref().map(Hash::to_string))).collect(),
            split: w.split.as_ref().map(SplitRecord::from),
        }
    }
}

impl WorkloadRecord {
    /// The workload it stands for.
    pub fn read(self) -> Workload {
        let status = lower::status(&self.status);
        let rollout = crate::request::lowered(&self.object, &status);
        Workload {
            object: self.object,
            applied: self.applied,
            rollout,
            status,
            pools: self.pools.into_iter().map(PoolRecord::read).collect(),
            services: self.services.into_iter().map(|(n, h)| (n, h.map(Hash::new))).collect(),
            split: self.split.map(SplitRecord::read),
            reasons: Vec::new(),
            // Looked at as soon as it is there.
            wake_at: Some(Time::default()),
        }
    }
}

impl From<&PoolState> for PoolRecord {
    fn from(p: &PoolState) -> Self {
        Self {
            hash: p.hash.to_string(),
            revision: p.revision,
            created_ms: p.created.as_millis(),
            size: p.size,
            replicas_seen: p.replicas_seen,
            scale_down_at_ms: p.scale_down_at.map(Time::as_millis),
            template: p.template.clone(),
        }
    }
}

impl PoolRecord {
    fn read(self) -> PoolState {
        PoolState {
            hash: Hash::new(self.hash),
            revision: self.revision,
            created: Time::from_millis(self.created_ms),
            size: self.size,
            replicas_seen: self.replicas_seen,
            scale_down_at: self.scale_down_at_ms.map(Time::from_millis),
            template: self.template,
        }
    }
}

impl From<&Split> for SplitRecord {
    fn from(s: &Split) -> Self {
        let matched = |m: &HeaderMatch| {
            let value = match &m.value {
                ValueMatch::Exact(v) => MatchRecord::Exact(v.clone()),
                ValueMatch::Prefix(v) => MatchRecord::Prefix(v.clone()),
                ValueMatch::Regex(v) => MatchRecord::Regex(v.clone()),
            };
            (m.header.clone(), value)
        };
        let route = |r: &HeaderRoute| HeaderRouteRecord {
            name: r.name.clone(),
            matches: r.matches.iter().map(matched).collect(),
        };
        Self {
            stable: s.stable.to_string(),
            canary: s.canary.to_string(),
            weight: s.weight,
            weight_total: s.weight_total,
            header_routes: s.header_routes.iter().map(route).collect(),
        }
    }
}

impl SplitRecord {
    fn read(self) -> Split {
        let matched = |(header, value)| HeaderMatch {
            header,
            value: match value {
                MatchRecord::Exact(v) => ValueMatch::Exact(v),
                MatchRecord::Prefix(v) => ValueMatch::Prefix(v),
                MatchRecord::Regex(v) => ValueMatch::Regex(v),
            },
        };
        let route =
            |r: HeaderRouteRecord| HeaderRoute { name: r.name, matches: r.matches.into_iter().map(matched).collect() };
        Split {
            stable: Hash::new(self.stable),
            canary: Hash::new(self.canary),
            weight: self.weight,
            weight_total: self.weight_total,
            header_routes: self.header_routes.into_iter().map(route).collect(),
        }
    }
}

impl From<&RunState> for RunRecord {
    fn from(r: &RunState) -> Self {
        Self {
            owner: r.owner.clone(),
            kind: r.kind.map(|kind| match kind {
                RunKind::Step(index) => KindRecord::Step(index),
                RunKind::Background => KindRecord::Background,
            }),
            hash: r.hash.to_string(),
            created_ms: r.created.as_millis(),
            spec: r.spec.clone(),
            status: raise::run_status(&r.status, None),
        }
    }
}

impl RunRecord {
    /// The run it stands for.
    pub fn read(self) -> RunState {
        RunState {
            owner: self.owner,
            kind: self.kind.map(|kind| match kind {
                KindRecord::Step(index) => RunKind::Step(index),
                KindRecord::Background => RunKind::Background,
            }),
            hash: Hash::new(self.hash),
            created: Time::from_millis(self.created_ms),
            core: lower::run_spec(&self.spec),
            status: lower::run_status(&self.status),
            spec: self.spec,
        }
    }
}
