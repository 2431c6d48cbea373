//! What an update can see: for every step and metric the smallest regression that is noticed in its time, at so many requests a second.
//!
//! Pure: manifests and a rate in, figures out. The figures are those of `serin_stats::needed`, which are forecasts and no bounds: at true rates that do not change, for requests that do
//! not depend on each other. Of a background analysis only the requests at the weight of the step are counted; what earlier weights have shown comes on top.

mod readings;
mod sequential;
mod timeline;
mod warnings;

pub use readings::{Chance, Readings};
pub use sequential::{Outlook, Sight};
pub use warnings::{Kind, Warning};

use serde::Serialize;
use serin_core::Hash;
use serin_core::analysis::{RunKind, RunSpec};
use serin_core::rollout::Undecided;

use crate::arguments::{self, Analysis, Environment};
use crate::catalog::{Catalog, Entry};
use crate::lint::{LATEST, STABLE};
use crate::lower;
use crate::recipe::{self, Sequential};
use crate::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::{AnalysisTemplate, ClusterAnalysisTemplate, Rollout};

/// What is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assumed {
    /// Requests of the service per second of the rollout's clock, all versions together. Above 0.
    pub rate: f64,
    /// Share of the stable version's answers that are errors, 0 to 1.
    pub stable_errors: f64,
    /// Probability with which a regression is to be noticed, above 0 and below 1.
    pub power: f64,
}

/// What one rollout can see.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Namespace of the rollout.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is assumed of its traffic.
    pub assumed: Assumed,
    /// Where pauses end as soon as the tests of the background analysis have passed: what happens when they have not in time (`hold`, `promote` or `rollback`).
    pub on_evidence: Option<&'static str>,
    /// The steps that take time, in their order.
    pub steps: Vec<Step>,
    /// What is likely not what was meant, in the order of the steps.
    pub warnings: Vec<Warning>,
}

/// A step that takes time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its number, from 1; of a blue-green update 1 before the switch and 2 after it.
    pub number: usize,
    /// Where it stands in the manifest.
    pub path: String,
    /// Argo's text for it, such as `pause: 60s`.
    pub text: String,
    /// The canary's share of the requests, 0 to 1.
    pub weight: f64,
    /// The share of stable's requests that is copied to the canary, 0 to 1.
    pub mirrored: f64,
    /// Seconds that it takes at least; `None` where nobody can tell, as for a pause that waits for a person.
    pub least_s: Option<f64>,
    /// Seconds that it takes at most, tests that decide early left out of account.
    pub most_s: Option<f64>,
    /// Requests that the canary answers in the shorter time, copies left out.
    pub canary_requests: Option<f64>,
    /// The metrics that judge during it.
    pub metrics: Vec<Metric>,
}

/// A metric during a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Which analysis it belongs to.
    pub run: Run,
    /// Whether it only looks on (`dryRun`).
    pub looks_on: bool,
    /// Seconds that it has; `None` where nobody can tell.
    pub seconds: Option<f64>,
    /// How it judges.
    #[serde(flatten)]
    pub judged: Judged,
}

/// Which analysis of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Run {
    /// The step itself.
    Step,
    /// The one beside the steps.
    Background,
    /// Before a blue-green switch.
    PrePromotion,
    /// After a blue-green switch.
    PostPromotion,
}

/// How a metric judges.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "judgedBy")]
pub enum Judged {
    /// By sequential tests.
    Tests(Outlook),
    /// By readings of a share of requests against a limit.
    Readings(Readings),
    /// By something of which counts of requests say nothing.
    Other {
        /// How many readings are taken; `None` for as many as there is time for.
        readings: Option<u32>,
        /// How many of them must fail; `None` when it never fails.
        must_fail: Option<u32>,
    },
}

/// A query as a share of the canary's own requests: the range that it looks back, in milliseconds. `None` for every other query. PromQL is read elsewhere; the argument after the
/// query is the text that stands for the new version's hash.
pub type Counted<'a> = &'a dyn Fn(&str, &str) -> Option<i64>;

/// What a rollout of a catalogue without errors can see.
///
/// # Errors
/// Why an analysis cannot be made, in Argo's words.
pub fn plan(
    catalog: &Catalog,
    entry: &Entry<Rollout>,
    assumed: Assumed,
    counted: Counted<'_>,
) -> Result<Plan, arguments::ArgumentError> {
    let runs = Runs::of(catalog, entry)?;
    let rollout = lower::rollout(&entry.object, 0, None);
    let moments = match rollout.canary() {
        Some(canary) => timeline::of_canary(canary, &entry.object, &runs),
        None => timeline::of_blue_green(&runs),
    };
    let steps = moments.iter().enumerate().map(|(at, _)| step(&moments, at, &runs, &assumed, counted)).collect();
    let mut plan = Plan {
        namespace: entry.object.metadata.namespace().to_owned(),
        name: entry.object.metadata.name().to_owned(),
        assumed,
        on_evidence: rollout.canary().and_then(|canary| canary.advance).map(word),
        steps,
        warnings: Vec::new(),
    };
    plan.warnings = warnings::of(&plan);
    Ok(plan)
}

