//! Rollouts and experiments of a cluster as the pictures of one machine show theirs.

use serin_controller::Object;
use serin_core::{Hash, Time};
use serin_kubectl::info::{ExperimentInfo, PodInfo, ReplicaSetInfo, RolloutInfo, RunInfo};
use serin_kubectl::phase;
use serin_local::EventRecord;
use serin_local::model::Workload;
use serin_local::request::pool_image;
use serin_local::view::{
    BlueGreenView, ExperimentTemplateView, ExperimentView, MemberRow, MetricView, PluginView, PoolView, ReasonView,
    ReplicasView, RolloutView, RunView, ServiceView, StepView, WeightView,
};
use serin_spec::lower;
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::analysis::AnalysisRunStatus;
use serin_spec::wire::keys::HASH_LABEL;

use super::seen::Seen;
use super::workload::moment;

/// A rollout.
pub(super) fn rollout(object: &Object, w: &Workload, seen: &Seen, now: Time) -> RolloutView {
    let info = RolloutInfo::of(object, &seen.family, now);
    let status = &w.status;
    let promoted = status.stable.is_some() && status.stable.as_ref() == Some(&w.rollout.hash);
    let image = |hash: Option<&Hash>| hash.and_then(|h| w.pool(h)).map_or_else(String::new, pool_image);
    let count = |n: i64| u32::try_from(n).unwrap_or(0);
    let (steps, step_index) = steps(w, promoted, &info);
    RolloutView {
        namespace: info.namespace.clone(),
        name: info.name.clone(),
        strategy: info.strategy.to_owned(),
        now_ms: now.as_millis(),
        image: w.template().containers().first().map_or_else(String::new, |c| c.image.clone()),
        stable_image: image(status.stable.as_ref()),
        revision: w.pool(&w.rollout.hash).map_or(0, |p| p.revision),
        promoted,
        restarting: w.restart_pending(),
        aborted: status.abort,
        steps,
        step_index,
        blue_green: blue_green(w),
        weight: weight(&info, w, promoted, object),
        replicas: ReplicasView {
            desired: count(info.replicas.desired),
            current: count(info.replicas.current),
            updated: count(info.replicas.updated),
            ready: count(info.replicas.ready),
            available: count(info.replicas.available),
        },
        pools: info.replica_sets.iter().map(|set| pool(set, w, seen)).collect(),
        runs: runs(&info.runs, seen),
        experiments: info.experiments.iter().rev().filter_map(|e| experiment_of(&e.name, seen, now)).collect(),
        traffic: Vec::new(),
        plugins: status.plugins.iter().map(PluginView::of).collect(),
        reasons: w.reasons.iter().map(|r| ReasonView { code: r.code().to_owned(), text: r.to_string() }).collect(),
        wake_at_ms: w.wake_at.map(Time::as_millis),
        phase: info.phase,
        message: info.message,
    }
}

/// A rollout that cannot be read any further.
pub(super) fn unread(object: &Object, why: &dyn std::error::Error, now: Time) -> RolloutView {
    RolloutView {
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        phase: phase::of(object, now).0,
        message: why.to_string(),
        now_ms: now.as_millis(),
        ..RolloutView::default()
    }
}

fn steps(w: &Workload, promoted: bool, info: &RolloutInfo) -> (Vec<StepView>, Option<usize>) {
    let available = |hash: &Hash| {
        let set = info.replica_sets.iter().find(|set| set.hash == hash.as_str());
        set.map_or(0, |set| u32::try_from(set.available).unwrap_or(0))
    };
    match (w.rollout.canary(), w.rollout.blue_green()) {
        (Some(_), _) => (serin_local::canary_steps(w, promoted), w.status.step_index),
        (None, Some(blue_green)) => {
            let (stages, over) = serin_local::blue_green_stages(w, blue_green, available);
            (stages, Some(over))
        }
        (None, None) => (Vec::new(), None),
    }
}

