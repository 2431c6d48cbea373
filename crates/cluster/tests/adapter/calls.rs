//! Every call that writes, of whole stories: verb, path and body, as golden files a reviewer reads; of the status what it comes to.
//! `UPDATE_GOLDEN=1` rewrites.

use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::Settings;
use serin_cluster::resource::{ANALYSIS_RUN, ROLLOUT};

use crate::server::{Call, Server};
use crate::stage::{SHOP, blue_green, is, play, routed, set_image};

/// The writes as text, without what differs from run to run.
fn told(calls: &[Call]) -> String {
    let masked = |value: &Value| {
        let mut value = value.clone();
        mask(&mut value);
        value
    };
    let mut text = String::new();
    let mut status = Value::Null;
    for call in calls.iter().filter(|call| call.code < 300) {
        let path = call.path.trim_start_matches("/apis/").trim_start_matches("/api/");
        match path.ends_with("/status") {
            true => merge(&mut status, &turning_points(&call.body)),
            false => {
                let mut body = masked(&call.body);
                // An update carries the status that was seen last, which the server does not look at; which one that is depends on when
                // pods are heard of.
                body.as_object_mut().map(|fields| fields.remove("status"));
                body.sort_all_objects();
                text += &format!("{} {path} {body}\n", call.verb);
            }
        }
    }
    let mut status = masked(&status);
    status.sort_all_objects();
    text + &format!("status in the end {status}\n")
}

/// Puts a patch on top of another one.
fn merge(patch: &mut Value, later: &Value) {
    match (patch, later) {
        (Value::Object(fields), Value::Object(later)) => {
            for (key, value) in later {
                merge(fields.entry(key).or_insert(Value::Null), value);
            }
        }
        (patch, later) => *patch = later.clone(),
    }
}

/// What of a status patch is a turning point. How often the status is written in between is chance: it depends on when pods are
/// heard of.
fn turning_points(body: &Value) -> Value {
    const KEPT: [&str; 8] =
        ["currentPodHash", "stableRS", "currentStepIndex", "pauseConditions", "abort", "blueGreen", "phase", "message"];
    let status = body["status"].as_object().cloned().unwrap_or_default();
    Value::Object(status.into_iter().filter(|(key, _)| KEPT.contains(&key.as_str())).collect())
}

/// Times, and versions and uids of objects, are different each time.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), &*value) {
                    ("resourceVersion" | "uid", Value::String(_)) => *value = json!(format!("<{key}>")),
                    (_, Value::String(text)) if is_time(text) => *value = json!("<time>"),
                    _ => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T'
}

fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapter/calls").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "{}: UPDATE_GOLDEN=1 rewrites it", path.display());
}

/// Waits until nothing was written for a while.
async fn quiet(server: &Server) {
    let mut before = usize::MAX;
    while before != server.written().len() {
        before = server.written().len();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

/// Plays a story from the moment at which everything is installed.
async fn story(objects: Vec<Value>, script: impl AsyncFnOnce(&Server)) -> String {
    let server = Server::start().await;
    objects.into_iter().for_each(|object| _ = server.put(object));
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        quiet(&server).await;
        server.forget_calls();
        script(&server).await;
        quiet(&server).await;
    })
    .await;
    told(&server.writes())
}

#[tokio::test]
async fn a_routed_canary_is_promoted_by_hand() {
    let text = story(routed("taste", "model:1", &json!([{ "setWeight": 25 }, { "pause": {} }])), async |server| {
        set_image(server, "taste", "model:2");
        is(server, "taste", "Paused").await;
        quiet(server).await;
        server.edit(ROLLOUT, SHOP, "taste", |rollout| {
            rollout["status"].as_object_mut().unwrap().remove("pauseConditions");
        });
        is(server, "taste", "Healthy").await;
    });
    golden("canary_promoted.txt", &text.await);
}

#[tokio::test]
async fn a_routed_canary_is_aborted() {
    let text = story(routed("taste", "model:1", &json!([{ "setWeight": 25 }, { "pause": {} }])), async |server| {
        set_image(server, "taste", "model:2");
        is(server, "taste", "Paused").await;
        quiet(server).await;
        server.forget_calls();
        server.edit(ROLLOUT, SHOP, "taste", |rollout| rollout["status"]["abort"] = true.into());
        is(server, "taste", "Degraded").await;
        // The canary's pods stay for abortScaleDownDelaySeconds.
        tokio::time::sleep(Duration::from_millis(1300)).await;
    });
    golden("canary_aborted.txt", &text.await);
}

#[tokio::test]
async fn a_blue_green_switch() {
    let text = story(blue_green("taste", "model:1"), async |server| {
        set_image(server, "taste", "model:2");
        is(server, "taste", "Healthy").await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
    });
    golden("blue_green.txt", &text.await);
}

/// The run of a step asks a service that is not there; that is an error, five in a row end it, and the rollout goes back.
#[tokio::test]
async fn a_step_measures_and_its_end_is_told() {
    let mut objects = routed(
        "taste",
        "model:1",
        &json!([
            { "setWeight": 25 },
            { "analysis": { "templates": [{ "templateName": "asks" }] } },
        ]),
    );
    objects.insert(
        0,
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
            "metadata": { "name": "asks", "namespace": SHOP },
            "spec": { "metrics": [{
                "name": "answer", "consecutiveErrorLimit": 0, "successCondition": "result == 1",
                "provider": { "web": { "url": "http://127.0.0.1:9/nobody", "jsonPath": "{$.x}" } },
            }]},
        }),
    );
    let text = story(objects, async |server| {
        set_image(server, "taste", "model:2");
        is(server, "taste", "Degraded").await;
        let runs = server.all(ANALYSIS_RUN);
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0]["status"]["phase"], "Error", "{}", runs[0]["status"]);
        tokio::time::sleep(Duration::from_millis(1300)).await;
    });
    golden("canary_analysis.txt", &text.await);
}