fn step(moments: &[timeline::Moment], at: usize, runs: &Runs, assumed: &Assumed, counted: Counted<'_>) -> Step {
    let moment = &moments[at];
    let scene =
        |analysis: &AnalysisOfRun| timeline::Scene::of(moments, at, analysis.kind == RunKind::Background, assumed);
    let taking_part = runs.all.iter().filter(|run| moment.runs.contains(&run.kind));
    let metrics = taking_part.flat_map(|run| {
        let scene = scene(run);
        run.metrics.iter().filter_map(move |metric| metric.during(run, &scene, runs.weight, assumed, counted))
    });
    Step {
        number: moment.number,
        path: moment.path.clone(),
        text: moment.text.clone(),
        weight: moment.weight,
        mirrored: moment.mirrored,
        least_s: moment.least_s,
        most_s: moment.most_s,
        canary_requests: moment.least_s.map(|s| assumed.rate * moment.weight * s),
        metrics: metrics.collect(),
    }
}

/// The analyses of a rollout.
struct Runs {
    all: Vec<AnalysisOfRun>,
    /// Sum of the weights of all sequential metrics: they share one alpha.
    weight: f64,
}

struct AnalysisOfRun {
    kind: RunKind,
    metrics: Vec<Measured>,
    /// The strictest alpha of its sequential metrics: they fail together.
    alpha: f64,
}

/// A metric with its arguments filled in.
struct Measured {
    core: serin_core::analysis::Metric,
    query: Option<String>,
    sequential: Option<Sequential>,
}

impl Runs {
    fn of(catalog: &Catalog, entry: &Entry<Rollout>) -> Result<Self, arguments::ArgumentError> {
        let rollout = &entry.object;
        let namespace = rollout.metadata.namespace();
        let find = |reference: &AnalysisTemplateRef| template(catalog, namespace, reference);
        let json = serde_json::to_value(rollout).unwrap_or_default();
        let (latest, stable) = (Hash::new(LATEST), Hash::new(STABLE));
        let environment = Environment { rollout: &json, latest: &latest, stable: Some(&stable) };
        let steps = rollout.spec.strategy.canary.as_ref().map_or(0, |canary| canary.steps.len());
        let around = [RunKind::Background, RunKind::PrePromotion, RunKind::PostPromotion];
        let mut runs = Self { all: Vec::new(), weight: 0.0 };
        for kind in (0..steps).map(RunKind::Step).chain(around) {
            let Some(analysis) = Analysis::of(rollout, kind) else { continue };
            let spec = analysis.run_spec(&find, &environment)?;
            runs.weight += recipe::weight(&spec);
            runs.all.push(AnalysisOfRun::new(kind, &arguments::fill_masked(&spec)?));
        }
        Ok(runs)
    }

    fn get(&self, kind: RunKind) -> Option<&AnalysisOfRun> {
        self.all.iter().find(|run| run.kind == kind)
    }
}

impl AnalysisOfRun {
    fn new(kind: RunKind, filled: &AnalysisRunSpec) -> Self {
        let RunSpec { metrics, .. } = lower::run_spec(filled);
        let metrics: Vec<Measured> = metrics
            .into_iter()
            .zip(&filled.metrics)
            .map(|(core, wire)| Measured {
                core,
                query: wire.provider.prometheus.as_ref().and_then(|prometheus| prometheus.query.clone()),
                sequential: recipe::of(wire).and_then(Result::ok),
            })
            .collect();
        let alphas = metrics.iter().filter_map(|metric| Some(metric.sequential.as_ref()?.recipe.budget.alpha));
        let alpha = alphas.fold(f64::INFINITY, f64::min);
        Self { kind, metrics, alpha }
    }

    fn is(&self) -> Run {
        match self.kind {
            RunKind::Step(_) => Run::Step,
            RunKind::Background => Run::Background,
            RunKind::PrePromotion => Run::PrePromotion,
            RunKind::PostPromotion => Run::PostPromotion,
        }
    }
}

impl Measured {
    /// What it sees of a scene; `None` where it is not measured at all.
    fn during(
        &self,
        run: &AnalysisOfRun,
        scene: &timeline::Scene,
        weights: f64,
        assumed: &Assumed,
        counted: Counted<'_>,
    ) -> Option<Metric> {
        let own = run.kind != RunKind::Background;
        let (seconds, judged) = match &self.sequential {
            Some(sequential) => {
                // A step's test has its own time; one beside the steps has that of the step.
                let seconds = if own { Some(seconds(sequential.within)) } else { scene.seconds };
                let budget = sequential::Stakes {
                    alpha: run.alpha,
                    share: (sequential.weight / weights.max(sequential.weight)).clamp(0.0, 1.0),
                };
                (seconds, Judged::Tests(sequential::outlook(sequential, budget, scene, seconds, assumed)))
            }
            None => {
                let taken = readings::Taken::of(&self.core, scene, own);
                (taken.seconds, readings::judged(self, &taken, scene, assumed, counted))
            }
        };
        if !own && seconds == Some(0.0) {
            return None;
        }
        Some(Metric { name: self.core.name.clone(), run: run.is(), looks_on: self.core.dry_run, seconds, judged })
    }
}

fn template<'c>(
    catalog: &'c Catalog,
    namespace: &str,
    reference: &AnalysisTemplateRef,
) -> Option<&'c AnalysisTemplateSpec> {
    match reference.is_cluster_scope() {
        true => catalog.find::<ClusterAnalysisTemplate>("", &reference.template_name).map(|found| &found.object.spec),
        false => catalog.find::<AnalysisTemplate>(namespace, &reference.template_name).map(|found| &found.object.spec),
    }
}

fn seconds(span: serin_core::Span) -> f64 {
    span.as_millis() as f64 / 1000.0
}

/// The word of a manifest for what is done when nothing is decided.
fn word(undecided: Undecided) -> &'static str {
    match undecided {
        Undecided::Hold => "hold",
        Undecided::Promote => "promote",
        Undecided::RollBack => "rollback",
    }
}

#[cfg(test)]
mod tests;
