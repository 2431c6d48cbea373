//! Pods, with the status that kubectl shows.

use serde_json::Value;
use serin_controller::Object;
use serin_core::Time;

use super::created;
use crate::phase::{list, text};

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodInfo {
    /// Name.
    pub name: String,
    /// When it was made.
    pub created: Option<Time>,
    /// What kubectl shows: its phase, or what its containers wait for or ended with.
    pub status: String,
    /// Ready containers.
    pub ready: usize,
    /// Containers.
    pub containers: usize,
    /// Restarts of its containers.
    pub restarts: u64,
}

impl PodInfo {
    /// What is known of a pod.
    pub fn of(pod: &Object) -> Self {
        let status = &pod.0["status"];
        let told = text(&status["reason"]);
        let phase = if told.is_empty() { text(&status["phase"]) } else { told };
        let beginning = beginning(pod);
        let running = running(&status["containerStatuses"], phase);
        let mut shown = beginning.clone().unwrap_or(running.status);
        if pod.is_deleted() {
            shown = if told == "NodeLost" { "Unknown" } else { "Terminating" }.to_owned();
        }
        let initial = list(&status["initContainerStatuses"]);
        let (ready, restarts) = match beginning {
            Some(_) => (0, restarts(initial.iter())),
            None => (running.ready, restarts(list(&status["containerStatuses"]).iter())),
        };
        Self {
            name: pod.name().to_owned(),
            created: created(pod),
            status: shown,
            ready,
            containers: list(&pod.0["spec"]["containers"]).len(),
            restarts,
        }
    }
}

fn restarts<'c>(containers: impl Iterator<Item = &'c Value>) -> u64 {
    containers.map(|container| container["restartCount"].as_u64().unwrap_or(0)).sum()
}

/// How a container ended, where it says nothing better.
fn ended(terminated: &Value) -> String {
    match (text(&terminated["reason"]), terminated["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// What the pod still does before its containers run; `None` when that is over.
//= compat: 7.2-8
fn beginning(pod: &Object) -> Option<String> {
    let declared = list(&pod.0["spec"]["initContainers"]);
    let stays = |name: &Value| declared.iter().any(|c| c["name"] == *name && c["restartPolicy"] == "Always");
    for (i, container) in list(&pod.0["status"]["initContainerStatuses"]).iter().enumerate() {
        let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
        let sidecar = stays(&container["name"]) && container["started"] == true;
        match text(&waiting["reason"]) {
            _ if terminated.is_object() && terminated["exitCode"] == 0 => {}
            _ if terminated.is_object() => return Some(format!("Init:{}", ended(terminated))),
            _ if sidecar && container["ready"] == true => {}
            // It runs beside the others from now on, so the beginning is over though it is not ready.
            _ if sidecar => return None,
            "" | "PodInitializing" => return Some(format!("Init:{i}/{}", declared.len())),
            reason => return Some(format!("Init:{reason}")),
        }
    }
    None
}

struct Running {
    status: String,
    ready: usize,
}

/// What the containers do: the first one that waits or ended gives the word.
fn running(containers: &Value, phase: &str) -> Running {
    let mut running = Running { status: phase.to_owned(), ready: 0 };
    for container in list(containers).iter().rev() {
        let (terminated, waiting) = (&container["state"]["terminated"], text(&container["state"]["waiting"]["reason"]));
        if !waiting.is_empty() {
            waiting.clone_into(&mut running.status);
        } else if terminated.is_object() {
            running.status = ended(terminated);
        } else if container["ready"] == true && container["state"]["running"].is_object() {
            running.ready += 1;
        }
    }
    if running.status == "Completed" && running.ready > 0 {
        "Running".clone_into(&mut running.status);
    }
    running
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A pod of a container and an init container; the status is that of the API server.
    fn check(metadata: Value, status: Value, want: (&str, &str, u64)) {
        let spec = json!({ "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "i" }, { "name": "s", "restartPolicy": "Always" }] });
        let pod = PodInfo::of(&Object(json!({ "metadata": metadata, "spec": spec, "status": status })));
        assert_eq!((pod.status.as_str(), format!("{}/{}", pod.ready, pod.containers).as_str(), pod.restarts), want);
    }

    fn of(state: Value) -> Value {
        json!({ "phase": "Running", "containerStatuses": [{ "name": "a", "restartCount": 2, "state": state }] })
    }

    fn initial(first: Value, second: Value) -> Value {
        let second = second.as_object().cloned().unwrap_or_default();
        let mut sidecar = json!({ "name": "s", "restartCount": 0 });
        second.into_iter().for_each(|(key, value)| sidecar[key.as_str()] = value);
        json!({
            "phase": "Pending",
            "initContainerStatuses": [{ "name": "i", "restartCount": 1, "state": first }, sidecar],
            "containerStatuses": [{ "name": "a", "restartCount": 0, "ready": true, "state": { "running": {} } }],
        })
    }

    //= compat: 7.2-8
    #[test]
    fn the_status_of_a_pod_is_what_kubectl_shows() {
        let none = || json!({});
        check(none(), json!({ "phase": "Pending" }), ("Pending", "0/2", 0));
        check(none(), json!({ "phase": "Failed", "reason": "Evicted" }), ("Evicted", "0/2", 0));
        check(none(), of(json!({ "waiting": { "reason": "CrashLoopBackOff" } })), ("CrashLoopBackOff", "0/2", 2));
        check(none(), of(json!({ "terminated": { "reason": "OOMKilled" } })), ("OOMKilled", "0/2", 2));
        check(none(), of(json!({ "terminated": { "exitCode": 3 } })), ("ExitCode:3", "0/2", 2));
        check(none(), of(json!({ "terminated": { "signal": 9 } })), ("Signal:9", "0/2", 2));
        let gone = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        check(gone.clone(), json!({ "phase": "Running" }), ("Terminating", "0/2", 0));
        check(gone, json!({ "phase": "Running", "reason": "NodeLost" }), ("Unknown", "0/2", 0));
        let mixed = json!({ "phase": "Running", "containerStatuses": [
            { "ready": true, "state": { "running": {} } },
            { "state": { "terminated": { "reason": "Completed", "exitCode": 0 } } },
        ] });
        check(none(), mixed, ("Running", "1/2", 0));
    }

    //= compat: 7.2-8
    #[test]
    fn a_pod_that_begins_says_how_far_it_is() {
        let none = || json!({});
        let done = || json!({ "terminated": { "exitCode": 0 } });
        let waits = |reason: &str| json!({ "waiting": { "reason": reason } });
        check(none(), initial(waits("PodInitializing"), none()), ("Init:0/2", "0/2", 1));
        check(none(), initial(waits("ImagePullBackOff"), none()), ("Init:ImagePullBackOff", "0/2", 1));
        check(none(), initial(json!({ "terminated": { "exitCode": 2 } }), none()), ("Init:ExitCode:2", "0/2", 1));
        check(none(), initial(json!({ "terminated": { "signal": 9 } }), none()), ("Init:Signal:9", "0/2", 1));
        check(none(), initial(done(), none()), ("Init:1/2", "0/2", 1));
        check(none(), initial(done(), json!({ "started": true })), ("Pending", "1/2", 0));
        check(none(), initial(done(), json!({ "started": true, "ready": true })), ("Pending", "1/2", 0));
    }
}
