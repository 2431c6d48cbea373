//! The rules of validation that are about other objects and about metrics, each with the bad manifest that breaks it.

use std::path::Path;

use serin_spec::{Source, check_with};

/// Checks `bad/<name>.yaml` and expects a problem whose line holds `want`.
fn check(name: &str, want: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad").join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let checked = check_with(&[Source::new(name, text)], &|_| Ok(()));
    let found: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|line| line.contains(want)), "{name}: no {want:?} in\n{}", found.join("\n"));
}

//= compat: 8.5-1, 8.5-2, 8.5-3, 10.28
#[test]
fn services() {
    check("reference-services", "canaryService: there is no Service \"web-canry\"");
    check("reference-services", "stableService: Service \"web\" has unmatch label \"tier\" in rollout");
    check("reference-shared-service", "stableService: Service \"web\" is managed by another Rollout");
}

//= compat: 8.5-4, 8.5-5, 8.5-6, 3.3-7
#[test]
fn analysis_templates() {
    check("reference-templates", "analysis.templates[0].templateName: there is no AnalysisTemplate \"rate\"");
    check("reference-templates", "there is no ClusterAnalysisTemplate \"rates\"");
    check("reference-composition", "two metrics have the same name 'rate'");
    check("reference-composition", "the argument limit has different values");
    check("reference-composition", "spec.templates[0].templateName: there is no AnalysisTemplate \"onee\"");
    check(
        "reference-arguments",
        "steps[0].analysis.templates: the metric rate of AnalysisTemplate rates has an interval and no count",
    );
    check(
        "reference-arguments",
        "steps[1].analysis: the argument \"service\" of AnalysisTemplate rates is not supplied",
    );
}

//= compat: 8.4-1, 8.5-7, 6.2-4
#[test]
fn ingresses() {
    check("routing-incomplete", "trafficRouting.nginx: neither stableIngress nor stableIngresses is set");
    check("reference-services", "nginx.stableIngress: there is no Ingress \"wbe\"");
    check("reference-ingress", "nginx.stableIngresses[0]: ingress `web` has no rules using service web backend");
}

//= compat: 3.15-2
#[test]
fn secrets_of_cluster_templates() {
    // One of that name lies in another namespace.
    check("cluster-template", "secretKeyRef.name: there is no Secret \"token\" in the namespace models");
}

//= compat: 8.4-2
#[test]
fn meshes() {
    check("routing-incomplete", "ambassador.mappings: ambassador: at least one mapping must be named");
    check("routing-incomplete", "appMesh.virtualService: appMesh: the virtual service must be named");
}

//= compat: 1.3-1, 1.3-4, 1.3-6
#[test]
fn workloads() {
    check("workload-missing", "spec.workloadRef.name: there is no Deployment \"wbe\"");
    check("workload-missing", "spec.workloadRef.kind: workload of type apps/StatefulSet is not supported");
    check("workload-missing", "spec.selector: Rollout has missing field '.spec.selector'");
    check("workload-template", "spec.template.metadata.labels: `selector` does not match template `labels`");
}

//= compat: 6.10-1, 8.3-20
#[test]
fn managed_routes() {
    check("routing-incomplete", "a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes");
}

//= compat: 3.11-1, 3.11-2, 3.11-3, 3.11-4
#[test]
fn prometheus_fields() {
    let name = "metric-providers-valid-shape";
    check(name, "prometheus.query: the query is empty");
    check(name, "prometheus.address: \"prometheus:9090\" is no address with a scheme and a host");
    check(name, "prometheus.timeout: timeout must not be negative");
    check(name, "prometheus.rangeQuery.end: a range query needs end");
}

//= compat: 3.12-1, 3.12-2
#[test]
fn web_fields() {
    let name = "metric-providers-valid-shape";
    check(name, "web.url: \"localhost\" is no address");
    check(name, "web.jsonBody: body and jsonBody must not both be set");
    check(name, "web.jsonBody: a GET request has no body");
    check("metric-providers", "web.timeoutSeconds: expected a whole number");
}

/// The controller of the original shows the first of them only; all are said here, in its order.
//= compat: 8.1-2, 8.1-8
#[test]
fn every_problem_is_said_the_original_ones_first() {
    check("reference-services", "canaryService");
    check("reference-services", "spec.ports[0].targetPort");
}

//= compat: 3.1-1, 3.1-3
#[test]
fn what_a_template_may_hold() {
    let template = |more: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: all}}\nspec:\n\
             \x20 args: [{{name: service, value: web}}]\n\
             \x20 metrics: [{{name: rate, interval: 30s, initialDelay: 10s, count: 9, successCondition: 'result[0] < 1', \
             failureCondition: 'result[0] > 2', failureLimit: 2, inconclusiveLimit: 1, consecutiveErrorLimit: 3, \
             consecutiveSuccessLimit: 2, provider: {{prometheus: {{address: 'http://p:9090', query: 'up{{{{args.service}}}}'}}}}}}]\n\
             \x20 dryRun: [{{metricName: rate}}]\n\
             \x20 measurementRetention: [{{metricName: rate, limit: 5}}]\n\
             \x20 templates: [{{templateName: other}}]\n{more}\
             ---\napiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: other}}\nspec:\n\
             \x20 metrics: [{{name: more, successCondition: 'result[0] < 1', provider: {{prometheus: {{address: 'http://p:9090', query: up}}}}}}]\n"
        )
    };
    let problems = |text: String| {
        let checked = check_with(&[Source::new("all.yaml", text)], &|_| Ok(()));
        checked.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems(template("")), Vec::<String>::new());
    let found = problems(template("  ttlStrategy: {}\n"));
    assert!(found.len() == 1 && found[0].contains("there is no field \"ttlStrategy\""), "{found:?}");
}
