//! `world.yaml`: the world that a user describes. The types are its schema, every field optional that has a sensible default;
//! [`check`] tells what the schema cannot.

mod check;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use check::check;
pub(crate) use check::time_of_day_ms;

/// A world.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Description {
    /// name of the Rollout; not needed where there is only one
    pub rollout: Option<String>,
    /// what is deployed
    pub deploy: Deploy,
    /// what the update should come to: `promoted` or `aborted`
    pub expect: Option<String>,
    /// time before the update in which the stable version fills the windows of the queries
    pub warm_up: Option<String>,
    /// time after which an update that has not ended counts as unfinished
    pub within: Option<String>,
    /// the requests
    pub traffic: TrafficDescription,
    /// how versions behave, by image tag
    pub versions: Vec<VersionDescription>,
    /// what hits every version alike
    pub outages: Vec<OutageDescription>,
    /// when metrics are scraped
    pub scrape: ScrapeDescription,
    /// what members export
    pub metrics: Vec<MetricDescription>,
    /// what people do
    pub people: Vec<PersonDescription>,
    /// what goes wrong between decisions and world
    pub faults: FaultsDescription,
}

/// `deploy`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Deploy {
    /// tag of the stable version; the manifest's own when absent
    pub from: Option<String>,
    /// tag of the new version
    pub to: Option<String>,
}

/// `traffic`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficDescription {
    /// requests a second, the mean of a day
    pub rate: Option<f64>,
    /// how far the rate swings in a day, as a share of it
    pub swing: Option<f64>,
    /// time of day of the highest rate, such as `15:00`
    pub peak_at: Option<String>,
    /// time of day of the deploy, such as `09:30`
    pub deploy_at: Option<String>,
    /// requests a second to the preview service
    pub preview_rate: Option<f64>,
    /// requests that carry a header
    pub headers: Vec<HeaderDescription>,
}

/// An item of `traffic.headers`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderDescription {
    /// name of the header
    pub name: String,
    /// its value
    pub value: String,
    /// share of the requests that carry it
    pub share: f64,
}

/// An item of `versions`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionDescription {
    /// image tag
    pub tag: String,
    /// how its members come and go
    #[serde(default)]
    pub members: MembersDescription,
    /// how it answers
    #[serde(default)]
    pub answers: AnswersDescription,
    /// how its answers change
    #[serde(default)]
    pub changes: Vec<ChangeDescription>,
    /// what metrics measure that no PromQL measures
    #[serde(default)]
    pub measures: BTreeMap<String, f64>,
}

/// `versions[].members`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MembersDescription {
    /// median time from start to readiness
    pub ready_after: Option<String>,
    /// 95th percentile of it
    pub ready_after_p95: Option<String>,
    /// share of the starts that never lead to readiness
    pub never_ready: Option<f64>,
    /// mean time from readiness to a crash
    pub crash_every: Option<String>,
    /// mean time from readiness to a moment of not being ready
    pub flap_every: Option<String>,
    /// how long such a moment lasts
    pub flap_lasts: Option<String>,
}

/// `versions[].answers`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswersDescription {
    /// share of the answers that are server errors
    pub errors: Option<f64>,
    /// median time to answer
    pub p50: Option<String>,
    /// 95th percentile of the time to answer
    pub p95: Option<String>,
    /// shares of the predicted classes
    pub predictions: BTreeMap<String, f64>,
    /// mean of predictions that are numbers
    pub number: Option<f64>,
    /// standard deviation of predictions that are numbers
    pub number_deviation: Option<f64>,
}

/// An item of `versions[].changes`; what it does not name stays
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeDescription {
    /// when it begins, after the deploy
    pub at: String,
    /// how long it takes
    #[serde(default)]
    pub over: Option<String>,
    /// what it leads to
    pub to: AnswersDescription,
}

/// An item of `outages`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutageDescription {
    /// when it begins, after the deploy
    pub at: String,
    /// how long it lasts
    pub lasts: String,
    /// share of all answers that become server errors
    #[serde(default)]
    pub errors: f64,
    /// answers take so many times as long
    #[serde(default)]
    pub slower: Option<f64>,
}

/// `scrape`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ScrapeDescription {
    /// time between two scrapes of a target
    pub interval: Option<String>,
    /// share of the scrapes that get no answer
    pub lost: Option<f64>,
    /// mean time by which a scrape is late
    pub late: Option<String>,
}

/// An item of `metrics`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricDescription {
    /// name of the series; `{rollout}` is the Rollout's name, `{service}` its beginning up to the first dash
    pub name: String,
    /// what is counted: `requests`, `durations`, `predictions` or `numbers`
    pub counts: String,
    /// label of the status or the class
    #[serde(default)]
    pub label: Option<String>,
    /// upper bounds of the buckets of `durations`, in seconds
    #[serde(default)]
    pub bounds: Vec<f64>,
    /// values of the label for good answers; the first one counts
    #[serde(default)]
    pub good: Vec<String>,
    /// values of the label for server errors; the first one counts
    #[serde(default)]
    pub failed: Vec<String>,
}

/// An item of `people`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersonDescription {
    /// when, after the deploy
    pub at: String,
    /// what: `promote`, `promote-full`, `abort`, `retry`, `pause`, `undo`, `deploy` or `replicas`
    #[serde(rename = "do")]
    pub deed: String,
    /// the tag to deploy, or the number of replicas
    #[serde(default)]
    pub to: Option<String>,
}

/// `faults`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultsDescription {
    /// share of the actions that nobody carries out
    pub lost: Option<f64>,
    /// share of the actions that are carried out twice
    pub twice: Option<f64>,
    /// share of the actions that are carried out later
    pub late: Option<f64>,
    /// how much later
    pub late_by: Option<String>,
    /// share of the actions before which the control process is killed
    pub killed: Option<f64>,
    /// time until a new one begins
    pub back_after: Option<String>,
    /// share of the passes that see the world as it was
    pub stale: Option<f64>,
    /// how long ago
    pub stale_by: Option<String>,
}
