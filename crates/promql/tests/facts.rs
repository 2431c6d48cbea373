//! What is known about queries before any data.

use serin_promql::{Facts, OddityKind, Quantity, Query};

#[track_caller]
fn facts(query: &str) -> Facts {
    Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}")).facts()
}

#[test]
fn quantities_follow_names_and_arithmetic() {
    let check = |query: &str, want: Quantity| assert_eq!(facts(query).quantity, want, "{query}");
    let p95 = "histogram_quantile(0.95, sum by (le) (rate(d_seconds_bucket[1m])))";
    check(p95, Quantity::Seconds);
    check(&format!("{p95} >= 0"), Quantity::Seconds);
    check(&format!("{p95} * 1000"), Quantity::Milliseconds);
    check(&format!("1000 * {p95} / 1000"), Quantity::Seconds);
    check(&format!("{p95} or vector(0)"), Quantity::Seconds);
    check(&format!("max(clamp_min({p95}, 0))"), Quantity::Seconds);
    check(&p95.replace("_seconds", "_milliseconds"), Quantity::Milliseconds);
    check(&p95.replace("_seconds", "_bytes"), Quantity::Unknown);
    check("sum(rate(d_seconds_sum[1m])) / sum(rate(d_seconds_count[1m]))", Quantity::Seconds);
    check("rate(d_ms_sum[1m]) / rate(d_ms_count[1m])", Quantity::Milliseconds);
    // A gauge says when something was, not how long it took.
    check("process_start_time_seconds", Quantity::Unknown);
    check("model_age_seconds", Quantity::Unknown);
    let share = r#"sum(rate(r_total{v="c", code="500"}[1m])) / sum(rate(r_total{v="c"}[1m]))"#;
    check(share, Quantity::Share);
    check(&format!("({share}) * 100"), Quantity::Percent);
    check(&format!("100 * {share}"), Quantity::Percent);
    check(&format!("1 - {share}"), Quantity::Share);
    check(&format!("100 - 100 * ({share})"), Quantity::Percent);
    check("(sum(rate(e_errors_total[1m])) or vector(0)) / (sum(rate(e_requests_total[1m])) > 0)", Quantity::Share);
    // One version against the other is no share, nor are different events.
    check(r#"sum(rate(r_total{v="c"}[1m])) / sum(rate(r_total{v="s"}[1m]))"#, Quantity::Unknown);
    check("sum(rate(a_total[1m])) / sum(rate(b_total[1m]))", Quantity::Unknown);
    check(&format!("({share}) > bool 0.1"), Quantity::Unknown);
    check(&format!("abs(({share}) - ({share}))"), Quantity::Unknown);
}

#[test]
fn idle_queries_are_nan_or_empty() {
    let check = |query: &str, nan: bool| assert_eq!(facts(query).nan_when_idle, nan, "{query}");
    check("sum(rate(a_total[1m])) / sum(rate(b_total[1m]))", true);
    check("100 * sum(rate(a_total[1m])) / sum(rate(b_total[1m]))", true);
    check("sum(rate(a_total[1m])) / (sum(rate(b_total[1m])) > 0)", false);
    check("sum(rate(a_total[1m])) / clamp_min(sum(rate(b_total[1m])), 1)", false);
    check("sum(rate(a_total[1m])) / sum(rate(b_total[1m])) >= 0", false);
    check("(sum(rate(a_total[1m])) or vector(0)) / sum(rate(b_total[1m]))", true);
    check("histogram_quantile(0.9, sum by (le) (rate(d_seconds_bucket[1m])))", true);
    check("histogram_quantile(0.9, sum by (le) (rate(d_seconds_bucket[1m]))) >= 0", false);
    check("sum(rate(a_total[1m]))", false);
    check("a / b", false);
}

#[test]
fn oddities_are_found_at_their_place() {
    let check = |query: &str, want: &[(OddityKind, &str)]| {
        let found = facts(query).oddities;
        let found: Vec<(OddityKind, &str)> = found.iter().map(|o| (o.kind.clone(), &query[o.start..o.end])).collect();
        assert_eq!(found, want, "{query}");
    };
    let raw = |name: &str| OddityKind::RawCounter(name.to_owned());
    check("sum(a_total)", &[(raw("a_total"), "a_total")]);
    check("a_total - a_total offset 5m", &[(raw("a_total"), "a_total"), (raw("a_total"), "a_total offset 5m")]);
    check("sum(a_total) / sum(b_total)", &[]);
    check("count(a_total)", &[]);
    check("absent(a_total)", &[]);
    check("rate(a_total[1m])", &[]);
    check("sum(a_total) or vector(0)", &[(raw("a_total"), "a_total")]);
    check(
        "histogram_quantile(0.9, sum(rate(d_bucket[1m])))",
        &[(OddityKind::QuantileWithoutBound, "sum(rate(d_bucket[1m]))")],
    );
    check("histogram_quantile(0.9, sum without (pod) (rate(d_bucket[1m])))", &[]);
    check("histogram_quantile(0.9, rate(d_bucket[1m]))", &[]);
    check(
        "histogram_quantile(0.9, sum without (le) (rate(d_bucket[1m])))",
        &[(OddityKind::QuantileWithoutBound, "sum without (le) (rate(d_bucket[1m]))")],
    );
    check("histogram_quantile(95, rate(d_bucket[1m]))", &[(OddityKind::QuantileOutOfRange(95.0), "95")]);
    check("quantile(1.5, a)", &[(OddityKind::QuantileOutOfRange(1.5), "1.5")]);
    check("quantile_over_time(1, a[1m])", &[]);
    check("increase(a_total[20s])", &[(OddityKind::ShortRange(20_000), "a_total[20s]")]);
    check("max_over_time(a[20s])", &[]);
}

#[test]
fn what_is_read_and_how_it_is_told_apart() {
    let found = facts(r#"sum by (path, pod) (rate(a_total{v=~"1|2", b!=""}[1m])) / on (path) group_left b"#);
    let names: Vec<&str> = found.reads.iter().map(|reads| reads.metric.as_str()).collect();
    assert_eq!(names, ["a_total", "b"]);
    let conditions: Vec<(&str, &str)> =
        found.reads[0].conditions.iter().map(|c| (c.label.as_str(), c.value.as_str())).collect();
    assert_eq!(conditions, [("v", "1|2"), ("b", "")]);
    assert_eq!(found.groups, ["path", "pod"]);
    assert_eq!(found.apart, ["path", "pod"]);
    assert_eq!(facts("histogram_quantile(0.9, sum by (le, v) (rate(d_bucket[1m])))").apart, ["v"]);
    assert!(facts("sum(a)").apart.is_empty());
    assert!(facts(r#"{__name__=~"a.*"}"#).reads[0].metric.is_empty());
    let ratio = facts("(sum(rate(a_total[1m])) or vector(0)) / (sum(rate(b_total[1m])) > 0)").ratios;
    assert_eq!((ratio[0].above[0].metric.as_str(), ratio[0].below[0].metric.as_str()), ("a_total", "b_total"));
    assert!(facts("a / b").ratios.is_empty());
}

#[test]
fn ranges_are_found_with_their_functions() {
    let query = "rate(a[2m]) + max_over_time(rate(b[30s])[1h:1m]) + c";
    let found = facts(query).windows;
    let found: Vec<(&str, i64, &str)> =
        found.iter().map(|w| (w.function.as_str(), w.range_ms, &query[w.start..w.end])).collect();
    assert_eq!(
        found,
        [("rate", 120_000, "a[2m]"), ("max_over_time", 3_600_000, "rate(b[30s])[1h:1m]"), ("rate", 30_000, "b[30s]"),]
    );
}

#[test]
fn labels_that_an_answer_keeps() {
    let check = |query: &str, want: bool| assert_eq!(Query::parse(query).unwrap().keeps_label("pod"), want, "{query}");
    check("a", true);
    check("-abs(a) * 2", true);
    check("sum by (pod, code) (a)", true);
    check("sum without (code) (a)", true);
    check("topk(1, a)", false);
    check("sum(a)", false);
    check("sum without (pod) (a)", false);
    check("sum by (pod) (sum by (code) (a))", false);
    check("a + b", true);
    check("a + on (pod) b", true);
    check("a + on (code) b", false);
    check("a + ignoring (pod) b", false);
    check("a or sum(b)", false);
    check("absent(a)", false);
}
