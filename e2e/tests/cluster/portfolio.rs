//! The services of `examples/ml-portfolio` through good and bad releases, by the very files that one machine runs, while users
//! ask all the time. Only durations are shorter than in the files.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use serin_e2e::{Answers, Cluster, Namespace, Users, ask, ask_with};

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(120);

/// For a whole update. Alone on two processors one takes half a minute.
const WHOLE: Duration = Duration::from_secs(300);

/// Requests a second to each service: enough for the shares that the templates compare, at 10% of them and within [`WINDOW`].
const RATE: u32 = 40;

/// Stands for `[2m]` and `[5m]` in the queries.
const WINDOW: &str = "[20s]";

/// One of the three.
struct Service {
    name: &'static str,
    model: &'static str,
    /// Weights of its two steps.
    weights: [i64; 2],
}

const SERVICES: [Service; 3] = [
    Service { name: "bankchurn", model: "churn", weights: [20, 50] },
    Service { name: "chicagotaxi", model: "tip", weights: [20, 50] },
    Service { name: "nlpinsight", model: "sentiment", weights: [10, 40] },
];

impl Service {
    fn rollout(&self) -> String {
        format!("{}-predictor", self.name)
    }

    fn host(&self) -> String {
        format!("{}.local", self.name)
    }
}

/// Shortens what a template waits for: some seconds between two measurements instead of 30 or 60, and a window of 20 seconds. What
/// is measured, how often and against which bound stays.
fn hasten_templates(namespace: &Namespace, interval: &str) {
    for mut template in namespace.objects("analysistemplates", "") {
        for metric in template["spec"]["metrics"].as_array_mut().unwrap() {
            metric["interval"] = json!(interval);
            let query = &mut metric["provider"]["prometheus"]["query"];
            *query = json!(query.as_str().unwrap().replace("[2m]", WINDOW).replace("[5m]", WINDOW));
        }
        let name = template["metadata"]["name"].as_str().unwrap().to_owned();
        let patch = json!({ "spec": { "metrics": template["spec"]["metrics"] } }).to_string();
        namespace.kubectl(&["patch", "analysistemplate", &name, "--type=merge", "-p", &patch]);
    }
}

/// Shortens the pauses of a canary to twelve seconds, in which a window fills and a router has long carried out a weight. Probes
/// get more time: on a busy machine they would take late answers for dead members.
fn hasten(rollout: &mut Value) {
    for probe in ["readinessProbe", "livenessProbe"] {
        rollout["spec"]["template"]["spec"]["containers"][0][probe]["timeoutSeconds"] = json!(20);
    }
    let steps = rollout.pointer_mut("/spec/strategy/canary/steps").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten() {
        if step["pause"]["duration"].is_string() {
            step["pause"]["duration"] = json!("12s");
        }
    }
}

fn hasten_live(namespace: &Namespace, name: &str) {
    let mut rollout = namespace.object("rollout", name).unwrap();
    hasten(&mut rollout);
    let patch = json!({ "spec": rollout["spec"] }).to_string();
    namespace.kubectl(&["patch", "rollout", name, "--type=merge", "-p", &patch]);
}

fn deploy(namespace: &Namespace, rollout: &str, tag: &str) {
    let image = format!("ghcr.io/ml-portfolio/{rollout}:{tag}");
    let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    namespace.kubectl(&["patch", "rollout", rollout, "--type=json", "-p", &patch.to_string()]);
}

/// The status is of the present spec.
fn is_current(rollout: &Value) -> bool {
    rollout["status"]["observedGeneration"].as_str() == Some(&rollout["metadata"]["generation"].to_string())
}

fn healthy(namespace: &Namespace, rollout: &str) -> Value {
    namespace.wait_for("rollout", rollout, "healthy", WHOLE, |r| is_current(r) && r["status"]["phase"] == "Healthy")
}

/// Waits for an update that is taken back, and returns what it said.
fn taken_back(namespace: &Namespace, rollout: &str) -> (Value, String) {
    let object =
        namespace.wait_for("rollout", rollout, "aborted", WHOLE, |r| is_current(r) && r["status"]["abort"] == true);
    let said = object["status"]["message"].as_str().unwrap_or_default().to_owned();
    (object, said)
}

