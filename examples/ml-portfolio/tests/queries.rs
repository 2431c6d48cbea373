//! The templates' queries on Prometheus itself (`promtool test rules`), with series as a scrape every 15 seconds gives them:
//! which traffic gives which number, and that no traffic gives none.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serin_spec::wire::AnalysisTemplate;

/// The query of a metric with bankchurn's arguments.
fn query(template: &str, metric: &str) -> String {
    let templates = ["k8s/argo-rollouts/analysis-templates.yaml", "blue-green/k8s/bluegreen-validation.yaml"];
    let mut templates = templates.into_iter().flat_map(|file| -> Vec<AnalysisTemplate> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
    });
    let template = templates.find(|t| t.metadata.name() == template).unwrap();
    let metric = template.spec.metrics.into_iter().find(|m| m.name == metric).unwrap();
    let query = metric.provider.prometheus.unwrap().query.unwrap();
    let arguments = [
        ("service-name", "bankchurn-predictor"),
        ("metric-prefix", "bankchurn"),
        ("positive-class", "yes"),
        ("namespace", "ml-services"),
        ("canary-hash", "new"),
        ("preview-hash", "new"),
        ("stable-hash", "old"),
    ];
    let query = arguments.iter().fold(query, |q, (name, value)| q.replace(&format!("{{{{args.{name}}}}}"), value));
    assert!(!query.contains("{{"), "an argument is left: {query}");
    query
}

/// Series as promtool takes them: each with its increase every 15 seconds.
#[derive(Default)]
struct Series(String);

impl Series {
    fn add(mut self, metric: &str, hash: &str, labels: &str, increase: u32) -> Self {
        // Two pods a version, and the same rollout in another namespace, which no query may count: the hash is the same.
        for (namespace, pod, factor) in [("ml-services", "a", 1), ("ml-services", "b", 1), ("staging", "a", 7)] {
            let place = format!("namespace=\"{namespace}\", app=\"bankchurn-predictor\", pod=\"{hash}-{pod}\"");
            let series = format!("bankchurn_{metric}{{{place}, rollouts_pod_template_hash=\"{hash}\"{labels}}}");
            writeln!(self.0, "      - series: '{series}'\n        values: '0+{}x40'", increase * factor).unwrap();
        }
        self
    }

    fn requests(self, hash: &str, status: &str, increase: u32) -> Self {
        self.add("requests_total", hash, &format!(", status=\"{status}\""), increase)
    }

    fn predictions(self, hash: &str, yes: u32, no: u32) -> Self {
        self.add("predictions_total", hash, ", prediction=\"yes\"", yes).add(
            "predictions_total",
            hash,
            ", prediction=\"no\"",
            no,
        )
    }

    /// Latencies: so many below 0.25 s, so many between 0.5 and 1 s.
    fn latencies(self, hash: &str, fast: u32, slow: u32) -> Self {
        [("0.25", fast), ("0.5", fast), ("1", fast + slow), ("+Inf", fast + slow)]
            .into_iter()
            .fold(self, |s, (le, n)| s.add("request_duration_seconds_bucket", hash, &format!(", le=\"{le}\""), n))
    }

    /// Asks Prometheus at ten minutes; nothing wanted means no result.
    fn check(self, query: &str, want: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let expression = format!("round({query}, 0.0001)").replace('\n', "\n          ");
        let samples =
            want.map_or(" []".to_owned(), |v| format!("\n          - labels: '{{}}'\n            value: {v}"));
        let test = format!(
            "evaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n{}    promql_expr_test:\n      \
             - expr: |\n          {expression}\n        eval_time: 10m\n        exp_samples:{samples}\n",
            self.0
        );
        std::fs::write(dir.path().join("test.yaml"), &test).unwrap();
        let output = Command::new("promtool").args(["test", "rules", "test.yaml"]).current_dir(dir.path()).output();
        let output = output.unwrap_or_else(|e| {
            panic!("promtool does not run ({e}). It comes with Prometheus: apt-get install prometheus")
        });
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{test}");
    }
}

/// Something else is always scraped, so that an empty answer is not just an empty database.
fn series() -> Series {
    Series::default().add("up", "old", "", 1)
}

#[test]
fn error_rate_is_the_canarys_alone() {
    for (template, metric) in [("canary-health-check", "error-rate"), ("bluegreen-validation", "error-rate")] {
        let query = query(template, metric);
        let healthy = || series().requests("old", "200", 400).requests("old", "500", 0);
        healthy().requests("new", "200", 75).requests("new", "500", 25).check(&query, Some("0.25"));
        // Without a single failed request there may be no series of them at all.
        healthy().requests("new", "200", 100).check(&query, Some("0"));
        healthy()
            .requests("new", "200", 98)
            .requests("new", "503", 1)
            .requests("new", "500", 1)
            .check(&query, Some("0.02"));
        // A client's mistake is not the service's.
        healthy().requests("new", "200", 75).requests("new", "400", 25).check(&query, Some("0"));
        // A bad stable version is not the canary's fault.
        series().requests("old", "500", 400).requests("new", "200", 100).check(&query, Some("0"));
    }
}

#[test]
fn latency_is_the_canarys_alone() {
    let p95 = query("canary-health-check", "latency-p95");
    series().latencies("old", 100, 900).latencies("new", 1000, 0).check(&p95, Some("0.2375"));
    series().latencies("old", 1000, 0).latencies("new", 0, 10).check(&p95, Some("0.975"));
    // Exactly 5% slow answers are at the limit, 10% beyond it.
    series().latencies("new", 95, 5).check(&p95, Some("0.25"));
    series().latencies("new", 90, 10).check(&p95, Some("0.75"));
    let p99 = query("bluegreen-validation", "latency-p99");
    series().latencies("old", 1000, 0).latencies("new", 0, 10).check(&p99, Some("0.995"));
}

#[test]
fn stability_compares_the_canary_with_the_stable_version() {
    let query = query("canary-health-check", "prediction-stability");
    // 14% and 92% are healthy; half against 14% is not.
    series().predictions("old", 56, 344).predictions("new", 14, 86).check(&query, Some("0"));
    series().predictions("old", 92, 8).predictions("new", 46, 4).check(&query, Some("0"));
    series().predictions("old", 14, 86).predictions("new", 50, 50).check(&query, Some("0.36"));
    series().predictions("old", 92, 8).predictions("new", 15, 85).check(&query, Some("0.77"));
    // A version that never says yes has a share of 0, with or without a series for it.
    series().predictions("old", 50, 50).predictions("new", 0, 100).check(&query, Some("0.5"));
    let only_no = series().predictions("old", 50, 50).add("predictions_total", "new", ", prediction=\"no\"", 10);
    only_no.check(&query, Some("0.5"));
}

#[test]
fn without_traffic_there_is_no_number() {
    let metrics = [
        ("canary-health-check", "error-rate"),
        ("canary-health-check", "latency-p95"),
        ("canary-health-check", "prediction-stability"),
        ("bluegreen-validation", "error-rate"),
        ("bluegreen-validation", "latency-p99"),
    ];
    for (template, metric) in metrics {
        let query = query(template, metric);
        let stable = || series().requests("old", "200", 100).latencies("old", 100, 0).predictions("old", 50, 50);
        // Not scraped, and scraped without a request.
        stable().check(&query, None);
        let idle = stable().requests("new", "200", 0).requests("new", "500", 0);
        idle.latencies("new", 0, 0).predictions("new", 0, 0).check(&query, None);
    }
    let query = query("canary-health-check", "prediction-stability");
    series().predictions("new", 50, 50).predictions("old", 0, 0).check(&query, None);
}
