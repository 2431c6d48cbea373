//! Versions that are compared by the counters of a real Prometheus: a good one is promoted on evidence in the middle of a pause of an hour, though the controller is
//! killed at its writes, and a bad one is rolled back in such a pause. What the test remembers is in the run's own status, and counts every answer once; the log of
//! either update, written by all of these controllers, gives the same verdict at the same second.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use serin_e2e::{Cluster, Namespace, Users, ask};

use crate::web::{self, SOON, WHOLE, healthy, is_current};

/// Requests a second: some seconds of them show a good version to be no worse by ten points.
const RATE: u32 = 60;

/// The metric: answers of 500 by pod, of the version under test and of the stable one.
fn template(namespace: &Namespace) -> Value {
    let requests = |hash: &str, more: &str| {
        let namespace = namespace.name();
        format!(
            "sum by (pod) (bankchurn_requests_total{{namespace=\"{namespace}\", rollouts_pod_template_hash=\"{{{{args.{hash}}}}}\"{more}}})"
        )
    };
    let counters = |hash: &str| json!({ "bad": requests(hash, ", status=~\"5..\""), "total": requests(hash, "") });
    let compare = json!({
        "tolerance": "10pt",
        "prometheus": {
            "address": "http://prometheus.monitoring.svc.cluster.local:9090",
            "canary": counters("canary"),
            "stable": counters("stable"),
        },
    });
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": { "name": "errors" },
        "spec": {
            "args": [{ "name": "canary" }, { "name": "stable" }],
            "metrics": [{
                "name": "errors", "interval": "1s", "provider": { "plugin": { "serin.dev/compare": compare } },
            }],
        },
    })
}

fn apply(namespace: &Namespace) {
    let steps = json!([{ "setWeight": 50 }, { "pause": { "duration": "1h" } }]);
    let mut items = web::manifests(&web::host(namespace), &steps);
    let rollout = items.last_mut().unwrap();
    rollout["metadata"]["annotations"]["serin.dev/advance"] = json!("evidence");
    let argument = |name: &str, of: &str| json!({ "name": name, "valueFrom": { "podTemplateHashValue": of } });
    rollout["spec"]["strategy"]["canary"]["analysis"] = json!({
        "templates": [{ "templateName": "errors" }],
        "args": [argument("canary", "Latest"), argument("stable", "Stable")],
    });
    rollout["spec"]["template"]["metadata"]["annotations"] =
        json!({ "prometheus.io/scrape": "true", "prometheus.io/port": "8000", "prometheus.io/path": "/metrics" });
    items.insert(0, template(namespace));
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
}

/// The run of the newest update; null while there is none.
fn newest_run(namespace: &Namespace) -> Value {
    let hash = namespace.object("rollout", "web").unwrap()["status"]["currentPodHash"].as_str().map(str::to_owned);
    let labels = format!("rollouts-pod-template-hash={}", hash.unwrap_or_default());
    namespace.objects("analysisruns", &labels).pop().unwrap_or_default()
}

/// What the last measurement of a run keeps under a name, read as JSON.
fn kept(run: &Value, name: &str) -> Value {
    let last = run["status"]["metricResults"][0]["measurements"].as_array().and_then(|all| all.last()).cloned();
    let text = last.and_then(|last| last["metadata"][name].as_str().map(str::to_owned));
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

/// Answers of the canary and of stable, as the counters stood at a run's last look.
fn counted(run: &Value) -> [f64; 2] {
    let cursor = kept(run, "serin.dev/cursor");
    [1, 3].map(|counter| {
        let counter = &cursor["counters"][counter];
        let present = counter["present"].as_object().into_iter().flatten().map(|(_, value)| value.as_f64().unwrap());
        let gone = counter["gone"].as_object().into_iter().flatten().map(|(_, value)| value[0].as_f64().unwrap());
        present.chain(gone).sum()
    })
}

/// Where the controllers log what they judge, begun anew.
fn logs(namespace: &Namespace) -> PathBuf {
    let folder = Cluster::booted().dir().join("evidence").join(namespace.name());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

/// What a run's log comes to when it is replayed, held to what the run says.
fn check_log(namespace: &Namespace, logs: &Path, revision: &str, verdict: &str) {
    let arguments = ["replay", "web", "--revision", revision, "-o", "json", "--logs"];
    let output = Command::new(Cluster::built("serin")).args(arguments).arg(logs).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let replayed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&replayed["identical"], &replayed["gaps"]), (&Value::Bool(true), &Value::Null), "{replayed:#}");
    let run = newest_run(namespace);
    let last = &run["status"]["metricResults"][0]["measurements"][0];
    let row = replayed["verdicts"].as_array().unwrap().last().unwrap();
    assert_eq!((&row["verdict"], &row["phase"]), (&json!(verdict), &last["phase"]), "{replayed:#} {last:#}");
    let labels = run["metadata"]["labels"]["rollouts-pod-template-hash"].as_str().unwrap();
    let pool = namespace.objects("replicasets", &format!("rollouts-pod-template-hash={labels}")).pop().unwrap();
    let (begun, ended) = (second_of_day(&pool["metadata"]["creationTimestamp"]), second_of_day(&last["finishedAt"]));
    let second = row["second"].as_f64().unwrap();
    assert!((second - (ended - begun).rem_euclid(86_400.0)).abs() < 0.002, "{row} {begun} {ended}");
    assert_eq!(row["text"].as_str(), kept_text(&run).as_deref());
}

