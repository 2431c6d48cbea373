//! Whole runs of small manifests in small worlds: strategies, people, faults, metrics.

use std::sync::Arc;

use serin_expr::Value;
use serin_promql::{Query, Store, format_value};
use serin_sim::description::{self, Description};
use serin_sim::scenario::{Question, Questions, Scenario, ScenarioError};
use serin_sim::simulate::{self, Outcome, Report};
use serin_spec::wire::provider::PrometheusMetric;
use serin_spec::{Source, check, settings};

fn question(metric: &PrometheusMetric) -> Result<Question, String> {
    let query = Query::parse(metric.query.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
    let reads = query.clone();
    let ask = move |store: &Store, at_ms: i64| match query.eval(store, at_ms).map_err(|e| e.to_string())? {
        serin_promql::Value::Vector(elements) => {
            let values: Vec<f64> = elements.iter().map(|(_, value)| *value).collect();
            let texts: Vec<String> = values.iter().map(|value| format_value(*value)).collect();
            Ok((Value::from(values), format!("[{}]", texts.join(","))))
        }
        other => Err(format!("{other:?}")),
    };
    Ok(Question { ask: Arc::new(ask), reads: Arc::new(move |labels| reads.reads(labels)) })
}

/// A rollout of this strategy, and a template that judges the errors of the new version by what members export.
fn manifests(strategy: &str, query: &str) -> String {
    format!(
        r#"
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: web-service}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: "web:v1"}}]
  strategy:
{strategy}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: errors}}
spec:
  args: [{{name: hash}}]
  metrics:
    - name: error-rate
      interval: 20s
      count: 3
      successCondition: result[0] < 0.05
      provider: {{prometheus: {{address: "http://prometheus", query: '{query}'}}}}
"#
    )
}

const BY_MEMBERS: &str = r#"(sum(rate(web_requests_total{rollouts_pod_template_hash="{{args.hash}}", status="500"}[1m])) or vector(0)) / (sum(rate(web_requests_total{rollouts_pod_template_hash="{{args.hash}}"}[1m])) > 0)"#;

const BY_ROUTER: &str = r#"(sum(rate(serin_router_requests_total{route="default/web-service", version="{{args.hash}}", code_class="5xx"}[1m])) or vector(0)) / (sum(rate(serin_router_requests_total{route="default/web-service", version="{{args.hash}}"}[1m])) > 0)"#;

const CANARY: &str = r"    canary:
      stableService: web-stable
      canaryService: web-canary
      trafficRouting: {nginx: {stableIngress: web}}
      steps:
        - setWeight: 20
        - pause: {duration: 60s}
        - analysis: {templates: [{templateName: errors}], args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}]}
";

/// Both versions with a tenth of the requests each, and the errors of the new one's pods judged.
const EXPERIMENT: &str = r#"    canary:
      stableService: web-stable
      canaryService: web-canary
      trafficRouting: {nginx: {stableIngress: web}}
      steps:
        - experiment:
            duration: 150s
            templates: [{name: baseline, specRef: stable, weight: 10}, {name: trial, specRef: canary, weight: 10}]
            analyses: [{name: compare, templateName: errors, args: [{name: hash, value: "{{templates.trial.podTemplateHash}}"}]}]
        - setWeight: 50
        - pause: {duration: 10s}
"#;

const ANALYSIS: &str =
    "{templates: [{templateName: errors}], args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}]}";

fn blue_green(more: &str) -> String {
    format!("    blueGreen: {{activeService: web-active, previewService: web-preview, {more}}}\n")
}

/// A world in which v2 has these errors.
fn world(errors: f64, more: &str) -> String {
    format!(
        "deploy: {{to: v2}}\ntraffic: {{rate: 60, previewRate: 3}}\nversions:\n  - {{tag: v1, answers: {{errors: 0.001}}}}\n  \
         - {{tag: v2, answers: {{errors: {errors}}}}}\n  - {{tag: v3, answers: {{errors: 0.002}}}}\n{more}\n"
    )
}

