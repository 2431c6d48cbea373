//! PromQL answered from the store of this process.

use serin_promql::{Labels, Query, Store, Value};
use serin_spec::wire::provider::PrometheusMetric;

use crate::error::ProviderError;
use crate::measured::Measured;
use crate::time_range::TimeRange;

/// Times that a range query may have, as in Prometheus.
const TIMES_MAX: i64 = 11_000;

/// A metric that is measured in the store, checked once.
#[derive(Debug, Clone)]
pub struct Question {
    query: Query,
    range: Option<TimeRange>,
}

impl Question {
    /// Checks the query of a metric, which needs no address.
    ///
    /// # Errors
    /// When the query is none, or is one that the store does not answer; or when its range is no range.
    pub fn new(metric: &PrometheusMetric) -> Result<Question, ProviderError> {
        let text = metric.query.as_deref().filter(|query| !query.trim().is_empty());
        let text = text.ok_or_else(|| ProviderError::config("prometheus query is not set"))?;
        let query = Query::parse(text).map_err(|error| ProviderError::Query {
            message: error.message,
            start: error.start,
            end: error.end,
            hint: error.hint,
        })?;
        let range = metric.range_query.as_ref().map(TimeRange::of).transpose()?;
        let kind = query.kind();
        if kind == "string" || (range.is_some() && kind == "matrix") {
            return Err(ProviderError::config("Prometheus metric type not supported"));
        }
        Ok(Question { query, range })
    }

    /// Whether the query reads a series with these labels.
    pub fn reads(&self, labels: &Labels) -> bool {
        self.query.reads(labels)
    }

    /// The value at `now_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the data do not fit the query.
    pub fn answer(&self, store: &Store, now_ms: i64) -> Result<Measured, ProviderError> {
        let Some(range) = &self.range else {
            return measured(self.query.eval(store, now_ms)?);
        };
        let (start_ms, end_ms) = range.at(now_ms);
        if end_ms.saturating_sub(start_ms) / range.step_ms > TIMES_MAX {
            return Err(ProviderError::config(format!(
                "the range has more than {TIMES_MAX} times: take a longer step"
            )));
        }
        measured(self.query.eval_range(store, start_ms, end_ms, range.step_ms)?)
    }
}

/// The value that conditions judge, in the form that a Prometheus server's answer has.
///
/// # Errors
/// When it is a text.
//= compat: 3.11-5, 3.11-6, 3.11-7, 3.11-8, 3.11-9
pub fn measured(value: Value) -> Result<Measured, ProviderError> {
    match value {
        Value::Scalar(value) => Ok(Measured::number(value)),
        Value::Vector(elements) => Ok(Measured::numbers(elements.into_iter().map(|(_, value)| value).collect())),
        Value::Matrix(series) => {
            let values = series.iter().flat_map(|series| series.points.iter().map(|point| point.value));
            Ok(Measured::numbers(values.collect()))
        }
        Value::Text(_) => Err(ProviderError::answer("Prometheus metric type not supported")),
    }
}

#[cfg(test)]
mod tests {
    use serin_spec::wire::provider::RangeQuery;

    use super::*;

    fn store() -> Store {
        let mut store = Store::default();
        for (instance, factor) in [("a", 1.0), ("b", 2.0)] {
            let labels = Labels::from_pairs([("__name__", "x"), ("instance", instance)]);
            for i in 0..10_i64 {
                store.append(&labels, i * 10_000, i as f64 * factor).unwrap();
            }
        }
        store
    }

    fn metric(query: &str, range: Option<(&str, &str)>) -> PrometheusMetric {
        let range_query = range.map(|(start, step)| RangeQuery {
            start: Some(start.into()),
            end: Some("now()".into()),
            step: Some(step.into()),
        });
        PrometheusMetric { query: Some(query.into()), range_query, ..PrometheusMetric::default() }
    }

    //= compat: 3.11-5, 3.11-6, 3.11-8, 3.11-9
    #[test]
    fn values_have_the_form_of_a_server() {
        let check = |query: &str, range, want: &str| {
            let measured = Question::new(&metric(query, range)).unwrap().answer(&store(), 90_000).unwrap();
            assert_eq!(measured.text, want, "{query}");
        };
        check("x", None, "[9,18]");
        check("sum(x) / 2", None, "[13.5]");
        check("scalar(sum(x))", None, "27");
        check("nothing", None, "[]");
        check("0 / (x - x)", None, "[NaN,NaN]");
        check("x[25s]", None, "[7,8,9,14,16,18]");
        check("x", Some(("now() - duration('20s')", "10s")), "[7,8,9,14,16,18]");
        check("2", Some(("now() - duration('20s')", "10s")), "[2,2,2]");
    }

    #[test]
    fn queries_are_refused_before_they_are_asked() {
        let check = |query: &str, range, want: &str| {
            let error = Question::new(&metric(query, range)).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert_eq!(error.class(), crate::Class::User);
        };
        check("", None, "prometheus query is not set");
        check("histogram_count(x)", None, "histogram_count is not supported");
        check("'text'", None, "Prometheus metric type not supported");
        check("x[5m]", Some(("now()", "1s")), "Prometheus metric type not supported");
        let Err(ProviderError::Query { start, end, hint, .. }) = Question::new(&metric("sum(rat(x))", None)) else {
            panic!("it is refused with a place");
        };
        assert!((start, end) == (4, 7) && hint.is_some_and(|hint| hint.contains("rate")));
    }

    #[test]
    fn a_range_of_too_many_times_is_refused() {
        let question = Question::new(&metric("x", Some(("now() - duration('24h')", "1s")))).unwrap();
        assert!(question.answer(&store(), 90_000).unwrap_err().to_string().contains("take a longer step"));
    }
}
