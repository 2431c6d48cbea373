//! Metrics that are judged by sequential tests: `serin.dev/compare`, `serin.dev/drift` and `serin.dev/shadow` under `provider.plugin`, so that the
//! document stays valid wherever Argo's definitions are.

mod fields;
mod read;
mod resolve;

pub use read::read;
pub use resolve::{Resolved, resolve, resolve_run, resolved, total, weight};

use serde_json::Value;
use serin_core::Span;
use serin_core::rollout::Undecided;
use serin_stats::recipe::Recipe;

use crate::duration;
use crate::wire::provider::{Metric, PrometheusMetric};

/// The canary against stable: errors, latency, any bounded outcome.
pub const COMPARE: &str = "serin.dev/compare";
/// The predictions against those of stable.
pub const DRIFT: &str = "serin.dev/drift";
/// Both versions' answers to the same requests.
pub const SHADOW: &str = "serin.dev/shadow";
/// All of them.
pub const NAMES: [&str; 3] = [COMPARE, DRIFT, SHADOW];

/// Longest time that a test of a step has when it does not say.
pub const WITHIN: Span = Span::from_secs(600);
/// Time between two looks when the metric does not say: the router counts by the second.
pub const EVERY: Span = Span::from_secs(1);
/// The same for counters, which others scrape every fifteen seconds or so.
pub const EVERY_COUNTERS: Span = Span::from_secs(5);

/// A metric as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequential {
    /// What is compared, and how sure the verdict is. The part of alpha is filled in for a run, see [`resolve`].
    pub recipe: Recipe,
    /// Where the answers are counted.
    pub source: Source,
    /// What the values of a slice are taken from.
    pub slice: Option<SliceField>,
    /// Longest time until a step's test must have decided.
    pub within: Span,
    /// What happens when it has not.
    pub undecided: Undecided,
    /// Its part of the rollout's alpha, relative to the other metrics; above 0.
    pub weight: f64,
    /// Whether a share of requests must be mirrored for it.
    pub paired: bool,
}

/// Where answers are counted.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// By the router of this machine.
    Router,
    /// By anybody whose counters Prometheus has.
    Counters(Box<Counters>),
}

/// Four counters, each a PromQL expression that only ever grows but for restarts; one series or many.
#[derive(Debug, Clone, PartialEq)]
pub struct Counters {
    /// The server and how to log in; its `query` is empty.
    pub server: PrometheusMetric,
    /// Bad outcomes of the canary.
    pub canary_bad: String,
    /// Outcomes of the canary.
    pub canary_total: String,
    /// Bad outcomes of stable.
    pub stable_bad: String,
    /// Outcomes of stable.
    pub stable_total: String,
}

/// What a slice's value is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SliceField {
    /// A header of the request.
    Header(String),
    /// A field of the request's JSON body, such as `$.country`.
    RequestField(String),
    /// A field of the answer's JSON body.
    AnswerField(String),
}

impl SliceField {
    /// What the slice is called: one name for one field, whoever asks for it.
    pub fn name(&self) -> String {
        match self {
            SliceField::Header(name) => format!("header:{}", name.to_ascii_lowercase()),
            SliceField::RequestField(path) => format!("request:{path}"),
            SliceField::AnswerField(path) => format!("answer:{path}"),
        }
    }
}

/// A share as the settings of recipes have it: `0.005`, `0.5%` or `0.5pt`.
pub fn share_of_text(text: &str) -> Option<f64> {
    fields::amount(&Value::String(text.to_owned())).map(|amount| match amount {
        fields::Amount::Share(share) | fields::Amount::Percent(share) => share,
    })
}

/// Something wrong within the settings of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeProblem {
    /// Where, from the settings on, such as `tolerance.relative`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What may help.
    pub hint: Option<String>,
}

/// The name and settings of a metric's recipe, if it is judged by one.
pub fn settings(metric: &Metric) -> Option<(&str, &Value)> {
    metric.provider.plugin.iter().map(|(name, value)| (name.as_str(), value)).find(|(name, _)| NAMES.contains(name))
}

/// Whether a metric is judged by sequential tests.
pub fn is_sequential(metric: &Metric) -> bool {
    settings(metric).is_some()
}

/// The recipe of a metric; `None` for one of another kind.
///
/// # Errors
/// Every problem of its settings.
pub fn of(metric: &Metric) -> Option<Result<Sequential, Vec<RecipeProblem>>> {
    settings(metric).map(|(name, value)| read(name, value))
}

/// Time between two looks at a metric.
pub fn every(metric: &Metric, source: &Source) -> Span {
    let default = match source {
        Source::Router => EVERY,
        Source::Counters(_) => EVERY_COUNTERS,
    };
    let said = metric.interval.as_deref().and_then(|text| duration::parse_ms(text).ok());
    said.filter(|ms| *ms > 0).map_or(default, Span::from_millis)
}

impl RecipeProblem {
    /// All of them on one line, for the message of a run that cannot be carried out.
    pub fn line(problems: &[RecipeProblem]) -> String {
        let one = |p: &RecipeProblem| match p.path.is_empty() {
            true => p.message.clone(),
            false => format!("{}: {}", p.path, p.message),
        };
        problems.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
