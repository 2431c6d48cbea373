//! Hundreds of rollouts at once, without pods: nothing but the control plane is tried.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;
use serin_e2e::{Cluster, Namespace};

use crate::manifests::{canary, is_current, rollout};

/// For all of them together, on a machine that is busy with a build.
const WHOLE: Duration = Duration::from_secs(300);

/// How long nothing may be written once all is done.
const STEADY: Duration = Duration::from_secs(10);

const NAMESPACES: usize = 3;
const EACH: usize = 100;

/// All of these objects by kind, namespace and name, with their versions.
fn versions(namespaces: &[Namespace]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |namespace: &Namespace, kind: &str| {
        let object =
            |o: &Value| (format!("{kind} {}", text(&o["metadata"]["uid"])), text(&o["metadata"]["resourceVersion"]));
        namespace.objects(kind, "").iter().map(object).collect::<Vec<_>>()
    };
    let kinds = ["rollouts", "replicasets", "events"];
    namespaces
        .iter()
        .flat_map(|namespace| kinds.iter().flat_map(|kind| of(namespace, kind)).collect::<Vec<_>>())
        .collect()
}

/// Waits until all of them are as wanted.
fn all(namespaces: &[Namespace], what: &str, wanted: impl Fn(&Value) -> bool) {
    for namespace in namespaces {
        namespace.wait_until(&format!("{EACH} rollouts {what}"), WHOLE, || {
            let rollouts = namespace.objects("rollouts", "");
            let others: Vec<&Value> = rollouts.iter().filter(|one| !is_current(one) || !wanted(one)).collect();
            match others.first() {
                None if rollouts.len() == EACH => Ok(()),
                first => Err(format!("{} of {}: {first:?}", others.len(), rollouts.len())),
            }
        });
    }
}

fn apply(namespaces: &[Namespace], tag: &str) {
    let steps = canary("[{setWeight: 50}, {pause: {}}]");
    let mut manifests = String::new();
    for number in 0..EACH {
        let _ = write!(manifests, "{}", rollout(&format!("web-{number}"), 0, tag, &steps, ""));
    }
    namespaces.iter().for_each(|namespace| namespace.apply(&manifests));
}

//= compat: 9.2-7
#[test]
fn hundreds_are_made_updated_and_promoted_and_then_left_alone() {
    let cluster = Cluster::booted();
    let namespaces: Vec<Namespace> =
        (0..NAMESPACES).map(|number| cluster.namespace(&format!("crowd-{number}"))).collect();
    // One controller for all: it looks at what carries its name, so that tests beside this one are not touched.
    let instance = namespaces[0].name().to_owned();
    let arguments = ["--instance-id", &instance, "--healthz-port=0", "--metrics-port=0"];
    let mut controller = namespaces[0].controller_with(&cluster.kubeconfig("controller"), &arguments, &[]);
    let label = format!("argo-rollouts.argoproj.io/controller-instance-id={instance}");
    let mark = |namespace: &Namespace| namespace.kubectl(&["label", "rollouts", "--all", &label]);

    apply(&namespaces, "v3.1.0");
    namespaces.iter().for_each(|namespace| _ = mark(namespace));
    all(&namespaces, "healthy", |r| r["status"]["phase"] == "Healthy" && r["status"]["stableRS"].is_string());
    apply(&namespaces, "v3.2.0");
    // Of no pods every share is there at once, but a pause is a pause.
    all(&namespaces, "paused", |r| r["status"]["phase"] == "Paused" && r["status"]["currentStepIndex"] == 1);
    for namespace in &namespaces {
        let names: Vec<String> = (0..EACH).map(|number| format!("rollout/web-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let patch = ["--subresource=status", "--type=merge", "--patch", r#"{"status":{"pauseConditions":null}}"#];
        namespace.kubectl(&[&["patch"], &names[..], &patch].concat());
    }
    all(&namespaces, "promoted", |r| {
        r["status"]["phase"] == "Healthy" && r["status"]["stableRS"] == r["status"]["currentPodHash"]
    });
    for namespace in &namespaces {
        assert_eq!(namespace.objects("replicasets", "").len(), 2 * EACH);
    }

    // Events of the last change may still be on their way; then nothing is written for as long as one looks.
    let mut last = (versions(&namespaces), Instant::now());
    namespaces[0].wait_until("nothing written any more", WHOLE, || {
        let now = versions(&namespaces);
        if now != last.0 {
            let changed = now.iter().filter(|one| last.0.get(one.0) != Some(one.1)).count();
            last = (now, Instant::now());
            return Err(format!("{changed} objects changed"));
        }
        if last.1.elapsed() >= STEADY { Ok(()) } else { Err("not long enough yet".to_owned()) }
    });
    assert!(controller.is_running(), "{}", controller.log());
}
