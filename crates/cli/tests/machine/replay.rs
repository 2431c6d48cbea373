//! The log of what was judged: verdicts made again from it, also after kills, with another template, from a copy that was cut off or altered.

use std::path::PathBuf;

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::{App, analysis, background, sequential};

/// A pause that no test waits for.
const LONG: &str = "pause: {duration: 1000h}";

fn watched(template: &str) -> App {
    let mut app = App::new("model", &["setWeight: 20", LONG]);
    app.canary = background(template);
    app
}

fn log(machine: &Machine) -> PathBuf {
    machine.state().join("evidence/default_model_2.log")
}

fn rolled_back(view: &Value) -> bool {
    view["phase"] == "Degraded" && view["aborted"] == true
}

#[test]
fn a_verdict_is_made_again_with_its_second_and_another_template_is_tried() {
    let app = watched("errors");
    let mut machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 1pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    let view = machine.until("model", "rolled back", rolled_back);
    drop(load);
    let replayed = machine.run(&["replay", "model", "-o", "json"]).json();
    assert_eq!((&replayed["identical"], &replayed["ended"]), (&true.into(), &true.into()), "{replayed:#}");
    assert_eq!((&replayed["revision"], &replayed["differences"]), (&2.into(), &Value::Array(Vec::new())));
    let verdict = &replayed["verdicts"][0];
    assert_eq!((&verdict["verdict"], &verdict["phase"]), (&"failed".into(), &"Failed".into()), "{replayed:#}");
    assert!(verdict["failedRequests"].as_u64() >= Some(3), "{verdict:#}");
    let measured = &view["runs"][0]["metrics"][0]["measurements"][0];
    assert!(measured["message"].as_str().unwrap().contains(verdict["text"].as_str().unwrap()), "{measured:#}");

    // While the control process runs, the page and the numbers.
    let said = machine.run(&["report", "model"]).ok();
    assert!(said.contains("was taken back from tenth.2 to good.1"), "{said}");
    let page = std::fs::read_to_string(machine.beside("model-2.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("fails at 100") && page.ends_with("</html>\n"), "{page}");

    // The control process is not needed, and the log may be anywhere.
    machine.kill_control();
    let copy = machine.beside("copy.log");
    std::fs::copy(log(&machine), &copy).unwrap();
    let copy = copy.to_str().unwrap();
    let text = machine.run(&["replay", copy]).ok();
    assert!(text.contains("bit for bit"), "{text}");

    let numbers = machine.run(&["report", "model", "--revision", "2", "-o", "json"]).json();
    assert_eq!((&numbers["ended"], &numbers["notes"]), (&true.into(), &Value::Array(Vec::new())), "{numbers:#}");
    assert_eq!(numbers["metrics"][0]["standing"]["verdict"], "failed", "{numbers:#}");
    let weights: Vec<f64> = numbers["places"].as_array().unwrap().iter().filter_map(|p| p["weight"].as_f64()).collect();
    assert_eq!((weights.contains(&0.2), weights.last()), (true, Some(&0.0)), "{numbers:#}");
    let seen = numbers["traffic"].as_array().unwrap().iter().filter_map(|p| p["seen"].as_f64());
    assert!(seen.clone().any(|share| share > 0.0), "{numbers:#}");
    assert_eq!(
        numbers["versions"][0]["errors"],
        numbers["traffic"].as_array().unwrap().iter().map(|p| p["canaryErrors"].as_u64().unwrap()).sum::<u64>()
    );
    let svg = machine.run(&["report", copy, "--format", "svg", "-f", "-"]).ok();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");

    // A folder of logs, as a controller of a cluster writes them, takes the place of the state folder.
    let logs = machine.beside("logs");
    std::fs::create_dir_all(logs.join("default")).unwrap();
    let given = machine.beside("given.log");
    machine.run(&["report", copy, "--format", "log", "-f", given.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read(&given).unwrap(), std::fs::read(copy).unwrap());
    std::fs::rename(&given, logs.join("default/default_model_5.log")).unwrap();
    let elsewhere = ["replay", "default/model", "--logs", logs.to_str().unwrap(), "-o", "json"];
    let elsewhere = machine.run(&elsewhere).json();
    assert_eq!((&elsewhere["identical"], &elsewhere["verdicts"]), (&true.into(), &replayed["verdicts"]));

    let other = machine.beside("other.yaml");
    std::fs::write(&other, OTHER).unwrap();
    let tried = machine.run(&["replay", copy, "--template", &format!("{}:lax", other.display()), "-o", "json"]).json();
    let tried = &tried["template"];
    assert_eq!(tried["notReplayable"][0][0], "p95", "{tried:#}");
    assert_eq!(tried["rolledBack"], Value::Null, "{tried:#}");
    assert_eq!(tried["happened"]["failedRequests"], verdict["failedRequests"], "{tried:#}");
    let strict =
        machine.run(&["replay", copy, "--template", &format!("{}:strict", other.display()), "-o", "json"]).json();
    let (then, now) = (&strict["template"]["rolledBack"], &strict["template"]["happened"]);
    assert!(then["second"].as_f64() <= now["second"].as_f64() && then["second"].is_number(), "{strict:#}");
    assert!(then["failedRequests"].as_u64() <= now["failedRequests"].as_u64(), "{strict:#}");

    let refused = |arguments: &[&str], text: &str| {
        let err = machine.run(arguments).fails(2);
        assert!(err.contains(text), "{err}");
    };
    refused(&["replay", copy, "--template", other.to_str().unwrap()], "which template");
    refused(&["replay", copy, "--template", "none.yaml"], "there is no file");
    refused(&["replay", other.to_str().unwrap()], "no log of serin");
    refused(&["replay", "nobody"], "no log of \"nobody\"");
    refused(&["replay", "model", "--revision", "7"], "no log of revision 7");
    refused(&["replay", "nobody", "--logs", logs.to_str().unwrap()], "there are logs of default/model");
    let nowhere = machine.run(&["report", "model", "--logs", "nowhere"]);
    assert!(nowhere.code != 0 && nowhere.err.contains("failed to read nowhere"), "{nowhere:?}");
}

/// What else could have judged.
const OTHER: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: lax}
spec:
  metrics:
    - name: errors
      provider: {plugin: {serin.dev/compare: {tolerance: 60pt}}}
    - name: p95
      interval: 10s
      successCondition: result[0] < 0.5
      provider: {prometheus: {query: "vector(1)"}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: strict}
spec:
  args: [{name: tolerance, value: 1pt}]
  metrics:
    - name: errors
      provider: {plugin: {serin.dev/compare: {tolerance: "{{args.tolerance}}", alpha: 0.05}}}
"#;

#[test]
fn a_log_that_was_cut_off_or_altered_is_flagged_with_the_place() {
    let app = watched("errors");
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 1pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    machine.until("model", "rolled back", rolled_back);
    drop(load);
    let whole = std::fs::read(log(&machine)).unwrap();
    let copy = machine.beside("copy.log");
    let check = |bytes: &[u8], text: &str| {
        std::fs::write(&copy, bytes).unwrap();
        let ran = machine.run(&["replay", copy.to_str().unwrap()]);
        assert!(ran.code == 1 && ran.out.contains(text), "{ran:?}");
    };
    check(&whole[..whole.len() - 3], "cut off at entry");
    let mut altered = whole.clone();
    altered[whole.len() - 40] ^= 1;
    check(&altered, "altered at entry");
}

#[test]
fn every_look_of_a_control_process_that_was_killed_again_and_again_is_in_the_log() {
    // A tolerance that a tenth of errors is within: it goes on.
    let app = watched("errors");
    let mut machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 40pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    machine.at_step("model", 1, 20);
    let judged = |v: &Value| v["runs"][0]["metrics"][0]["standing"]["canary"]["total"].as_f64().unwrap_or_default();
    for (more, moment) in [(50.0, 0), (200.0, 331), (350.0, 712), (500.0, 95), (650.0, 547)] {
        machine.until("model", "judged", |v| judged(v) > more);
        std::thread::sleep(std::time::Duration::from_millis(moment));
        machine.kill_control();
        let replayed = machine.run(&["replay", "model", "-o", "json"]).json();
        assert_eq!(replayed["identical"], true, "{replayed:#}");
        machine.up_again();
    }
    drop(load);
    let view = machine.until("model", "judged", |v| judged(v) > 700.0);
    machine.kill_control();
    let replayed = machine.run(&["replay", "model", "-o", "json"]).json();
    assert_eq!((&replayed["identical"], &replayed["gaps"]), (&true.into(), &Value::Null), "{replayed:#}");
    let text = replayed["verdicts"][0]["text"].as_str().unwrap();
    assert_eq!(replayed["verdicts"].as_array().unwrap().len(), 1, "{replayed:#} {view:#}");
    assert!(text.starts_with("canary "), "{text}");
}

#[test]
fn no_secret_comes_into_the_log() {
    let mut app = App::new("model", &["setWeight: 30", &analysis("errors")]);
    app.annotations = Vec::new();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {token: hunter2-hunter2}\n";
    let template =
        sequential("errors", "compare", "{tolerance: 2pt, within: 1000h, slice: {header: \"{{args.token}}\"}}")
            .replace(
                "spec:\n",
                "spec:\n  args: [{name: token, valueFrom: {secretKeyRef: {name: login, key: token}}}]\n",
            );
    let machine = Machine::with(&[&app], &[template, secret.to_owned()]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "looked at", |v| v["runs"][0]["metrics"][0]["standing"].is_object());
    drop(load);
    let unpacked = std::process::Command::new("gzip")
        .arg("-dc")
        .stdin(std::fs::File::open(log(&machine)).unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8(unpacked.stdout).unwrap();
    assert!(text.contains("\"run\"") && text.contains("\"look\""), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