fn wait_for_answers(namespace: &Namespace, host: &str, version: &str) -> Answers {
    namespace.wait_until(&format!("answers of {version} at {host}"), SOON, || {
        let answers = ask(host, 20, SOON);
        if answers.share(version) >= 1.0 { Ok(answers) } else { Err(format!("{answers:?}")) }
    })
}

/// Asks as long as a canary has a weight (which it must reach within the bound), and judges the later half of the answers:
/// a router learns of a weight within seconds, a step lasts longer.
fn assert_split(namespace: &Namespace, rollout: &str, host: &str, version: &str, weight: i64) {
    let has_weight = |r: &Value| is_current(r) && r["status"]["canary"]["weights"]["canary"]["weight"] == weight;
    namespace.wait_for("rollout", rollout, &format!("at {weight}%"), WHOLE, has_weight);
    let mut batches: Vec<(Instant, Answers)> = Vec::new();
    while namespace.object("rollout", rollout).is_some_and(|r| has_weight(&r)) {
        let answers = ask(host, 30, SOON);
        batches.push((Instant::now(), answers));
    }
    // The last one may have met the next weight.
    batches.pop();
    let (first, last) = (batches.first().unwrap().0, batches.last().unwrap().0);
    let later = batches.iter().filter(|(at, _)| *at >= first + (last - first) / 2).map(|(_, answers)| answers);
    let (mut hits, mut total) = (0.0, 0.0);
    for answers in later {
        assert_eq!(answers.failed, 0, "{answers:?}");
        hits += f64::from(u32::try_from(answers.versions.get(version).copied().unwrap_or(0)).unwrap());
        total += f64::from(u32::try_from(answers.total()).unwrap());
    }
    let want = f64::from(i32::try_from(weight).unwrap()) / 100.0;
    // Of random draws one of 150,000 tries is outside of 4.5 standard deviations; a router that deals in turn is far within.
    let tolerance = 4.5 * (want * (1.0 - want) / total).sqrt();
    assert!(total >= 60.0, "{total} answers at {weight}% are too few to judge");
    assert!((hits / total - want).abs() <= tolerance, "{hits} of {total} at {weight}%, +-{tolerance}");
}

/// Nobody went without an answer, and every answer was a good one.
fn assert_none_failed(users: &Value) {
    assert_eq!((&users["failures"], &users["unsent"]), (&json!({}), &json!(0)), "{users}");
    let statuses = users["statuses"].as_object().unwrap();
    assert!(statuses.len() == 1 && statuses["200"].as_u64().unwrap() > 100, "{users}");
}

/// Every metric that ended a run of this name's analysis badly.
fn failed_metrics(namespace: &Namespace, of: &str) -> Vec<String> {
    let mut found = Vec::new();
    for run in namespace.objects("analysisruns", "") {
        if run["metadata"]["name"].as_str().unwrap().starts_with(of) && run["status"]["phase"] == "Failed" {
            let results = run["status"]["metricResults"].as_array().unwrap();
            let failed = results.iter().filter(|result| result["phase"] == "Failed");
            found.extend(failed.map(|result| result["name"].as_str().unwrap().to_owned()));
        }
    }
    found
}

