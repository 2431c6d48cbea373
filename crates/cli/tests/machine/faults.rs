//! Bad versions and missing data. Each fault ends where a person can see it, with its reason; none is waited for in silence and
//! none is taken for success.

use serde_json::Value;

use crate::machine::{Machine, Ran, alive, eventually};
use crate::manifests::{App, analysis, error_rate, template};

/// The pool of the version that is wanted.
fn newest(view: &Value) -> &Value {
    &view["pools"][0]
}

fn explained(machine: &Machine) -> String {
    machine.run(&["explain", "model"]).ok()
}

/// Asserts that text holds all of these.
#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing:\n{text}");
    }
}

/// Waits until the update was given up with all traffic at the stable version, and checks that it was never given more than
/// `weight` before.
#[track_caller]
fn given_up(machine: &Machine, weight: &str) -> Value {
    let view = machine.until("model", "aborted with traffic at stable", |v| {
        v["aborted"] == true && v["phase"] == "Degraded" && v["weight"]["actual"] == 0
    });
    let weights: Vec<String> = machine
        .events("model")
        .iter()
        .filter(|e| e["reason"] == "TrafficWeightUpdated")
        .filter_map(|e| e["message"].as_str()?.rsplit(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(weights, ["0", weight, "0"]);
    assert_eq!((&view["promoted"], &view["stableImage"]), (&false.into(), &"registry.test/model:good.1".into()));
    view
}

#[test]
fn a_version_that_never_gets_ready_is_named_and_gets_no_traffic() {
    let mut app = App::new("model", &["setWeight: 20", "pause: {}"]);
    app.spec = "progressDeadlineSeconds: 60".to_owned();
    let machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "never.2"]).ok();
    let view = machine.until("model", "degraded", |v| v["phase"] == "Degraded");
    holds(view["message"].as_str().unwrap(), &["ProgressDeadlineExceeded", "timed out progressing"]);
    assert_eq!(
        (&view["stepIndex"], &view["weight"]["actual"], &view["aborted"]),
        (&0.into(), &0.into(), &false.into())
    );
    assert_eq!(newest(&view)["ready"], 0);
    holds(&explained(&machine), &["model is Degraded", "ProgressDeadlineExceeded"]);
    machine.run(&["status", "model"]).fails(1);
    assert_eq!(load.finish().failures, Vec::<String>::new());
    // It is not the end: a version that works heals it.
    machine.run(&["deploy", "model", "good.3"]).ok();
    machine.at_step("model", 1, 20);
}

#[test]
fn a_version_that_never_gets_ready_is_aborted_where_that_is_asked_for() {
    let mut app = App::new("model", &["setWeight: 20", "pause: {}"]);
    app.spec = "progressDeadlineSeconds: 60\nprogressDeadlineAbort: true".to_owned();
    let machine = Machine::with(&[&app], &[]);
    let Ran { code, out, err } = machine.run(&["deploy", "model", "never.2", "--wait"]);
    assert_eq!(code, 1, "{out}{err}");
    holds(&err, &["model ended degraded", "serin explain model"]);
    let view = machine.view("model");
    assert_eq!((&view["aborted"], &view["weight"]["actual"]), (&true.into(), &0.into()), "{view:#}");
    holds(&explained(&machine), &["aborted", "serin retry model"]);
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, view["pools"][1]["hash"].as_str().unwrap());
}

#[test]
fn a_version_that_exits_at_once_backs_off_and_says_why() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "exits.2"]).ok();
    let view = machine
        .until("model", "started again", |v| newest(v)["members"][0]["restarts"].as_u64().is_some_and(|n| n >= 2));
    assert_eq!((&view["stepIndex"], &view["weight"]["actual"]), (&0.into(), &0.into()));
    holds(newest(&view)["members"][0]["trouble"].as_str().unwrap(), &["exit status: 7"]);
    holds(&explained(&machine), &["was started again", "exit status: 7", "serin logs"]);
    holds(&machine.run(&["get", "rollout", "model"]).ok(), &["started again", "exit status: 7"]);
    let name = newest(&view)["members"][0]["name"].as_str().unwrap();
    holds(&machine.run(&["logs", name]).ok(), &["the model file is missing"]);
    machine.run(&["rollback", "model", "--wait"]).ok();
    machine.until("model", "alone", |v| v["replicas"]["current"] == 1);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "registry.test/absent:1"]).ok();
    let view = machine.until("model", "in trouble", |v| newest(v)["failure"].is_string());
    holds(newest(&view)["failure"].as_str().unwrap(), &["failed to start '/nonexistent/program'", "No such file"]);
    holds(&explained(&machine), &["failed to start '/nonexistent/program'"]);
    machine.run(&["deploy", "model", "registry.test/unknown:1"]).ok();
    let view = machine
        .until("model", "in other trouble", |v| newest(v)["failure"].as_str().is_some_and(|f| f.contains("unknown")));
    holds(newest(&view)["failure"].as_str().unwrap(), &["no command stands for image", "serin.yaml"]);
    assert_eq!((&view["stepIndex"], &view["weight"]["actual"]), (&0.into(), &0.into()));
}