fn try_scenario(manifests: &str, world: &str) -> Result<Scenario, ScenarioError> {
    let world = settings::read::<Description>(&Source::new("world.yaml", world), "world").unwrap();
    assert_eq!(description::check(&world), Vec::new());
    Scenario::new(
        &check(&[Source::new("m.yaml", manifests)]).catalog,
        &world,
        None,
        Questions { query: &question, judge: &|_| unreachable!("no sequential metrics") },
    )
}

fn scenario(manifests: &str, world: &str) -> Scenario {
    try_scenario(manifests, world).unwrap()
}

fn run(scenario: &Scenario, seed: u64) -> (Report, String) {
    let mut transcript = simulate::transcript(scenario);
    let report = simulate::run(scenario, seed, Some(&mut transcript)).unwrap();
    (report, transcript.text().to_owned())
}

fn outcomes(scenario: &Scenario, runs: u64) -> Vec<Outcome> {
    (1..=runs).map(|seed| simulate::run(scenario, seed, None).unwrap().outcome).collect()
}

#[test]
fn a_canary_is_judged_by_what_members_or_router_export() {
    for query in [BY_MEMBERS, BY_ROUTER] {
        let manifests = manifests(CANARY, query);
        let good = scenario(&manifests, &world(0.002, ""));
        assert_eq!(outcomes(&good, 20), [Outcome::Promoted; 20]);
        let bad = scenario(&manifests, &world(0.2, ""));
        assert_eq!(outcomes(&bad, 20), [Outcome::Aborted; 20]);
        let (report, told) = run(&bad, 1);
        assert!(report.detected.is_some_and(|span| (60..100).contains(&span.as_secs())), "{report:?}");
        // A fifth of 60 requests a second for a little more than a minute, a fifth of them failed.
        assert!((100.0..250.0).contains(&report.tally.excess()), "{report:?}");
        assert!(told.contains("error-rate = [0.") && told.contains("person: deploy v2"), "{told}");
    }
}

#[test]
fn without_a_router_the_share_follows_the_members() {
    let strategy = "    canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 34}, {pause: {duration: 60s}}]}\n";
    let scenario = scenario(&manifests(strategy, BY_MEMBERS), &world(0.1, ""));
    let (report, _) = run(&scenario, 3);
    assert_eq!(report.outcome, Outcome::Promoted);
    // One member of four, then more and more.
    let share = report.tally.new_requests as f64 / report.tally.requests as f64;
    assert!((0.2..0.6).contains(&share), "{report:?}");
}

#[test]
fn a_preview_that_fails_never_meets_a_user() {
    let strategy = blue_green(&format!("prePromotionAnalysis: {ANALYSIS}"));
    let manifests = manifests(&strategy, BY_MEMBERS);
    let (report, told) = run(&scenario(&manifests, &world(0.3, "")), 1);
    assert_eq!((report.outcome, report.tally.new_requests), (Outcome::Aborted, 0), "{told}");
    let (report, told) = run(&scenario(&manifests, &world(0.001, "")), 1);
    assert_eq!(report.outcome, Outcome::Promoted, "{told}");
    // Nobody looks at the preview, so nothing can be said for it.
    let unseen = world(0.001, "").replace("previewRate: 3", "previewRate: 0");
    let (report, told) = run(&scenario(&manifests, &unseen), 1);
    assert_eq!(report.outcome, Outcome::Aborted, "{told}");
    assert!(told.contains("no data returned"), "{told}");
}

#[test]
fn what_fails_behind_the_switch_is_taken_back() {
    let strategy = blue_green(&format!("postPromotionAnalysis: {ANALYSIS}"));
    let (report, told) = run(&scenario(&manifests(&strategy, BY_MEMBERS), &world(0.3, "")), 1);
    assert_eq!(report.outcome, Outcome::Aborted, "{told}");
    assert!(report.tally.new_requests > 100 && report.tally.excess() > 30.0, "{report:?}");
    assert!(told.contains("service web-active selects v1"), "{told}");
}

