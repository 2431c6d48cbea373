//! Carrying out what was decided, as an adapter would.

use serin_core::analysis::RunPhase;
use serin_core::plugin::PluginCallSeen;
use serin_core::world::{Pool, Run};
use serin_core::{Action, Hash, Member};

use super::Stage;

impl Stage {
    /// Members one by one, as many as there are, while a restart asks for them.
    pub(crate) fn call_the_roll(&mut self) {
        if self.world.rollout.restart_at.is_none() {
            return;
        }
        for pool in &mut self.world.pools {
            let mut stay: Vec<Member> = pool.roster.iter().filter(|m| !m.leaving).cloned().collect();
            stay.truncate(pool.members as usize);
            while stay.len() < pool.members as usize {
                self.made += 1;
                let name = format!("{}-{}", pool.hash, self.made);
                stay.push(Member { name, started: self.now, available: false, leaving: false });
            }
            for (i, member) in stay.iter_mut().enumerate() {
                member.available = i < pool.available as usize;
            }
            pool.roster.retain(|m| m.leaving);
            pool.roster.extend(stay);
        }
    }

    /// Carries out one action. Twice is the same as once.
    pub(crate) fn apply(&mut self, action: &Action) {
        match action {
            Action::CreatePool { hash, revision } => {
                if self.world.pool(hash).is_none() {
                    self.world.pools.push(Pool::new(hash.clone(), *revision, self.now));
                }
            }
            Action::SetRevision { hash, revision } => self.change(hash, |p| p.revision = *revision),
            Action::ScalePool { hash, size, replicas_seen } => self.change(hash, |p| {
                (p.size, p.members, p.replicas_seen) = (*size, *size, Some(*replicas_seen));
                (p.ready, p.available) = (p.ready.min(*size), p.available.min(*size));
                p.scale_down_at = p.scale_down_at.filter(|_| *size > 0);
            }),
            Action::SetScaleDownAt { hash, at } => self.change(hash, |p| p.scale_down_at = *at),
            Action::DeletePool { hash } => {
                let pool = self.world.pool(hash);
                assert!(pool.is_none_or(|p| p.size == 0 && p.members == 0), "{hash} has members and is deleted");
                self.world.pools.retain(|p| p.hash != *hash);
            }
            Action::PointService { service, hash } => {
                self.pointed.retain(|(name, _)| name != service);
                self.pointed.push((service.clone(), hash.clone()));
                if self.services_obey {
                    self.services_catch_up();
                }
            }
            Action::SetSplit(split) => {
                self.asked = Some(split.clone());
                if self.router_obeys {
                    self.router_catches_up();
                }
            }
            Action::StartRun { name, kind, hash, .. } => {
                if self.world.run(name).is_none() {
                    let (phase, message, terminating) = (RunPhase::Running, String::new(), false);
                    let (name, kind, hash) = (name.clone(), *kind, hash.clone());
                    let (created, passed_at) = (self.now, None);
                    self.world.runs.push(Run { name, kind, hash, phase, message, terminating, created, passed_at });
                }
            }
            Action::StopRun { name } => {
                for run in self.world.runs.iter_mut().filter(|r| r.name == *name) {
                    (run.terminating, run.phase) = (true, RunPhase::Successful);
                }
            }
            Action::SetMetadata { hash, metadata } => self.change(hash, |p| p.metadata = metadata.clone()),
            Action::EvictMember { hash, member, older_than } => self.change(hash, |p| {
                for m in p.roster.iter_mut().filter(|m| m.name == *member && m.started < *older_than && !m.leaving) {
                    p.ready = p.ready.saturating_sub(u32::from(m.available));
                    p.available = p.available.saturating_sub(u32::from(m.available));
                    (m.leaving, m.available) = (true, false);
                }
            }),
            Action::CallPlugin(call) => {
                let calls = &mut self.world.plugins.calls;
                if !calls.iter().any(|c| c.id == call.id) {
                    calls.push(PluginCallSeen { id: call.id.clone(), answer: None });
                }
            }
            Action::ScaleWorkload { replicas } => {
                if let Some(workload) = &mut self.world.rollout.workload {
                    workload.replicas = *replicas;
                }
            }
            Action::MarkPromoted { hash } => self.change(hash, |p| p.promoted = true),
            Action::DeleteRun { name } => self.world.runs.retain(|r| r.name != *name),
            Action::StartExperiment { name, step, hash, .. } => self.start_experiment(name, *step, hash),
            Action::StopExperiment { name } => {
                for experiment in self.world.experiments.iter_mut().filter(|e| e.name == *name) {
                    (experiment.terminating, experiment.phase) = (true, RunPhase::Successful);
                }
            }
            Action::DeleteExperiment { name } => {
                let members = self.world.experiment(name).is_some_and(|e| e.pools.iter().any(|p| p.members > 0));
                assert!(!members, "{name} has members and is deleted");
                self.world.experiments.retain(|e| e.name != *name);
            }
        }
    }

    fn change(&mut self, hash: &Hash, edit: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.world.pools.iter_mut().find(|p| p.hash == *hash) {
            edit(pool);
        }
    }
}
