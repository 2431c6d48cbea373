//! The queries that both sides are asked.

/// Functions of a counter, a gauge or anything in a range.
const OF_COUNTERS: [&str; 5] = ["rate", "increase", "irate", "resets", "changes"];
const OF_GAUGES: [&str; 15] = [
    "delta",
    "idelta",
    "deriv",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "changes",
    "resets",
    "absent_over_time",
];
const AGGREGATIONS: [&str; 8] = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const MATHS: [&str; 20] = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "sqrt",
    "ln",
    "log2",
    "log10",
    "sgn",
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "deg",
    "rad",
    "timestamp",
];

/// Queries as they stand in analysis templates, and others that reach the corners.
const OTHERS: [&str; 84] = [
    r#"sum(rate(requests_total{code=~"5.."}[5m])) / sum(rate(requests_total[5m]))"#,
    r#"sum by (instance) (rate(requests_total{code!~"5.*"}[2m])) / sum by (instance) (rate(requests_total[2m]))"#,
    "histogram_quantile(0.5, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, instance) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.9, latency_seconds_bucket)",
    "histogram_quantile(1, rate(latency_seconds_bucket[10m]))",
    "histogram_quantile(0, rate(latency_seconds_bucket[10m]))",
    "histogram_quantile(-1, latency_seconds_bucket)",
    "histogram_quantile(scalar(max(score)) / 100, latency_seconds_bucket)",
    "rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])",
    "predict_linear(memory_bytes[10m], 3600)",
    "predict_linear(temperature_celsius[7m], -120)",
    "double_exponential_smoothing(temperature_celsius[10m], 0.3, 0.6)",
    "quantile_over_time(0.9, temperature_celsius[10m])",
    "quantile_over_time(0.25, score[20m])",
    "quantile(0.5, requests_total)",
    "quantile by (code) (0.9, rate(requests_total[5m]))",
    "topk(3, requests_total)",
    "bottomk(2, rate(requests_total[5m]))",
    "topk by (code) (1, requests_total)",
    "bottomk by (instance) (2, temperature_celsius)",
    r#"count_values("n", workers)"#,
    r#"count_values by (job) ("n", floor(temperature_celsius))"#,
    "requests_total offset 3m",
    "requests_total offset -2m",
    "rate(requests_total[5m] offset 10m)",
    "rate(requests_total[5m] @ 1700003000.5)",
    "sum(requests_total @ 1700002500.25)",
    "temperature_celsius @ end() - temperature_celsius @ start()",
    "temperature_celsius @ 1700003000.7 offset 5m",
    "max_over_time(rate(requests_total[2m])[10m:30s])",
    "avg_over_time((temperature_celsius > 20)[15m:1m])",
    "sum_over_time(workers[13m:])",
    "rate(requests_total[10m:45s])",
    "quantile_over_time(0.5, (memory_bytes / 1e6)[10m:20s] offset 2m)",
    "min_over_time(sum by (code) (rate(requests_total[3m]))[10m:1m])",
    "increase(max_over_time(requests_total[1m])[10m:1m])",
    "last_over_time(score[1m])",
    "absent(nothing_here)",
    r#"absent(nothing_here{a="b",c=~"d"})"#,
    r#"absent_over_time(nothing_here{a="b"}[5m])"#,
    "absent(sum(nothing_here))",
    "temperature_celsius > 20",
    "20 < temperature_celsius",
    "temperature_celsius > bool 20",
    "temperature_celsius == temperature_celsius",
    "score != score",
    "workers == 2 or workers == 3",
    "workers > 1 and workers < 4",
    "temperature_celsius and on(instance) (workers > 1)",
    "temperature_celsius unless on(instance) (workers > 1)",
    "requests_total * on(instance) group_left(version) build_info",
    "build_info * on(instance) group_right() requests_total",
    "requests_total / ignoring(code, method) group_left sum by (instance, job) (requests_total)",
    "temperature_celsius + on(instance, job) memory_bytes",
    "temperature_celsius - ignoring(job) temperature_celsius",
    "temperature_celsius > on(instance) workers",
    "temperature_celsius >= bool on(instance) workers * 8",
    "-temperature_celsius ^ 2",
    "2 ^ 3 ^ 2 - 7 % 4",
    "temperature_celsius % 3",
    "(score atan2 temperature_celsius) * 2",
    "1 / (workers - workers)",
    "0 / 0",
    "time() - timestamp(up)",
    "vector(time())",
    "scalar(sum(up)) + 1",
    "scalar(up)",
    "clamp(score, -2, 2)",
    "clamp_min(score, 0)",
    "clamp_max(score, 0)",
    "round(score, 0.5)",
    "round(temperature_celsius)",
    r#"label_replace(up, "host", "$1", "instance", "(.*):.*")"#,
    r#"label_replace(rate(requests_total[5m]), "x", "a${1}b$2", "code", "(4)(.*)")"#,
    r#"label_join(up, "both", "-", "job", "instance")"#,
    "sort_desc(temperature_celsius)",
    "day_of_week() + day_of_month() + day_of_year() + days_in_month() + minute() + year()",
    r#"sum without (instance, method) ({__name__="requests_total"})"#,
    r#"count by (__name__) ({job="api"})"#,
    r#"{__name__=~"temperature.*|workers", instance!="a:1"}"#,
    "score < Inf",
    "month(memory_bytes) + hour(memory_bytes) / 100 + day_of_year(workers * 4e6)",
];

pub(crate) fn all() -> Vec<String> {
    let mut out: Vec<String> = OTHERS.iter().map(|query| (*query).to_owned()).collect();
    for function in OF_COUNTERS {
        for range in ["90s", "5m", "17m"] {
            out.push(format!("{function}(requests_total[{range}])"));
        }
    }
    for function in OF_GAUGES {
        out.push(format!("{function}(temperature_celsius[5m])"));
        out.push(format!("{function}(score[11m])"));
    }
    for aggregation in AGGREGATIONS {
        out.push(format!("{aggregation}(memory_bytes)"));
        out.push(format!("{aggregation} by (code) (rate(requests_total[5m]))"));
        out.push(format!("{aggregation} without (instance, code) (requests_total)"));
        out.push(format!("{aggregation}(score)"));
    }
    out.extend(MATHS.iter().map(|function| format!("{function}(score)")));
    out
}

/// The query as Prometheus 2 spells it.
pub(crate) fn old_names(query: &str) -> String {
    query.replace("double_exponential_smoothing", "holt_winters")
}
