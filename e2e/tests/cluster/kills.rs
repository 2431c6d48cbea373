//! An update during which the controller is killed before and after each kind of write. It ends as one does that nobody disturbs,
//! and no user and no source of measurements notices.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serin_e2e::{Cluster, Controller, Namespace, Users};

use crate::web::{self, SOON, Source, WHOLE, healthy, is_over, update};

/// How often each analysis measures.
const COUNT: u64 = 3;

/// Where the controllers die, in the order in which an update makes these writes. Each is met before the write is sent and,
/// by the next controller, after it was answered.
const WRITES: [(&str, &str); 9] = [
    ("patch", "Rollout"),
    ("create", "ReplicaSet"),
    ("create", "Ingress"),
    ("status", "Rollout"),
    ("patch", "Service"),
    ("patch", "Ingress"),
    ("create", "AnalysisRun"),
    ("patch", "AnalysisRun"),
    ("update", "ReplicaSet"),
];

/// The first version, healthy and reached, without a controller and without the canary's Ingress, which the update is to make.
fn prepare(namespace: &Namespace, source: &Source) {
    let analysis = |name: &str| json!({ "analysis": { "templates": [{ "templateName": name }] } });
    let steps = json!([
        { "setWeight": 30 }, { "pause": { "duration": "2s" } }, analysis("first"),
        { "setWeight": 60 }, analysis("second"),
    ]);
    let templates = ["first", "second"].map(|name| web::template_of(source, name, &path(namespace, name), COUNT));
    web::apply(namespace, &steps, templates.to_vec());
    let controller = namespace.controller(&[]);
    web::reached(namespace, "v3.1.0");
    assert_eq!(controller.stop(SOON), Some(0));
    namespace.kubectl(&["delete", "ingress", "web-web-canary", "--ignore-not-found"]);
}

/// Where the source is asked for a step's analysis.
fn path(namespace: &Namespace, step: &str) -> String {
    format!("{}-{step}", namespace.name())
}

/// Lets a controller work until it dies where the fault switch says so. The update must not be over before.
fn until_it_dies(namespace: &Namespace, fault: &str) {
    let mut controller: Controller = namespace.controller(&["--fault", fault]);
    namespace.wait_until(&format!("{fault} to be met"), SOON, || {
        if !controller.is_running() {
            return Ok(());
        }
        Err(namespace.object("rollout", "web").map(|r| r["status"].to_string()).unwrap_or_default())
    });
    let met = controller.log().contains("ends here because the fault switch says so");
    assert!(met && controller.wait(SOON).is_none(), "{fault}: {}", controller.log());
}

/// What an update leaves: everything but times, names of machines and who wrote what.
fn outcome(namespace: &Namespace) -> Value {
    let pick = |object: &Value, paths: &[&str]| -> Value {
        paths.iter().map(|path| ((*path).to_owned(), object.pointer(path).cloned().unwrap_or_default())).collect()
    };
    let all = |kind: &str, paths: &[&str]| -> Vec<Value> {
        namespace.objects(kind, "").iter().map(|object| pick(object, paths)).collect()
    };
    let status = [
        "/status/phase",
        "/status/stableRS",
        "/status/currentPodHash",
        "/status/currentStepIndex",
        "/status/currentStepHash",
    ];
    let counts = ["/status/replicas", "/status/availableReplicas", "/status/updatedReplicas", "/status/canary/weights"];
    let rollout = [
        &status[..],
        &counts,
        &["/metadata/annotations/rollout.argoproj.io~1revision", "/status/canary/currentStepAnalysisRunStatus"],
    ];
    let conditions: BTreeMap<String, Value> = namespace.object("rollout", "web").unwrap()["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["type"].as_str().unwrap().to_owned(), json!([one["status"], one["reason"]])))
        .collect();
    json!({
        "rollout": all("rollouts", &rollout.concat()),
        "conditions": conditions,
        "replicaSets": all("replicasets", &["/metadata/name", "/metadata/annotations/rollout.argoproj.io~1revision", "/status/availableReplicas"]),
        "services": all("services", &["/metadata/name", "/spec/selector"]),
        "ingresses": all("ingresses", &["/metadata/name", "/metadata/annotations"]),
        "runs": all("analysisruns", &["/metadata/name", "/status/phase", "/status/metricResults/0/count", "/status/metricResults/0/successful", "/status/metricResults/0/error"]),
    })
}

/// The old version stays for half a minute after the end; both outcomes are read when it has gone.
fn wait_for_rest(namespace: &Namespace) -> Value {
    let rest = |r: &Value| is_over(r) && r["status"]["replicas"] == 3;
    namespace.wait_for("rollout", "web", "at rest", WHOLE, rest);
    outcome(namespace)
}

#[test]
fn an_update_survives_kills_before_and_after_each_kind_of_write() {
    let cluster = Cluster::booted();
    let source = Source::begin();
    let (calm, killed) = (cluster.namespace("calm"), cluster.namespace("killed"));
    let calm_outcome = std::thread::scope(|scope| {
        let calm_outcome = scope.spawn(|| {
            prepare(&calm, &source);
            update(&calm);
            let _controller = calm.controller(&[]);
            wait_for_rest(&calm)
        });
        prepare(&killed, &source);
        let users = Users::start_at(&web::host(&killed), "churn", 20);
        update(&killed);
        for (verb, kind) in WRITES {
            for when in ["before", "after"] {
                until_it_dies(&killed, &format!("{when}:{verb}:{kind}"));
            }
        }
        assert!(
            !killed.object("rollout", "web").is_some_and(|r| is_over(&r)),
            "the update was over before the last kill"
        );
        let _controller = killed.controller(&[]);
        healthy(&killed);
        let told = users.finish();
        web::assert_none_failed(&told);
        assert!(told["versions"].as_object().unwrap().len() == 2, "{told}");
        // Compared while its controller works.
        let outcome = wait_for_rest(&killed);
        let calm_outcome = calm_outcome.join().unwrap();
        assert_eq!(pretty(&outcome), pretty(&calm_outcome));
        calm_outcome
    });
    // The schedule: one run for each step, each with its measurements. Undisturbed, the source is asked so often; a measurement
    // whose writing was cut short by a kill is taken once more, and only two kills were at such a write.
    let runs = calm_outcome["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs.iter().all(|run| run["/status/metricResults/0/count"] == COUNT), "{runs:?}");
    let asked = |namespace: &Namespace| ["first", "second"].map(|step| source.asked(&path(namespace, step)));
    assert_eq!(asked(&calm), [COUNT, COUNT]);
    let [first, second] = asked(&killed);
    assert!((COUNT..=COUNT + 1).contains(&first) && second == COUNT, "asked {first} and {second} times");
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
