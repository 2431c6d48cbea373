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