#[test]
fn a_member_that_ignores_term_is_killed_after_its_grace_period() {
    let mut app = App::new("model", &["setWeight: 20", "pause: {}"]);
    app.pod = "terminationGracePeriodSeconds: 1".to_owned();
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "registry.test/stubborn:good.2"]).ok();
    let view = machine.at_step("model", 1, 20);
    let pid = i32::try_from(newest(&view)["members"][0]["pid"].as_i64().unwrap()).unwrap();
    machine.run(&["rollback", "model"]).ok();
    let stopping = |v: &Value| {
        let members = v["pools"].as_array().unwrap().iter().flat_map(|p| p["members"].as_array().unwrap());
        members.into_iter().any(|m| m["pid"] == pid && m["state"] == "Stopping")
    };
    machine.until("model", "told to stop", stopping);
    assert!(alive(pid), "TERM does not end it");
    eventually("killed", || !alive(pid));
    machine.until("model", "alone", |v| v["replicas"]["current"] == 1 && v["phase"] == "Healthy");
}

#[test]
fn what_a_member_prints_is_kept_within_bounds() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "prints.2"]).ok();
    let view = machine.at_step("model", 1, 20);
    let member = &newest(&view)["members"][0];
    let (name, log) = (member["name"].as_str().unwrap(), member["log"].as_str().unwrap());
    eventually("printed", || machine.run(&["logs", name, "--lines", "3"]).ok().contains("all is said"));
    let size = |path: &str| std::fs::metadata(path).map_or(0, |m| m.len());
    eventually("within bounds", || size(log) <= 8 << 20 && size(&log.replace(".log", ".log.1")) <= 2 << 20);
    assert_eq!(member["restarts"], 0);
}

/// A version whose metrics cannot be read ends its analysis in error and its update with it.
fn without_metrics(tag: &str, noted: &str) {
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "setWeight: 80"]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", tag]).ok();
    let view = given_up(&machine, "50");
    let run = &view["runs"][0];
    assert_eq!((&run["phase"], &run["metrics"][0]["error"]), (&"Error".into(), &5.into()), "{run:#}");
    assert_eq!(run["metrics"][0]["successful"], 0);
    holds(&explained(&machine), &["consecutiveErrors (5)", "no data", "serin retry model"]);
    let event = machine.events("model").into_iter().find(|e| e["reason"] == "ScrapeFailed").expect("an event");
    holds(event["message"].as_str().unwrap(), &["the metrics of model-", noted]);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn garbage_instead_of_metrics_is_no_data() {
    without_metrics("garbage.2", "line 1");
}

#[test]
fn endless_metrics_are_no_data() {
    without_metrics("endless.2", "larger than 10485760 bytes");
}

#[test]
fn absent_metrics_are_no_data() {
    without_metrics("silent.2", "status 404");
}

#[test]
fn no_traffic_is_no_data() {
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "setWeight: 80"]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    machine.run(&["deploy", "model", "good.2", "--wait"]).fails(1);
    let view = given_up(&machine, "50");
    assert_eq!(view["runs"][0]["metrics"][0]["error"], 5, "{view:#}");
    holds(&explained(&machine), &["no data"]);
}

#[test]
fn a_query_that_fails_when_it_is_evaluated_is_an_error() {
    let query = "predictions_total / on(job) predictions_total";
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "setWeight: 80"]);
    let machine = Machine::with(&[&app], &[template("health", "10s", 3, 0, query)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = given_up(&machine, "50");
    assert_eq!(view["runs"][0]["phase"], "Error", "{view:#}");
    holds(&explained(&machine), &["failed to evaluate the query", "one side must be unique"]);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_prometheus_that_is_not_there_is_an_error_and_stays_chosen() {
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "setWeight: 80"]);
    let mut machine = Machine::new();
    machine.write("model.yaml", &app.yaml());
    machine.write("templates.yaml", &error_rate("health", "10s", 3, 0));
    machine.arguments = vec!["--prometheus".to_owned(), "http://127.0.0.1:1".to_owned()];
    machine.up();
    machine.until("model", "healthy at first", |v| v["phase"] == "Healthy");
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = given_up(&machine, "50");
    assert_eq!((&view["runs"][0]["phase"], &view["runs"][0]["metrics"][0]["error"]), (&"Error".into(), &5.into()));
    holds(&explained(&machine), &["127.0.0.1:1", "refused"]);
    // The next control process asks the same server, and does not turn to the embedded metrics in silence.
    machine.arguments.clear();
    machine.kill_control();
    machine.up_again();
    machine.run(&["retry", "model"]).ok();
    let view =
        machine.until("model", "aborted again", |v| v["runs"][0]["phase"] == "Error" && v["runs"][1].is_object());
    holds(view["runs"][0]["message"].as_str().unwrap(), &["refused"]);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_web_metric_that_never_answers_is_an_error() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let web = format!(
        "---\napiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: web}}\nspec:\n  args: [{{name: hash}}]\n  metrics:\n    - name: verdict\n      consecutiveErrorLimit: 0\n      successCondition: result == \"good\"\n      provider: {{web: {{url: \"http://{address}/\", jsonPath: \"{{$.verdict}}\", timeoutSeconds: 1}}}}\n"
    );
    let app = App::new("model", &["setWeight: 50", &analysis("web"), "setWeight: 80"]);
    let machine = Machine::with(&[&app], &[web]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = given_up(&machine, "50");
    assert_eq!(view["runs"][0]["phase"], "Error", "{view:#}");
    holds(&explained(&machine), &["verdict", &address.to_string()]);
    // Accepting nobody until here is what made it silent.
    drop(silent);
}
