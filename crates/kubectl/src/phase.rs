//! The phase of a rollout as clients tell it: what the controller wrote, unless it has not seen the latest change yet.

use serde_json::Value;
use serin_controller::Object;
use serin_spec::timestamp;
use serin_spec::wire::keys::WORKLOAD_GENERATION;

/// The phase, and why.
//= compat: 2.5-2, 2.5-4
pub fn of(rollout: &Object) -> (String, String) {
    let progressing = |why: &str| ("Progressing".to_owned(), why.to_owned());
    let status = &rollout.0["status"];
    if !is_generation_seen(rollout) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if status["controllerPause"] == true && list(&status["pauseConditions"]).is_empty() {
        return progressing("waiting for rollout to unpause");
    }
    if !is_workload_seen(rollout) {
        return progressing("waiting for rollout spec update to be observed for the reference workload");
    }
    match text(&status["phase"]) {
        "" => computed(&rollout.0["spec"], status),
        phase => (phase.to_owned(), text(&status["message"]).to_owned()),
    }
}

/// A number that is too great, or is none, was written by a controller of old that counted otherwise.
//= compat: 2.5-3
fn is_generation_seen(rollout: &Object) -> bool {
    let seen = text(&rollout.0["status"]["observedGeneration"]).parse::<i64>();
    seen.map_or(true, |seen| seen >= rollout.generation())
}

fn is_workload_seen(rollout: &Object) -> bool {
    if rollout.0["spec"]["workloadRef"].is_null() {
        return true;
    }
    let noted = rollout.annotation(WORKLOAD_GENERATION).and_then(|text| text.parse::<i64>().ok());
    let seen = text(&rollout.0["status"]["workloadObservedGeneration"]).parse::<i64>().ok();
    noted.zip(seen).is_none_or(|(noted, seen)| noted == seen)
}

/// What a controller of old left to its clients (the table of section 2.5).
//= compat: 2.5-1, 2.5-4
fn computed(spec: &Value, status: &Value) -> (String, String) {
    let of = |phase: &str, why: &str| (phase.to_owned(), why.to_owned());
    for condition in list(&status["conditions"]) {
        let why = text(&condition["message"]);
        if condition["type"] == "InvalidSpec" {
            return of("Degraded", &format!("InvalidSpec: {why}"));
        }
        if let reason @ ("RolloutAborted" | "ProgressDeadlineExceeded") = text(&condition["reason"]) {
            return of("Degraded", &format!("{reason}: {why}"));
        }
    }
    if spec["paused"] == true {
        return of("Paused", "manually paused");
    }
    if let Some(pause) = list(&status["pauseConditions"]).first() {
        return of("Paused", text(&pause["reason"]));
    }
    let at = |value: &Value| value.as_str().and_then(timestamp::parse);
    if at(&spec["restartAt"]).is_some_and(|wanted| at(&status["restartedAt"]) != Some(wanted)) {
        return of("Progressing", "rollout is restarting");
    }
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    if count("updatedReplicas") < spec["replicas"].as_i64().unwrap_or(1) {
        return of("Progressing", "more replicas need to be updated");
    }
    if count("availableReplicas") < count("updatedReplicas") {
        return of("Progressing", "updated replicas are still becoming available");
    }
    match by_strategy(spec, status, count("replicas") > count("updatedReplicas")) {
        Some(why) => of("Progressing", why),
        None => of("Healthy", ""),
    }
}

/// What an update of this strategy still lacks.
fn by_strategy(spec: &Value, status: &Value, has_old: bool) -> Option<&'static str> {
    let (current, stable) = (text(&status["currentPodHash"]), text(&status["stableRS"]));
    let promoted = !stable.is_empty() && stable == current;
    let (canary, blue_green) = (&spec["strategy"]["canary"], &spec["strategy"]["blueGreen"]);
    if blue_green.is_object() {
        let active = text(&status["blueGreen"]["activeSelector"]);
        let run = text(&status["blueGreen"]["postPromotionAnalysisRunStatus"]["status"]);
        let finished = matches!(run, "Successful" | "Failed" | "Error" | "Inconclusive");
        return match promoted {
            _ if active.is_empty() || active != current => Some("active service cutover pending"),
            true => None,
            false if blue_green["postPromotionAnalysis"].is_object() && !finished => {
                Some("waiting for analysis to complete")
            }
            false => Some("waiting for post-promotion verification to complete"),
        };
    }
    if !canary.is_object() {
        return None;
    }
    match canary["trafficRouting"].is_null() && has_old {
        true => Some("old replicas are pending termination"),
        false => (!promoted).then_some("waiting for all steps to complete"),
    }
}

/// A text, empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The entries of a list, none where there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
