//! Comparisons that look on in the demo, beside the analyses that decide: what they would have done, and how many requests it would have cost.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use serin_local::client::Client;
use serin_local::protocol::Request;
use serin_local::view::RolloutView;
use serin_stats::judge::Verdict;

use crate::error::CliError;

/// The template, within the example's folder.
const TEMPLATE: &str = "evidence/analysis-template.yaml";

/// What a comparison would have done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    metric: String,
    verdict: Verdict,
    /// From the deployment to the verdict, on the rollout's clock.
    seconds: Option<f64>,
    /// Answers of the new version until the verdict.
    answers: u64,
    /// Of these the ones that the metric calls bad; no prediction is bad by itself.
    bad: Option<u64>,
}

/// Adds the template to every rollout, to look on only.
pub(super) async fn watch(client: &mut Client, example: &Path, services: &[&str]) -> Result<(), CliError> {
    let path = example.join(TEMPLATE);
    let template = std::fs::read_to_string(&path).map_err(CliError::io("read the demo's comparisons"))?;
    let mut sources = vec![(path.display().to_string(), template)];
    for service in services {
        let found: Vec<Value> = client.ask(&Request::Manifest { service: (*service).to_owned() }).await?;
        let Some(mut rollout) = found.into_iter().next() else { continue };
        if let Some(fields) = rollout.as_object_mut() {
            fields.remove("status");
        }
        rollout["spec"]["strategy"]["canary"]["analysis"] =
            json!({ "templates": [{ "templateName": "comparisons" }], "dryRun": [{ "metricName": ".*" }] });
        sources.push((format!("{service}.yaml"), rollout.to_string()));
    }
    client.ask::<Value>(&Request::Apply { sources }).await?;
    Ok(())
}

/// What they found of the latest update.
pub(super) fn found(view: &RolloutView) -> Vec<Comparison> {
    let Some(run) = view.runs.iter().find(|run| run.kind == "Background") else { return Vec::new() };
    let of = |metric: &serin_local::view::MetricView| {
        let standing = metric.standing.as_ref()?;
        let ended = metric.measurements.last().and_then(|m| m.ended_ms);
        Some(Comparison {
            metric: metric.name.clone(),
            verdict: standing.verdict,
            seconds: ended.map(|end| (end - run.created_ms) as f64 / 1000.0),
            answers: standing.canary.total as u64,
            bad: standing.scores.is_none().then(|| standing.canary.bad.round() as u64),
        })
    };
    run.metrics.iter().filter_map(of).collect()
}

impl Comparison {
    /// Whether it would have rolled the version back.
    pub(super) fn is_against(&self) -> bool {
        self.verdict == Verdict::Failed
    }

    /// For a row of the report: what it would have done, when, after how many answers and bad ones.
    pub(super) fn row(&self) -> [String; 5] {
        let would = match self.verdict {
            Verdict::Failed => "rolls back",
            Verdict::Passed => "passes",
            Verdict::NoData => "no data",
            Verdict::Undecided => "undecided",
            Verdict::SplitWrong => "the split is wrong",
        };
        let bad = self.bad.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let after = self.seconds.filter(|_| self.is_against());
        let after = after.map_or_else(|| "-".to_owned(), |s| crate::output::age((s * 1000.0) as i64));
        [self.metric.clone(), would.to_owned(), after, self.answers.to_string(), bad]
    }
}
