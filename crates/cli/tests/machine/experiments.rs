//! Experiments: versions side by side, on their own and as a step, with their members, services, weights and verdicts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::machine::{Machine, eventually};
use crate::manifests::{App, error_rate};
use crate::visitor::{Load, Visitor};

/// An experiment on its own with a baseline of `good.1` and a challenger of this tag, both with a service and an analysis.
fn alone(name: &str, tag: &str, rest: &str) -> String {
    let template = |role: &str, tag: &str| {
        format!(
            r#"
    - name: {role}
      service: {{}}
      selector: {{matchLabels: {{app: {name}, role: {role}}}}}
      template:
        metadata:
          labels: {{app: {name}, role: {role}}}
          annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "8000"}}
        spec:
          containers:
            - name: model
              image: registry.test/model:{tag}
              ports: [{{name: http, containerPort: 8000}}]
              readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 5}}"#
        )
    };
    format!(
        "---\napiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {{name: {name}}}\nspec:\n  {rest}\n  templates:{}{}\n",
        template("baseline", "good.1"),
        template("challenger", tag)
    )
}

const ANALYSES: &str = "analyses: [{name: errors, templateName: health, args: [{name: hash, value: \"{{templates.challenger.podTemplateHash}}\"}]}]";

const REQUIRED: &str = "analyses: [{name: errors, templateName: health, requiredForCompletion: true, args: [{name: hash, value: \"{{templates.canary.podTemplateHash}}\"}]}]";

/// The experiment step: baseline and canary of the same age, each with a share of the requests.
fn step(rest: &str) -> String {
    format!(
        "experiment: {{templates: [{{name: baseline, specRef: stable, weight: 20, metadata: {{labels: {{role: baseline}}}}}}, {{name: canary, specRef: canary, weight: 20}}], {rest}}}"
    )
}

