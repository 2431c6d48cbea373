//! How a rollout looks from outside: plain data for `status`, `get rollout`, `explain`, the live view and machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serin_core::analysis::{Metric, MetricResult};
use serin_core::plugin::PluginStatus;
use serin_providers::sequential::STANDING;
use serin_stats::judge::Standing;

/// A rollout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `Canary` or `BlueGreen`.
    pub strategy: String,
    /// `Healthy`, `Progressing`, `Paused` or `Degraded`.
    pub phase: String,
    /// Why.
    pub message: String,
    /// What its clock shows, in milliseconds.
    pub now_ms: i64,
    /// Image that is wanted.
    pub image: String,
    /// Image of the stable version.
    pub stable_image: String,
    /// Revision that is wanted.
    pub revision: u64,
    /// Whether the wanted version is the stable one.
    pub promoted: bool,
    /// Whether a restart of the members was asked for and is not done.
    #[serde(default)]
    pub restarting: bool,
    /// Whether the update was aborted.
    pub aborted: bool,
    /// The steps; of a blue-green rollout what an update goes through until it is promoted.
    pub steps: Vec<StepView>,
    /// Steps completed; the number of steps when all are.
    pub step_index: Option<usize>,
    /// The services of a blue-green rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreenView>,
    /// Traffic.
    pub weight: WeightView,
    /// Members.
    pub replicas: ReplicasView,
    /// Versions, newest revision first.
    pub pools: Vec<PoolView>,
    /// Analysis runs, newest first.
    pub runs: Vec<RunView>,
    /// Experiments of its steps, newest first.
    #[serde(default)]
    pub experiments: Vec<ExperimentView>,
    /// What the router saw, per version.
    pub traffic: Vec<TrafficView>,
    /// What step plugins were asked and said, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginView>,
    /// Why it is where it is; the most important first.
    pub reasons: Vec<ReasonView>,
    /// When it is looked at next, if a time is set.
    pub wake_at_ms: Option<i64>,
}

/// A step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Argo's text, such as `setWeight: 20`.
    pub text: String,
    /// `done`, `current` or `waiting`.
    pub state: String,
}

/// The services of a blue-green rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreenView {
    /// The users' service.
    pub active: ServiceView,
    /// The service that leads to the new version before the switch.
    pub preview: Option<ServiceView>,
    /// `scaleUpPreviewCheckPoint`: nothing but the members is missing for the switch.
    pub checkpoint: bool,
}

/// A service and the version it leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// Name.
    pub name: String,
    /// A host by which the router leads to it, besides those of an Ingress.
    pub host: String,
    /// Hash of the version that the router was last read back to send its requests to.
    pub version: Option<String>,
    /// Image of that version.
    pub image: String,
}

/// An operation of a step plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginView {
    /// Index of the step, from 0.
    pub step: usize,
    /// Name of the plugin.
    pub name: String,
    /// `Run`, `Abort` or `Terminate`.
    pub operation: String,
    /// `Running`, `Successful`, `Failed` or `Error`.
    pub phase: String,
    /// What it said last, or why it could not be asked.
    pub message: String,
    /// Answers so far.
    pub executions: u32,
    /// It is switched off.
    pub disabled: bool,
}

/// Traffic wanted and seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightView {
    /// Whether a router splits the requests.
    pub routed: bool,
    /// Share of the new version that is wanted.
    pub set: u32,
    /// Share that the router was read back to carry; absent while it carries something else.
    pub actual: Option<u32>,
    /// What the shares count against.
    pub total: u32,
}

impl WeightView {
    /// A share with what it counts against, where that is not a hundred: `20` or `5/1000`.
    pub fn share(&self, weight: u32) -> String {
        match self.total {
            100 => weight.to_string(),
            total => format!("{weight}/{total}"),
        }
    }
}

/// Members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasView {
    /// Wanted.
    pub desired: u32,
    /// Existing, of all versions.
    pub current: u32,
    /// Existing, of the wanted version.
    pub updated: u32,
    /// Ready.
    pub ready: u32,
    /// Available.
    pub available: u32,
}

