//! Sequential metrics: counters of a Prometheus are judged, and the run's own status is all that remembers.

mod evidence;

use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::Settings;
use serin_cluster::resource::{ANALYSIS_RUN, ANALYSIS_TEMPLATE, ROLLOUT};

use crate::prometheus::Prometheus;
use crate::server::Server;
use crate::stage::{SHOP, is, play, routed, set_image};
use crate::troubles::{ALL, At};

/// A metric that compares the counters of a Prometheus every second.
fn metric(settings: Value) -> Value {
    let mut settings = settings;
    settings["prometheus"] = json!({
        "canary": { "bad": "sum by (pod) (bad{v='canary'})", "total": "sum by (pod) (all{v='canary'})" },
        "stable": { "bad": "sum by (pod) (bad{v='stable'})", "total": "sum by (pod) (all{v='stable'})" },
    });
    json!({ "name": "errors", "interval": "1s", "provider": { "plugin": { "serin.dev/compare": settings } } })
}

fn run(settings: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": { "name": "check", "namespace": SHOP },
        "spec": { "metrics": [metric(settings)] },
    })
}

fn settings(prometheus: &Prometheus) -> Settings {
    Settings { prometheus: Some(prometheus.address()), ..Settings::default() }
}

/// A rollout whose updates are compared in the background from the first step on, and whose pauses of an hour end on evidence.
fn advancing(prometheus: &Prometheus) -> (Vec<Value>, Settings) {
    let steps = json!([
        { "setWeight": 25 }, { "pause": { "duration": "1h" } }, { "setWeight": 50 }, { "pause": { "duration": "1h" } },
    ]);
    let mut objects = routed("taste", "model:1", &steps);
    let rollout = objects.last_mut().unwrap();
    rollout["metadata"]["annotations"]["serin.dev/advance"] = "evidence".into();
    rollout["spec"]["strategy"]["canary"]["analysis"] = json!({ "templates": [{ "templateName": "errors" }] });
    let template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": { "name": "errors", "namespace": SHOP },
        "spec": { "metrics": [metric(json!({ "tolerance": "5pt" }))] },
    });
    objects.insert(0, template);
    (objects, settings(prometheus))
}

/// The last measurement of a run's first metric; null before there is one.
fn last(run: &Value) -> Value {
    let all = run["status"]["metricResults"][0]["measurements"].as_array();
    all.and_then(|all| all.last()).cloned().unwrap_or_default()
}

