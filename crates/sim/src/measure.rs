//! What runs measure: the plan of a run, and what a metric answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::analysis::{Metric, RunKind, RunSpec};
use serin_core::{Hash, Time};
use serin_expr::Value;
use serin_promql::Store;

use crate::world::Measure;

/// Answers a query from the series at a time in milliseconds since 1970: a value and its text, or why there is none.
pub type Ask = Arc<dyn Fn(&Store, i64) -> Result<(Value, String), String> + Send + Sync>;

/// What a run measures, and why it cannot, if so.
#[derive(Clone, Default)]
pub struct Plan {
    /// In the core's terms.
    pub spec: RunSpec,
    /// For each metric the query that measures it; a metric without one is what its version is said to measure.
    pub queries: Vec<Option<Ask>>,
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
    /// The time.
    pub(crate) now: Time,
}

/// Which analysis, of which version, beside which stable one.
pub type PlanKey = (RunKind, Hash, Option<Hash>);

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
        Plans::Same(Arc::new(Plan { spec: RunSpec { metrics, terminate: false }, queries, problem: None }))
    }

    /// The plan of a run that belongs to no step of a rollout.
    pub(crate) fn any(&self) -> Arc<Plan> {
        match self {
            Plans::Same(plan) => plan.clone(),
            Plans::Each(_) => {
                let problem = Some("no analysis was prepared for an experiment".to_owned());
                Arc::new(Plan { problem, ..Plan::default() })
            }
        }
    }

    /// The plan of a run of this kind, while `latest` is wanted and `stable` is promoted.
    pub(crate) fn of(&self, kind: RunKind, latest: &Hash, stable: Option<&Hash>) -> Arc<Plan> {
        match self {
            Plans::Same(plan) => plan.clone(),
            Plans::Each(plans) => plans.get(&(kind, latest.clone(), stable.cloned())).cloned().unwrap_or_else(|| {
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
