//! What a run has to know of its rollout: which part of alpha is each metric's, and whether its tests go on after they passed. It is written into the run's
//! own settings, so that the run means the same whoever carries it out, and later.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_core::analysis::RunKind;

use super::{NAMES, read};
use crate::wire::analysis::AnalysisRunSpec;

/// What was filled in when the run was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolved {
    /// The metric's part of the rollout's alpha, 0 to 1.
    pub share: f64,
    /// Whether it goes on after it passed, until it is stopped: that of a background run.
    pub goes_on: bool,
}

/// The sum of the weights of a run's sequential metrics.
pub fn weight(spec: &AnalysisRunSpec) -> f64 {
    let settings = spec.metrics.iter().flat_map(|metric| &metric.provider.plugin);
    let settings = settings.filter(|(name, _)| NAMES.contains(&name.as_str()));
    settings.filter_map(|(name, value)| Some(read(name, value).ok()?.weight)).sum()
}

/// Fills in the settings of a run's sequential metrics. `total` is the sum of the weights of all runs of the rollout: at most one is spent, however many of them there are.
pub fn resolve(spec: &mut AnalysisRunSpec, total: f64, goes_on: bool) {
    for metric in &mut spec.metrics {
        for (name, value) in metric.provider.plugin.iter_mut().filter(|(name, _)| NAMES.contains(&name.as_str())) {
            let Ok(sequential) = read(name, value) else { continue };
            let share = (sequential.weight / total.max(sequential.weight)).clamp(0.0, 1.0);
            if value.is_null() {
                *value = json!({});
            }
            if let Value::Object(map) = value {
                map.insert("resolved".to_owned(), json!(Resolved { share, goes_on }));
            }
        }
    }
}

/// The same for a run of a rollout with `steps` steps. `run_spec` says what its run of a kind measures; `None` for a kind that it has none of.
pub fn resolve_run(
    spec: &mut AnalysisRunSpec,
    kind: RunKind,
    steps: usize,
    run_spec: &dyn Fn(RunKind) -> Option<AnalysisRunSpec>,
) {
    if !spec.metrics.iter().any(super::is_sequential) {
        return;
    }
    resolve(spec, total(steps, run_spec), kind == RunKind::Background);
}

/// The sum of the weights of all sequential metrics that the runs of a rollout with `steps` steps may have: each gets its part of one alpha.
pub fn total(steps: usize, run_spec: &dyn Fn(RunKind) -> Option<AnalysisRunSpec>) -> f64 {
    let around = [RunKind::Background, RunKind::PrePromotion, RunKind::PostPromotion];
    let kinds = (0..steps).map(RunKind::Step).chain(around);
    kinds.filter_map(run_spec).map(|spec| weight(&spec)).sum()
}

/// What was filled in; a run that somebody made by hand has all of alpha, shared by its own metrics.
pub fn resolved(value: &Value, spec: &AnalysisRunSpec) -> Resolved {
    let filled = value.get("resolved").and_then(|value| serde_json::from_value(value.clone()).ok());
    filled.unwrap_or_else(|| {
        let sequential = spec.metrics.iter().filter(|metric| super::is_sequential(metric)).count();
        Resolved { share: 1.0 / sequential.max(1) as f64, goes_on: false }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(weights: &[f64]) -> AnalysisRunSpec {
        let metric = |weight: &f64| {
            let name = format!("weighs-{weight}");
            json!({ "name": name, "provider": { "plugin": { "serin.dev/compare": { "weight": weight } } } })
        };
        let metrics: Vec<Value> = weights.iter().map(metric).collect();
        serde_json::from_value(json!({ "metrics": metrics })).unwrap()
    }

    fn shares(spec: &AnalysisRunSpec) -> Vec<(f64, bool)> {
        let settings = spec.metrics.iter().filter_map(|metric| crate::recipe::settings(metric));
        settings.map(|(_, value)| resolved(value, spec)).map(|r| (r.share, r.goes_on)).collect()
    }

    #[test]
    fn all_runs_of_a_rollout_share_one_alpha() {
        let kinds = |kind: RunKind| match kind {
            RunKind::Step(1) => Some(spec(&[1.0])),
            RunKind::Background => Some(spec(&[2.0, 1.0])),
            _ => None,
        };
        let of = |kind: RunKind| {
            let mut spec = kinds(kind).unwrap();
            resolve_run(&mut spec, kind, 3, &kinds);
            shares(&spec)
        };
        assert_eq!(of(RunKind::Step(1)), [(0.25, false)]);
        assert_eq!(of(RunKind::Background), [(0.5, true), (0.25, true)]);
        // A step that only came about later spends no more than there is.
        let mut late = spec(&[3.0]);
        resolve_run(&mut late, RunKind::Step(0), 0, &|_| None);
        assert_eq!(shares(&late), [(1.0, false)]);
    }

    #[test]
    fn a_run_without_sequential_metrics_stays_as_it_is() {
        let metrics = json!([{ "name": "m", "provider": { "plugin": { "acme/compare": {} } } }]);
        let plain: AnalysisRunSpec = serde_json::from_value(json!({ "metrics": metrics })).unwrap();
        let mut spec = plain.clone();
        resolve_run(&mut spec, RunKind::Background, 3, &|_| panic!("nobody asks"));
        assert_eq!(spec, plain);
    }
}