fn experiment(machine: &Machine, name: &str) -> Value {
    let ran = machine.run(&["get", "experiment", name, "-o", "json"]);
    assert!(ran.code <= 1, "{}{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[track_caller]
fn until(machine: &Machine, name: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    eventually(what, || {
        last = experiment(machine, name);
        fits(&last)
    });
    last
}

fn version<'a>(view: &'a Value, name: &str) -> &'a Value {
    view["templates"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap()
}

fn pids(view: &Value) -> Vec<i64> {
    let members = view["templates"].as_array().unwrap().iter().flat_map(|t| t["members"].as_array().unwrap());
    members.map(|m| m["pid"].as_i64().unwrap()).collect()
}

fn empty(view: &Value) -> bool {
    pids(view).is_empty() && view["templates"].as_array().unwrap().iter().all(|t| t["size"] == 0)
}

//= compat: 5.2-3, 5.3-2, 5.3-3, 5.3-9
#[test]
fn two_good_versions_run_side_by_side_for_their_time() {
    let mut machine = Machine::new();
    machine.write("templates.yaml", &error_rate("health", "20s", 3, 0));
    machine.up();
    let text = alone("trial", "good.2", &format!("duration: 200s\n  scaleDownDelaySeconds: 20\n  {ANALYSES}"));
    let path = machine.write("trial.yaml", &text);
    let said = machine.run(&["apply", "-f", path.to_str().unwrap()]).ok();
    assert_eq!(said, "Experiment default/trial configured\n");
    let view = until(&machine, "trial", "running", |v| v["phase"] == "Running");
    let hash = |role: &str| version(&view, role)["hash"].as_str().unwrap().to_owned();
    assert_ne!(hash("baseline"), hash("challenger"));
    // Each answers under the name of its service.
    for role in ["baseline", "challenger"] {
        let service = version(&view, role)["service"].as_str().unwrap();
        let answer = Visitor::new(machine.router(), &format!("{service}.localhost")).get("/predict").unwrap();
        assert_eq!((answer.status, answer.version), (200, hash(role)));
    }
    let load = Load::start(machine.router(), "trial-challenger", 2);
    let view = until(&machine, "trial", "over", |v| v["phase"] == "Successful");
    load.finish();
    assert_eq!(view["runs"][0]["name"], "trial-errors");
    assert_eq!(view["runs"][0]["phase"], "Successful", "{view:#}");
    let view = until(&machine, "trial", "without members", empty);
    assert!(version(&view, "challenger")["service"].is_null(), "{view:#}");
    let gone = Visitor::new(machine.router(), "trial-challenger").get("/predict").unwrap();
    assert_eq!(gone.status, 404, "the service has gone with its members");
    look_at_everything(&machine, &hash("challenger"));
}

fn look_at_everything(machine: &Machine, hash: &str) {
    let list = machine.run(&["list", "experiments"]).ok();
    assert!(list.contains("trial   Successful"), "{list}");
    let text = machine.run(&["get", "experiment", "tri"]).ok();
    assert!(text.contains(hash) && text.contains("✔ trial is Successful"), "{text}");
    let watched = machine.run(&["get", "experiment", "trial", "--watch"]).ok();
    for word in ["TemplateRunning", "ExperimentSuccessful", "error-rate: "] {
        assert!(watched.contains(word), "{word} is missing: {watched}");
    }
    let explained = machine.run(&["explain", "experiment", "trial"]).ok();
    assert!(explained.contains("`serin delete experiment trial` forgets it"), "{explained}");
    assert_eq!(
        machine.run(&["terminate", "experiment", "trial"]).ok(),
        "experiment default/trial has ended already: Successful\n"
    );
    assert_eq!(machine.run(&["delete", "experiment", "trial"]).ok(), "experiment default/trial is deleted\n");
    assert_eq!(machine.run(&["list", "experiments"]).ok(), "no experiments\n");
    machine.run(&["get", "experiment", "trial"]).fails(2);
}

//= compat: 5.3-7
#[test]
fn a_bad_version_fails_its_experiment_at_once() {
    let mut machine = Machine::new();
    machine.write("templates.yaml", &error_rate("health", "20s", 10, 0));
    machine.write("trial.yaml", &alone("trial", "errors.1", ANALYSES));
    machine.up();
    until(&machine, "trial", "running", |v| v["phase"] == "Running");
    let load = Load::start(machine.router(), "trial-challenger", 2);
    let watched = machine.run(&["get", "experiment", "trial", "--watch"]);
    load.finish();
    assert_eq!(watched.code, 1, "{}", watched.out);
    let last = watched.out.lines().last().unwrap();
    assert!(last.starts_with("trial is Failed: Metric \"error-rate\" assessed Failed"), "{last}");
    until(&machine, "trial", "without members", empty);
}

//= compat: 5.3-8
#[test]
fn without_a_duration_it_runs_until_somebody_ends_it() {
    let mut machine = Machine::new();
    machine.write("trial.yaml", &alone("trial", "good.2", "scaleDownDelaySeconds: 0"));
    machine.up();
    let view = until(&machine, "trial", "running", |v| v["phase"] == "Running");
    assert_eq!(view["reasons"][0]["code"], "runs-until-terminated");
    let explained = machine.run(&["explain", "experiment", "trial"]).ok();
    assert!(explained.ends_with("Next: `serin terminate experiment trial` ends it.\n"), "{explained}");
    let name = version(&view, "baseline")["members"][0]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("trial-baseline-"), "{name}");
    assert_eq!(machine.run(&["terminate", "experiment", "trial"]).ok(), "experiment default/trial ends\n");
    let view = until(&machine, "trial", "without members", empty);
    assert_eq!(view["phase"], "Successful");
}

#[test]
fn a_version_that_cannot_be_started_is_an_error_at_once() {
    let mut machine = Machine::new();
    let text =
        alone("trial", "good.2", "duration: 60s").replacen("registry.test/model:good.2", "registry.test/other:1", 1);
    machine.write("trial.yaml", &text);
    machine.up();
    let view = until(&machine, "trial", "over", |v| v["phase"] == "Error");
    let message = view["message"].as_str().unwrap();
    assert!(message.contains("no command stands for image \"registry.test/other\""), "{message}");
    until(&machine, "trial", "without members", empty);
}

//= compat: 8.6-1
#[test]
fn a_broken_experiment_is_refused_whole() {
    let mut machine = Machine::new();
    machine.write("templates.yaml", &error_rate("health", "20s", 3, 0));
    machine.up();
    let text = alone("trial", "good.2", "duration: soon").replace("name: challenger", "name: baseline");
    let path = machine.write("trial.yaml", &text);
    let err = machine.run(&["apply", "-f", path.to_str().unwrap()]).fails(2);
    assert!(err.contains("spec.duration") && err.contains("two templates have the name"), "{err}");
    assert_eq!(machine.run(&["list", "experiments"]).ok(), "no experiments\n");
}

