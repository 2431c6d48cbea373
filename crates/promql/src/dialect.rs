//! Which part of PromQL is spoken: the functions and aggregations, and why the others are refused.

use crate::eval::date::{self, Civil};
use crate::eval::functions::{self as f, Window};
use crate::query::QueryError;
use crate::syntax::{Aggregator, Kind, Span};

/// A function: what it takes, what it gives, how it is computed.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Kind],
    /// How many of the last parameters may be left out.
    pub(crate) optional: usize,
    /// Whether the last parameter may be given again and again.
    pub(crate) repeats: bool,
    pub(crate) gives: Kind,
    pub(crate) body: Body,
}

/// How a function is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// From each value of a vector alone.
    Math(fn(f64) -> f64),
    /// From each value as a time, or from the time of the query.
    Date(fn(Civil) -> f64),
    /// From the samples of each series in a range.
    Window(fn(&Window<'_>) -> Option<f64>),
    /// The same, but what it gives is one of the samples, so the series keeps its name.
    Sample(fn(&Window<'_>) -> Option<f64>),
    Smoothing,
    Absent,
    AbsentOverTime,
    Time,
    Pi,
    Scalar,
    Vector,
    MaxOf,
    MinOf,
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    Timestamp,
    Sort {
        descending: bool,
    },
    SortByLabel {
        descending: bool,
    },
    LabelReplace,
    LabelJoin,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramFraction,
}

const SCALAR: Kind = Kind::Scalar;
const VECTOR: Kind = Kind::Vector;
const RANGE: Kind = Kind::Range;
const TEXT: Kind = Kind::Text;

const fn vector(name: &'static str, params: &'static [Kind], body: Body) -> Function {
    Function { name, params, optional: 0, repeats: false, gives: VECTOR, body }
}

const fn scalar(name: &'static str, params: &'static [Kind], body: Body) -> Function {
    Function { name, params, optional: 0, repeats: false, gives: SCALAR, body }
}

const fn math(name: &'static str, compute: fn(f64) -> f64) -> Function {
    vector(name, &[VECTOR], Body::Math(compute))
}

const fn date(name: &'static str, field: fn(Civil) -> f64) -> Function {
    Function { optional: 1, ..vector(name, &[VECTOR], Body::Date(field)) }
}

const fn window(name: &'static str, compute: fn(&Window<'_>) -> Option<f64>) -> Function {
    vector(name, &[RANGE], Body::Window(compute))
}

/// All functions, sorted by name.
static FUNCTIONS: &[Function] = &[
    math("abs", f64::abs),
    vector("absent", &[VECTOR], Body::Absent),
    vector("absent_over_time", &[RANGE], Body::AbsentOverTime),
    math("acos", f64::acos),
    math("acosh", f64::acosh),
    math("asin", f64::asin),
    math("asinh", f64::asinh),
    math("atan", f64::atan),
    math("atanh", f64::atanh),
    window("avg_over_time", f::avg_over_time),
    math("ceil", f64::ceil),
    window("changes", f::changes),
    vector("clamp", &[VECTOR, SCALAR, SCALAR], Body::Clamp),
    vector("clamp_max", &[VECTOR, SCALAR], Body::ClampMax),
    vector("clamp_min", &[VECTOR, SCALAR], Body::ClampMin),
    math("cos", f64::cos),
    math("cosh", f64::cosh),
    window("count_over_time", f::count_over_time),
    date("day_of_month", date::day_of_month),
    date("day_of_week", date::day_of_week),
    date("day_of_year", date::day_of_year),
    date("days_in_month", date::days_in_month),
    math("deg", f64::to_degrees),
    window("delta", f::delta),
    window("deriv", f::deriv),
    vector("double_exponential_smoothing", &[RANGE, SCALAR, SCALAR], Body::Smoothing),
    math("exp", f64::exp),
    vector("first_over_time", &[RANGE], Body::Sample(f::first_over_time)),
    math("floor", f64::floor),
    vector("histogram_fraction", &[SCALAR, SCALAR, VECTOR], Body::HistogramFraction),
    vector("histogram_quantile", &[SCALAR, VECTOR], Body::HistogramQuantile),
    Function { repeats: true, ..vector("histogram_quantiles", &[VECTOR, TEXT, SCALAR], Body::HistogramQuantiles) },
    date("hour", date::hour),
    window("idelta", f::idelta),
    window("increase", f::increase),
    window("irate", f::irate),
    Function { optional: 1, repeats: true, ..vector("label_join", &[VECTOR, TEXT, TEXT, TEXT], Body::LabelJoin) },
    vector("label_replace", &[VECTOR, TEXT, TEXT, TEXT, TEXT], Body::LabelReplace),
    vector("last_over_time", &[RANGE], Body::Sample(f::last_over_time)),
    math("ln", f64::ln),
    math("log10", f64::log10),
    math("log2", f64::log2),
    window("mad_over_time", f::mad_over_time),
    scalar("max_of", &[SCALAR, SCALAR], Body::MaxOf),
    window("max_over_time", f::max_over_time),
    scalar("min_of", &[SCALAR, SCALAR], Body::MinOf),
    window("min_over_time", f::min_over_time),
    date("minute", date::minute),
    date("month", date::month),
    scalar("pi", &[], Body::Pi),
    vector("predict_linear", &[RANGE, SCALAR], Body::Window(f::predict_linear)),
    window("present_over_time", f::present_over_time),
    vector("quantile_over_time", &[SCALAR, RANGE], Body::Window(f::quantile_over_time)),
    math("rad", f64::to_radians),
    window("rate", f::rate),
    window("resets", f::resets),
    Function { optional: 1, ..vector("round", &[VECTOR, SCALAR], Body::Round) },
    scalar("scalar", &[VECTOR], Body::Scalar),
    math("sgn", sign),
    math("sin", f64::sin),
    math("sinh", f64::sinh),
    vector("sort", &[VECTOR], Body::Sort { descending: false }),
    Function {
        optional: 1,
        repeats: true,
        ..vector("sort_by_label", &[VECTOR, TEXT], Body::SortByLabel { descending: false })
    },
    Function {
        optional: 1,
        repeats: true,
        ..vector("sort_by_label_desc", &[VECTOR, TEXT], Body::SortByLabel { descending: true })
    },
    vector("sort_desc", &[VECTOR], Body::Sort { descending: true }),
    math("sqrt", f64::sqrt),
    window("stddev_over_time", f::stddev_over_time),
    window("stdvar_over_time", f::stdvar_over_time),
    window("sum_over_time", f::sum_over_time),
    math("tan", f64::tan),
    math("tanh", f64::tanh),
    scalar("time", &[], Body::Time),
    vector("timestamp", &[VECTOR], Body::Timestamp),
    window("ts_of_first_over_time", f::ts_of_first_over_time),
    window("ts_of_last_over_time", f::ts_of_last_over_time),
    window("ts_of_max_over_time", f::ts_of_max_over_time),
    window("ts_of_min_over_time", f::ts_of_min_over_time),
    vector("vector", &[SCALAR], Body::Vector),
    date("year", date::year),
];

/// Aggregations by name.
const AGGREGATORS: [(&str, Aggregator); 13] = [
    ("avg", Aggregator::Avg),
    ("bottomk", Aggregator::BottomK),
    ("count", Aggregator::Count),
    ("count_values", Aggregator::CountValues),
    ("group", Aggregator::Group),
    ("limitk", Aggregator::LimitK),
    ("max", Aggregator::Max),
    ("min", Aggregator::Min),
    ("quantile", Aggregator::Quantile),
    ("stddev", Aggregator::Stddev),
    ("stdvar", Aggregator::Stdvar),
    ("sum", Aggregator::Sum),
    ("topk", Aggregator::TopK),
];

/// Functions and aggregations of Prometheus that are not spoken here, and why.
const REFUSED: [(&str, &str); 14] = [
    ("end", "the bounds of a range query as numbers are not supported"),
    ("histogram_avg", NATIVE),
    ("histogram_count", NATIVE),
    ("histogram_stddev", NATIVE),
    ("histogram_stdvar", NATIVE),
    ("histogram_sum", NATIVE),
    ("holt_winters", "Prometheus 3 calls it double_exponential_smoothing"),
    ("info", "joining with info metrics is not supported; use * on(…) group_left(…)"),
    ("integral", "it is experimental in Prometheus"),
    ("limit_ratio", "which series it takes depends on a hash that only Prometheus has"),
    ("range", "the bounds of a range query as numbers are not supported"),
    ("start", "the bounds of a range query as numbers are not supported"),
    ("start_timestamp", "start timestamps are not kept"),
    ("step", "the bounds of a range query as numbers are not supported"),
];

const NATIVE: &str = "native histograms are not supported; classic ones with `le` are";

/// The sign of a number; zeros and NaN are their own.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The function of a name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
}

/// The aggregation of a name in lower case.
pub(crate) fn aggregator(name: &str) -> Option<Aggregator> {
    AGGREGATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
}

/// Why there is no function of a name, and which there are.
pub(crate) fn refuse(name: &str, span: Span) -> QueryError {
    let reason = REFUSED.iter().find(|(refused, _)| *refused == name.to_ascii_lowercase());
    let message = match reason {
        Some((_, reason)) => format!("{name} is not supported: {reason}"),
        None => format!("there is no function {name}"),
    };
    QueryError::new(span, message).with_hint(format!("supported are {}", supported().join(", ")))
}

/// Names of all functions and aggregations that queries may use, sorted.
pub fn supported() -> Vec<&'static str> {
    let functions = FUNCTIONS.iter().map(|function| function.name);
    let mut names: Vec<&str> = functions.chain(AGGREGATORS.iter().map(|(name, _)| *name)).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_hold_what_they_promise() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(AGGREGATORS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(FUNCTIONS.iter().all(|function| function.optional <= function.params.len()));
        for function in FUNCTIONS {
            assert!(super::function(function.name).is_some_and(|found| std::ptr::eq(found, function)));
        }
        assert!(REFUSED.iter().all(|(name, _)| function(name).is_none()));
    }
}