/// What a measurement keeps under a name, read as JSON.
fn kept(measurement: &Value, name: &str) -> Value {
    measurement["metadata"][name].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

fn check(server: &Server) -> Value {
    server.get(ANALYSIS_RUN, SHOP, "check").unwrap()
}

/// Answers of the canary and of stable that a run has judged.
fn answered(run: &Value) -> Value {
    kept(&last(run), "serin.dev/state")["answered"].clone()
}

/// Plays a run of its own with trouble at one write, if any. Returns its end and how many writes there were.
async fn told(trouble: Option<(At, u32)>) -> (Value, usize) {
    let server = Server::start().await;
    let prometheus = Prometheus::start().await;
    play(&server, settings(&prometheus), async || {
        if let Some((at, nth)) = trouble {
            at.prepare(&server, nth);
        }
        server.put(run(json!({ "tolerance": "5pt" })));
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        prometheus.grow([15, 300, 12, 1200]);
        server.until("it has judged", |server| answered(&check(server)) == json!([300, 1200])).await;
        prometheus.grow([0, 5000, 0, 20000]);
        server.until("it has ended", |server| check(server)["status"]["phase"] == "Successful").await;
    })
    .await;
    let end = check(&server);
    let seen = &kept(&last(&end), "serin.dev/state")["parts"][0]["seen"];
    (json!([answered(&end), seen, end["status"]["metricResults"][0]["successful"]]), server.written().len())
}

#[tokio::test]
async fn nothing_is_counted_twice_whatever_happens_at_a_write() {
    let (wanted, writes) = told(None).await;
    assert_eq!(wanted[0], json!([5300, 21200]));
    assert!(writes >= 3, "{writes} writes make no story");
    for at in ALL {
        let runs = (1..=u32::try_from(writes).unwrap()).map(|nth| async move { (nth, told(Some((at, nth))).await.0) });
        for (nth, end) in futures::future::join_all(runs).await {
            assert_eq!(end, wanted, "{at:?} at write {nth}");
        }
    }
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_is_written_nowhere() {
    let server = Server::start().await;
    let prometheus = Prometheus::start().await;
    play(&server, settings(&prometheus), async || {
        server.put(run(json!({})));
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        prometheus.grow([0, 10, 0, 10]);
        server.until("it has judged", |server| answered(&check(server)) == json!([10, 10])).await;
        server.forget_calls();
        let asked = prometheus.asked();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!((asked + 1..=asked + 4).contains(&prometheus.asked()), "{} looks after {asked}", prometheus.asked());
        assert_eq!(server.written(), [""; 0]);
        // That nobody answers is said once.
        prometheus.refuse(true);
        let value = |server: &Server| last(&check(server))["value"].as_str().unwrap_or_default().to_owned();
        server.until("it says so", |server| value(server).ends_with("it is being restarted")).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(server.writes().len(), 1);
        prometheus.refuse(false);
        prometheus.grow([0, 7, 0, 0]);
        server.until("it has judged what came meanwhile", |server| answered(&check(server)) == json!([17, 10])).await;
        assert!(!value(&server).contains("cannot be read"));
        server.edit(ANALYSIS_RUN, SHOP, "check", |run| run["spec"]["terminate"] = true.into());
        server.until("it has ended", |server| check(server)["status"]["phase"] == "Successful").await;
        assert_eq!(answered(&check(&server)), json!([17, 10]), "what it remembers stays");
    })
    .await;
}

#[tokio::test]
async fn a_good_version_is_promoted_on_evidence_weight_by_weight() {
    let server = Server::start().await;
    let prometheus = Prometheus::start().await;
    let (objects, settings) = advancing(&prometheus);
    objects.into_iter().for_each(|object| _ = server.put(object));
    let weights = std::cell::RefCell::new(Vec::new());
    let script = async || {
        is(&server, "taste", "Healthy").await;
        set_image(&server, "taste", "model:2");
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            prometheus.grow([1, 100, 3, 300]);
            for run in server.all(ANALYSIS_RUN) {
                let at = last(&run)["metadata"]["serin.dev/passed-at"].clone();
                if at.is_string() && weights.borrow().last() != Some(&at) {
                    weights.borrow_mut().push(at);
                }
            }
            let status = server.get(ROLLOUT, SHOP, "taste").unwrap()["status"].clone();
            let promoted = status["phase"] == "Healthy" && status["stableRS"] == status["currentPodHash"];
            if promoted && !weights.borrow().is_empty() {
                break;
            }
        }
        let ended = |server: &Server| server.all(ANALYSIS_RUN)[0]["status"]["phase"] == "Successful";
        server.until("the run is told to end", ended).await;
    };
    tokio::time::timeout(Duration::from_secs(60), play(&server, settings, script)).await.unwrap();
    assert_eq!(*weights.borrow(), [json!("25/100"), json!("50/100")]);
    let run = server.all(ANALYSIS_RUN).remove(0);
    let resolved = &run["spec"]["metrics"][0]["provider"]["plugin"]["serin.dev/compare"]["resolved"];
    assert_eq!(*resolved, json!({ "share": 1.0, "goesOn": true }));
}

/// Deploys a version that fails a fifth of its requests, until it is taken back.
async fn deploy_a_bad_one(server: &Server, prometheus: &Prometheus) {
    is(server, "taste", "Healthy").await;
    set_image(server, "taste", "model:2");
    is(server, "taste", "Paused").await;
    let begun = |server: &Server| server.all(ANALYSIS_RUN).iter().any(|run| answered(run) == json!([0, 0]));
    server.until("it is compared", begun).await;
    prometheus.grow([20, 100, 3, 300]);
    is(server, "taste", "Degraded").await;
}

#[tokio::test]
async fn a_bad_version_is_rolled_back_in_the_middle_of_a_pause() {
    let server = Server::start().await;
    let prometheus = Prometheus::start().await;
    let (objects, settings) = advancing(&prometheus);
    objects.into_iter().for_each(|object| _ = server.put(object));
    play(&server, settings, async || {
        deploy_a_bad_one(&server, &prometheus).await;
        let run = server.all(ANALYSIS_RUN).remove(0);
        assert_eq!(run["status"]["phase"], "Failed");
        let standing = kept(&last(&run), "serin.dev/standing");
        assert_eq!((&standing["verdict"], &standing["canary"]["bad"]), (&json!("failed"), &json!(20.0)));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_compared_or_remembered_is_an_error() {
    let server = Server::start().await;
    let prometheus = Prometheus::start().await;
    prometheus.set_pods(999);
    play(&server, settings(&prometheus), async || {
        let mut crowd = run(json!({}));
        let again = |name: &str| {
            let mut metric = metric(json!({}));
            metric["name"] = name.into();
            metric
        };
        crowd["spec"]["metrics"] = ["a", "b", "c", "d", "e"].map(again).to_vec().into();
        server.put(crowd);
        let message = |server: &Server| last(&check(server))["message"].as_str().unwrap_or_default().to_owned();
        server.until("it says so", |server| message(server).starts_with("what is remembered of it takes")).await;
        assert_eq!(last(&check(&server))["metadata"]["serin.dev/cursor"], Value::Null);
        let mut routed = run(json!({}));
        routed["metadata"]["name"] = "routed".into();
        routed["spec"]["metrics"][0]["provider"]["plugin"] = json!({ "serin.dev/drift": {} });
        server.put(routed);
        let message = |server: &Server| last(&server.get(ANALYSIS_RUN, SHOP, "routed").unwrap())["message"].clone();
        let told = |server: &Server| message(server).as_str().is_some_and(|m| m.contains("the router of one machine"));
        server.until("it says so, too", told).await;
        let (mut objects, _) = advancing(&prometheus);
        objects[0]["spec"]["metrics"][0]["provider"]["plugin"] = json!({ "serin.dev/drift": {} });
        objects.into_iter().for_each(|object| _ = server.put(object));
        is(&server, "taste", "Degraded").await;
        let message = server.get(ROLLOUT, SHOP, "taste").unwrap()["status"]["message"].clone();
        assert!(
            message.as_str().unwrap().contains("analysis.templates: Invalid value: metric \"errors\""),
            "{message}"
        );
        assert!(server.get(ANALYSIS_TEMPLATE, SHOP, "errors").is_some());
    })
    .await;
}