#[test]
fn good_releases_reach_everybody_and_bad_ones_are_taken_back_for_their_reasons() {
    let namespace = Cluster::booted().claim("ml-services");
    namespace.apply_path("examples/ml-portfolio/k8s");
    namespace.apply_path("examples/ml-portfolio/k8s/argo-rollouts");
    hasten_templates(&namespace, "2s");
    SERVICES.iter().for_each(|service| hasten_live(&namespace, &service.rollout()));
    let controller = namespace.controller(&[]);
    for service in &SERVICES {
        healthy(&namespace, &service.rollout());
        wait_for_answers(&namespace, &service.host(), "v3.1.0");
    }

    // The good one, of all three at once.
    let users = SERVICES.each_ref().map(|service| Users::start(service.model, RATE));
    SERVICES.iter().for_each(|service| deploy(&namespace, &service.rollout(), "v3.2.0"));
    std::thread::scope(|scope| {
        for service in &SERVICES {
            let namespace = &namespace;
            scope.spawn(move || {
                for weight in service.weights {
                    assert_split(namespace, &service.rollout(), &service.host(), "v3.2.0", weight);
                }
                healthy(namespace, &service.rollout());
                wait_for_answers(namespace, &service.host(), "v3.2.0");
            });
        }
    });
    for users in users {
        let told = users.finish();
        assert_none_failed(&told);
        assert!(
            told["versions"]["v3.1.0"].as_u64() > Some(0) && told["versions"]["v3.2.0"].as_u64() > Some(0),
            "{told}"
        );
    }

    // A bad one of each: answers of 500, predictions that have shifted, slow ones.
    let users = SERVICES.each_ref().map(|service| Users::start(service.model, RATE));
    let bad = [("v3.3.0", "error-rate"), ("v3.4.0", "prediction-stability"), ("v3.5.0", "latency-p95")];
    SERVICES.iter().zip(bad).for_each(|(service, (tag, _))| deploy(&namespace, &service.rollout(), tag));
    for (service, (_, metric)) in SERVICES.iter().zip(bad) {
        let (object, said) = taken_back(&namespace, &service.rollout());
        assert!(said.contains(&format!("Metric \"{metric}\" assessed Failed")), "{said}");
        assert_eq!(failed_metrics(&namespace, &service.rollout()), [metric], "{said}");
        assert_eq!(object["status"]["phase"], "Degraded");
        wait_for_answers(&namespace, &service.host(), "v3.2.0");
        let ingress = format!("{0}-predictor-{0}-predictor-canary", service.name);
        let ingress = namespace.object("ingress", &ingress).unwrap();
        assert_eq!(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"], "0");
    }
    for ((users, service), (tag, _)) in users.into_iter().zip(&SERVICES).zip(bad) {
        let told = users.finish();
        // Every request was answered, the bad ones by the canary itself.
        assert_eq!((&told["failures"], &told["unsent"]), (&json!({}), &json!(0)), "{told}");
        assert!(told["versions"][tag].as_u64() > Some(0) || tag == "v3.3.0", "{}: {told}", service.name);
        let statuses = told["statuses"].as_object().unwrap();
        assert!(statuses.keys().all(|status| status == "200" || (status == "500" && tag == "v3.3.0")), "{told}");
    }
    drop(controller);
}

/// The files of the example in another namespace, as objects.
fn derived(namespace: &Namespace, path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Cluster::root().join("examples/ml-portfolio/k8s").join(path)).unwrap();
    let text = text.replace("ml-services", namespace.name());
    let answer = namespace.try_kubectl(&["create", "--dry-run=client", "-o", "json", "-f", "-"], &text);
    assert!(answer.success, "{answer:?}");
    // One document after the other, or a list of them.
    let documents = serde_json::Deserializer::from_str(&answer.stdout).into_iter::<Value>().map(Result::unwrap);
    documents.flat_map(|one| one["items"].as_array().cloned().unwrap_or_else(|| vec![one])).collect()
}

/// Users, testers and the split of an HTTPRoute instead of two Ingresses.
fn by_route(mut rollout: Value) -> Value {
    hasten(&mut rollout);
    let canary = &mut rollout["spec"]["strategy"]["canary"];
    let routes = json!([{ "name": "bankchurn", "useHeaderRoutes": true }]);
    canary["trafficRouting"] = json!({
        "managedRoutes": [{ "name": "testers" }],
        "plugins": { "argoproj-labs/gatewayAPI": { "httpRoutes": routes } },
    });
    let testers = json!({ "setHeaderRoute": { "name": "testers", "match": [{ "headerName": "x-tester", "headerValue": { "exact": "yes" } }] } });
    canary["steps"].as_array_mut().unwrap().insert(1, testers);
    rollout
}

