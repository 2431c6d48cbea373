//! Lints of queries, where manifests and PromQL meet: what each query with its limit is told, and above all what it is not.

use std::collections::BTreeSet;

use serin_spec::lint::Policy;
use serin_spec::{Problem, Severity, Source};

/// What a template with one metric is told, when a rollout runs it. It does so twice, and what is wrong is told once.
fn problems(query: &str, condition: &str) -> Vec<Problem> {
    problems_at(query, condition, [50, 50], ["5m", "5m"])
}

/// The same with the weights and pauses before each of the two analyses.
fn problems_at(query: &str, condition: &str, weights: [u32; 2], pauses: [&str; 2]) -> Vec<Problem> {
    let metric = format!(
        "interval: 30s\n      count: 5\n      {condition}\n      provider:\n        prometheus:\n          query: {query:?}"
    );
    let problems = of_metric(&metric, weights, pauses);
    assert!(!problems.iter().any(Problem::is_error), "{query}: {problems:#?}");
    problems
}

/// What is told about a metric of these fields.
fn of_metric(metric: &str, weights: [u32; 2], pauses: [&str; 2]) -> Vec<Problem> {
    let second = match weights[1] == weights[0] {
        true => String::new(),
        false => format!("- setWeight: {}\n        ", weights[1]),
    };
    let (weight, [first_pause, second_pause]) = (weights[0], pauses);
    let text = format!(
        r#"
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: model}}
spec:
  selector: {{matchLabels: {{app: model}}}}
  template:
    metadata: {{labels: {{app: model}}}}
    spec: {{containers: [{{name: m, image: "m:1", readinessProbe: {{tcpSocket: {{port: 80}}}}}}]}}
  strategy:
    canary:
      steps:
        - setWeight: {weight}
        - pause: {{duration: {first_pause}}}
        - analysis: &twice
            templates: [{{templateName: t}}]
            args:
              - {{name: hash, valueFrom: {{podTemplateHashValue: Latest}}}}
              - {{name: stable, valueFrom: {{podTemplateHashValue: Stable}}}}
              - {{name: prefix, value: model}}
              - {{name: where, valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['app']"}}}}}}
        {second}- pause: {{duration: {second_pause}}}
        - analysis: *twice
        - setWeight: 90
        - pause: {{duration: 1m}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: t}}
spec:
  args: [{{name: hash}}, {{name: stable}}, {{name: prefix}}, {{name: where}}]
  metrics:
    - name: m
      {metric}
"#
    );
    let sources = [Source::new("file.yaml", text)];
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    Policy::default().apply(&sources, &catalog, found, serin_local::lint(&catalog))
}

#[track_caller]
fn check(query: &str, condition: &str, want: &[&str]) {
    let names: Vec<&str> = problems(query, condition).iter().map(|problem| problem.code).collect();
    assert_eq!(names, want, "{query}");
}

const SMALL: &str = "successCondition: result[0] < 0.5";