fn blue_green(w: &Workload) -> Option<BlueGreenView> {
    let blue_green = w.rollout.blue_green()?;
    let service = |name: &str, selects: Option<&Hash>| ServiceView {
        name: name.to_owned(),
        host: format!("{name}.{}.svc", w.object.metadata.namespace()),
        version: selects.map(Hash::to_string),
        image: selects.and_then(|hash| w.pool(hash)).map_or_else(String::new, pool_image),
    };
    let status = &w.status.blue_green;
    Some(BlueGreenView {
        active: service(&blue_green.active_service, status.active.as_ref()),
        preview: blue_green.preview_service.as_deref().map(|name| service(name, status.preview.as_ref())),
        checkpoint: status.checkpoint,
    })
}

fn weight(info: &RolloutInfo, w: &Workload, promoted: bool, object: &Object) -> WeightView {
    let Some(canary) = w.rollout.canary() else {
        let active = w.status.blue_green.active.as_ref() == Some(&w.rollout.hash);
        let share = if active { 100 } else { 0 };
        return WeightView { routed: true, set: share, actual: Some(share), total: 100 };
    };
    let total = canary.weight_total();
    let number = |text: &str| text.parse().unwrap_or(0);
    // Most routers are never asked; only one that was found to carry something else is not believed.
    let verified = object.0["status"]["canary"]["weights"]["verified"] != false;
    let routed = canary.traffic.is_some();
    let actual = if promoted { total } else { number(&info.actual_weight) };
    WeightView { routed, set: number(&info.set_weight), actual: (verified || !routed).then_some(actual), total }
}

fn pool(set: &ReplicaSetInfo, w: &Workload, seen: &Seen) -> PoolView {
    let object = seen.family.replica_sets.iter().find(|object| object.name() == set.name);
    let status = object.map_or(&serde_json::Value::Null, |object| &object.0["status"]);
    let held = w.pool(&Hash::new(&set.hash));
    let failure = (set.health == "ReplicaFailure").then(|| failure(status));
    let new = set.roles.is_empty() && w.rollout.hash.as_str() == set.hash;
    PoolView {
        hash: set.hash.clone(),
        revision: u64::try_from(set.revision).unwrap_or(0),
        image: set.images.first().cloned().unwrap_or_default(),
        role: if new { "new".to_owned() } else { set.roles.join(",") },
        metadata: Default::default(),
        size: held.map_or(0, |pool| pool.size),
        ready: u32::try_from(status["readyReplicas"].as_u64().unwrap_or(0)).unwrap_or(u32::MAX),
        available: u32::try_from(set.available).unwrap_or(0),
        created_ms: set.created.map_or(0, Time::as_millis),
        scale_down_at_ms: set.scale_down_at.map(Time::as_millis),
        failure,
        members: set.pods.iter().map(member).collect(),
    }
}

/// Why the pods of a ReplicaSet cannot be made.
fn failure(status: &serde_json::Value) -> String {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let failed = conditions.into_iter().find(|c| c["type"] == "ReplicaFailure");
    failed.and_then(|c| c["message"].as_str()).unwrap_or("its pods cannot be made").to_owned()
}

fn member(pod: &PodInfo) -> MemberRow {
    let settled = pod.ready == pod.containers && pod.status == "Running";
    MemberRow {
        name: pod.name.clone(),
        state: if settled { "Ready".to_owned() } else { pod.status.clone() },
        restarts: u32::try_from(pod.restarts).unwrap_or(u32::MAX),
        trouble: (pod.restarts > 0 && !settled).then(|| pod.status.clone()),
        ..MemberRow::default()
    }
}

/// Runs, newest first.
fn runs(infos: &[RunInfo], seen: &Seen) -> Vec<RunView> {
    let mut sorted: Vec<&RunInfo> = infos.iter().collect();
    sorted.sort_by_key(|run| (std::cmp::Reverse(run.created), run.name.clone()));
    sorted.into_iter().filter_map(|run| run_of(&run.name, seen)).collect()
}

