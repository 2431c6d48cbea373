//! Experiments on one machine: what is wanted of each, its durable form, the snapshot it is decided from, and a decision
//! applied to it. Pure; the engine makes the result durable and brings members, router and runs to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_core::experiment::{
    ExperimentAction, ExperimentReason, ExperimentRun, ExperimentStatus, ExperimentWorld, TemplatePool, TemplateService,
};
use serin_core::world::{ExperimentPool, StepExperiment};
use serin_core::{Hash, Time};
use serin_spec::wire::experiment::{Experiment, ExperimentAnalysis};
use serin_spec::wire::pod::PodTemplate;
use serin_spec::{lower, raise, wire};

use crate::model::{Key, RunState};
use crate::observe::Staffing;

/// Everything of one experiment.
#[derive(Debug, Clone)]
pub struct ExperimentState {
    /// The object as it is wanted now.
    pub object: Experiment,
    /// The object as it was last applied from a file; null for one that a rollout made.
    pub applied: Value,
    /// The rollout that made it, and the version under test then.
    pub owner: Option<(Key, Hash)>,
    /// When it was created.
    pub created: Time,
    /// Its memory.
    pub status: ExperimentStatus,
    /// The pools of its versions.
    pub pools: Vec<VersionPool>,
    /// Its services and the version that each selects.
    pub services: BTreeMap<String, String>,
    /// Why it is where it is, as last decided.
    pub reasons: Vec<ExperimentReason>,
    /// When to decide again.
    pub wake_at: Option<Time>,
}

/// The pool of a version as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionPool {
    /// The version.
    pub version: String,
    /// Hash of its pods.
    pub hash: Hash,
    /// When it was created.
    pub created: Time,
    /// Wanted members.
    pub size: u32,
    /// When it goes to zero.
    pub scale_down_at: Option<Time>,
    /// Seconds that a member must be ready for.
    pub min_ready_s: i32,
    /// The template of its members, as it was when the pool was made.
    pub template: PodTemplate,
}

impl ExperimentState {
    /// A new one, with nothing decided yet.
    pub fn new(object: Experiment, applied: Value, owner: Option<(Key, Hash)>, now: Time) -> Self {
        Self {
            object,
            applied,
            owner,
            created: now,
            status: ExperimentStatus::default(),
            pools: Vec::new(),
            services: BTreeMap::new(),
            reasons: Vec::new(),
            wake_at: Some(Time::default()),
        }
    }

    /// Its name and namespace.
    pub fn key(&self) -> Key {
        Key::of(&self.object.metadata)
    }

    /// The pool of a version.
    pub fn pool(&self, version: &str) -> Option<&VersionPool> {
        self.pools.iter().find(|p| p.version == version)
    }

    /// Whether the rollout of this key made it.
    pub fn belongs_to(&self, rollout: &Key) -> bool {
        self.owner.as_ref().is_some_and(|(owner, _)| owner == rollout)
    }

    /// The object with its status in Argo's fields.
    pub fn manifest(&self) -> Experiment {
        Experiment { status: Some(raise::experiment_status(&self.status)), ..self.object.clone() }
    }
}

/// What is seen around an experiment.
pub struct Surroundings<'a> {
    /// The members of a pool.
    pub staffing: &'a dyn Fn(&VersionPool) -> Staffing,
    /// Why the members of a pool can never be made, if so.
    pub refused: &'a dyn Fn(&VersionPool) -> Option<String>,
    /// Whether the router sends requests of a rollout to a pool.
    pub routed: &'a dyn Fn(&VersionPool) -> bool,
    /// Whether there is a service of this name that belongs to nobody or to somebody else.
    pub foreign: &'a dyn Fn(&str) -> bool,
    /// Why an analysis cannot be begun, if so.
    pub problem: &'a dyn Fn(&ExperimentAnalysis) -> Option<String>,
}

/// The snapshot that a decision is made from; `runs` are all in its namespace.
pub fn world<'a>(
    state: &ExperimentState,
    around: &Surroundings<'_>,
    runs: impl Iterator<Item = (&'a str, &'a RunState)>,
) -> ExperimentWorld {
    let key = state.key();
    let experiment = lower::experiment(&state.object, &state.status, around.problem);
    let pools = state.pools.iter().map(|p| {
        let seen = (around.staffing)(p);
        TemplatePool {
            template: p.version.clone(),
            hash: p.hash.clone(),
            size: p.size,
            members: seen.members,
            ready: seen.ready,
            available: seen.available,
            scale_down_at: p.scale_down_at,
            routed: (around.routed)(p),
            refused: (around.refused)(p).filter(|_| p.size > 0 && seen.members == 0),
        }
    });
    let own = state.services.iter().map(|(name, version)| (name.clone(), Some(version.clone())));
    let wanted = experiment.templates.iter().filter_map(|t| t.service.clone());
    let foreign = wanted.filter(|name| !state.services.contains_key(name) && (around.foreign)(name));
    let services = own.chain(foreign.map(|name| (name, None)));
    let run = |(name, run): (&str, &RunState)| ExperimentRun {
        name: name.to_owned(),
        analysis: run.experiment.as_ref().filter(|(owner, _)| *owner == key).map(|(_, analysis)| analysis.clone()),
        phase: run.status.phase,
        message: run.status.message.clone(),
        terminating: run.core.terminate,
    };
    ExperimentWorld {
        status: state.status.clone(),
        pools: pools.collect(),
        services: services.map(|(name, template)| TemplateService { name, template }).collect(),
        runs: runs.map(run).collect(),
        experiment,
    }
}

