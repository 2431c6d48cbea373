//! What is asked: four queries, in one request to a Prometheus or of the store of this process.

use serde::{Deserialize, Serialize};
use serin_promql::{Labels, Query, Store, Value};
use serin_spec::wire::provider::PrometheusMetric;

use super::{Counter, Reading, SeriesId, Source};
use crate::error::ProviderError;
use crate::prometheus;
use crate::request::Request;

/// The label by which the answer of the one request tells the four counters apart.
pub(super) const SOURCE_LABEL: &str = "serin_counter";

/// Labels that tell processes apart, one of which a counter has to keep if its series are to be taken one by one.
const PROCESS_LABELS: [&str; 7] =
    ["instance", "pod", "pod_name", "kubernetes_pod_name", "exported_instance", "exported_pod", "container_id"];

/// What it means when a counter falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resets {
    /// Each series is counted by one process: if it falls, that process began anew.
    PerSeries,
    /// Series are sums over processes: if one falls, what was lost is unknown.
    Sum,
}

impl Resets {
    /// What holds for the answers of a query: by series if it reads counters as they are, or sums them by process.
    pub fn of(query: &Query) -> Resets {
        // A colon in a name is how recording rules are called, which are sums over processes.
        let recorded = query.facts().reads.iter().any(|reads| reads.metric.contains(':'));
        match !recorded && PROCESS_LABELS.iter().any(|label| query.keeps_label(label)) {
            true => Resets::PerSeries,
            false => Resets::Sum,
        }
    }
}

/// Four queries, each for a counter as it is: a number since the start of the processes, without `rate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queries {
    texts: [String; 4],
    resets: [Resets; 4],
}

impl Queries {
    /// Checks the queries, in the order of [`Source::ALL`].
    ///
    /// A query that this crate cannot read may still be one for a Prometheus; of such a one nothing is known, so it is
    /// taken for a sum.
    ///
    /// # Errors
    /// When a query is empty, gives no numbers at one time, or asks for a rate.
    pub fn new(texts: [String; 4]) -> Result<Queries, ProviderError> {
        let mut resets = [Resets::Sum; 4];
        for source in Source::ALL {
            let text = &texts[source as usize];
            if text.trim().is_empty() {
                return Err(ProviderError::config(format!("the query {} is not set", source.name())));
            }
            let Ok(query) = Query::parse(text) else { continue };
            check(source, &query)?;
            resets[source as usize] = Resets::of(&query);
        }
        Ok(Queries { texts, resets })
    }

    /// The same queries, with what it means when a counter falls said by the user.
    #[must_use]
    pub fn with_resets(self, resets: Resets) -> Queries {
        Queries { resets: [resets; 4], ..self }
    }

    /// What it means when a counter falls, in the order of [`Source::ALL`].
    pub fn resets(&self) -> [Resets; 4] {
        self.resets
    }

    /// One query for all four, so that their answers are of one moment.
    fn together(&self) -> String {
        let each = Source::ALL.map(|source| {
            let text = &self.texts[source as usize];
            let scalar = Query::parse(text).is_ok_and(|query| query.kind() == "scalar");
            // On lines of its own, since a query may end in a comment.
            let vector = if scalar { format!("vector(\n{text}\n)") } else { format!("\n{text}\n") };
            format!("label_replace({vector}, \"{SOURCE_LABEL}\", \"{}\", \"\", \"\")", source.name())
        });
        each.join(" or ")
    }
}

fn check(source: Source, query: &Query) -> Result<(), ProviderError> {
    let name = source.name();
    if !matches!(query.kind(), "scalar" | "vector") {
        return Err(ProviderError::config(format!("the query {name} gives a {}, not a number", query.kind())));
    }
    match query.facts().windows.first() {
        None => Ok(()),
        Some(window) => Err(ProviderError::config(format!(
            "the query {name} looks at a range of time with {}: a counter is asked for as it is, such as sum by (pod) (requests_total)",
            window.function
        ))),
    }
}

/// The request that reads the four counters at `now_ms` (milliseconds since 1970). `server` says how the server is reached; its
/// query is not looked at. `address` is used where it has none.
///
/// # Errors
/// When the server has no usable address, timeout or login.
pub fn request(
    queries: &Queries,
    server: &PrometheusMetric,
    address: Option<&str>,
    now_ms: i64,
) -> Result<Request, ProviderError> {
    let metric = PrometheusMetric { query: Some(queries.together()), range_query: None, ..server.clone() };
    prometheus::request(&metric, address, now_ms)
}

/// The queries for the store of this process, checked once.
#[derive(Debug, Clone)]
pub struct Questions([Query; 4]);

impl Questions {
    /// Checks the queries.
    ///
    /// # Errors
    /// When a query is not one that the store answers.
    pub fn new(queries: &Queries) -> Result<Questions, ProviderError> {
        let parsed: Result<Vec<Query>, _> = queries.texts.iter().map(|text| Query::parse(text)).collect();
        let parsed = parsed.map_err(|error| ProviderError::Query {
            message: error.message,
            start: error.start,
            end: error.end,
            hint: error.hint,
        })?;
        let parsed = <[Query; 4]>::try_from(parsed);
        Ok(Questions(parsed.expect("four queries are read from four texts")))
    }

    /// Whether one of the queries reads a series with these labels.
    pub fn reads(&self, labels: &Labels) -> bool {
        self.0.iter().any(|query| query.reads(labels))
    }

    /// The counters at `now_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the data do not fit a query.
    pub fn reading(&self, store: &Store, now_ms: i64) -> Result<Reading, ProviderError> {
        let mut counters: [Counter; 4] = Default::default();
        for (query, counter) in self.0.iter().zip(&mut counters) {
            *counter = match query.eval(store, now_ms)? {
                Value::Scalar(value) => Counter::sum(value),
                Value::Vector(elements) => {
                    elements.iter().map(|(labels, value)| (SeriesId::of(labels.iter()), *value)).collect()
                }
                Value::Matrix(_) | Value::Text(_) => return Err(ProviderError::answer("a counter is a number")),
            };
        }
        Ok(Reading::of(now_ms, counters))
    }
}