#[test]
fn what_waits_for_a_person_waits_or_is_promoted() {
    let manifests = manifests(&blue_green("autoPromotionEnabled: false"), BY_MEMBERS);
    let waiting = scenario(&manifests, &world(0.001, ""));
    assert_eq!(outcomes(&waiting, 3), [Outcome::Waiting; 3]);
    let people = "people: [{at: 5m, do: promote}]";
    let (report, told) = run(&scenario(&manifests, &world(0.001, people)), 1);
    assert_eq!((report.outcome, report.took.as_secs()), (Outcome::Promoted, 300), "{told}");
}

#[test]
fn people_come_at_the_worst_moment() {
    let manifests = manifests(CANARY, BY_MEMBERS);
    let with = |people: &str| run(&scenario(&manifests, &world(0.002, &format!("people: [{people}]"))), 2);
    let (report, told) = with("{at: 70s, do: abort}");
    assert_eq!((report.outcome, report.detected.map(|d| d.as_secs())), (Outcome::Aborted, Some(70)), "{told}");
    let (report, told) = with("{at: 70s, do: abort}, {at: 80s, do: retry}");
    assert_eq!(report.outcome, Outcome::Promoted, "{told}");
    let (report, told) = with("{at: 10s, do: replicas, to: \"6\"}, {at: 20s, do: promote-full}");
    assert_eq!(report.outcome, Outcome::Promoted, "{told}");
    assert!(told.contains("scale pool v2 to 6"), "{told}");
    // Another version in the middle: the update that was asked for ends, because nobody wants it any more.
    let (report, told) = with("{at: 30s, do: deploy, to: v3}");
    assert_eq!(report.outcome, Outcome::Aborted, "{told}");
    assert!(told.contains("error-rate = ") && told.contains("pool v3"), "{told}");
    let (report, told) = with("{at: 30s, do: undo}");
    assert_eq!(report.outcome, Outcome::Aborted, "{told}");
}

#[test]
fn faults_on_the_way_change_the_time_and_not_the_outcome() {
    let manifests = manifests(CANARY, BY_MEMBERS);
    let faults =
        "faults: {lost: 0.1, twice: 0.1, late: 0.1, lateBy: 3s, killed: 0.1, backAfter: 5s, stale: 0.2, staleBy: 2s}";
    let good = scenario(&manifests, &world(0.002, faults));
    assert_eq!(outcomes(&good, 40), [Outcome::Promoted; 40]);
    let bad = scenario(&manifests, &world(0.3, faults));
    assert_eq!(outcomes(&bad, 40), [Outcome::Aborted; 40]);
    let told: Vec<String> = (1..=10).map(|seed| run(&good, seed).1).collect();
    for what in ["lost: ", "applied twice: ", "3s late: ", "killed before: ", "a new control process begins"] {
        assert!(told.iter().any(|told| told.contains(what)), "{what}");
    }
    assert_eq!(told, (1..=10).map(|seed| run(&good, seed).1).collect::<Vec<_>>());
}

#[test]
fn members_that_never_come_are_given_up_at_the_deadline() {
    let manifests = manifests(CANARY, BY_MEMBERS)
        .replace("replicas: 3", "replicas: 3\n  progressDeadlineSeconds: 120\n  progressDeadlineAbort: true");
    let never = world(0.0, "").replace("{tag: v2,", "{tag: v2, members: {neverReady: 1},");
    let (report, told) = run(&scenario(&manifests, &never), 1);
    assert_eq!((report.outcome, report.tally.new_requests), (Outcome::Aborted, 0), "{told}");
    assert!((110..140).contains(&report.took.as_secs()), "{report:?}");
}