/// Where a run says that it stands, without what could not be counted.
fn kept_text(run: &Value) -> Option<String> {
    let last = run["status"]["metricResults"][0]["measurements"][0]["value"].as_str()?;
    last.split("; the counters").next().map(str::to_owned)
}

/// Seconds since midnight of `2026-01-02T03:04:05.678Z`.
fn second_of_day(time: &Value) -> f64 {
    let clock = time.as_str().unwrap().split_once('T').unwrap().1.trim_end_matches('Z');
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

/// Lets a controller work until it dies where the fault switch says so.
fn until_it_dies(namespace: &Namespace, logs: &Path, fault: &str) {
    let mut controller = namespace.controller(&["--fault", fault, "--evidence-log", &logs.display().to_string()]);
    namespace.wait_until(&format!("{fault} to be met"), SOON, || match controller.is_running() {
        true => Err(newest_run(namespace)["status"].to_string()),
        false => Ok(()),
    });
    assert!(controller.log().contains("ends here because the fault switch says so"), "{}", controller.log());
}

#[test]
fn versions_are_promoted_and_rolled_back_on_evidence_and_nothing_is_counted_twice() {
    let namespace = Cluster::booted().namespace("evidence");
    apply(&namespace);
    let logs = logs(&namespace);
    let logging = ["--evidence-log", &logs.display().to_string()];
    let controller = namespace.controller(&logging);
    web::reached(&namespace, "v3.1.0");
    controller.kill();
    let users = Users::start_at(&web::host(&namespace), "churn", RATE);

    web::deploy(&namespace, "v3.2.0");
    until_it_dies(&namespace, &logs, "after:patch:AnalysisRun:1");
    let base = counted(&newest_run(&namespace));
    for fault in ["before:patch:AnalysisRun:2", "after:patch:AnalysisRun:1"] {
        until_it_dies(&namespace, &logs, fault);
    }
    let controller = namespace.controller(&logging);
    healthy(&namespace);
    let ended = |run: &Value| run["status"]["phase"] == "Successful";
    let run = namespace.wait_until("the run to end", SOON, || {
        let run = newest_run(&namespace);
        if ended(&run) { Ok(run) } else { Err(run["status"].to_string()) }
    });
    let counted = counted(&run);
    let answered = &kept(&run, "serin.dev/state")["answered"];
    let [canary, stable] = [0, 1].map(|version| answered[version].as_f64().unwrap());
    // What stable answered before the first scrape of the canary is compared with nothing.
    let once = canary == counted[0] - base[0] && stable <= counted[1] - base[1];
    assert!(once && canary > 50.0 && stable > 50.0, "{answered} of {counted:?} from {base:?} on");
    web::assert_none_failed(&users.finish());
    check_log(&namespace, &logs, "2", "passed");

    // Some of its answers are 500.
    let users = Users::start_at(&web::host(&namespace), "churn", RATE);
    web::deploy(&namespace, "v3.3.0");
    let back =
        namespace.wait_for("rollout", "web", "aborted", WHOLE, |r| is_current(r) && r["status"]["abort"] == true);
    let said = back["status"]["message"].as_str().unwrap_or_default();
    assert!(said.contains("Metric \"errors\" assessed Failed") && said.contains("worse than tolerated"), "{said}");
    namespace.wait_until("answers of v3.2.0 alone", SOON, || {
        let answers = ask(&web::host(&namespace), 20, SOON);
        if answers.share("v3.2.0") >= 1.0 { Ok(()) } else { Err(format!("{answers:?}")) }
    });
    let told = users.finish();
    assert!(told["statuses"]["500"].as_u64() > Some(0), "{told}");
    let standing = kept(&newest_run(&namespace), "serin.dev/standing");
    assert_eq!(standing["verdict"], "failed", "{standing}");
    check_log(&namespace, &logs, "3", "failed");
    drop(controller);
}
