//! Several controllers, of which one works: who follows whom, and that never two do.

use serde_json::{Value, json};
use serin_e2e::{Cluster, Controller, Namespace, Users};

use crate::web::{self, SOON, WHOLE};

const LOCK: &str = "argo-rollouts-controller-lock";

/// A candidate who asks for a lease of so many seconds.
fn candidate(namespace: &Namespace, lease_s: u32) -> Controller {
    let lease = format!("--leader-election-lease-duration={lease_s}s");
    let renew = format!("--leader-election-renew-deadline={}s", lease_s / 2);
    let whom = ["--namespaced", "--namespace", namespace.name()];
    let words = [&whom[..], &["--leader-elect", &lease, &renew, "--leader-election-retry-period=1s"]].concat();
    // The lock is where the controller runs, which a pod is told so.
    let environment = [("POD_NAMESPACE", namespace.name())];
    namespace.controller_with(&Cluster::booted().kubeconfig("controller"), &words, &environment)
}

fn leads(controller: &Controller) -> bool {
    controller.log().lines().any(|line| line.contains("leads"))
}

fn wait_to_lead(namespace: &Namespace, controller: &Controller) -> Value {
    namespace.wait_until("the next controller to lead", SOON, || {
        if leads(controller) { Ok(()) } else { Err(controller.log()) }
    });
    lease(namespace)
}

fn lease(namespace: &Namespace) -> Value {
    namespace.object("lease", LOCK).unwrap()["spec"].take()
}

/// Seconds from the last renewal that one lease tells of to the moment at which another one was acquired.
fn between(before: &Value, after: &Value) -> f64 {
    let seconds = |time: &Value| {
        let time = time.as_str().unwrap();
        // All of them are of one hour or two, far from any change of the calendar's other parts but the day.
        let parts: Vec<f64> =
            time[8..].trim_end_matches('Z').split(['T', ':']).map(|part| part.parse().unwrap()).collect();
        ((parts[0] * 24.0 + parts[1]) * 60.0 + parts[2]) * 60.0 + parts[3]
    };
    seconds(&after["acquireTime"]) - seconds(&before["renewTime"])
}

//= compat: 9.2-1
#[test]
fn a_second_controller_follows_one_that_stops_at_once_and_one_that_dies_when_its_lease_is_over() {
    let namespace = Cluster::booted().namespace("leaders");
    let first = candidate(&namespace, 120);
    let of_first = wait_to_lead(&namespace, &first);
    let second = candidate(&namespace, 10);
    let steps = json!([{ "setWeight": 30 }, { "pause": {} }, { "setWeight": 60 }, { "pause": { "duration": "2s" } }]);
    web::apply(&namespace, &steps, Vec::new());
    web::reached(&namespace, "v3.1.0");
    assert!(!leads(&second), "{}", second.log());

    // The first one stops in the middle of an update. Its lease is of two minutes, and it need not run out.
    let users = Users::start_at(&web::host(&namespace), "churn", 20);
    web::update(&namespace);
    let at_pause = |r: &Value| web::is_current(r) && r["status"]["currentStepIndex"] == 1;
    namespace.wait_for("rollout", "web", "at its pause", WHOLE, at_pause);
    let held = lease(&namespace);
    assert_eq!(held["holderIdentity"], of_first["holderIdentity"]);
    assert_eq!(first.stop(SOON), Some(0));
    let of_second = wait_to_lead(&namespace, &second);
    assert!(between(&held, &of_second) < 120.0, "{held} {of_second}");
    assert_eq!(of_second["leaseTransitions"], json!(of_first["leaseTransitions"].as_u64().unwrap() + 1));

    // The second one goes on where the first one was, and dies at once. The third one waits until nobody can hold the lock.
    let promote = json!({ "status": { "pauseConditions": null } }).to_string();
    namespace.kubectl(&["patch", "rollout", "web", "--subresource=status", "--type=merge", "-p", &promote]);
    namespace
        .wait_for("rollout", "web", "past its pause", WHOLE, |r| r["status"]["currentStepIndex"].as_u64() > Some(1));
    let third = candidate(&namespace, 10);
    second.kill();
    let left = lease(&namespace);
    let of_third = wait_to_lead(&namespace, &third);
    assert!(between(&left, &of_third) >= 10.0, "{left} {of_third}");
    assert_eq!(of_third["leaseTransitions"], json!(of_second["leaseTransitions"].as_u64().unwrap() + 1));

    web::reached(&namespace, "v3.2.0");
    web::assert_none_failed(&users.finish());
}
