//! What the demo found: who was promoted, who was rolled back, and why.

use std::time::Duration;

use serde::Serialize;
use serin_local::view::{MeasurementView, RolloutView, RunView};

use super::beside::{self, Comparison};
use crate::output::{self, age, tag};

/// What should happen to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expected {
    /// It becomes the stable one.
    Promoted,
    /// The former one stays.
    RolledBack,
}

impl Expected {
    /// For a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Expected::Promoted => "promoted",
            Expected::RolledBack => "rolled back",
        }
    }
}

/// The report of a demo.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    promotions: usize,
    rollbacks: usize,
    as_expected: bool,
    speed: f64,
    seconds: f64,
    services: Vec<ServiceReport>,
    load: Option<serde_json::Value>,
}

/// What became of one service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceReport {
    service: String,
    version: String,
    stable_version: String,
    expected: Expected,
    outcome: Option<Expected>,
    reason: String,
    /// On the rollout's clock.
    seconds: Option<f64>,
    weights: Vec<u32>,
    traffic: Vec<Traffic>,
    verdicts: Vec<Verdict>,
    /// What looked on beside them.
    comparisons: Vec<Comparison>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Traffic {
    version: String,
    requests: u64,
    errors: u64,
}

/// What a metric said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    run: String,
    metric: String,
    phase: String,
    condition: Option<String>,
    measurements: Vec<MeasurementView>,
}

impl ServiceReport {
    pub(super) fn new(
        view: &RolloutView,
        version: &str,
        expected: Expected,
        seconds: Option<f64>,
        weights: Vec<u32>,
    ) -> Self {
        let outcome = match (seconds, view.aborted) {
            (None, _) => None,
            (Some(_), true) => Some(Expected::RolledBack),
            (Some(_), false) => Some(Expected::Promoted),
        };
        let reason = match outcome {
            Some(Expected::Promoted) => format!("completed all {} canary steps", view.steps.len()),
            _ => view.message.clone(),
        };
        let name =
            |hash: &str| view.pools.iter().find(|p| p.hash == hash).map_or_else(|| hash.to_owned(), |p| tag(&p.image));
        let traffic = view
            .traffic
            .iter()
            .map(|t| Traffic { version: name(&t.version), requests: t.requests, errors: t.errors })
            .collect();
        Self {
            service: view.name.clone(),
            version: version.to_owned(),
            stable_version: tag(&view.stable_image),
            expected,
            outcome,
            reason,
            seconds,
            weights,
            traffic,
            verdicts: verdicts(view.runs.iter().filter(|run| run.kind != "Background")),
            comparisons: beside::found(view),
        }
    }

    /// What each rule did, or would have done: the one that decided first.
    fn rules(&self) -> Vec<Vec<String>> {
        let new = self.traffic.iter().find(|t| t.version == self.version);
        let (answers, bad) = new.map_or((0, 0), |t| (t.requests, t.errors));
        let did = match self.outcome {
            Some(Expected::RolledBack) => "rolled back",
            Some(Expected::Promoted) => "promoted",
            None => "no outcome",
        };
        let after = self.seconds.map_or_else(|| "-".to_owned(), |n| age((n * 1000.0) as i64));
        let own = ["analysis steps".to_owned(), did.to_owned(), after, answers.to_string(), bad.to_string()];
        let all = std::iter::once(own).chain(self.comparisons.iter().map(Comparison::row));
        let named = all.enumerate().map(|(i, row)| {
            let (service, version) = if i == 0 { (self.service.as_str(), self.version.as_str()) } else { ("", "") };
            [service.to_owned(), version.to_owned()].into_iter().chain(row).collect()
        });
        named.collect()
    }
}

/// What the metrics of these runs said.
pub(super) fn verdicts<'a>(runs: impl IntoIterator<Item = &'a RunView>) -> Vec<Verdict> {
    let of_run = |run: &'a RunView| {
        run.metrics.iter().map(|m| Verdict {
            run: run.name.clone(),
            metric: m.name.clone(),
            phase: m.phase.clone(),
            condition: m.success.clone().or_else(|| m.failure.clone()),
            measurements: m.measurements.clone(),
        })
    };
    runs.into_iter().flat_map(of_run).collect()
}

impl Report {
    pub(super) fn new(
        services: Vec<ServiceReport>,
        speed: f64,
        took: Duration,
        load: Option<serde_json::Value>,
    ) -> Self {
        let count = |what| services.iter().filter(|s| s.outcome == Some(what)).count();
        Self {
            promotions: count(Expected::Promoted),
            rollbacks: count(Expected::RolledBack),
            as_expected: services.iter().all(|s| s.outcome == Some(s.expected)),
            speed,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            services,
            load,
        }
    }

    /// Whether everybody got what was expected.
    pub(super) fn as_expected(&self) -> bool {
        self.as_expected
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let row = |s: &ServiceReport| {
            let weights: Vec<String> = s.weights.iter().map(u32::to_string).collect();
            vec![
                s.service.clone(),
                s.version.clone(),
                s.outcome.map_or("no outcome", Expected::words).to_owned(),
                s.seconds.map_or_else(|| "-".to_owned(), |n| age((n * 1000.0) as i64)),
                weights.join(" > "),
                s.stable_version.clone(),
            ]
        };
        let head = ["SERVICE", "VERSION", "OUTCOME", "AFTER", "WEIGHT", "STABLE NOW"];
        let mut out = vec![
            String::new(),
            output::table(&head, &self.services.iter().map(row).collect::<Vec<_>>()),
            String::new(),
        ];
        out.extend(self.services.iter().map(|s| format!("{} {}: {}", s.service, s.version, s.reason)));
        let rules: Vec<Vec<String>> = self.services.iter().flat_map(ServiceReport::rules).collect();
        let head = ["SERVICE", "VERSION", "RULE", "DOES", "AFTER", "ANSWERS", "FAILED"];
        let told = "What each rule cost, in answers of the new version until it decided (comparisons only looked on):";
        out.extend([String::new(), told.to_owned(), output::table(&head, &rules), String::new()]);
        let verdict = if self.as_expected { "as expected" } else { "NOT as expected" };
        out.push(format!(
            "{} promoted, {} rolled back, {verdict}, in {:.0} s ({}x clock).",
            self.promotions, self.rollbacks, self.seconds, self.speed
        ));
        out.join("\n")
    }
}
