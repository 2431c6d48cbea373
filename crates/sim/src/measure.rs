//! What runs measure: the plan of a run, and what a metric answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::analysis::{Metric, RunKind, RunSpec};
use serin_core::{Hash, Time};
use serin_expr::Value;

use crate::world::Measure;

/// What a run measures, and why it cannot, if so. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the core's terms.
    pub spec: RunSpec,
    /// Why such a run ends in error at once.
    pub problem: Option<String>,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// A value, and its text.
    Value(Value, String),
    /// The query fails.
    Broken(String),
}

/// The plan of every run.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    same: Arc<Plan>,
}

impl Plans {
    /// Every run measures the same.
    pub fn same(metrics: Vec<Metric>) -> Self {
        Self { same: Arc::new(Plan { spec: RunSpec { metrics, terminate: false }, problem: None }) }
    }

    /// The plan of a run of this kind, while `latest` is wanted and `stable` is promoted.
    pub(crate) fn of(&self, _kind: RunKind, _latest: &Hash, _stable: Option<&Hash>) -> Plan {
        Plan::clone(&self.same)
    }
}

impl Plan {
    /// What the metric at `index` measures for a version of these constants.
    pub(crate) fn answer(&self, index: usize, constants: Option<&BTreeMap<String, Measure>>, _now: Time) -> Answer {
        let name = &self.spec.metrics[index].name;
        match constants.and_then(|c| c.get(name)).unwrap_or(&Measure::NoData) {
            Measure::Broken(why) => Answer::Broken(why.clone()),
            Measure::NoData => Answer::Value(Vec::<f64>::new().into(), "[]".to_owned()),
            Measure::Number(number) => Answer::Value(vec![*number].into(), format!("[{number}]")),
        }
    }
}
