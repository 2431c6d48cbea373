//! What runs measure: the plan of a run, and what a metric answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::analysis::{Measurement, Metric, RunKind, RunSpec, RunStatus};
use serin_core::{Hash, Share, Time};
use serin_expr::Value;
use serin_promql::Store;
use serin_stats::batch::Batch;

use crate::world::Measure;

/// Answers a query from the series at a time in milliseconds since 1970: a value and its text, or why there is none.
pub type Ask = Arc<dyn Fn(&Store, i64) -> Result<(Value, String), String> + Send + Sync>;

/// A look at the sequential metrics of a run.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What the run measures.
    pub spec: &'a RunSpec,
    /// Its memory.
    pub status: &'a RunStatus,
    /// The metrics that are looked at.
    pub due: &'a [usize],
    /// What was counted lately, oldest first.
    pub batches: &'a [Batch],
    /// The weight that the canary is wanted to have.
    pub window: Share,
    /// The time of the look.
    pub now: Time,
}

/// Looks at sequential metrics as both adapters do: for each metric how it stands. Injected, like the answers of queries.
pub type Judge = Arc<dyn Fn(&Look<'_>) -> Vec<(usize, Measurement)> + Send + Sync>;

/// What a run measures, and why it cannot, if so.
#[derive(Clone, Default)]
pub struct Plan {
    /// In the core's terms.
    pub spec: RunSpec,
    /// For each metric the query that measures it; a metric without one is what its version is said to measure.
    pub queries: Vec<Option<Ask>>,
    /// Who judges its sequential metrics, if it has any.
    pub judge: Option<Judge>,
    /// Why such a run ends in error at once.
    pub problem: Option<String>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let problem = &self.problem;
        f.debug_struct("Plan").field("spec", &self.spec).field("problem", problem).finish_non_exhaustive()
    }
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// A value, and its text.
    Value(Value, String),
    /// The query fails.
    Broken(String),
}

/// Where answers come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// What the version measures by itself.
    pub(crate) constants: Option<&'a BTreeMap<String, Measure>>,
    /// What was scraped.
    pub(crate) store: Option<&'a Store>,
    /// What was counted by the second.
    pub(crate) batches: &'a [Batch],
    /// The weight that the canary is wanted to have.
    pub(crate) window: Share,
    /// The time.
    pub(crate) now: Time,
}

/// What a run judges.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judging {
    /// The update of a rollout.
    Rollout(RunKind),
    /// The experiment of a step, by its index, for the analysis of this name.
    Experiment(usize, String),
}

/// Which analysis, of which version, beside which stable one.
pub type PlanKey = (Judging, Hash, Option<Hash>);

/// The plan of every run.
#[derive(Debug, Clone)]
pub enum Plans {
    /// Every run measures the same.
    Same(Arc<Plan>),
    /// By analysis and versions; shared by all runs of a scenario.
    Each(Arc<BTreeMap<PlanKey, Arc<Plan>>>),
}

impl Default for Plans {
    fn default() -> Self {
        Plans::Same(Arc::default())
    }
}

impl Plans {
    /// Every run measures the same, and what its version is said to measure.
    pub fn same(metrics: Vec<Metric>) -> Self {
        let queries = vec![None; metrics.len()];
        Plans::Same(Arc::new(Plan { spec: RunSpec { metrics, terminate: false }, queries, ..Plan::default() }))
    }

    /// The plan of a run of this kind, while `latest` is wanted and `stable` is promoted.
    pub(crate) fn of(&self, kind: RunKind, latest: &Hash, stable: Option<&Hash>) -> Arc<Plan> {
        self.judging(Judging::Rollout(kind), latest, stable)
    }

    /// The plan of a run of the experiment of a step, likewise.
    pub(crate) fn of_experiment(&self, step: usize, analysis: &str, latest: &Hash, stable: Option<&Hash>) -> Arc<Plan> {
        self.judging(Judging::Experiment(step, analysis.to_owned()), latest, stable)
    }

    fn judging(&self, what: Judging, latest: &Hash, stable: Option<&Hash>) -> Arc<Plan> {
        match self {
            Plans::Same(plan) => plan.clone(),
            Plans::Each(plans) => plans.get(&(what, latest.clone(), stable.cloned())).cloned().unwrap_or_else(|| {
                // Its series may not have been kept, and no data would be taken for the version's fault.
                let problem = Some(format!("no analysis was prepared for {latest} beside {stable:?}"));
                Arc::new(Plan { problem, ..Plan::default() })
            }),
        }
    }
}

impl Plan {
    /// What the metric at `index` measures.
    pub(crate) fn answer(&self, index: usize, source: Source<'_>) -> Answer {
        if let (Some(Some(ask)), Some(store)) = (self.queries.get(index), source.store) {
            return match ask(store, source.now.as_millis()) {
                Ok((value, text)) => Answer::Value(value, text),
                Err(why) => Answer::Broken(why),
            };
        }
        let name = &self.spec.metrics[index].name;
        match source.constants.and_then(|c| c.get(name)).unwrap_or(&Measure::NoData) {
            Measure::Broken(why) => Answer::Broken(why.clone()),
            Measure::NoData => Answer::Value(Vec::<f64>::new().into(), "[]".to_owned()),
            Measure::Number(number) => Answer::Value(vec![*number].into(), format!("[{number}]")),
        }
    }
}
