//! Lints on manifests one edit apart, and the levels that findings get. The pages of the lints are tested where PromQL is
//! read too.

use serin_spec::lint::{self, LINTS, Level, Policy};
use serin_spec::{Checked, Problem, Severity, Source, check};

/// Names of what is found in a text, in its order; errors by their own word.
fn found(text: &str) -> Vec<&'static str> {
    applied(text, &Policy::default()).iter().map(|problem| problem.code).collect()
}

fn applied(text: &str, policy: &Policy) -> Vec<Problem> {
    let sources = [Source::new("file.yaml", text)];
    let Checked { catalog, problems } = check(&sources);
    policy.apply(&sources, &catalog, problems, lint::check(&catalog))
}

const POD: &str = "\
selector: {matchLabels: {app: m}}, template: {metadata: {labels: {app: m}}, spec: {containers: [{name: c, image: \"m:1\", \
ports: [{containerPort: 80}], readinessProbe: {tcpSocket: {port: 80}}}]}}";

const SERVICES: &str = "
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: m}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: c}, spec: {selector: {app: m}, ports: [{port: 80}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec: {rules: [{host: h, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: t}
spec:
  metrics:
    - {name: e, interval: 30s, count: 5, successCondition: 'result[0] < 1', provider: {prometheus: {query: up}}}
";

/// A rollout with this strategy, in flow style, and fields of its spec.
fn rollout(spec: &str, strategy: &str) -> String {
    format!(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {{name: m}}, spec: {{{spec} {POD}, strategy: {strategy}}}}}{SERVICES}"
    )
}

/// A canary behind a router with these steps; the template of the services is used by its last one.
fn routed(spec: &str, fields: &str, steps: &str) -> String {
    let routing = "canaryService: c, stableService: s, trafficRouting: {nginx: {stableIngress: i}}";
    rollout(spec, &format!("{{canary: {{{routing}, {fields} steps: [{steps}, {JUDGED}]}}}}"))
}

/// A canary whose members are its weight.
fn basic(spec: &str, fields: &str, steps: &str) -> String {
    rollout(spec, &format!("{{canary: {{{fields} steps: [{steps}, {JUDGED}]}}}}"))
}

const JUDGED: &str = "{setWeight: 99}, {pause: {duration: 1m}}, {analysis: {templates: [{templateName: t}]}}";

#[test]
fn steps_behind_a_router() {
    let check = |spec: &str, fields: &str, steps: &str, want: &[&str]| {
        assert_eq!(found(&routed(spec, fields, steps)), want, "{spec} {fields} {steps}");
    };
    check("replicas: 4,", "", "{setWeight: 20}, {pause: {}}", &[]);
    check("replicas: 1,", "", "{setWeight: 1}, {pause: {}}", &[]);
    check("", "", "{setWeight: 20}, {setCanaryScale: {weight: 50}}, {pause: {}}", &[]);
    // A first weight of 0 is a usual way to begin.
    check(
        "",
        "",
        "{setWeight: 0}, {setCanaryScale: {replicas: 1}}, {pause: {}}, {setCanaryScale: {matchTrafficWeight: true}}",
        &[],
    );
    check("", "", "{setWeight: 0}, {pause: {}}, {setWeight: 0}, {pause: {}}", &["repeated-weight"]);
    check("", "", "{setWeight: 99}, {pause: {}}", &["repeated-weight"]);
    check(
        "",
        "",
        "{setCanaryScale: {replicas: 0}}, {setWeight: 20}, {pause: {}}, {setCanaryScale: {matchTrafficWeight: true}}",
        &["weight-without-members"],
    );
    check(
        "replicas: 10,",
        "",
        "{setCanaryScale: {weight: 5}}, {setWeight: 30}, {pause: {}}, {setCanaryScale: {matchTrafficWeight: true}}",
        &["too-few-members"],
    );
    check(
        "replicas: 10,",
        "",
        "{setCanaryScale: {weight: 50}}, {setWeight: 30}, {pause: {}}, {setCanaryScale: {}}",
        &["no-effect"],
    );
    // Without a number of replicas nobody knows how many a share is.
    check("", "", "{setCanaryScale: {replicas: 1}}, {setWeight: 30}, {pause: {}}", &[]);
    check(
        "replicas: 4,",
        "minPodsPerReplicaSet: 2,",
        "{setCanaryScale: {replicas: 1}}, {setWeight: 10}, {setCanaryScale: {matchTrafficWeight: true}}",
        &["too-few-members"],
    );
    check("", "", "{setWeight: 20}, {pause: {duration: 999ms}}", &["zero-pause"]);
    check("", "", "{setWeight: 20}, {pause: {duration: \"1\"}}", &[]);
    check("", "", "{analysis: {templates: [{templateName: t}]}}", &["analysis-without-canary"]);
    check(
        "",
        "",
        "{setCanaryScale: {replicas: 2}}, {analysis: {templates: [{templateName: t}]}}, {setCanaryScale: {matchTrafficWeight: true}}",
        &[],
    );
    check(
        "",
        "replicaProgressThreshold: {type: Percent, value: 0},",
        "{setWeight: 20}, {pause: {}}",
        &["threshold-passes-all"],
    );
    check("", "abortScaleDownDelaySeconds: 0,", "{setWeight: 20}, {pause: {}}", &["abort-delay-zero"]);
    check("", "maxSurge: \"3\", maxUnavailable: \"3%\",", "{setWeight: 20}, {pause: {}}", &["percent-without-sign"]);
}

#[test]
fn the_whole_weight_is_what_the_router_counts_as_all() {
    let full = |total: &str, weight: u32| {
        let routing =
            format!("canaryService: c, stableService: s, trafficRouting: {{nginx: {{stableIngress: i}}{total}}}");
        let steps = format!(
            "{{setWeight: 50}}, {{pause: {{duration: 1m}}}}, {{analysis: {{templates: [{{templateName: t}}]}}}}, {{setWeight: {weight}}}, {{pause: {{}}}}"
        );
        found(&rollout("", &format!("{{canary: {{{routing}, steps: [{steps}]}}}}")))
    };
    assert_eq!(full("", 100), ["pause-at-full-weight"]);
    assert_eq!(full(", maxTrafficWeight: 1000", 100), [""; 0]);
    assert_eq!(full(", maxTrafficWeight: 1000", 1000), ["pause-at-full-weight"]);
}

#[test]
fn weights_of_members() {
    let check = |spec: &str, fields: &str, weight: u32, want: &[&str]| {
        let steps = format!("{{setWeight: {weight}}}, {{pause: {{}}}}");
        let text = rollout(spec, &format!("{{canary: {{{fields} steps: [{steps}]}}}}"));
        let names: Vec<&str> = found(&text).into_iter().filter(|name| *name != "unused-template").collect();
        assert_eq!(names, want, "{spec} {fields} {weight}");
    };
    check("replicas: 10,", "", 10, &[]);
    check("replicas: 10,", "", 14, &[]);
    check("replicas: 4,", "", 25, &[]);
    check("replicas: 3,", "", 5, &["coarse-weight"]);
    check("replicas: 1,", "maxSurge: 0, maxUnavailable: 1,", 20, &["weight-without-members"]);
    check("replicas: 1,", "maxSurge: 1,", 50, &[]);
    // Unknown replicas may be many.
    check("", "", 1, &[]);
    check("replicas: 2,", "", 100, &["pause-at-full-weight"]);
    assert_eq!(found(&basic("replicas: 100,", "", "{setWeight: 7}, {pause: {}}")), [""; 0]);
}

#[test]
fn last_steps_and_judges() {
    let check = |steps: &str, want: &[&str]| {
        let routing = "canaryService: c, stableService: s, trafficRouting: {nginx: {stableIngress: i}}";
        let text = rollout("", &format!("{{canary: {{{routing}, steps: [{steps}]}}}}"));
        let names: Vec<&str> = found(&text).into_iter().filter(|name| *name != "unused-template").collect();
        assert_eq!(names, want, "{steps}");
    };
    check("{setWeight: 50}, {pause: {duration: 1m}}", &["nothing-judges"]);
    check("{setWeight: 50}, {pause: {}}", &[]);
    check("{setWeight: 50}, {pause: {}}, {setCanaryScale: {replicas: 3}}", &["pointless-last-step"]);
    check("{setWeight: 50}, {pause: {}}, {setWeight: 100}", &[]);
    let early = basic("", "", "{analysis: {templates: [{templateName: t}]}}");
    assert_eq!(found(&early), ["analysis-without-canary"]);
}

/// A background analysis from a step, with pauses around a second weight.
fn background(from: u32, pauses: &str, metric: &str) -> String {
    let fields = format!("analysis: {{templates: [{{templateName: b}}], startingStep: {from}}},");
    let steps = format!(
        "{{setWeight: 20}}, {{pause: {{duration: {pauses}}}}}, {{setWeight: 50}}, {{pause: {{duration: {pauses}}}}}"
    );
    let routing = "canaryService: c, stableService: s, trafficRouting: {nginx: {stableIngress: i}}";
    let rollout = rollout("", &format!("{{canary: {{{routing}, {fields} steps: [{steps}]}}}}"));
    format!(
        "{rollout}---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: b}}
spec: {{metrics: [{{name: b, {metric}, successCondition: 'result[0] < 1', provider: {{prometheus: {{query: up}}}}}}]}}
"
    )
}

#[test]
fn metrics_against_the_time_there_is() {
    let check = |from: u32, pauses: &str, metric: &str, want: &[&str]| {
        let names: Vec<&str> =
            found(&background(from, pauses, metric)).into_iter().filter(|name| *name != "unused-template").collect();
        assert_eq!(names, want, "{from} {pauses} {metric}");
    };
    check(1, "5m", "interval: 30s, initialDelay: 1m", &[]);
    // The second failure comes after 1 and 2 of the two minutes.
    check(1, "60s", "interval: 60s, initialDelay: 60s, failureLimit: 1", &[]);
    check(1, "60s", "interval: 61s, initialDelay: 60s, failureLimit: 1", &["background-too-late"]);
    check(2, "60s", "interval: 60s, initialDelay: 60s, failureLimit: 1", &["background-too-late"]);
    check(1, "5m", "interval: 1m, failureLimit: -1, consecutiveSuccessLimit: 20", &[]);
    check(0, "5m", "interval: 30s", &["measured-too-early"]);
    check(0, "5m", "interval: 30s, consecutiveErrorLimit: 12", &[]);
    check(0, "5m", "interval: 30s, initialDelay: 2m", &[]);
    check(0, "5m", "interval: 30s, consecutiveErrorLimit: 9223372036854775807", &["endless-errors"]);
    check(0, "5m", "interval: 30s, failureLimit: 9223372036854775807", &["background-too-late", "measured-too-early"]);
}

/// What a template with these fields of its metric is told.
fn metric(fields: &str, conditions: &str) -> Vec<&'static str> {
    found(&format!(
        "{{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {{name: t}}, spec: {{args: [{{name: limit, value: \"5\"}}, {{name: open}}], \
         metrics: [{{name: e, {fields}, {conditions}, provider: {{prometheus: {{query: up}}}}}}]}}}}"
    ))
}

#[test]
fn conditions_and_limits() {
    let check = |fields: &str, conditions: &str, want: &[&str]| {
        assert_eq!(metric(fields, conditions), want, "{fields}, {conditions}");
    };
    let five = "interval: 30s, count: 5";
    check(five, "successCondition: 'result[0] < 1'", &[]);
    check("interval: 30s, count: 5, failureLimit: 3", "successCondition: 'result[0] < 1'", &[]);
    check("interval: 30s, count: 5, failureLimit: 4", "successCondition: 'result[0] < 1'", &["all-must-fail"]);
    check("interval: 30s, count: 2, failureLimit: 1", "successCondition: 'result[0] < 1'", &["all-must-fail"]);
    check("count: 1, failureLimit: 0", "successCondition: 'result[0] < 1'", &[]);
    check("interval: 30s, failureLimit: 4", "successCondition: 'result[0] < 1'", &[]);
    check("interval: 30s, count: 5, failureLimit: 5", "successCondition: 'result[0] < 1'", &["never-fails"]);
    check(
        "interval: 30s, count: '{{args.limit}}', failureLimit: 5",
        "successCondition: 'result[0] < 1'",
        &["never-fails"],
    );
    check("interval: 30s, count: '{{args.open}}', failureLimit: 5", "successCondition: 'result[0] < 1'", &[]);
    check(
        "interval: 30s, count: 5, failureLimit: -1, consecutiveSuccessLimit: 3",
        "successCondition: 'result[0] < 1'",
        &[],
    );
    check("count: 1, failureLimit: 1", "successCondition: 'result[0] < 1'", &["never-fails"]);
    let both = "successCondition: 'result[0] < 1', failureCondition: 'result[0] > 2'";
    check(five, both, &[]);
    check("interval: 30s, count: 5, inconclusiveLimit: 5", both, &["inconclusive-passes"]);
    check("interval: 30s, count: 5, inconclusiveLimit: 4", both, &[]);
    check(five, "successCondition: 'result[0] < 2', failureCondition: 'result[0] > 1'", &["overlapping-conditions"]);
    check(five, "successCondition: 'result[0] < 1', failureCondition: 'result[0] >= 1'", &[]);
    check(five, "successCondition: 'result[0] > 2', failureCondition: 'result[0] > 1'", &["never-passes"]);
    check(five, "successCondition: 'result[0] > {{args.limit}}', failureCondition: 'result[0] > 1'", &["never-passes"]);
    check(five, "successCondition: 'result[0] > {{args.open}}', failureCondition: 'result[0] > 1'", &[]);
    // Nothing is known of the numbers around a limit on a distance.
    check(five, "successCondition: 'abs(result[0] - 20) < 5'", &[]);
    check("interval: 30s, consecutiveErrorLimit: 359", "successCondition: 'result[0] < 1'", &[]);
    check("interval: 30s, consecutiveErrorLimit: 360", "successCondition: 'result[0] < 1'", &["endless-errors"]);
}

#[test]
fn experiments_come_to_an_end() {
    let check = |fields: &str, want: &[&str]| {
        let step = format!("{{experiment: {{{fields} templates: [{{name: a, specRef: canary}}]}}}}");
        let text = routed("", "", &format!("{step}, {{setWeight: 20}}, {{pause: {{}}}}"));
        assert_eq!(found(&text), want, "{fields}");
    };
    check("duration: 5m,", &[]);
    check("", &["endless-experiment"]);
    check("analyses: [{name: a, templateName: t}],", &["endless-experiment"]);
    check("analyses: [{name: a, templateName: t, requiredForCompletion: true}],", &[]);
    check("duration: 2m, analyses: [{name: a, templateName: t}],", &[]);
    check("duration: 119s, analyses: [{name: a, templateName: t}],", &["experiment-ends-first"]);
    check("duration: 10s, analyses: [{name: a, templateName: t, requiredForCompletion: true}],", &[]);
}

#[test]
fn levels_come_from_the_policy() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let text = routed("", "", "{setWeight: 20}, {setWeight: 20}, {pause: {duration: 0}}");
    let levels = |allow: &[&str], warn: &[&str], deny: &[&str]| {
        let policy = Policy::new(&words(allow), &words(warn), &words(deny)).unwrap();
        let of = |problem: &Problem| (problem.code, problem.severity);
        applied(&text, &policy).iter().map(of).collect::<Vec<_>>()
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    let (repeated, zero) = ("repeated-weight", "zero-pause");
    assert_eq!(levels(&[], &[], &[]), [(repeated, warning), (zero, warning)]);
    assert_eq!(levels(&["SL103"], &[], &[]), [(zero, warning)]);
    assert_eq!(levels(&[], &[], &["sl103"]), [(repeated, error), (zero, warning)]);
    assert_eq!(levels(&[], &[], &["warnings"]), [(repeated, error), (zero, error)]);
    assert_eq!(levels(&[zero], &[], &["warnings"]), [(repeated, error)]);
    assert_eq!(levels(&["all"], &[], &[zero]), [(zero, error)]);
    assert_eq!(levels(&[zero], &[], &["all"]).first(), Some(&(repeated, error)));
    assert!(!levels(&[zero], &[], &["all"]).contains(&(zero, error)), "a name beats a group");
    assert_eq!(levels(&[zero], &[zero], &[zero]), [(repeated, warning), (zero, error)]);
    let pedantic = levels(&[], &["no-data-is-an-error"], &[]);
    assert!(pedantic.contains(&("no-data-is-an-error", warning)), "{pedantic:?}");
    let unknown = Policy::new(&[], &[], &words(&["zero-pauze"])).unwrap_err();
    assert_eq!(unknown.hint.as_deref(), Some("did you mean \"zero-pause\"?"));
    assert!(Policy::new(&words(&["warnings"]), &[], &[]).is_err());
}

#[test]
fn objects_with_errors_are_not_linted_and_others_are() {
    let wrong = routed("replicas: 4,", "", "{setWeight: 120}, {setWeight: 120}");
    assert_eq!(found(&wrong), ["invalid-value", "invalid-value", "falling-weight"]);
    let right = basic("", "", "{setWeight: 20}, {setWeight: 20}, {pause: {}}").replace("{name: m}", "{name: other}");
    let right = right.split("\n---").next().unwrap();
    let both = found(&format!("{wrong}---\n{right}\n"));
    assert_eq!(both.iter().filter(|name| **name == "repeated-weight").count(), 1, "{both:?}");
}

#[test]
fn an_object_allows_its_own_findings_and_no_others() {
    let text = routed("", "", "{setWeight: 20}, {setWeight: 20}, {pause: {duration: 0}}");
    let allow = |words: &str| {
        text.replacen("{name: m}", &format!("{{name: m, annotations: {{serin.dev/allow: '{words}'}}}}"), 1)
    };
    assert_eq!(found(&allow("SL103")), ["zero-pause"]);
    assert_eq!(found(&allow(" sl103 , zero-pause,")), [""; 0]);
    assert_eq!(found(&allow("all")), [""; 0]);
    assert_eq!(found(&allow("SL103, zero-pose")), ["unknown-lint", "zero-pause"]);
    // What an error allows nobody can.
    let policy = Policy::new(&[], &[], &["all".to_owned()]).unwrap();
    assert!(applied(&allow("all"), &policy).iter().all(|problem| !problem.object.starts_with("Rollout")));
}

#[test]
fn lints_are_found_by_code_and_name() {
    for lint in LINTS {
        assert_eq!(lint::find(lint.name), Some(lint));
        assert_eq!(lint::find(&lint.code.to_lowercase()), Some(lint));
        assert!(lint.level != Level::Deny, "{}: what is always refused is an error of the check", lint.code);
    }
    assert_eq!(lint::find("SL999"), None);
}

#[test]
fn a_template_is_looked_at_once_for_the_same_arguments() {
    let steps: Vec<String> = (1..300)
        .map(|weight| format!("{{setWeight: {}}}, {{analysis: {{templates: [{{templateName: t}}]}}}}", weight % 90))
        .collect();
    let text = routed("", "", &steps.join(", "));
    let catalog = check(&[Source::new("file.yaml", text)]).catalog;
    assert_eq!(lint::queries(&catalog).len(), 1);
}

#[test]
fn a_template_of_another_object_is_linted_where_it_is_written() {
    let text = "\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: m}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d}
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {app: m}}
  template:
    metadata: {labels: {app: m}}
    spec: {containers: [{name: c, image: m}]}
";
    let found = applied(text, &Policy::default());
    let of_template: Vec<_> = found.iter().filter(|problem| problem.object == "Deployment d").collect();
    let places: Vec<_> = of_template.iter().map(|p| (p.code, p.line, p.path.as_str())).collect();
    let containers = "spec.template.spec.containers[0]";
    assert!(places.contains(&("moving-tag", 15, &*format!("{containers}.image"))), "{places:?}");
    assert!(places.contains(&("no-readiness-probe", 15, containers)), "{places:?}");
}