#[test]
fn an_httproute_carries_the_split_and_the_testers_header() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("route");
    let host = format!("{}.local", namespace.name());
    let mut objects = derived(&namespace, "services.yaml");
    objects.extend(derived(&namespace, "argo-rollouts/analysis-templates.yaml"));
    objects.extend(derived(&namespace, "argo-rollouts/bankchurn-rollout.yaml").into_iter().map(by_route));
    objects.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "bankchurn" },
        "spec": {
            "parentRefs": [{ "name": "traefik", "namespace": "traefik" }], "hostnames": [host],
            "rules": [{ "backendRefs": [{ "name": "bankchurn-stable", "port": 80 }, { "name": "bankchurn-canary", "port": 80, "weight": 0 }] }],
        },
    }));
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string());
    hasten_templates(&namespace, "2s");
    let _controller = namespace.controller(&[]);
    let rollout = "bankchurn-predictor";
    healthy(&namespace, rollout);
    wait_for_answers(&namespace, &host, "v3.1.0");

    let users = Users::start_at(&host, "churn", RATE);
    deploy(&namespace, rollout, "v3.2.0");
    let testers = || {
        let answers = ask_with(&host, &[("x-tester", "yes")], 10, SOON);
        if answers.share("v3.2.0") >= 1.0 { Ok(()) } else { Err(format!("{answers:?}")) }
    };
    namespace.wait_until("the testers to get the canary", WHOLE, testers);
    assert_split(&namespace, rollout, &host, "v3.2.0", 20);
    assert_split(&namespace, rollout, &host, "v3.2.0", 50);
    healthy(&namespace, rollout);
    wait_for_answers(&namespace, &host, "v3.2.0");
    assert_none_failed(&users.finish());
    // What the steps added is gone, what the users wrote is as it was.
    let route = namespace.object("httproute", "bankchurn").unwrap();
    let rules = route["spec"]["rules"].as_array().unwrap();
    let backends: Vec<_> = rules.iter().flat_map(|rule| rule["backendRefs"].as_array().unwrap()).collect();
    let weights: Vec<_> = backends.iter().map(|one| (one["name"].as_str().unwrap(), one["weight"].as_i64())).collect();
    assert_eq!(
        (rules.len(), weights),
        (1, vec![("bankchurn-stable", Some(100)), ("bankchurn-canary", Some(0))]),
        "{route}"
    );

    let users = Users::start_at(&host, "churn", RATE);
    deploy(&namespace, rollout, "v3.3.0");
    let (_, said) = taken_back(&namespace, rollout);
    assert!(said.contains("Metric \"error-rate\" assessed Failed"), "{said}");
    wait_for_answers(&namespace, &host, "v3.2.0");
    assert_eq!(users.finish()["failures"], json!({}));
}

#[test]
fn a_blue_green_release_that_fails_is_not_promoted_and_a_good_one_switches_at_once() {
    let namespace = Cluster::booted().claim("ml-services");
    namespace.apply_path("examples/ml-portfolio/blue-green/k8s");
    let (rollout, host, preview) = ("bankchurn-predictor", "bankchurn.local", "preview.bankchurn.local");
    // No pause comes before it: the first requests of testers must be measured before five measurements are over.
    hasten_templates(&namespace, "5s");
    hasten_live(&namespace, rollout);
    let _controller = namespace.controller(&[]);
    healthy(&namespace, rollout);
    wait_for_answers(&namespace, host, "v3.2.0");
    wait_for_answers(&namespace, preview, "v3.2.0");
    let users = Users::start("churn", RATE);
    let testers = Users::start_at(preview, "churn", RATE);

    deploy(&namespace, rollout, "v4.0.0");
    let (_, said) = taken_back(&namespace, rollout);
    assert!(said.contains("Metric \"error-rate\" assessed Failed"), "{said}");

    deploy(&namespace, rollout, "v4.1.0");
    let waiting = |r: &Value| {
        is_current(r)
            && r["status"]["phase"] == "Paused"
            && r["status"]["blueGreen"]["prePromotionAnalysisRunStatus"]["status"] == "Successful"
    };
    let paused = namespace.wait_for("rollout", rollout, "waiting for a person", WHOLE, waiting);
    assert_ne!(paused["status"]["blueGreen"]["activeSelector"], paused["status"]["currentPodHash"]);
    let lift = json!({ "status": { "pauseConditions": null } }).to_string();
    namespace.kubectl(&["patch", "rollout", rollout, "--subresource=status", "--type=merge", "-p", &lift]);
    wait_for_answers(&namespace, host, "v4.1.0");
    let switched_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let object = healthy(&namespace, rollout);
    assert_eq!(object["status"]["blueGreen"]["postPromotionAnalysisRunStatus"]["status"], "Successful");
    assert_eq!(object["status"]["stableRS"], object["status"]["currentPodHash"]);

    let told = users.finish();
    assert_none_failed(&told);
    let versions: Vec<&String> = told["versions"].as_object().unwrap().keys().collect();
    assert_eq!(versions, ["v3.2.0", "v4.1.0"], "no user met the release that failed");
    let last_us = told["last_sent_us"]["v3.2.0"].as_u64().unwrap();
    assert!(
        u128::from(last_us) < switched_us,
        "the old release answered {} us after the switch",
        u128::from(last_us) - switched_us
    );
    // The testers met it, and its errors.
    assert!(testers.finish()["statuses"]["500"].as_u64() > Some(0));
}