fn run_of(name: &str, seen: &Seen) -> Option<RunView> {
    let object = seen.family.runs.iter().find(|object| object.name() == name)?;
    let run: AnalysisRun = serde_json::from_value(object.0.clone()).ok()?;
    let (spec, status) = (lower::run_spec(&run.spec), lower::run_status(&run.status.clone().unwrap_or_default()));
    let labels = &run.metadata.labels;
    let shown = |status: &AnalysisRunStatus| status.phase.clone().unwrap_or_default();
    Some(RunView {
        name: name.to_owned(),
        kind: labels.get("rollout-type").cloned().unwrap_or_default(),
        step: labels.get("step-index").and_then(|index| index.parse().ok()),
        hash: labels.get(HASH_LABEL).cloned().unwrap_or_default(),
        phase: run.status.as_ref().map_or_else(String::new, shown),
        message: status.message.clone(),
        created_ms: object.created().as_millis(),
        metrics: spec.metrics.iter().map(|metric| MetricView::of(metric, status.metric(&metric.name))).collect(),
    })
}

fn experiment_of(name: &str, seen: &Seen, now: Time) -> Option<ExperimentView> {
    let object = seen.family.experiments.iter().find(|object| object.name() == name)?;
    Some(experiment(object, seen, now, Vec::new()))
}

/// An experiment.
pub(super) fn experiment(object: &Object, seen: &Seen, now: Time, events: Vec<EventRecord>) -> ExperimentView {
    let info = ExperimentInfo::of(object, &seen.family);
    let (spec, status) = (&object.0["spec"], &object.0["status"]);
    let lasts = spec["duration"].as_str().and_then(|text| serin_spec::duration::parse_ms(text).ok());
    let begun = moment(&status["availableAt"]);
    let over = matches!(info.phase.as_str(), "Successful" | "Failed" | "Error" | "Inconclusive");
    let ends = begun.zip(lasts).filter(|_| !over).map(|(at, lasts)| at.as_millis() + lasts);
    let templates = spec["templates"].as_array().into_iter().flatten();
    let reasons = open_end(&info, lasts.is_none() && begun.is_some() && !over);
    ExperimentView {
        namespace: info.namespace.clone(),
        name: info.name.clone(),
        rollout: object.controller().filter(|owner| owner.kind == "Rollout").map(|owner| owner.name.to_owned()),
        message: info.message.clone(),
        now_ms: now.as_millis(),
        created_ms: object.created().as_millis(),
        available_at_ms: begun.map(Time::as_millis),
        ends_at_ms: ends,
        terminating: spec["terminate"] == true,
        templates: templates.map(|wire| template(wire, &info, status)).collect(),
        runs: runs(&info.runs, seen),
        reasons,
        wake_at_ms: ends,
        events,
        phase: info.phase,
    }
}

/// An experiment without a duration and without an analysis that it waits for runs until somebody ends it.
fn open_end(info: &ExperimentInfo, open: bool) -> Vec<ReasonView> {
    let waits = info.runs.iter().any(|run| matches!(run.phase.as_str(), "" | "Pending" | "Running"));
    let text = "it has no duration: it runs until it is terminated".to_owned();
    let reason = ReasonView { code: "runs-until-terminated".to_owned(), text };
    if open && !waits { vec![reason] } else { Vec::new() }
}

fn template(wire: &serde_json::Value, info: &ExperimentInfo, status: &serde_json::Value) -> ExperimentTemplateView {
    let name = wire["name"].as_str().unwrap_or_default();
    let statuses = status["templateStatuses"].as_array().into_iter().flatten();
    let none = serde_json::Value::Null;
    let status = statuses.into_iter().find(|s| s["name"] == name).unwrap_or(&none);
    let set = info.replica_sets.iter().find(|set| set.template == name);
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    let count = |key: &str| u32::try_from(status[key].as_u64().unwrap_or(0)).unwrap_or(u32::MAX);
    let image = wire["template"]["spec"]["containers"][0]["image"].as_str();
    ExperimentTemplateView {
        name: name.to_owned(),
        hash: text("podTemplateHash"),
        image: image.unwrap_or_default().to_owned(),
        phase: text("status"),
        message: text("message"),
        size: count("replicas"),
        ready: count("readyReplicas"),
        available: count("availableReplicas"),
        service: status["serviceName"].as_str().map(str::to_owned),
        weight: None,
        scale_down_at_ms: set.and_then(|set| set.scale_down_at).map(Time::as_millis),
        members: set.map_or_else(Vec::new, |set| set.pods.iter().map(member).collect()),
    }
}
