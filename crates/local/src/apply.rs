//! Applying a decision: every action becomes a changed target in the model. Nothing is started or stopped here; once the
//! targets are durable, [`crate::staff`] and [`crate::route`] bring the machine to them. So a decision is applied whole or
//! not at all, and applying it twice changes nothing.

use std::collections::BTreeMap;

use serin_core::plugin::PluginCall;
use serin_core::world::Service;
use serin_core::{Action, Metadata, Time};

use crate::model::{PoolState, Workload};

/// What is left to the caller: actions on runs and experiments and questions to plugins, which live beside the workload.
#[derive(Debug, Default)]
pub struct Applied {
    /// Whether any target changed.
    pub changed: bool,
    /// Actions on runs, in order.
    pub runs: Vec<Action>,
    /// Actions on experiments, in order.
    pub experiments: Vec<Action>,
    /// Questions to step plugins.
    pub calls: Vec<PluginCall>,
}

/// Applies the actions to the workload's targets.
pub fn apply(workload: &mut Workload, actions: &[Action], now: Time) -> Applied {
    let mut applied = Applied::default();
    for action in actions {
        match action {
            Action::StartRun { .. } | Action::StopRun { .. } | Action::DeleteRun { .. } => {
                applied.runs.push(action.clone());
            }
            Action::StartExperiment { .. } | Action::StopExperiment { .. } | Action::DeleteExperiment { .. } => {
                applied.experiments.push(action.clone());
            }
            Action::CallPlugin(call) => applied.calls.push(call.clone()),
            other => applied.changed |= target(workload, other, now),
        }
    }
    applied
}

/// Drops the switches that are not carried yet and that the decision does not ask for any more: one that was aborted before the
/// router took it must not be made when the router is back. `seen` are the services as the decision saw them. Returns whether
/// there were any.
pub fn drop_switches(workload: &mut Workload, seen: &[Service], actions: &[Action]) -> bool {
    let asked =
        |name: &str| actions.iter().any(|a| matches!(a, Action::PointService { service, .. } if service == name));
    let mut dropped = false;
    // One that was never seen to lead anywhere has nothing to stay with.
    for service in seen.iter().filter(|s| s.selects.is_some() && !asked(&s.name)) {
        if let Some(target) = workload.services.get_mut(&service.name) {
            dropped |= *target != service.selects;
            target.clone_from(&service.selects);
        }
    }
    dropped
}

fn target(workload: &mut Workload, action: &Action, now: Time) -> bool {
    match action {
        Action::CreatePool { hash, revision } => {
            if workload.pool(hash).is_some() {
                return false;
            }
            let template = workload.template();
            workload.pools.push(PoolState {
                hash: hash.clone(),
                revision: *revision,
                created: now,
                size: 0,
                replicas_seen: None,
                scale_down_at: None,
                promoted: false,
                metadata: Metadata::default(),
                evictions: BTreeMap::new(),
                template,
            });
            true
        }
        Action::SetRevision { hash, revision } => set(workload.pool_mut(hash).map(|p| &mut p.revision), *revision),
        Action::ScalePool { hash, size, replicas_seen } => {
            let Some(pool) = workload.pool_mut(hash) else { return false };
            let before = pool.clone();
            pool.size = *size;
            pool.replicas_seen = Some(*replicas_seen);
            if *size == 0 {
                pool.scale_down_at = None;
            }
            *pool != before
        }
        Action::SetScaleDownAt { hash, at } => set(workload.pool_mut(hash).map(|p| &mut p.scale_down_at), *at),
        Action::MarkPromoted { hash } => set(workload.pool_mut(hash).map(|p| &mut p.promoted), true),
        Action::DeletePool { hash } => {
            let before = workload.pools.len();
            workload.pools.retain(|p| p.hash != *hash);
            workload.pools.len() != before
        }
        Action::PointService { service, hash } => set(workload.services.get_mut(service), Some(hash.clone())),
        Action::SetSplit(split) => set(Some(&mut workload.split), Some(split.clone())),
        Action::SetMetadata { hash, metadata } => {
            set(workload.pool_mut(hash).map(|p| &mut p.metadata), metadata.clone())
        }
        Action::EvictMember { hash, member, older_than } => {
            let Some(pool) = workload.pool_mut(hash) else { return false };
            pool.evictions.insert(member.clone(), *older_than) != Some(*older_than)
        }
        // Nobody runs the Deployment behind a `workloadRef` on one machine, so there is nothing to take down.
        Action::ScaleWorkload { .. } => false,
        Action::StartRun { .. } | Action::StopRun { .. } | Action::DeleteRun { .. } | Action::CallPlugin(_) => false,
        Action::StartExperiment { .. } | Action::StopExperiment { .. } | Action::DeleteExperiment { .. } => false,
    }
}

/// Sets a target; returns whether it was another one. A target that does not exist stays so: the next decision sees it.
fn set<T: PartialEq>(slot: Option<&mut T>, value: T) -> bool {
    match slot {
        Some(slot) if *slot != value => {
            *slot = value;
            true
        }
        _ => false,
    }
}
