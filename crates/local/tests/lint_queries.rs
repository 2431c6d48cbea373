//! Lints of queries, where manifests and PromQL meet: what each query with its limit is told, and above all what it is not.

use serin_spec::lint::Policy;
use serin_spec::{Problem, Severity, Source};

/// What a template with one metric is told, when a rollout runs it. It does so twice, and what is wrong is told once.
fn problems(query: &str, condition: &str) -> Vec<Problem> {
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
        - setWeight: 50
        - pause: {{duration: 1m}}
        - analysis: &twice
            templates: [{{templateName: t}}]
            args:
              - {{name: hash, valueFrom: {{podTemplateHashValue: Latest}}}}
              - {{name: stable, valueFrom: {{podTemplateHashValue: Stable}}}}
              - {{name: prefix, value: model}}
              - {{name: where, valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['app']"}}}}}}
        - pause: {{duration: 1m}}
        - analysis: *twice
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: t}}
spec:
  args: [{{name: hash}}, {{name: stable}}, {{name: prefix}}, {{name: where}}]
  metrics:
    - name: m
      interval: 30s
      count: 5
      {condition}
      provider:
        prometheus:
          query: {query:?}
"#
    );
    let sources = [Source::new("file.yaml", text)];
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    let problems = Policy::default().apply(&sources, &catalog, found, serin_local::lint(&catalog));
    assert!(!problems.iter().any(Problem::is_error), "{query}: {problems:#?}");
    problems
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
    let share = r#"sum(rate(x_total{pod="p", code="500"}[1m])) / (sum(rate(x_total{pod="p"}[1m])) > 0)"#;
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
