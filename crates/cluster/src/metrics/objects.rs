//! What the stored objects say of themselves, under Argo's names. They are read when somebody asks, as far as a series needs it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::page::Page;
use crate::resource::{ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT, Resource};
use crate::store::{Name, Store};

/// A rollout, as far as its series need it. What cannot be read counts as missing: the rollout says itself that it is invalid.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rollout {
    spec: RolloutSpec,
    status: RolloutStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RolloutSpec {
    replicas: Option<f64>,
    strategy: Strategy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    canary: Option<Canary>,
    blue_green: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Canary {
    traffic_routing: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RolloutStatus {
    replicas: f64,
    available_replicas: f64,
    updated_replicas: f64,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    reason: String,
}

/// A run or an experiment.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    spec: Metrics,
    status: RunStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: Metrics,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics {
    metrics: Vec<Metric>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metric {
    name: String,
    provider: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RunStatus {
    phase: String,
    metric_results: Vec<MetricResult>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MetricResult {
    name: String,
    phase: String,
    dry_run: bool,
}

/// Phases that the deprecated series of rollouts have.
//= compat: 9.3-4
const ROLLOUT_PHASES: [&str; 6] = ["Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"];

/// Phases of runs, of metrics and of experiments.
const RUN_PHASES: [&str; 6] = ["Pending", "Running", "Successful", "Failed", "Error", "Inconclusive"];

/// Writes the series of all objects.
pub(super) fn write(page: &mut Page, store: &Store) {
    rollouts(page, &read::<Rollout>(store, ROLLOUT));
    runs(page, &read::<Run>(store, ANALYSIS_RUN));
    let mut templates = read::<Template>(store, ANALYSIS_TEMPLATE);
    templates.extend(read::<Template>(store, CLUSTER_ANALYSIS_TEMPLATE));
    self::templates(page, &templates);
    let experiments = read::<Run>(store, EXPERIMENT);
    phases(page, "experiment", "experiment", &experiments);
}

//= compat: 9.2-8
fn read<T: DeserializeOwned + Default>(store: &Store, resource: Resource) -> Vec<(&Name, T)> {
    let all = store.texts(resource);
    all.map(|(name, text)| (name, serde_json::from_str(text).unwrap_or_default())).collect()
}

impl Rollout {
    fn strategy(&self) -> &'static str {
        match (&self.spec.strategy.blue_green, &self.spec.strategy.canary) {
            (Some(_), _) => "blueGreen",
            (None, Some(_)) => "canary",
            (None, None) => "none",
        }
    }

    //= compat: 9.3-2, 9.3-5
    fn router(&self) -> &'static str {
        const ROUTERS: [(&str, &str); 6] = [
            ("alb", "ALB"),
            ("ambassador", "Ambassador"),
            ("istio", "Istio"),
            ("nginx", "Nginx"),
            ("smi", "SMI"),
            ("appMesh", "AppMesh"),
        ];
        let routing = self.spec.strategy.canary.as_ref().map(|canary| &canary.traffic_routing);
        let has = |key: &str| routing.is_some_and(|routing| routing.contains_key(key));
        ROUTERS.iter().rfind(|(key, _)| has(key)).map_or("", |(_, name)| name)
    }

    //= compat: 9.3-3, 10.12
    fn phase(&self) -> &'static str {
        let conditions = &self.status.conditions;
        if conditions.iter().any(|condition| condition.r#type == "InvalidSpec") {
            return "InvalidSpec";
        }
        let progressing = conditions.iter().find(|condition| condition.r#type == "Progressing");
        match progressing.map_or("", |condition| condition.reason.as_str()) {
            "NewReplicaSetAvailable" => "Completed",
            "RolloutPaused" => "Paused",
            "ReplicaSetCreateError" => "Error",
            "ProgressDeadlineExceeded" => "Timeout",
            "RolloutAborted" => "Abort",
            _ => "Progressing",
        }
    }
}

fn named(name: &Name) -> [(&'static str, &str); 2] {
    [("namespace", &name.namespace), ("name", &name.name)]
}

fn rollouts(page: &mut Page, all: &[(&Name, Rollout)]) {
    page.family("rollout_info", "gauge", "A rollout, with its strategy, router and phase.");
    for (name, rollout) in all {
        let [namespace, name] = named(name);
        let strategy = ("strategy", rollout.strategy());
        let router = ("traffic_router", rollout.router());
        page.sample("rollout_info", &[namespace, name, strategy, router, ("phase", rollout.phase())], 1.0);
    }
    type Number = (&'static str, &'static str, fn(&Rollout) -> f64);
    let numbers: [Number; 4] = [
        ("available", "Replicas that are available.", |rollout| rollout.status.available_replicas),
        ("unavailable", "Replicas that are not available.", |rollout| {
            rollout.status.replicas - rollout.status.available_replicas
        }),
        ("desired", "Replicas that are wanted.", |rollout| rollout.spec.replicas.unwrap_or(1.0)),
        ("updated", "Replicas of the new version.", |rollout| rollout.status.updated_replicas),
    ];
    //= compat: 9.3-5
    for (what, help, number) in numbers {
        let family = format!("rollout_info_replicas_{what}");
        page.family(&family, "gauge", help);
        for (name, rollout) in all {
            page.sample(&family, &named(name), number(rollout));
        }
    }
    page.family("rollout_phase", "gauge", "Whether a rollout is in a phase. Deprecated: rollout_info has it.");
    for (name, rollout) in all {
        let [namespace, name] = named(name);
        for phase in ROLLOUT_PHASES {
            let labels = [namespace, name, ("strategy", rollout.strategy()), ("phase", phase)];
            page.sample("rollout_phase", &labels, f64::from(u8::from(rollout.phase() == phase)));
        }
    }
}

/// No phase yet is the first one.
//= compat: 9.3-4
fn phase(text: &str) -> &str {
    if text.is_empty() { "Pending" } else { text }
}

/// `…_info` and the deprecated `…_phase`.
fn phases(page: &mut Page, prefix: &str, what: &str, all: &[(&Name, Run)]) {
    let info = format!("{prefix}_info");
    page.family(&info, "gauge", &format!("An {what}, with its phase."));
    for (name, one) in all {
        let [namespace, name] = named(name);
        page.sample(&info, &[namespace, name, ("phase", phase(&one.status.phase))], 1.0);
    }
    let family = format!("{prefix}_phase");
    page.family(&family, "gauge", &format!("Whether an {what} is in a phase. Deprecated: {info} has it."));
    for (name, one) in all {
        let [namespace, name] = named(name);
        for each in RUN_PHASES {
            let is = f64::from(u8::from(phase(&one.status.phase) == each));
            page.sample(&family, &[namespace, name, ("phase", each)], is);
        }
    }
}

fn runs(page: &mut Page, all: &[(&Name, Run)]) {
    phases(page, "analysis_run", "analysis run", all);
    page.family("analysis_run_metric_type", "gauge", "A metric of an analysis run, with where it is measured.");
    for (name, run) in all {
        let [namespace, name] = named(name);
        for metric in &run.spec.metrics {
            let labels = [namespace, name, ("metric", &metric.name), ("type", metric.source())];
            page.sample("analysis_run_metric_type", &labels, 1.0);
        }
    }
    page.family("analysis_run_metric_phase", "gauge", "Whether a metric of an analysis run is in a phase.");
    for (name, run) in all {
        let [namespace, name] = named(name);
        for metric in &run.spec.metrics {
            let Some(result) = run.status.metric_results.iter().find(|result| result.name == metric.name) else {
                continue;
            };
            let dry_run = ("dry_run", if result.dry_run { "true" } else { "false" });
            for each in RUN_PHASES {
                let is = f64::from(u8::from(phase(&result.phase) == each));
                let (metric, source) = (("metric", metric.name.as_str()), ("type", metric.source()));
                page.sample(
                    "analysis_run_metric_phase",
                    &[namespace, name, metric, source, dry_run, ("phase", each)],
                    is,
                );
            }
        }
    }
}

impl Metric {
    /// The provider as Argo's series name it; that of a plugin is the plugin's own.
    fn source(&self) -> &str {
        const SOURCES: [(&str, &str); 11] = [
            ("prometheus", "Prometheus"),
            ("kayenta", "Kayenta"),
            ("web", "Web"),
            ("datadog", "Datadog"),
            ("wavefront", "Wavefront"),
            ("newRelic", "NewRelic"),
            ("job", "Job"),
            ("cloudWatch", "CloudWatch"),
            ("graphite", "Graphite"),
            ("influxdb", "Influxdb"),
            ("skywalking", "SkyWalking"),
        ];
        if let Some(plugins) = self.provider.get("plugin").and_then(serde_json::Value::as_object) {
            return plugins.keys().next().map_or("", String::as_str);
        }
        let known = SOURCES.iter().find(|(key, _)| self.provider.contains_key(*key));
        known.map_or("", |(_, name)| name)
    }
}

fn templates(page: &mut Page, all: &[(&Name, Template)]) {
    page.family("analysis_template_info", "gauge", "A template of analyses; one of the cluster has no namespace.");
    for (name, _) in all {
        page.sample("analysis_template_info", &named(name), 1.0);
    }
    page.family("analysis_template_metric_info", "gauge", "A metric of a template, with where it is measured.");
    for (name, template) in all {
        let [namespace, name] = named(name);
        for metric in &template.spec.metrics {
            let labels = [namespace, name, ("type", metric.source()), ("metric", &metric.name)];
            page.sample("analysis_template_metric_info", &labels, 1.0);
        }
    }
}
