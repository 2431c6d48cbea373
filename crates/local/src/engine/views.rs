//! Rollouts as plain data for people and machines.

pub(super) mod blue_green;
mod experiment;

use serin_core::analysis::RunKind;
use serin_core::{Hash, Time};
use serin_supervisor::State;

use super::Engine;
use super::members::Seen;
use crate::model::{Key, PoolState, RunState, Workload};
use crate::request::pool_image;
use crate::route;
use crate::staff::MemberId;
use crate::view::{
    MemberRow, MetricView, PluginView, PoolView, ReasonView, ReplicasView, RolloutView, RunView, StepView, TrafficView,
    WeightView,
};

impl Engine {
    /// One rollout.
    pub(super) fn view(&self, key: &Key) -> RolloutView {
        let Some(w) = self.workloads.get(key) else { return RolloutView::default() };
        let status = &w.status;
        let promoted = status.stable.is_some() && status.stable.as_ref() == Some(&w.rollout.hash);
        let image = |hash: Option<&Hash>| hash.and_then(|h| w.pool(h)).map_or_else(String::new, pool_image);
        let wanted = w.template().containers().first().map_or_else(String::new, |c| c.image.clone());
        let mut pools: Vec<&PoolState> = w.pools.iter().collect();
        pools.sort_by_key(|p| std::cmp::Reverse(p.revision));
        let mut runs: Vec<(&Key, &RunState)> =
            self.runs.iter().filter(|(_, r)| r.owner.as_ref() == Some(key)).collect();
        runs.sort_by_key(|(name, r)| (std::cmp::Reverse(r.created), name.name.clone()));
        let strategy = if w.rollout.canary().is_some() { "Canary" } else { "BlueGreen" };
        let (steps, step_index) = self.steps(w, promoted);
        RolloutView {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            strategy: strategy.to_owned(),
            phase: status.phase.as_str().to_owned(),
            message: status.message.clone(),
            now_ms: self.now().as_millis(),
            image: wanted,
            stable_image: image(status.stable.as_ref()),
            revision: w.pool(&w.rollout.hash).map_or(0, |p| p.revision),
            promoted,
            restarting: w.restart_pending(),
            aborted: status.abort,
            steps,
            step_index,
            blue_green: self.blue_green_view(w),
            weight: self.weight(key, w),
            replicas: ReplicasView {
                desired: w.rollout.replicas,
                current: status.counts.members,
                updated: status.counts.updated,
                ready: status.counts.ready,
                available: status.counts.available,
            },
            pools: pools.into_iter().map(|p| self.pool_view(key, w, p)).collect(),
            runs: runs.into_iter().map(|(name, run)| run_view(&name.name, run)).collect(),
            experiments: self.experiment_views(key),
            traffic: self.traffic(key, w),
            plugins: status.plugins.iter().map(PluginView::of).collect(),
            reasons: self.reasons(w),
            wake_at_ms: w.wake_at.map(Time::as_millis),
        }
    }

    /// Why a rollout is where it is; that nothing can be written outweighs everything that was decided before.
    fn reasons(&self, w: &Workload) -> Vec<ReasonView> {
        let blocked = self.blocked.iter().map(|why| ReasonView {
            code: "state-not-written".to_owned(),
            text: format!("nothing goes on until the state can be written: {why}"),
        });
        let switches = self.switches_under_way(w);
        let decided = w.reasons.iter().map(|r| ReasonView { code: r.code().to_owned(), text: r.to_string() });
        blocked.chain(switches).chain(decided).collect()
    }

    /// What the versions of a rollout got; of a blue-green one by the service that the requests were for.
    fn traffic(&self, key: &Key, w: &Workload) -> Vec<TrafficView> {
        let Some(blue_green) = w.rollout.blue_green() else { return self.traffic.of(&route::route_name(key), "") };
        let preview = blue_green.preview_service.iter().map(|name| (name, "preview"));
        let services = std::iter::once((&blue_green.active_service, "active")).chain(preview);
        let route = |name: &str| route::service_route_name(&key.beside(name), Some(w));
        services.flat_map(|(name, via)| self.traffic.of(&route(name), via)).collect()
    }

    /// The steps of an update and how many are over.
    fn steps(&self, w: &Workload, promoted: bool) -> (Vec<StepView>, Option<usize>) {
        let Some(blue_green) = w.rollout.blue_green() else { return (canary_steps(w, promoted), w.status.step_index) };
        let (stages, over) = blue_green::stages(w, blue_green, |hash| self.staffing(w, hash).available);
        (stages, Some(over))
    }

    fn weight(&self, key: &Key, w: &Workload) -> WeightView {
        let Some(canary) = w.rollout.canary() else {
            // All or nothing: the version is active or it is not.
            let share = |hash: Option<&Hash>| if hash == Some(&w.rollout.hash) { 100 } else { 0 };
            let target = w.rollout.blue_green().and_then(|b| w.services.get(&b.active_service)?.as_ref());
            let actual = self.active(w).filter(|_| self.link.is_connected());
            return WeightView {
                routed: true,
                set: share(target),
                actual: actual.as_ref().map(|hash| share(Some(hash))),
                total: 100,
            };
        };
        let total = canary.weight_total();
        if canary.traffic.is_none() {
            // Without a router the members are the weight.
            let (updated, members) = (w.status.counts.updated, w.status.counts.members);
            let actual = (members > 0).then(|| updated * total / members);
            return WeightView { routed: false, set: canary.weight_at(w.status.step_index), actual, total };
        }
        let set = w.status.weights.as_ref().map_or(0, |x| x.canary);
        let carried = w.split.as_ref().filter(|s| self.link.carries(key, s));
        WeightView { routed: true, set, actual: carried.map(|s| s.weight), total }
    }