/// A rollout at its experiment step, which runs.
fn trying(steps: &[&str], tag: &str) -> (Machine, App, Load, Value) {
    let mut app = App::new("model", steps);
    app.annotations = vec![("serin.dev/prediction".to_owned(), "$.prediction".to_owned())];
    let machine = Machine::with(&[&app], &[error_rate("health", "20s", 6, 0)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", tag]).ok();
    let view = machine.until("model", "experimenting", |v| {
        let weights = v["experiments"][0]["templates"].as_array().is_some_and(|t| t.iter().all(|t| t["weight"] == 20));
        weights && v["experiments"][0]["phase"] == "Running" && v["weight"]["actual"] == 10
    });
    (machine, app, load, view)
}

fn counted(visitor: &mut Visitor, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(visitor.get("/predict").unwrap().version).or_default() += 1;
    }
    counts
}

//= compat: 5.4-4, 5.4-5, 5.4-7
#[test]
fn baseline_and_canary_of_the_same_age_get_their_shares_and_the_rollout_goes_on() {
    let steps = ["setWeight: 10", &step(REQUIRED), "pause: {}"];
    let (machine, app, load, view) = trying(&steps, "good.2");
    let trial = &view["experiments"][0];
    let hash = |role: &str| version(trial, role)["hash"].as_str().unwrap().to_owned();
    assert_eq!(version(trial, "baseline")["image"], "registry.test/model:good.1");
    assert_eq!(version(trial, "canary")["image"], "registry.test/model:good.2");
    let counts = counted(&mut machine.visitor(&app), 100);
    for role in ["baseline", "canary"] {
        let count = counts.get(&hash(role)).copied().unwrap_or(0);
        // Others send requests in between, so which of the hundred these are is chance: four standard deviations.
        assert!((4..=36).contains(&count), "{role}: {counts:?}");
    }
    let explained = machine.run(&["explain", "model"]).ok();
    assert!(explained.contains(&format!("Experiment {} is Running", trial["name"].as_str().unwrap())), "{explained}");
    let screen = machine.run(&["get", "rollout", "model"]).ok();
    assert!(screen.contains("weight 20"), "{screen}");

    let view = machine.at_step("model", 2, 10);
    assert_eq!(view["experiments"][0]["phase"], "Successful", "{view:#}");
    assert_eq!(view["experiments"][0]["message"], "Required AnalysisRuns completed");
    let counts = counted(&mut machine.visitor(&app), 50);
    assert_eq!(counts.len(), 2, "only stable and canary are left: {counts:?}");
    let name = trial["name"].as_str().unwrap();
    until(&machine, name, "without members", empty);
    machine.run(&["promote", "model", "--wait"]).ok();
    let tally = load.finish();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert!(tally.good[&hash("canary")] > 0 && tally.good[&hash("baseline")] > 0);
    let err = machine.run(&["delete", "experiment", name]).fails(2);
    assert!(err.contains("belongs to the rollout default/model"), "{err}");
    machine.run(&["delete", "model"]).ok();
    assert_eq!(machine.run(&["list", "experiments"]).ok(), "no experiments\n");
}

//= compat: 2.6-15
#[test]
fn a_bad_canary_fails_the_experiment_and_aborts_the_rollout() {
    let steps = ["setWeight: 10", &step(REQUIRED), "pause: {}"];
    let (machine, app, load, _) = trying(&steps, "errors.1");
    let view = machine.until("model", "aborted", |v| v["phase"] == "Degraded" && v["weight"]["actual"] == 0);
    let message = view["message"].as_str().unwrap();
    assert!(
        message.contains("Experiment analysis phase is error/failed: Metric \"error-rate\" assessed Failed"),
        "{message}"
    );
    load.finish();
    assert_eq!(counted(&mut machine.visitor(&app), 30).len(), 1);
    let name = view["experiments"][0]["name"].as_str().unwrap();
    until(&machine, name, "without members", empty);
}

#[test]
fn a_rollout_that_is_aborted_or_promoted_ends_its_experiment() {
    for command in [&["abort", "model"][..], &["promote", "model", "--full"]] {
        let steps = ["setWeight: 10", &step("duration: 1h"), "pause: {}"];
        let (machine, _app, load, view) = trying(&steps, "good.2");
        machine.run(command).ok();
        let name = view["experiments"][0]["name"].as_str().unwrap();
        until(&machine, name, "without members", empty);
        let failures = load.finish().failures;
        assert_eq!(failures, Vec::<String>::new(), "{command:?}");
    }
}

/// The same members, the same start, the same measurements: nothing of an experiment is lost with its control process.
#[test]
fn an_experiment_goes_on_after_its_control_process_was_killed() {
    let steps = ["setWeight: 10", &step(REQUIRED), "pause: {}"];
    let (mut machine, _app, load, before) = trying(&steps, "good.2");
    let name = before["experiments"][0]["name"].as_str().unwrap().to_owned();
    for count in [1, 3] {
        let known = until(&machine, &name, "measured", |v| {
            v["runs"][0]["metrics"][0]["successful"].as_u64().is_some_and(|n| n >= count)
        });
        machine.kill_control();
        machine.up_again();
        let now = experiment(&machine, &name);
        assert_eq!(pids(&now), pids(&known), "the members are the same");
        assert_eq!(now["availableAtMs"], known["availableAtMs"]);
        let times = |v: &Value| {
            let all = v["runs"][0]["metrics"][0]["measurements"].as_array().unwrap().clone();
            all.iter().map(|m| m["atMs"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert!(times(&now).starts_with(&times(&known)), "{:?} after {:?}", times(&now), times(&known));
    }
    let view = machine.at_step("model", 2, 10);
    assert_eq!(view["experiments"].as_array().unwrap().len(), 1, "{view:#}");
    assert_eq!(view["experiments"][0]["phase"], "Successful");
    // Killed again while the members wait for their time to go.
    machine.kill_control();
    machine.up_again();
    until(&machine, &name, "without members", empty);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

/// Whatever moment it is: a version that comes up, weights that are about to change, a run that measures, members that go.
#[test]
fn however_often_its_control_process_is_killed_an_experiment_ends_the_same() {
    let rest = "duration: 100s, scaleDownDelaySeconds: 20";
    let app = App::new("model", &["setWeight: 10", &step(rest), "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    for pause_ms in [0, 20, 60, 110, 190, 310, 480, 700] {
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        machine.kill_control();
        machine.up_again();
    }
    let view = machine.at_step("model", 2, 10);
    let all = view["experiments"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["phase"]), (1, &"Successful".into()), "{view:#}");
    let view = until(&machine, all[0]["name"].as_str().unwrap(), "without members", empty);
    for event in ["ExperimentPending", "ExperimentRunning", "ExperimentSuccessful"] {
        let told = view["events"].as_array().unwrap().iter().filter(|e| e["reason"] == event).count();
        assert_eq!(told, 1, "{event} in {view:#}");
    }
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

/// The example as it is handed out, with the tests' own service in the place of its model.
#[test]
fn the_example_compares_two_versions_of_the_same_age_and_goes_on() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut machine = Machine::new();
    let k8s = "ml-portfolio/k8s";
    for file in ["00-namespace.yaml", "services.yaml", "ingresses.yaml", "argo-rollouts/analysis-templates.yaml"] {
        let text = std::fs::read_to_string(examples.join(k8s).join(file)).unwrap();
        machine.write(&file.replace('/', "-"), &text);
    }
    let rollout = std::fs::read_to_string(examples.join("experiments/bankchurn-rollout.yaml")).unwrap();
    machine.write("rollout.yaml", &rollout);
    machine.up();
    let name = "bankchurn-predictor";
    machine.until(name, "healthy at first", |v| v["phase"] == "Healthy");
    let load = Load::start(machine.router(), "bankchurn.local", 4);
    machine.run(&["deploy", name, "v3.2.0"]).ok();
    let view = machine.until(name, "experimenting", |v| {
        v["experiments"][0]["templates"].as_array().is_some_and(|t| t.iter().all(|t| t["weight"] == 10))
    });
    let trial = &view["experiments"][0];
    assert_eq!((&version(trial, "baseline")["ready"], &version(trial, "canary")["ready"]), (&2.into(), &2.into()));
    let view = machine.until(name, "promoted", |v| v["phase"] == "Healthy" && v["promoted"] == true);
    let trial = &view["experiments"][0];
    assert_eq!(
        (&trial["phase"], &trial["runs"][0]["phase"]),
        (&"Successful".into(), &"Successful".into()),
        "{trial:#}"
    );
    let metrics = trial["runs"][0]["metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), 3);
    assert!(metrics.iter().all(|m| m["successful"] == 3), "{metrics:#?}");
    until(&machine, trial["name"].as_str().unwrap(), "without members", empty);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}