/// The experiment as the rollout that made it sees it.
pub fn of_step(state: &ExperimentState, staffing: impl Fn(&VersionPool) -> Staffing) -> StepExperiment {
    let pool = |p: &VersionPool| {
        let seen = staffing(p);
        ExperimentPool {
            template: p.version.clone(),
            hash: p.hash.clone(),
            members: seen.members.max(p.size),
            available: seen.available,
            service: state.services.iter().find(|(_, version)| **version == p.version).map(|(name, _)| name.clone()),
        }
    };
    StepExperiment {
        name: state.object.metadata.name().to_owned(),
        hash: state.owner.as_ref().map_or_else(|| Hash::new(""), |(_, hash)| hash.clone()),
        phase: state.status.phase.unwrap_or_default(),
        message: state.status.message.clone(),
        terminating: state.object.spec.terminate,
        created: state.created,
        pools: state.pools.iter().map(pool).collect(),
    }
}

/// Applies the actions to the experiment's targets; those on runs are left to the caller, in order. Returns whether any target
/// changed.
pub fn apply(state: &mut ExperimentState, actions: &[ExperimentAction], now: Time) -> (bool, Vec<ExperimentAction>) {
    let mut runs = Vec::new();
    let before = (state.pools.clone(), state.services.clone());
    for action in actions {
        match action {
            ExperimentAction::CreatePool { template, hash } => create(state, template, hash, now),
            ExperimentAction::ScalePool { template, size } => change(state, template, |p| {
                p.size = *size;
                p.scale_down_at = p.scale_down_at.filter(|_| *size > 0);
            }),
            ExperimentAction::SetScaleDownAt { template, at } => change(state, template, |p| p.scale_down_at = *at),
            ExperimentAction::CreateService { template, name } => {
                state.services.insert(name.clone(), template.clone());
            }
            ExperimentAction::DeleteService { name } => {
                state.services.remove(name);
            }
            ExperimentAction::StartRun { .. } | ExperimentAction::StopRun { .. } => runs.push(action.clone()),
        }
    }
    (before != (state.pools.clone(), state.services.clone()), runs)
}

fn change(state: &mut ExperimentState, version: &str, edit: impl FnOnce(&mut VersionPool)) {
    if let Some(pool) = state.pools.iter_mut().find(|p| p.version == version) {
        edit(pool);
    }
}

fn create(state: &mut ExperimentState, version: &str, hash: &Hash, now: Time) {
    let Some(wire) = state.object.spec.templates.iter().find(|t| t.name == version) else { return };
    if state.pool(version).is_some() {
        return;
    }
    state.pools.push(VersionPool {
        version: version.to_owned(),
        hash: hash.clone(),
        created: now,
        size: 0,
        scale_down_at: None,
        min_ready_s: wire.min_ready_seconds.unwrap_or(0),
        template: wire.template.clone(),
    });
}

/// An experiment on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentRecord {
    object: Experiment,
    applied: Value,
    owner: Option<(Key, String)>,
    created_ms: i64,
    status: wire::experiment::ExperimentStatus,
    pools: Vec<PoolRecord>,
    services: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolRecord {
    version: String,
    hash: String,
    created_ms: i64,
    size: u32,
    scale_down_at_ms: Option<i64>,
    min_ready_s: i32,
    template: PodTemplate,
}

impl From<&ExperimentState> for ExperimentRecord {
    fn from(e: &ExperimentState) -> Self {
        let pool = |p: &VersionPool| PoolRecord {
            version: p.version.clone(),
            hash: p.hash.to_string(),
            created_ms: p.created.as_millis(),
            size: p.size,
            scale_down_at_ms: p.scale_down_at.map(Time::as_millis),
            min_ready_s: p.min_ready_s,
            template: p.template.clone(),
        };
        Self {
            object: e.object.clone(),
            applied: e.applied.clone(),
            owner: e.owner.as_ref().map(|(key, hash)| (key.clone(), hash.to_string())),
            created_ms: e.created.as_millis(),
            status: raise::experiment_status(&e.status),
            pools: e.pools.iter().map(pool).collect(),
            services: e.services.clone(),
        }
    }
}