    fn pool_view(&self, key: &Key, w: &Workload, pool: &PoolState) -> PoolView {
        let staffing = self.staffing(w, &pool.hash);
        let role = match (w.status.stable.as_ref() == Some(&pool.hash), w.rollout.hash == pool.hash) {
            (true, _) => "stable",
            (false, true) => "canary",
            (false, false) => "",
        };
        PoolView {
            hash: pool.hash.to_string(),
            revision: pool.revision,
            image: pool_image(pool),
            role: if w.rollout.canary().is_some() { role.to_owned() } else { self.blue_green_role(w, pool) },
            metadata: [&pool.metadata.labels, &pool.metadata.annotations]
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            size: pool.size,
            ready: staffing.ready,
            available: staffing.available,
            created_ms: pool.created.as_millis(),
            scale_down_at_ms: pool.scale_down_at.map(Time::as_millis),
            failure: staffing.failure,
            members: self.member_rows(key, &pool.hash),
        }
    }

    /// The members of a pool.
    fn member_rows(&self, set: &Key, hash: &Hash) -> Vec<MemberRow> {
        let row = |(id, seen): (&MemberId, &Seen)| MemberRow {
            name: id.pod(),
            state: match seen.view.state {
                State::Waiting { .. } => "Waiting",
                State::Starting => "Starting",
                State::Ready => "Ready",
                State::Draining { .. } => "Draining",
                State::Stopping { .. } | State::Gone => "Stopping",
            }
            .to_owned(),
            pid: seen.view.pid,
            port: seen.view.port,
            restarts: seen.view.health.restarts,
            trouble: seen.view.trouble.clone(),
            log: absolute(&seen.view.log),
        };
        self.members.of(set, hash).map(row).collect()
    }

    /// The rollouts as metrics in the text format.
    pub(super) fn metrics(&self) -> String {
        // Names of objects need no escape.
        let labels = |key: &Key| format!("namespace=\"{}\",name=\"{}\"", key.namespace, key.name);
        let family = |metric: &str, help: &str, sample: &dyn Fn(String, &Workload) -> String| {
            let samples: String =
                self.workloads.iter().map(|(key, w)| format!("{metric}{}\n", sample(labels(key), w))).collect();
            format!("# HELP {metric} {help}\n# TYPE {metric} gauge\n{samples}")
        };
        let phase = family("serin_rollout_phase", "1 for the phase a rollout is in.", &|labels, w| {
            format!("{{{labels},phase=\"{}\"}} 1", w.status.phase.as_str())
        });
        let weight = family("serin_rollout_canary_weight", "Weight of the canary as decided.", &|labels, w| {
            format!("{{{labels}}} {}", w.status.weights.as_ref().map_or(0, |x| x.canary))
        });
        let total = family("serin_rollout_weight_total", "What the weights count against.", &|labels, w| {
            format!("{{{labels}}} {}", w.rollout.canary().map_or(100, |c| c.weight_total()))
        });
        let available = family("serin_rollout_available", "Available members of all versions.", &|labels, w| {
            format!("{{{labels}}} {}", w.status.counts.available)
        });
        phase + &weight + &total + &available
    }

    /// Pod names and log files.
    pub(super) fn logs(&self, key: &Key) -> Vec<(String, String)> {
        let of_experiment = |id: &MemberId| {
            let experiment = id.rollout.version().and_then(|(name, _)| self.experiments.get(&name));
            experiment.is_some_and(|e| e.belongs_to(key))
        };
        let members = self.members.all().filter(|(id, _)| id.rollout == *key || of_experiment(id));
        members.map(|(id, seen)| (id.pod(), absolute(&seen.view.log))).collect()
    }
}

/// A path that holds for a reader in another folder too.
fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// The steps of a canary and how far it is.
pub fn canary_steps(w: &Workload, promoted: bool) -> Vec<StepView> {
    let steps = w.rollout.canary().map_or(&[][..], |c| &c.steps);
    let index = w.status.step_index.unwrap_or(0);
    let state = |i: usize| match i.cmp(&index) {
        _ if promoted => "done",
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal if !w.status.abort => "current",
        _ => "waiting",
    };
    steps.iter().enumerate().map(|(i, s)| StepView { text: s.to_string(), state: state(i).to_owned() }).collect()
}

/// A run.
pub(super) fn run_view(name: &str, run: &RunState) -> RunView {
    RunView {
        name: name.to_owned(),
        kind: run.kind.map_or_else(String::new, |k| k.as_str().to_owned()),
        step: match run.kind {
            Some(RunKind::Step(index)) => Some(index),
            _ => None,
        },
        hash: run.hash.to_string(),
        phase: run.status.phase.as_str().to_owned(),
        message: run.status.message.clone(),
        created_ms: run.created.as_millis(),
        metrics: run.core.metrics.iter().map(|m| MetricView::of(m, run.status.metric(&m.name))).collect(),
    }
}