#[test]
fn versions() {
    let one = |selector: &str| format!("sum(rate(x_total{{{selector}}}[1m]))");
    check(&one(""), SMALL, &["mixes-versions"]);
    check(&one(r#"app="model""#), SMALL, &["mixes-versions"]);
    check(&one(r#"hash="{{args.hash}}""#), SMALL, &[]);
    check(&one(r#"pod=~"model-{{args.hash}}-.*""#), SMALL, &[]);
    check(&one(r#"service="model-canary""#), SMALL, &[]);
    check(&one(r#"track!="""#), SMALL, &[]);
    // An argument whose value only a run knows may be the version; one that is written down is not.
    check(&one(r#"service="{{args.where}}""#), SMALL, &[]);
    check(&one(r#"service="{{args.prefix}}""#), SMALL, &["mixes-versions"]);
    check("sum by (version) (rate(x_total[1m])) > 0", "successCondition: 'all(result, # < 0.5)'", &["no-data-passes"]);
    check("vector(0.1)", SMALL, &[]);
    check("canary_score", SMALL, &[]);
    // Canary against stable.
    let versus = r#"sum(rate(x_total{v="{{args.hash}}"}[1m])) / (sum(rate(x_total{v="{{args.stable}}"}[1m])) > 0)"#;
    check(versus, "successCondition: result[0] < 1.5", &[]);
    let lopsided = r#"sum(rate(e_total{v="{{args.hash}}"}[1m])) / (sum(rate(x_total[1m])) > 0)"#;
    check(lopsided, SMALL, &["lopsided-ratio"]);
    let turned = r#"sum(rate(e_total[1m])) / (sum(rate(x_total{v="{{args.hash}}"}[1m])) > 0)"#;
    check(turned, SMALL, &["lopsided-ratio"]);
}

#[test]
fn units() {
    let latency = |unit: &str| {
        format!(
            r#"histogram_quantile(0.9, sum by (le) (rate({{{{args.prefix}}}}_duration_{unit}_bucket{{pod="p"}}[1m]))) >= 0"#
        )
    };
    let condition = |limit: &str| format!("successCondition: result[0] < {limit}");
    check(&latency("seconds"), &condition("500"), &["wrong-unit"]);
    check(&latency("seconds"), &condition("50"), &["wrong-unit"]);
    check(&latency("seconds"), &condition("30"), &[]);
    check(&latency("seconds"), &condition("0.5"), &[]);
    check(&latency("milliseconds"), &condition("0.5"), &["wrong-unit"]);
    check(&latency("milliseconds"), &condition("500"), &[]);
    check(&latency("bytes"), &condition("500"), &[]);
    check(&format!("({}) * 1000", latency("seconds")), &condition("500"), &[]);
    let share = r#"sum(rate(x_total{pod="p", path="/p"}[1m])) / (sum(rate(x_total{pod="p"}[1m])) > 0)"#;
    check(share, &condition("5"), &["share-out-of-range"]);
    check(share, &condition("1"), &[]);
    check(&format!("100 * {share}"), &condition("5"), &[]);
    check(&format!("100 * {share}"), &condition("0.05"), &["wrong-unit"]);
    check(&format!("100 * {share}"), "successCondition: result[0] == 0 || result[0] < 5", &[]);
    check(share, "failureCondition: isNaN(result[0]) || 5 < result[0]", &["share-out-of-range"]);
    // How many series there are has no unit.
    check(share, "successCondition: len(result) == 7 || result[0] < 0.5", &[]);
}

#[test]
fn answers() {
    let by = r#"sum by (path) (rate(x_total{pod="p"}[1m]))"#;
    check(by, SMALL, &["only-first-series"]);
    check(by, "successCondition: result[0] < 0.5 && result[1] < 0.5", &[]);
    check(&format!("max({by})"), SMALL, &[]);
    let ratio = r#"sum(rate(e_total{pod="p"}[1m])) / sum(rate(x_total{pod="p"}[1m]))"#;
    check(ratio, SMALL, &["nan-fails"]);
    check(ratio, "successCondition: isNaN(result[0]) || result[0] < 0.5", &["nan-passes"]);
    check(ratio, "successCondition: result[0] < 0.5\n      failureCondition: result[0] > 0.6", &[]);
    check(&format!("{ratio} >= 0"), SMALL, &[]);
    check(r#"sum(x_total{pod="p"})"#, SMALL, &["raw-counter"]);
    check(r#"rate(x_total{pod="p"}[15s])"#, SMALL, &["short-range"]);
}

#[test]
fn findings_point_into_the_query_and_the_condition() {
    let query = r#"sum(x_total{pod="{{args.hash}}"})"#;
    let [raw] = problems(query, SMALL).try_into().unwrap();
    assert_eq!((raw.object.as_str(), raw.severity), ("AnalysisTemplate t", Severity::Warning));
    assert_eq!(raw.path, "spec.metrics[0].provider.prometheus.query");
    let latency = r#"histogram_quantile(0.9, rate(d_seconds_bucket{pod="p"}[1m])) >= 0"#;
    let [unit] = problems(latency, "successCondition: result[0] < 500").try_into().unwrap();
    assert_eq!((unit.path.as_str(), unit.width), ("spec.metrics[0].successCondition", 3));
    assert_eq!(unit.hint.as_deref(), Some("for 500 ms write 0.5"));
}

/// The message of the only problem.
#[track_caller]
fn message(problems: Vec<Problem>, name: &str) -> String {
    let [only] = problems.try_into().unwrap_or_else(|all: Vec<Problem>| panic!("{all:#?}"));
    assert_eq!(only.code, name);
    only.message
}

#[test]
fn a_mixture_is_told_in_numbers() {
    let share = r#"(sum(rate(x_total{code=~"5.."}[1m])) or vector(0)) / (sum(rate(x_total[1m])) > 0)"#;
    let check = |query: &str, condition: &str, weight: u32, want: &str| {
        let message = message(problems_at(query, condition, [weight, 60], ["5m", "5m"]), "mixes-versions");
        assert!(message.ends_with(want), "{message}");
    };
    check(
        share,
        "successCondition: result[0] < 0.05",
        20,
        "at a weight of 20% it reads 0.2 × canary + 0.8 × stable, so a limit of 5% is one of 23% to 25% for the canary",
    );
    check(
        &format!("100 * {share}"),
        "failureCondition: isNaN(result[0]) || result[0] > 5",
        50,
        "a limit of 5% is one of 9.5% to 10% for the canary",
    );
    check(
        &format!("1 - {share}"),
        "successCondition: result[0] >= 0.95",
        20,
        "a limit of 95% is one of 75% to 77% for the canary",
    );
    check(share, "successCondition: result[0] < 0.2", 20, "a limit of 20% is one of 92% to 100% for the canary");
    check(
        share,
        "successCondition: result[0] < 0.05",
        2,
        "so nothing that the canary does gets over 5% while stable is healthy",
    );
    check(
        &format!("1 - {share}"),
        "successCondition: result[0] > 0.9",
        5,
        "nothing that the canary does gets under 90% while stable is healthy",
    );
    let quantile = "histogram_quantile(0.95, sum by (le) (rate(x_seconds_bucket[1m]))) >= 0";
    check(
        quantile,
        SMALL,
        20,
        "at a weight of 20%, while stable is healthy, the quantile 0.95 of all is 0.75 of the canary",
    );
    check(quantile, SMALL, 5, "all answers of the canary may be slow without the quantile 0.95 showing it");
    // Other numbers do not add up like shares.
    check("sum(rate(x_total[1m]))", SMALL, 20, "a canary's errors drown in everybody's requests");
    // With all requests at the new version there is nothing to mix.
    assert_eq!(
        problems_at(share, SMALL, [100, 100], ["5m", "5m"]).iter().filter(|p| p.code == "mixes-versions").count(),
        0
    );
}

#[test]
fn ranges_and_the_time_at_the_weight() {
    let check = |selector: &str, range: &str, pauses: [&str; 2], want: &[&str]| {
        let query = format!("sum(increase(x_total{{{selector}}}[{range}]))");
        let found = problems_at(&query, SMALL, [20, 50], pauses);
        let names: Vec<&str> = found.iter().map(|problem| problem.code).collect();
        assert_eq!(names, want, "{query} {pauses:?}: {found:#?}");
    };
    let one = r#"v="{{args.hash}}""#;
    // Five measurements, two minutes from the first to the last.
    check(one, "5m", ["1m", "3m"], &[]);
    check(one, "5m", ["1m", "179s"], &["window-before-step"]);
    // At its first weight a version has no earlier time, and who waits for a person waits long enough.
    check(one, "1h", ["1m", "2h"], &[]);
    // Of both versions the first measurement is looked at.
    check("", "5m", ["5m", "5m"], &["mixes-versions"]);
    check("", "5m", ["4m", "5m"], &["mixes-versions", "window-before-step"]);
    check("", "5m", ["5m", "4m"], &["mixes-versions", "window-before-step"]);
    // An argument may be anything.
    check(r#"v="{{args.where}}""#, "1h", ["1m", "1m"], &[]);
    let query = "sum(increase(x_total[2m]))";
    let found = problems_at(query, SMALL, [20, 50], ["30s", "5m"]);
    assert_eq!(
        found[1].message,
        "it looks back 120 s and is asked first after 30 s at 20%: 75% of that is from before"
    );
    assert_eq!(found[1].width, "x_total[2m]".len());
}

#[test]
fn limits_within_reach() {
    let condition = |text: &str| format!("successCondition: {text}");
    let rate = r#"sum(rate(x_total{pod="p"}[1m]))"#;
    let reach = &["limit-out-of-reach"][..];
    check(rate, &condition("result[0] >= 0"), reach);
    check(rate, &condition("result[0] < 0"), reach);
    check(rate, &condition("result[0] <= 0"), &[]);
    check(rate, &condition("result[0] > 0"), &[]);
    check(rate, "failureCondition: isNaN(result[0]) || result[0] < 0", reach);
    check(&format!("abs({rate} - 3)"), &condition("result[0] > -1"), reach);
    check(&format!("{rate} - 3"), &condition("result[0] > -1"), &[]);
    let share = r#"sum(rate(x_total{pod="p", path="/p"}[1m])) / (sum(rate(x_total{pod="p"}[1m])) > 0)"#;
    check(share, &condition("result[0] <= 1"), reach);
    check(share, &condition("result[0] < 1"), &[]);
    check(&format!("100 * {share}"), &condition("result[0] < 200"), reach);
    check(share, &condition("result[0] > 1"), reach);
    // With what is out of range for another reason nothing more is told.
    check(share, &condition("result[0] < 5"), &["share-out-of-range"]);
    // A quiet minute is NaN, on which it fails: that is all that it judges, and said already.
    check(&share.replace(" > 0)", ")"), &condition("result[0] >= 0"), &["nan-fails"]);
    let found = message(problems(share, &condition("result[0] <= 1")), "limit-out-of-reach");
    assert_eq!(found, "the query gives 0 to 1, and every such number passes: it cannot stop an update");
    let found = message(problems(rate, &condition("result[0] < 0")), "limit-out-of-reach");
    assert_eq!(found, "the query gives 0 and more, and every such number fails to pass: every update ends here");
}

#[test]
fn buckets_of_the_router() {
    let quantile = |metric: &str| {
        format!(r#"histogram_quantile(0.95, sum by (le) (rate({metric}_bucket{{version="canary"}}[1m]))) >= 0"#)
    };
    let router = quantile("serin_router_request_duration_seconds");
    let condition = |limit: &str| format!("successCondition: result[0] < {limit}");
    check(&router, &condition("0.25"), &[]);
    check(&router, &condition("10"), &[]);
    check(&router, &condition("0.3"), &["between-buckets"]);
    check(&router, &condition("0.0005"), &["between-buckets"]);
    check(&router, &condition("11"), &["limit-out-of-reach"]);
    check(&router, &condition("300"), &["wrong-unit"]);
    check(&format!("1000 * ({router})"), &condition("250"), &[]);
    check(&format!("1000 * ({router})"), &condition("300"), &["between-buckets"]);
    check(&quantile("serin_router_mirror_request_duration_seconds"), &condition("0.3"), &["between-buckets"]);
    // Nobody knows the buckets of another histogram.
    check(&quantile("http_request_duration_seconds"), &condition("0.3"), &[]);
    check(&quantile("http_request_duration_seconds"), &condition("11"), &[]);
    let slow = |le: &str| {
        format!(
            "sum(rate(serin_router_request_duration_seconds_bucket{{version=\"canary\", le=\"{le}\"}}[1m])) / \
             (sum(rate(serin_router_request_duration_seconds_count{{version=\"canary\"}}[1m])) > 0)"
        )
    };
    let fast = "successCondition: result[0] > 0.95";
    for known in ["0.001", "0.25", "1", "10", "+Inf"] {
        check(&slow(known), fast, &[]);
    }
    for unknown in ["0.3", "1.0", "20", "0"] {
        check(&slow(unknown), fast, &["no-such-bucket"]);
    }
    let found = problems(&slow("0.3"), fast);
    assert_eq!(found[0].hint.as_deref(), Some("its bounds around it are 0.25 and 0.5"));
}

#[test]
fn the_router_has_the_buckets_that_lints_know() {
    let known = serin_providers::lint::ROUTER_BUCKETS_S.map(|bound| (bound * 1e6).round() as u64);
    assert_eq!(known, serin_proxy::sketch::latency::CLASSIC_US);
}

#[test]
fn series_that_only_failures_make() {
    let bad = |selector: &str| format!("sum(rate(x_total{{pod=\"p\", {selector}}}[1m]))");
    check(&bad(r#"code=~"5..""#), SMALL, &["needs-failures"]);
    check(&format!("{} or vector(0)", bad(r#"code=~"5..""#)), SMALL, &[]);
    check(&bad(r#"code!~"5..""#), SMALL, &[]);
    check(&bad(r#"code=~"5..""#), "successCondition: 'len(result) == 0 ? true : result[0] < 0.5'", &["no-data-passes"]);
    // Our own router has them from the start.
    let router = r#"sum(rate(serin_router_requests_total{version="canary", code_class="5xx"}[1m]))"#;
    check(router, SMALL, &[]);
}

#[test]
fn shares_near_a_number() {
    let share = r#"sum(rate(x_total{pod="p", prediction="1"}[1m])) / (sum(rate(x_total{pod="p"}[1m])) > 0)"#;
    let near = "successCondition: result[0] < 0.3";
    check(&format!("abs({share} - 0.5)"), near, &["base-rate"]);
    check(share, "successCondition: abs(result[0] - 0.5) < 0.3", &["base-rate"]);
    check(&format!("100 * {share}"), "successCondition: 'abs(20 - result[0]) < 5'", &["base-rate"]);
    check(share, "successCondition: abs(result[0] - 0.5) < 0.3 && len(result) == 1", &["base-rate"]);
    let stable = share.replace(r#"pod="p""#, r#"v="{{args.stable}}""#);
    check(&format!("abs(({share}) - ({stable}))"), near, &[]);
    check("avg(x{pod=\"p\"})", "successCondition: abs(result[0] - 0.5) < 0.3", &[]);
    let told = |query: &str, condition: &str| message(problems(query, condition), "base-rate");
    assert_eq!(
        told(&format!("abs({share} - 0.5)"), near),
        "this says that the share is between 0.2 and 0.8, and nothing about whether it changed; a healthy model at 0.2 is a coin toss"
    );
    assert_eq!(
        told(&format!("100 * {share}"), "successCondition: abs(result[0] - 20) < 30"),
        "this says that the share is under 0.5, and nothing about whether it changed; a healthy model at 0.5 is a coin toss"
    );
}

#[test]
fn as_many_failures_as_there_are_measurements() {
    let check = |limits: &str, want: &[&str]| check("vector(0.1)", &format!("{SMALL}\n      {limits}"), want);
    check("failureLimit: 5", &["never-fails"]);
    check("failureLimit: 4", &["all-must-fail"]);
    check("failureLimit: 3", &[]);
    check("failureLimit: 4\n      consecutiveSuccessLimit: 1", &[]);
}

/// Three metrics as the decision record has them: steps of 20% and 50%, a minute and two, readings every 30 seconds.
#[test]
fn the_metrics_of_the_decision_record() {
    let check = |query: &str, condition: &str, want: &[&str]| {
        let found = problems_at(query, condition, [20, 50], ["60s", "120s"]);
        let names: BTreeSet<&str> = found.iter().map(|problem| problem.code).collect();
        assert_eq!(names, want.iter().copied().collect(), "{query}: {found:#?}");
    };
    let limits = "failureLimit: 4";
    check(
        r#"sum(rate(serin_requests_total{status=~"5.."}[2m])) / sum(rate(serin_requests_total[2m]))"#,
        &format!("successCondition: result[0] < 0.05\n      {limits}"),
        &["all-must-fail", "mixes-versions", "needs-failures", "nan-fails", "window-before-step"],
    );
    check(
        "histogram_quantile(0.95, sum by (le) (rate(serin_request_duration_seconds_bucket[2m])))",
        &format!("successCondition: result[0] < 0.5\n      {limits}"),
        &["all-must-fail", "nan-fails", "mixes-versions", "window-before-step"],
    );
    let share = r#"sum(rate(serin_predictions_total{prediction="1"}[5m])) / sum(rate(serin_predictions_total[5m]))"#;
    check(
        &format!("abs({share} - 0.5)"),
        "successCondition: result[0] < 0.3",
        &["base-rate", "nan-fails", "mixes-versions", "window-before-step"],
    );
}

#[test]
fn counters_of_comparisons() {
    let problems = |bad: &str| {
        let metric = format!(
            "provider:\n        plugin:\n          serin.dev/compare:\n            tolerance: 1pt\n            prometheus: {{address: 'http://p', \
             canary: {{bad: {bad:?}, total: 'x{{pod=\"c\"}}'}}, stable: {{bad: 'vector(0)', total: 'x{{pod=\"s\"}}'}}}}"
        );
        of_metric(&metric, [20, 50], ["1m", "1m"])
    };
    let check = |bad: &str, want: &[&str]| {
        let found = problems(bad);
        let names: Vec<&str> = found.iter().map(|problem| problem.code).collect();
        assert_eq!(names, want, "{bad}: {found:#?}");
    };
    check(r#"x{v="{{args.hash}}", code=~"5.."}"#, &[]);
    check(r#"sum by (pod) (x{v="{{args.hash}}"})"#, &[]);
    check(r#"sum by (code) (x{v="{{args.hash}}"})"#, &["sum-over-processes"]);
    check(r#"x{app="model"}"#, &["mixes-versions"]);
    check(r#"x{app="{{args.where}}"}"#, &[]);
    check(r#"sum(x)"#, &["sum-over-processes", "mixes-versions"]);
    check(r#"rate(x{v="{{args.hash}}"}[1m])"#, &["no-counter"]);
    check(r#"x{v="{{args.hash}}"}[1m]"#, &["no-counter"]);
    let [range] = problems(r#"sum(increase(x{v="{{args.hash}}"}[1m]))"#).try_into().unwrap();
    assert_eq!(range.path, "spec.metrics[0].provider.plugin[serin.dev/compare].prometheus.canary.bad");
    assert_eq!((range.severity, range.width > 1), (Severity::Warning, true));
    assert!(range.message.contains("with increase"), "{}", range.message);
}