/// A version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolView {
    /// Hash of its template.
    pub hash: String,
    /// Revision.
    pub revision: u64,
    /// Image of its first container.
    pub image: String,
    /// `stable`, `canary`, both as `stable`, or empty for an old one. Of a blue-green rollout `stable`, `active` and `preview`
    /// with commas between, `new`, or empty.
    pub role: String,
    /// Labels and annotations that its role puts on its members.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Wanted members.
    pub size: u32,
    /// Ready members.
    pub ready: u32,
    /// Available members.
    pub available: u32,
    /// When it was created, in milliseconds.
    pub created_ms: i64,
    /// When it goes to zero, in milliseconds.
    pub scale_down_at_ms: Option<i64>,
    /// Why members cannot be made.
    pub failure: Option<String>,
    /// Its members.
    pub members: Vec<MemberRow>,
}

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRow {
    /// Pod name.
    pub name: String,
    /// `Starting`, `Ready`, `Draining`, `Stopping`, `Waiting`.
    pub state: String,
    /// Process.
    pub pid: Option<i32>,
    /// Port on loopback.
    pub port: u16,
    /// Restarts.
    pub restarts: u32,
    /// Why it last ended.
    pub trouble: Option<String>,
    /// Its log file.
    pub log: String,
}

/// An analysis run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// Object name.
    pub name: String,
    /// `Step`, `Background`, `PrePromotion`, `PostPromotion`, or empty for a run on its own.
    pub kind: String,
    /// Index of its step.
    pub step: Option<usize>,
    /// Version under test.
    pub hash: String,
    /// Phase.
    pub phase: String,
    /// Why.
    pub message: String,
    /// When it was created, in milliseconds.
    pub created_ms: i64,
    /// Its metrics.
    pub metrics: Vec<MetricView>,
}

/// An experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentView {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The rollout that made it; absent for one applied on its own.
    pub rollout: Option<String>,
    /// `Pending`, `Running`, `Successful`, `Failed`, `Error` or `Inconclusive`; empty where the spec is invalid.
    pub phase: String,
    /// Why.
    pub message: String,
    /// What its clock shows, in milliseconds.
    pub now_ms: i64,
    /// When it was created, in milliseconds.
    pub created_ms: i64,
    /// When all versions were there, in milliseconds.
    pub available_at_ms: Option<i64>,
    /// When the time of its versions is over, in milliseconds, if a time is set and runs.
    pub ends_at_ms: Option<i64>,
    /// Whether it was asked to end.
    pub terminating: bool,
    /// Its versions.
    pub templates: Vec<ExperimentTemplateView>,
    /// Its analysis runs, in the order of its analyses.
    pub runs: Vec<RunView>,
    /// Why it is where it is; the most important first.
    pub reasons: Vec<ReasonView>,
    /// When it is looked at next, if a time is set.
    pub wake_at_ms: Option<i64>,
    /// What happened, oldest first.
    pub events: Vec<crate::EventRecord>,
}

/// A version of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentTemplateView {
    /// The template's name.
    pub name: String,
    /// Hash of its pods, once it has a pool.
    pub hash: String,
    /// Image of its first container.
    pub image: String,
    /// `Progressing`, `Running`, `Successful`, `Failed` or `Error`.
    pub phase: String,
    /// Why.
    pub message: String,
    /// Wanted members.
    pub size: u32,
    /// Ready members.
    pub ready: u32,
    /// Available members.
    pub available: u32,
    /// Its service, while there is one.
    pub service: Option<String>,
    /// Share of the rollout's requests that the router should give it.
    pub weight: Option<u32>,
    /// When its members go, in milliseconds.
    pub scale_down_at_ms: Option<i64>,
    /// Its members.
    pub members: Vec<MemberRow>,
}

impl ExperimentView {
    /// Whether it is over.
    pub fn is_final(&self) -> bool {
        matches!(self.phase.as_str(), "Successful" | "Failed" | "Error" | "Inconclusive")
    }
}

