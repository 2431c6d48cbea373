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
fn quantiles_of_histograms() {
    assert_eq!(facts("1000 * histogram_quantile(0.95, sum by (le) (rate(d_bucket[1m]))) >= 0").quantile, Some(0.95));
    assert_eq!(facts("histogram_quantile(95, d_bucket)").quantile, None);
    assert_eq!(facts("quantile(0.5, d)").quantile, None);
    // A function without arguments has no first one.
    assert_eq!(facts("time() + d").quantile, None);
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

#[test]
fn answers_have_a_range() {
    let buckets = |metric: &str| (metric == "known_bucket").then_some((0.001, 10.0));
    let check = |query: &str, low: f64, high: f64| {
        let range = Query::parse(query).unwrap().range(&buckets);
        assert_eq!((range.low, range.high), (low, high), "{query}");
    };
    const INF: f64 = f64::INFINITY;
    let share = r#"sum(rate(r_total{code="500"}[1m])) / sum(rate(r_total[1m]))"#;
    check(share, 0.0, 1.0);
    check(&format!("100 * {share}"), 0.0, 100.0);
    check(&format!("1 - {share}"), 0.0, 1.0);
    check(&format!("abs({share} - 0.5)"), 0.0, 0.5);
    check(&format!("abs(({share}) - ({share}))"), 0.0, 1.0);
    check(&format!("({share}) * 2 + 1"), 1.0, 3.0);
    check(&format!("({share}) * -2"), -2.0, 0.0);
    check(&format!("({share}) > 0.5"), 0.5, 1.0);
    check(&format!("({share}) < 0.5"), 0.0, 0.5);
    check(&format!("({share}) == 2"), -INF, INF);
    check(&format!("({share}) or vector(3)"), 0.0, 3.0);
    check(&format!("sum({share})"), 0.0, INF);
    check(&format!("max_over_time(({share})[5m:])"), 0.0, 1.0);
    // What is no part of what stands below can be more.
    check(r#"sum(increase(r_total{code="500"}[1m])) / sum(rate(r_total[1m]))"#, 0.0, INF);
    check(r#"(sum(rate(r_total{code="500"}[1m])) or vector(3)) / sum(rate(r_total[1m]))"#, 0.0, INF);
    check(r#"(sum(rate(r_total{code="500"}[1m])) or vector(0)) / (sum(rate(r_total[1m])) > 0)"#, 0.0, 1.0);
    check(r#"sum(rate(r_total{code="500"}[1m])) / (sum(rate(r_total[1m])) > bool 0)"#, -INF, INF);
    check("sum(rate(a_total[1m]))", 0.0, INF);
    check("rate(a_total[1m]) / rate(b_total[1m])", 0.0, INF);
    check("a_total / 2", 0.0, INF);
    check("a / b", -INF, INF);
    check("-increase(a_total[1m])", -INF, 0.0);
    check("a - a", -INF, INF);
    check("up", 0.0, 1.0);
    check("min(up) > bool 0", 0.0, 1.0);
    check("count(a)", 1.0, INF);
    check("absent(a)", 1.0, 1.0);
    check("clamp(a, 1, 3)", 1.0, 3.0);
    check("clamp_max(count(a), 3)", 1.0, 3.0);
    check("round(abs(a))", 0.0, INF);
    check("2 / clamp_min(rate(a_total[1m]), 1)", 0.0, 2.0);
    check("delta(a[1m])", -INF, INF);
    let quantile = |metric: &str| format!("histogram_quantile(0.95, sum by (le) (rate({metric}[1m])))");
    check(&quantile("known_bucket"), 0.0, 10.0);
    check(&format!("1000 * {}", quantile("known_bucket")), 0.0, 10_000.0);
    check(&quantile("d_seconds_bucket"), 0.0, INF);
    check(&quantile("score_bucket"), -INF, INF);
    check("histogram_quantile(95, d_seconds_bucket)", -INF, INF);
}

#[test]
fn what_is_there_only_when_something_fails() {
    let check = |query: &str, want: &[&str]| {
        let found = facts(query).needs_failures;
        let found: Vec<&str> = found.iter().map(|reads| &query[reads.start..reads.end]).collect();
        assert_eq!(found, want, "{query}");
    };
    check(r#"sum(rate(r_total{code=~"5.."}[1m]))"#, &[r#"r_total{code=~"5.."}[1m]"#]);
    check(r#"sum(rate(r_total{code=~"5.."}[1m])) / sum(rate(r_total[1m]))"#, &[r#"r_total{code=~"5.."}[1m]"#]);
    check(r#"(sum(rate(r_total{code=~"5.."}[1m])) or vector(0)) / sum(rate(r_total[1m]))"#, &[]);
    check(r#"sum(rate(r_total{code=~"5.."}[1m])) / sum(rate(r_total[1m])) or vector(0)"#, &[]);
    check(r#"rate(r_total{status="503"}[1m]) or rate(r_total{status="500"}[1m])"#, &[r#"r_total{status="503"}[1m]"#]);
    for selector in [
        r#"status=~"5[0-9]{2}""#,
        r#"code=~"5xx|error""#,
        r#"code_class="5xx""#,
        r#"result="failed""#,
        r#"code=~"^5..$""#,
    ] {
        check(&format!("r_total{{{selector}}}"), &[&format!("r_total{{{selector}}}")]);
    }
    for selector in [
        r#"code!~"5..""#,
        r#"code=~"2..|5..""#,
        r#"code=~".*""#,
        r#"code="200""#,
        r#"path="/5xx""#,
        r#"code="""#,
        r#"code="5""#,
        r#"code="54""#,
    ] {
        check(&format!("r_total{{{selector}}}"), &[]);
    }
    check(r#"scalar(r_total{code="500"}) + absent(r_total{code="500"})"#, &[]);
    check(r#"r_total unless r_total{code="500"}"#, &[]);
    check(r#"e_errors_total"#, &[]);
}

#[test]
fn shares_that_are_held_against_a_fixed_number() {
    let share = r#"sum(rate(p_total{prediction="1"}[1m])) / sum(rate(p_total[1m]))"#;
    let found = |query: &str| facts(query).centred.iter().map(|c| (c.centre, c.whole)).collect::<Vec<_>>();
    assert_eq!(found(&format!("abs({share} - 0.5)")), [(0.5, 1.0)]);
    assert_eq!(found(&format!("abs(0.25 - {share}) >= 0")), [(0.25, 1.0)]);
    assert_eq!(found(&format!("abs(100 * {share} - 25)")), [(0.25, 100.0)]);
    assert!(found(&format!("abs(({share}) - ({share}))")).is_empty());
    assert!(found(&format!("abs({share} - 1)")).is_empty());
    assert!(found("abs(a - 0.5)").is_empty());
    let query = format!("2 * abs({share} - 0.5)");
    let centred = &facts(&query).centred[0];
    assert_eq!(&query[centred.start..centred.end], format!("abs({share} - 0.5)"));
}
