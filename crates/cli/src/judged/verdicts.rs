//! The verdicts of a log in a row, whether they were recorded, replayed or never given.

use std::collections::BTreeMap;

use serde::Serialize;
use serin_core::analysis::RunPhase;
use serin_providers::sequential::replay::{Judged, word};
use serin_stats::judge::Verdict;

/// What a metric had shown at a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// The run; empty where there is only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) run: String,
    /// The metric.
    pub(crate) metric: String,
    /// What it had shown, in a word.
    pub(crate) verdict: &'static str,
    /// The phase of its measurement.
    pub(crate) phase: &'static str,
    /// Seconds on the rollout's clock since the update began.
    pub(crate) second: f64,
    /// The weight that the canary was to have.
    pub(crate) weight: String,
    /// Where it stood, in one line.
    pub(crate) text: String,
    /// Canary requests that had failed by then, where the router counted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_requests: Option<u64>,
    /// Milliseconds on the rollout's clock.
    #[serde(skip)]
    pub(crate) at_ms: i64,
}

/// Collects verdicts look by look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdicts {
    begun_ms: i64,
    /// The last look at each metric, by run and name.
    last: BTreeMap<(String, String), Judged>,
    rows: Vec<Row>,
}

impl Verdicts {
    /// Those of an update that began then, in milliseconds on the rollout's clock.
    pub(crate) fn new(begun_ms: i64) -> Self {
        Self { begun_ms, ..Self::default() }
    }

    /// Takes a look that held.
    pub(crate) fn take(&mut self, judged: &[Judged]) {
        for one in judged {
            let key = (one.run.clone(), one.metric.clone());
            let verdict = |judged: &Judged| judged.standing.as_ref().map(|standing| standing.verdict);
            let changed = verdict(one) != self.last.get(&key).and_then(verdict);
            let says = matches!(verdict(one), Some(Verdict::Passed | Verdict::Failed | Verdict::SplitWrong));
            if (changed && says) || one.phase.is_completed() {
                self.rows.push(self.row(one));
            }
            self.last.insert(key, one.clone());
        }
    }

    fn row(&self, judged: &Judged) -> Row {
        let standing = judged.standing.as_ref();
        Row {
            run: judged.run.clone(),
            metric: judged.metric.clone(),
            verdict: match (standing, judged.phase) {
                (_, RunPhase::Error) => "error",
                (Some(standing), _) => word(standing.verdict),
                (None, _) => "noData",
            },
            phase: judged.phase.as_str(),
            second: (judged.at_ms - self.begun_ms) as f64 / 1000.0,
            weight: judged.window.clone(),
            text: match standing {
                Some(standing) if judged.phase != RunPhase::Error => standing.to_string(),
                _ => judged.message.clone(),
            },
            failed_requests: None,
            at_ms: judged.at_ms,
        }
    }

    /// All verdicts, and where the others stand that gave none.
    pub(crate) fn finish(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        // What held is known with the next look of the same run.
        rows.sort_by_key(|row| row.at_ms);
        for ((run, metric), judged) in &self.last {
            if !rows.iter().any(|row| row.run == *run && row.metric == *metric) {
                rows.push(self.row(judged));
            }
        }
        rows
    }

    /// Where each metric stands, by run and name.
    pub(crate) fn last(&self) -> impl Iterator<Item = &Judged> {
        self.last.values()
    }
}