#[test]
fn what_is_no_promql_is_what_the_world_says() {
    let manifests = manifests(CANARY, BY_MEMBERS);
    let start = manifests.find("provider:").unwrap();
    let web = "provider: {web: {url: \"http://judge\", jsonPath: \"{$.score}\"}}\n";
    let manifests = format!("{}{web}", &manifests[..start]);
    let measured = |score: &str| {
        let world = world(0.0, "").replace("{tag: v2,", &format!("{{tag: v2, measures: {{{score}}},"));
        run(&scenario(&manifests, &world), 1)
    };
    assert_eq!(measured("error-rate: 0.01").0.outcome, Outcome::Promoted);
    assert_eq!(measured("error-rate: 0.1").0.outcome, Outcome::Aborted);
    let (report, told) = measured("");
    assert_eq!(report.outcome, Outcome::Aborted);
    assert!(told.contains("no data"), "{told}");
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let manifests = manifests(CANARY, BY_MEMBERS);
    let error = |world: &str| try_scenario(&manifests, world).unwrap_err();
    assert_eq!(error("deploy: {to: v9}\nversions: [{tag: v1}]"), ScenarioError::NotDescribed("v9".to_owned()));
    assert_eq!(error("deploy: {to: v1}\nversions: [{tag: v1}]"), ScenarioError::SameVersion("v1".to_owned()));
    let other = error("rollout: other\ndeploy: {to: v2}");
    assert_eq!(other.to_string(), "failed to find rollout other: there is default/web-service");
    assert_eq!(try_scenario("", "deploy: {to: v2}").unwrap_err(), ScenarioError::NoRollouts);
    let plugin = manifests
        .replace("        - setWeight: 20\n", "        - setWeight: 20\n        - plugin: {name: acme/gate}\n");
    let error = try_scenario(&plugin, &world(0.0, "")).unwrap_err();
    assert_eq!(error, ScenarioError::Step { index: 1, what: "plugin" });
    let several = manifests.replace("image: \"web:v1\"}", "image: \"web:v1\"}, {name: side, image: \"side:v1\"}");
    let error = try_scenario(&several, &world(0.0, "")).unwrap_err();
    assert!(error.to_string().contains("several containers"), "{error}");
}

/// Manifests with an experiment step; pods need a port for a service, and a service for a share of the requests.
fn with_experiment(query: &str) -> String {
    manifests(EXPERIMENT, query).replace("image: \"web:v1\"", "image: \"web:v1\", ports: [{containerPort: 80}]")
}

//= compat: 5.4-4, 5.4-7
#[test]
fn an_experiment_is_judged_by_the_requests_that_its_own_pods_answer() {
    for query in [BY_MEMBERS, BY_ROUTER] {
        let manifests = with_experiment(query);
        let good = scenario(&manifests, &world(0.002, ""));
        assert_eq!(outcomes(&good, 20), [Outcome::Promoted; 20]);
        let bad = scenario(&manifests, &world(0.2, ""));
        assert_eq!(outcomes(&bad, 20), [Outcome::Aborted; 20]);
        let (report, told) = run(&bad, 1);
        assert!(told.contains("-trial 10") && told.contains("-baseline 10"), "{told}");
        assert!(told.contains("-compare: error-rate = [0."), "{told}");
        assert!(told.contains("Experiment analysis phase is error/failed"), "{told}");
        // A tenth of 60 requests a second until the first measurement that sees any, a fifth of them failed.
        assert!((10.0..120.0).contains(&report.tally.excess()), "{report:?}");
    }
}

#[test]
fn an_experiment_without_an_analysis_template_fails_as_in_production() {
    let manifests = with_experiment(BY_MEMBERS).replace("templateName: errors", "templateName: missing");
    let (report, told) = run(&scenario(&manifests, &world(0.002, "")), 1);
    assert_eq!(report.outcome, Outcome::Aborted, "{told}");
    assert!(told.contains("missing"), "{told}");
}

#[test]
fn an_experiment_whose_analysis_asks_for_its_times_is_refused() {
    let manifests =
        with_experiment(BY_MEMBERS).replace("{{templates.trial.podTemplateHash}}", "{{experiment.finishedAt}}");
    let why = try_scenario(&manifests, &world(0.002, "")).unwrap_err();
    assert!(matches!(why, ScenarioError::Experiment { index: 0, .. }), "{why}");
    assert!(why.to_string().contains("{{experiment.finishedAt}}"), "{why}");
}
