//! The durable form of the model: JSON records, in Argo's own fields where Argo has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_core::analysis::RunKind;
use serin_core::weight::{HeaderMatch, HeaderRoute, RouteMatch, ValueMatch};
use serin_core::{Destination, Hash, Metadata, MirrorRoute, Split, Time};
use serin_spec::workload::Held;
use serin_spec::{lower, raise, wire};

use crate::model::{Key, PoolState, RunState, Workload};

/// A workload on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    object: wire::rollout::Rollout,
    applied: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken: Option<Held>,
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
    #[serde(default)]
    promoted: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    /// Members to be replaced, and the time in milliseconds that they must be older than.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    evictions: BTreeMap<String, i64>,
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
    #[serde(default)]
    experiment: Vec<DestinationRecord>,
    #[serde(default)]
    mirrors: Vec<MirrorRouteRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationRecord {
    service: String,
    hash: String,
    weight: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MirrorRouteRecord {
    name: String,
    percentage: u32,
    matches: Vec<RouteMatchRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteMatchRecord {
    method: Option<MatchRecord>,
    path: Option<MatchRecord>,
    headers: Vec<(String, MatchRecord)>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    experiment: Option<(Key, String)>,
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
    PrePromotion,
    PostPromotion,
}

impl From<&Workload> for WorkloadRecord {
    fn from(w: &Workload) -> Self {
        let status = raise::status(&w.status, &w.whole());
        Self {
            object: w.object.clone(),
            applied: w.applied.clone(),
            held: w.held.clone(),
            taken: w.taken.clone(),
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
        let mut workload = Workload {
            rollout: crate::request::lowered(&self.object, &status),
            object: self.object,
            applied: self.applied,
            held: self.held,
            taken: self.taken,
            problem: None,
            status,
            pools: self.pools.into_iter().map(PoolRecord::read).collect(),
            services: self.services.into_iter().map(|(n, h)| (n, h.map(Hash::new))).collect(),
            split: self.split.map(SplitRecord::read),
            reasons: Vec::new(),
            // Looked at as soon as it is there.
            wake_at: Some(Time::default()),
        };
        workload.rollout = crate::request::lowered(&workload.whole(), &workload.status);
        workload
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
            promoted: p.promoted,
            labels: p.metadata.labels.clone(),
            annotations: p.metadata.annotations.clone(),
            evictions: p.evictions.iter().map(|(n, at)| (n.clone(), at.as_millis())).collect(),
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
            promoted: self.promoted,
            metadata: Metadata { labels: self.labels, annotations: self.annotations },
            evictions: self.evictions.into_iter().map(|(n, ms)| (n, Time::from_millis(ms))).collect(),
            template: self.template,
        }
    }
}

impl From<&Split> for SplitRecord {
    fn from(s: &Split) -> Self {
        let matched = |m: &HeaderMatch| (m.header.clone(), MatchRecord::from(&m.value));
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
            experiment: s.experiment.iter().map(DestinationRecord::from).collect(),
            mirrors: s.mirrors.iter().map(MirrorRouteRecord::from).collect(),
        }
    }
}

impl SplitRecord {
    fn read(self) -> Split {
        let matched = |(header, value): (String, MatchRecord)| HeaderMatch { header, value: value.read() };
        let route =
            |r: HeaderRouteRecord| HeaderRoute { name: r.name, matches: r.matches.into_iter().map(matched).collect() };
        Split {
            stable: Hash::new(self.stable),
            canary: Hash::new(self.canary),
            weight: self.weight,
            weight_total: self.weight_total,
            header_routes: self.header_routes.into_iter().map(route).collect(),
            experiment: self.experiment.into_iter().map(DestinationRecord::read).collect(),
            mirrors: self.mirrors.into_iter().map(MirrorRouteRecord::read).collect(),
        }
    }
}

impl From<&ValueMatch> for MatchRecord {
    fn from(m: &ValueMatch) -> Self {
        match m {
            ValueMatch::Exact(v) => MatchRecord::Exact(v.clone()),
            ValueMatch::Prefix(v) => MatchRecord::Prefix(v.clone()),
            ValueMatch::Regex(v) => MatchRecord::Regex(v.clone()),
        }
    }
}

impl MatchRecord {
    fn read(self) -> ValueMatch {
        match self {
            MatchRecord::Exact(v) => ValueMatch::Exact(v),
            MatchRecord::Prefix(v) => ValueMatch::Prefix(v),
            MatchRecord::Regex(v) => ValueMatch::Regex(v),
        }
    }
}

impl From<&Destination> for DestinationRecord {
    fn from(d: &Destination) -> Self {
        Self { service: d.service.clone(), hash: d.hash.to_string(), weight: d.weight }
    }
}

impl DestinationRecord {
    fn read(self) -> Destination {
        Destination { service: self.service, hash: Hash::new(self.hash), weight: self.weight }
    }
}

impl From<&MirrorRoute> for MirrorRouteRecord {
    fn from(m: &MirrorRoute) -> Self {
        let header = |h: &HeaderMatch| (h.header.clone(), MatchRecord::from(&h.value));
        let matched = |m: &RouteMatch| RouteMatchRecord {
            method: m.method.as_ref().map(MatchRecord::from),
            path: m.path.as_ref().map(MatchRecord::from),
            headers: m.headers.iter().map(header).collect(),
        };
        Self { name: m.name.clone(), percentage: m.percentage, matches: m.matches.iter().map(matched).collect() }
    }
}

impl MirrorRouteRecord {
    fn read(self) -> MirrorRoute {
        let header = |(header, value): (String, MatchRecord)| HeaderMatch { header, value: value.read() };
        let matched = |m: RouteMatchRecord| RouteMatch {
            method: m.method.map(MatchRecord::read),
            path: m.path.map(MatchRecord::read),
            headers: m.headers.into_iter().map(header).collect(),
        };
        MirrorRoute {
            name: self.name,
            percentage: self.percentage,
            matches: self.matches.into_iter().map(matched).collect(),
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
                RunKind::PrePromotion => KindRecord::PrePromotion,
                RunKind::PostPromotion => KindRecord::PostPromotion,
            }),
            experiment: r.experiment.clone(),
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
                KindRecord::PrePromotion => RunKind::PrePromotion,
                KindRecord::PostPromotion => RunKind::PostPromotion,
            }),
            experiment: self.experiment,
            hash: Hash::new(self.hash),
            created: Time::from_millis(self.created_ms),
            core: lower::run_spec(&self.spec),
            status: lower::run_status(&self.status),
            spec: self.spec,
        }
    }
}
