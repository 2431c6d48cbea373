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
            if let Some(why) = refusal(&query) {
                return Err(ProviderError::config(format!("the query {}: {why}", source.name())));
            }
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

/// Why a query is no counter, if it is none: it gives no numbers at one time, or looks back over a range.
pub fn refusal(query: &Query) -> Option<String> {
    if !matches!(query.kind(), "scalar" | "vector") {
        return Some(format!("it gives a {}, not a number", query.kind()));
    }
    let facts = query.facts();
    let window = facts.windows.first()?;
    let function = &window.function;
    Some(format!("it looks at a range of time with {function}, and what is counted is what came since the last look"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 4] = ["bad{v=\"c\"}", "sum by (pod) (all{v=\"c\"}) # canary", "3", "sum(all)"];

    fn queries(texts: [&str; 4]) -> Result<Queries, ProviderError> {
        Queries::new(texts.map(str::to_owned))
    }

    #[test]
    fn series_are_taken_one_by_one_where_the_query_leaves_processes_apart() {
        let check = |text: &str, want: Resets| assert_eq!(Resets::of(&Query::parse(text).unwrap()), want, "{text}");
        check("requests_total{code=\"500\"}", Resets::PerSeries);
        check("sum by (pod, code) (requests_total)", Resets::PerSeries);
        check("sum without (code) (requests_total)", Resets::PerSeries);
        check("sum by (instance) (a_total) or sum by (instance) (b_total)", Resets::PerSeries);
        check("d_count - ignoring (le) d_bucket{le=\"0.5\"}", Resets::PerSeries);
        check("d_count - on (pod) d_bucket{le=\"0.5\"}", Resets::PerSeries);
        check("sum(requests_total)", Resets::Sum);
        check("sum by (code) (requests_total)", Resets::Sum);
        check("sum without (instance, pod) (requests_total)", Resets::PerSeries);
        check("sum(sum by (pod) (requests_total))", Resets::Sum);
        check("sum by (pod) (sum by (code) (requests_total))", Resets::Sum);
        check("d_count - on (code) d_bucket", Resets::Sum);
        check("job:requests:sum", Resets::Sum);
        check("label_replace(requests_total, \"pod\", \"x\", \"\", \"\")", Resets::Sum);
        let all = queries(GOOD).unwrap();
        assert_eq!(all.resets(), [Resets::PerSeries, Resets::PerSeries, Resets::PerSeries, Resets::Sum]);
        assert_eq!(all.with_resets(Resets::Sum).resets(), [Resets::Sum; 4]);
    }

    #[test]
    fn queries_that_are_no_counters_are_refused() {
        let check = |text: &str, want: &str| {
            let error = queries([GOOD[0], text, GOOD[2], GOOD[3]]).unwrap_err();
            assert_eq!(error.class(), crate::Class::User);
            assert!(error.to_string().contains(want), "{error}");
        };
        check(" ", "the query canaryTotal is not set");
        check("x[5m]", "canaryTotal: it gives a matrix, not a number");
        check("'x'", "gives a string, not a number");
        check("sum(rate(x[5m]))", "looks at a range of time with rate");
        check("sum(increase(x[1h]))", "with increase");
        check("max_over_time(x[1m:1s])", "with max_over_time");
        // Not a query of ours, but perhaps one of a server.
        assert!(queries([GOOD[0], "histogram_count(x)", GOOD[2], GOOD[3]]).is_ok());
    }

    #[test]
    fn one_request_asks_for_all_four() {
        let server = PrometheusMetric { query: Some("other".into()), ..PrometheusMetric::default() };
        let request = request(&queries(GOOD).unwrap(), &server, Some("http://p:9090"), 1_500).unwrap();
        assert_eq!(request.url, "http://p:9090/api/v1/query");
        let body = String::from_utf8(request.body).unwrap();
        assert!(body.ends_with("&time=1.5") && !body.contains("other"), "{body}");
        let together = queries(GOOD).unwrap().together();
        let query = Query::parse(&together).unwrap_or_else(|error| panic!("{error} in {together}"));
        assert_eq!(query.kind(), "vector");
    }

    #[test]
    fn queries_together_give_what_each_gives_alone() {
        let mut store = Store::default();
        for (name, v, pod, value) in
            [("bad", "c", "1", 2.0), ("all", "c", "1", 20.0), ("all", "c", "2", 30.0), ("all", "s", "3", 40.0)]
        {
            let labels = Labels::from_pairs([("__name__", name), ("v", v), ("pod", pod)]);
            store.append(&labels, 1000, value).unwrap();
        }
        let queries = queries(GOOD).unwrap();
        let reading = Questions::new(&queries).unwrap().reading(&store, 2000).unwrap();
        assert_eq!((reading.canary_bad.0.len(), reading.canary_total.0.len()), (1, 2));
        assert_eq!((&reading.stable_bad, &reading.stable_total), (&Counter::sum(3.0), &Counter::sum(90.0)));
        let Value::Vector(all) = Query::parse(&queries.together()).unwrap().eval(&store, 2000).unwrap() else {
            panic!("it is a vector");
        };
        let body = serde_json::json!({"status": "success", "data": {"resultType": "vector", "result":
            all.iter().map(|(labels, value)| serde_json::json!({
                "metric": labels.iter().collect::<std::collections::BTreeMap<_, _>>(),
                "value": [2, serin_promql::format_value(*value)],
            })).collect::<Vec<_>>()
        }});
        let response = crate::Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        assert_eq!(super::super::read(&response, 2000).unwrap(), reading);
    }
}