/// A metric of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricView {
    /// Name.
    pub name: String,
    /// Phase.
    pub phase: String,
    /// Why.
    pub message: String,
    /// `successCondition`, as written.
    pub success: Option<String>,
    /// `failureCondition`, as written.
    pub failure: Option<String>,
    /// Successful measurements.
    pub successful: u32,
    /// Failed ones.
    pub failed: u32,
    /// Inconclusive ones.
    pub inconclusive: u32,
    /// Errors.
    pub error: u32,
    /// Failures tolerated; negative is unlimited.
    pub failure_limit: i32,
    /// Where a sequential test stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// Measurements wanted, if there is an end.
    pub count: Option<u32>,
    /// Whether it only looks on.
    pub dry_run: bool,
    /// The latest measurements, oldest first.
    pub measurements: Vec<MeasurementView>,
}

/// A measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasurementView {
    /// When it was taken, in milliseconds.
    pub at_ms: i64,
    /// When it ended; absent while a test goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// What was measured.
    pub value: String,
    /// Phase.
    pub phase: String,
    /// Why, for errors.
    pub message: String,
}

/// What the router saw of one version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficView {
    /// Hash.
    pub version: String,
    /// Of a blue-green rollout `active` or `preview`: the service that the requests were for. `mirror` for copies of requests,
    /// whose answers nobody gets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub via: String,
    /// Requests since the router began.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests per real second, over the last seconds.
    pub rate: f64,
    /// Share of 5xx per second, over the last minute, oldest first.
    pub error_series: Vec<f64>,
    /// 95th percentile of the latency in milliseconds per second, over the last minute, oldest first.
    pub p95_series: Vec<f64>,
    /// Predictions by class over the last minute.
    pub predictions: Vec<(String, u64)>,
}

/// A reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasonView {
    /// Stable short word.
    pub code: String,
    /// Text.
    pub text: String,
}

impl RolloutView {
    /// Whether nothing more happens by itself: promoted and healthy, or given up.
    pub fn is_final(&self) -> bool {
        self.phase == "Healthy" || self.phase == "Degraded"
    }
}

impl RolloutView {
    /// Whether it waits for a person: a pause without an end, one that a person made, or an inconclusive run.
    pub fn waits_for_person(&self) -> bool {
        let codes = ["paused-for-person", "paused-by-person", "paused-inconclusive"];
        self.phase == "Paused" && self.reasons.iter().any(|r| codes.contains(&r.code.as_str()))
    }

    /// Whether the last decision saw everything that people asked for: healthy on the version that is wanted, or given up on it.
    pub fn is_settled(&self) -> bool {
        match self.phase.as_str() {
            "Healthy" => self.promoted && !self.restarting,
            _ => true,
        }
    }
}

impl PluginView {
    /// What is known of an operation.
    pub fn of(plugin: &PluginStatus) -> Self {
        Self {
            step: plugin.index,
            name: plugin.name.clone(),
            operation: plugin.operation.as_str().to_owned(),
            phase: plugin.phase.as_str().to_owned(),
            message: plugin.message.clone(),
            executions: plugin.executions,
            disabled: plugin.disabled,
        }
    }
}

impl MetricView {
    /// A metric with what came of it so far.
    pub fn of(metric: &Metric, result: Option<&MetricResult>) -> Self {
        let empty = MetricResult::default();
        let result = result.unwrap_or(&empty);
        let measurement = |m: &serin_core::analysis::Measurement| MeasurementView {
            at_ms: m.started.as_millis(),
            ended_ms: m.finished.map(serin_core::Time::as_millis),
            value: m.value.clone(),
            phase: m.phase.as_str().to_owned(),
            message: m.message.clone(),
        };
        Self {
            name: metric.name.clone(),
            phase: result.phase.as_str().to_owned(),
            message: result.message.clone(),
            success: metric.success.clone(),
            failure: metric.failure.clone(),
            successful: result.successful,
            failed: result.failed,
            inconclusive: result.inconclusive,
            error: result.error,
            failure_limit: metric.failure_limit,
            standing: result.measurements.last().and_then(standing),
            count: metric.effective_count(),
            dry_run: metric.dry_run,
            measurements: result.measurements.iter().map(measurement).collect(),
        }
    }
}

/// Where the sequential test of a measurement stands.
fn standing(measurement: &serin_core::analysis::Measurement) -> Option<Standing> {
    serde_json::from_str(measurement.metadata.get(STANDING)?).ok()
}