impl ExperimentRecord {
    /// The experiment it stands for.
    pub fn read(self) -> ExperimentState {
        let pool = |p: PoolRecord| VersionPool {
            version: p.version,
            hash: Hash::new(p.hash),
            created: Time::from_millis(p.created_ms),
            size: p.size,
            scale_down_at: p.scale_down_at_ms.map(Time::from_millis),
            min_ready_s: p.min_ready_s,
            template: p.template,
        };
        ExperimentState {
            object: self.object,
            applied: self.applied,
            owner: self.owner.map(|(key, hash)| (key, Hash::new(hash))),
            created: Time::from_millis(self.created_ms),
            status: lower::experiment_status(&self.status),
            pools: self.pools.into_iter().map(pool).collect(),
            services: self.services,
            reasons: Vec::new(),
            // Looked at as soon as it is there.
            wake_at: Some(Time::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serin_core::experiment::TemplateStatus;

    fn state() -> ExperimentState {
        let pods = json!({
            "metadata": { "labels": { "app": "m" } },
            "spec": { "containers": [{ "name": "c", "image": "m:1", "ports": [{ "containerPort": 80 }] }] },
        });
        let template = |name: &str| {
            json!({
                "name": name, "selector": { "matchLabels": { "app": "m" } }, "template": pods, "minReadySeconds": 3,
                "service": {},
            })
        };
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": { "name": "exp", "namespace": "ns" },
            "spec": { "templates": [template("a"), template("b")] },
        });
        let owner = (Key::new("ns", "web"), Hash::new("v2"));
        ExperimentState::new(serde_json::from_value(object).unwrap(), Value::Null, Some(owner), Time::from_secs(7))
    }

    fn actions() -> Vec<ExperimentAction> {
        let template = || "a".to_owned();
        vec![
            ExperimentAction::CreatePool { template: template(), hash: Hash::new("h") },
            ExperimentAction::CreateService { template: template(), name: "exp-a".to_owned() },
            ExperimentAction::ScalePool { template: template(), size: 2 },
            ExperimentAction::SetScaleDownAt { template: template(), at: Some(Time::from_secs(9)) },
            ExperimentAction::StartRun { name: "exp-x".to_owned(), analysis: "x".to_owned() },
        ]
    }

    #[test]
    fn applying_actions_twice_equals_once() {
        let (mut once, now) = (state(), Time::from_secs(8));
        let (changed, runs) = apply(&mut once, &actions(), now);
        assert!(changed);
        assert_eq!(runs.len(), 1, "runs are left to the caller");
        let mut twice = once.clone();
        assert!(!apply(&mut twice, &actions(), Time::from_secs(80)).0);
        assert_eq!((&twice.pools, &twice.services), (&once.pools, &once.services));
        let pool = once.pool("a").unwrap();
        assert_eq!((pool.size, pool.min_ready_s, pool.created), (2, 3, now));
        let zero = [ExperimentAction::ScalePool { template: "a".to_owned(), size: 0 }];
        apply(&mut once, &zero, now);
        assert_eq!(once.pool("a").unwrap().scale_down_at, None, "reaching zero forgets the plan");
    }

    #[test]
    fn a_pool_keeps_the_pods_it_was_made_with() {
        let mut state = state();
        apply(&mut state, &actions(), Time::from_secs(8));
        let before = state.pool("a").unwrap().template.clone();
        state.object.spec.templates[0].template = PodTemplate(json!({ "spec": { "containers": [] } }));
        apply(&mut state, &actions(), Time::from_secs(9));
        assert_eq!(state.pool("a").unwrap().template, before);
    }

    #[test]
    fn what_is_kept_reads_back() {
        let mut kept = state();
        apply(&mut kept, &actions(), Time::from_secs(8));
        let template = TemplateStatus { name: "a".to_owned(), ..TemplateStatus::default() };
        kept.status = ExperimentStatus { templates: vec![template], ..ExperimentStatus::default() };
        let text = serde_json::to_string(&ExperimentRecord::from(&kept)).unwrap();
        let read = serde_json::from_str::<ExperimentRecord>(&text).unwrap().read();
        assert_eq!((&read.object, &read.owner, &read.created), (&kept.object, &kept.owner, &kept.created));
        assert_eq!((&read.status, &read.pools, &read.services), (&kept.status, &kept.pools, &kept.services));
    }

    #[test]
    fn a_snapshot_holds_what_is_seen_and_who_it_belongs_to() {
        let mut state = state();
        apply(&mut state, &actions(), Time::from_secs(8));
        let staffing = |_: &VersionPool| Staffing { members: 2, ready: 1, available: 1, ..Staffing::default() };
        let around = Surroundings {
            staffing: &staffing,
            refused: &|_| Some("no command".to_owned()),
            routed: &|_| true,
            foreign: &|name| name == "exp-b",
            problem: &|_| None,
        };
        let world = world(&state, &around, std::iter::empty());
        let pool = &world.pools[0];
        assert_eq!((pool.members, pool.available, pool.routed), (2, 1, true));
        assert_eq!(pool.refused, None, "members that run were not refused");
        let services: Vec<_> = world.services.iter().map(|s| (s.name.as_str(), s.template.as_deref())).collect();
        assert_eq!(services, [("exp-a", Some("a")), ("exp-b", None)]);
        let seen = of_step(&state, staffing);
        assert_eq!((seen.hash.as_str(), seen.pools[0].service.as_deref()), ("v2", Some("exp-a")));
    }
}
