//! What else on a cluster has to do with rollouts: autoscalers, budgets, Deployments, owners, scripts that wait, and runs and
//! experiments that nobody but a user makes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use serin_e2e::{Cluster, Namespace, ask};

use crate::manifests::{
    SOON, canary, controller, healthy, passed, phase, resume, rollout, service, set_tag, template, uids,
};

const PAUSED_HALFWAY: &str = "[{setWeight: 50}, {pause: {}}]";

/// Waits until there are so many pods of an app, none of them going.
fn pods(namespace: &Namespace, labels: &str, count: usize) -> Vec<(String, String)> {
    namespace.wait_until(&format!("{count} pods with {labels}"), SOON, || {
        let pods = uids(namespace, "pods", labels);
        if pods.len() == count { Ok(pods) } else { Err(format!("{pods:?}")) }
    })
}

#[test]
fn autoscalers_and_people_set_the_size_through_the_scale_subresource() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("scale");
    let _controller = controller(&namespace);
    namespace.apply(&rollout("web", 1, "v3.1.0", &canary("[]"), ""));
    healthy(&namespace, "web");
    namespace.apply(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 3
  maxReplicas: 5
  scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
",
    );
    let raised = |r: &Value| r["spec"]["replicas"] == 3 && r["status"]["availableReplicas"] == 3;
    namespace.wait_for("rollout", "web", "raised by the autoscaler", SOON, raised);
    let scaler = namespace.wait_for("hpa", "web", "aware of it", SOON, |h| h["status"]["currentReplicas"] == 3);
    let able = scaler["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "AbleToScale");
    assert_eq!(able.unwrap()["status"], "True", "{scaler}");
    namespace.kubectl(&["delete", "hpa", "web"]);
    namespace.kubectl(&["scale", "rollout", "web", "--replicas=1", "--current-replicas=3"]);
    pods(&namespace, "app=web", 1);
    let scale = namespace.kubectl(&["get", "rollout", "web", "--subresource=scale", "-o", "json"]);
    let scale: Value = serde_json::from_str(&scale).unwrap();
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&1.into(), &"app=web".into()));
}

#[test]
fn scripts_wait_for_conditions_and_phases() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("scripts");
    let _controller = controller(&namespace);
    namespace.apply(&rollout("web", 1, "v3.1.0", &canary(PAUSED_HALFWAY), ""));
    let wait = |what: &str| {
        let bound = format!("--timeout={}s", SOON.as_secs());
        namespace.kubectl(&["wait", &format!("--for={what}"), "rollout/web", &bound])
    };
    wait("condition=Healthy");
    wait("condition=Available");
    wait("condition=Completed");
    set_tag(&namespace, "web", "v3.2.0");
    wait("condition=Paused");
    wait("jsonpath={.status.phase}=Paused");
    wait("condition=Completed=false");
    resume(&namespace, "web");
    wait("condition=Healthy");
    wait("condition=Paused=false");
    wait("jsonpath={.status.currentStepIndex}=2");
}

/// Waits until the API server's time, which is in seconds, is after this one, and returns it.
pub(crate) fn second_after(namespace: &Namespace, time: &str) -> String {
    let made = "jsonpath={.metadata.creationTimestamp}";
    namespace.wait_until("a later second", SOON, || {
        let now = namespace.kubectl(&["create", "configmap", "clock", "--dry-run=server", "-o", made]);
        if now.as_str() > time { Ok(now) } else { Err(now) }
    })
}

//= compat: 1.4-5
#[test]
fn a_restart_keeps_to_the_disruption_budget() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("budget");
    let controller = controller(&namespace);
    namespace.apply(&rollout("web", 2, "v3.1.0", &canary("[]"), ""));
    namespace.apply(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}}",
    );
    healthy(&namespace, "web");
    let before = pods(&namespace, "app=web", 2);
    namespace.wait_for("pdb", "web", "counted", SOON, |pdb| {
        pdb["status"]["currentHealthy"] == 2 && pdb["status"]["disruptionsAllowed"] == 0
    });
    // Later than the pods, and over by now.
    let created = |pod: &Value| pod["metadata"]["creationTimestamp"].as_str().unwrap().to_owned();
    let newest = namespace.objects("pods", "app=web").iter().map(created).max().unwrap();
    let now = second_after(&namespace, &newest);
    second_after(&namespace, &now);
    let later = json!({ "spec": { "restartAt": now } });
    namespace.kubectl(&["patch", "rollout", "web", "--type=merge", "--patch", &later.to_string()]);
    namespace.wait_until("a refused eviction in the log", SOON, || {
        let log = controller.log();
        if log.contains("a disruption budget keeps a pod for now") { Ok(()) } else { Err("none".to_owned()) }
    });
    assert_eq!(uids(&namespace, "pods", "app=web"), before);
    // With one to spare it goes on, one after the other.
    namespace.kubectl(&["patch", "pdb", "web", "--type=merge", "--patch", r#"{"spec":{"minAvailable":1}}"#]);
    namespace.wait_until("two other pods", SOON, || {
        let budget = namespace.object("pdb", "web").unwrap();
        assert!(budget["status"]["currentHealthy"].as_u64() >= Some(1), "below the budget: {budget}");
        let pods = uids(&namespace, "pods", "app=web");
        if pods.len() == 2 && pods.iter().all(|pod| !before.contains(pod)) { Ok(()) } else { Err(format!("{pods:?}")) }
    });
    namespace.wait_for("rollout", "web", "restarted", SOON, |r| r["status"]["restartedAt"] == now);
}

#[test]
fn a_deployment_that_is_referred_to_is_scaled_down_as_asked() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("refer");
    let _controller = controller(&namespace);
    let modes = [("never", 1), ("onsuccess", 0), ("progressively", 0)];
    for (mode, _) in modes {
        namespace.apply(&format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {mode}}}, spec: {{replicas: 1, selector: {{matchLabels: {{app: {mode}}}}}, template: {}}}}}",
            template(mode, "v3.1.0")
        ));
    }
    for (mode, _) in modes {
        namespace.wait_for("deployment", mode, "available", SOON, |d| d["status"]["availableReplicas"] == 1);
        namespace.apply(&format!(
            "
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: {mode}}}
spec: {{replicas: 1, strategy: {}, workloadRef: {{apiVersion: apps/v1, kind: Deployment, name: {mode}, scaleDown: {mode}}}}}
",
            canary("[{setWeight: 100}, {pause: {duration: 1}}]")
        ));
    }
    for (mode, left) in modes {
        healthy(&namespace, mode);
        let what = format!("left with {left}");
        namespace.wait_for("deployment", mode, &what, SOON, |d| d["spec"]["replicas"] == left);
    }
    // A new template of the Deployment is a new version of the Rollout.
    let image = "predictor=ghcr.io/ml-portfolio/bankchurn-predictor:v3.2.0";
    let first = namespace.object("rollout", "never").unwrap();
    namespace.kubectl(&["set", "image", "deployment/never", image]);
    let second = namespace.wait_for("rollout", "never", "updated", SOON, |r| {
        r["status"]["stableRS"] != first["status"]["stableRS"] && r["status"]["phase"] == "Healthy"
    });
    assert_eq!(second["status"]["workloadObservedGeneration"], "2");
    assert_eq!(namespace.object("deployment", "never").unwrap()["spec"]["replicas"], 1);
}

#[test]
fn a_namespace_with_a_rollout_in_progress_can_be_deleted() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("deleted");
    let mut controller = controller(&namespace);
    namespace.apply(&rollout(
        "web",
        1,
        "v3.1.0",
        &canary("[{setWeight: 50}, {pause: {duration: 1}}, {setWeight: 60}, {pause: {}}]"),
        "",
    ));
    healthy(&namespace, "web");
    set_tag(&namespace, "web", "v3.2.0");
    pods(&namespace, "app=web", 2);
    cluster.kubectl(&["delete", "namespace", namespace.name(), "--timeout", &format!("{}s", SOON.as_secs())]);
    assert!(cluster.object("namespace", namespace.name(), &[]).is_none());
    assert!(controller.is_running(), "{}", controller.log());
}

#[test]
fn versions_go_with_their_rollout_or_wait_for_the_next_one() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("cascade");
    let _controller = controller(&namespace);
    let manifest = rollout("web", 1, "v3.1.0", &canary(PAUSED_HALFWAY), "");
    namespace.apply(&manifest);
    healthy(&namespace, "web");
    let before = [uids(&namespace, "replicasets", "app=web"), uids(&namespace, "pods", "app=web")];
    namespace.kubectl(&["delete", "rollout", "web", "--cascade=orphan"]);
    namespace.wait_until("a set without an owner", SOON, || {
        let set = namespace.objects("replicasets", "app=web").remove(0);
        if set["metadata"]["ownerReferences"].is_null() { Ok(()) } else { Err(set["metadata"].to_string()) }
    });
    passed(&namespace, "marker");
    assert_eq!([uids(&namespace, "replicasets", "app=web"), uids(&namespace, "pods", "app=web")], before);

    namespace.apply(&manifest);
    let back = healthy(&namespace, "web");
    assert_eq!([uids(&namespace, "replicasets", "app=web"), uids(&namespace, "pods", "app=web")], before);
    let set = namespace.objects("replicasets", "app=web").remove(0);
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], back["metadata"]["uid"]);
    set_tag(&namespace, "web", "v3.2.0");
    phase(&namespace, "web", "Paused");

    namespace.kubectl(&["delete", "rollout", "web"]);
    pods(&namespace, "app=web", 0);
    assert_eq!(uids(&namespace, "replicasets", "app=web"), []);
}

//= compat: 1.9-3
#[test]
fn metadata_by_role_is_put_on_living_pods() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("roles");
    let _controller = controller(&namespace);
    let strategy = format!(
        "{{canary: {{canaryMetadata: {{labels: {{role: canary}}}}, stableMetadata: {{labels: {{role: stable}}}}, steps: {PAUSED_HALFWAY}}}}}"
    );
    namespace.apply(&rollout("web", 1, "v3.1.0", &strategy, ""));
    healthy(&namespace, "web");
    pods(&namespace, "app=web,role=stable", 1);
    set_tag(&namespace, "web", "v3.2.0");
    phase(&namespace, "web", "Paused");
    let trial = pods(&namespace, "app=web,role=canary", 1);
    resume(&namespace, "web");
    healthy(&namespace, "web");
    // The same pod, in its new role.
    namespace.wait_until("the new role", SOON, || {
        let stable = uids(&namespace, "pods", "app=web,role=stable");
        if stable == trial { Ok(()) } else { Err(format!("{stable:?}")) }
    });
    assert_eq!(uids(&namespace, "pods", "role=canary"), []);
}

fn job(name: &str, argument: &str) -> String {
    format!(
        "
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {{name: {name}}}
spec:
  metrics:
  - name: job
    provider:
      job:
        spec:
          backoffLimit: 0
          template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: \"serin/serin:dev\", args: [{argument}]}}]}}}}
"
    )
}

#[test]
fn jobs_decide_runs_and_say_why_they_failed() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("jobs");
    let _controller = controller(&namespace);
    namespace.apply(&(job("good", "--version") + &job("bad", "no-such-command")));
    let over = |run: &Value| run["status"]["completedAt"].is_string();
    let good = namespace.wait_for("analysisrun", "good", "over", SOON, over);
    assert_eq!(good["status"]["phase"], "Successful", "{good}");
    let bad = namespace.wait_for("analysisrun", "bad", "over", SOON, over);
    assert_eq!(bad["status"]["phase"], "Failed", "{bad}");
    let measurement = &bad["status"]["metricResults"][0]["measurements"][0];
    let message = measurement["message"].as_str().unwrap();
    assert!(message.contains("exit code 2") && message.contains("no-such-command"), "{message}");
    // The job belongs to the run, and goes with it.
    let name = measurement["metadata"]["job-name"].as_str().unwrap();
    let made = namespace.object("job", name).unwrap();
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], bad["metadata"]["uid"]);
    namespace.kubectl(&["delete", "analysisrun", "bad"]);
    namespace.wait_for("job", name, "gone", SOON, Value::is_null);
}

/// Answers every request with `{"ok": true}`, and tells the value of its header `token`.
fn echo() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, tokens) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let token = head.iter().find_map(|line| line.to_lowercase().strip_prefix("token: ").map(str::to_owned));
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"ok\": true}";
            // Fails only when the other side is gone already.
            let _ = stream.write_all(answer.as_bytes());
            if heard.send(token.unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    (port, tokens)
}

#[test]
fn a_secret_reaches_its_provider_and_nobody_else() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("secret");
    let controller = namespace.controller(&["--healthz-port=0", "--metrics-port=0", "--loglevel=trace"]);
    let (port, tokens) = echo();
    namespace.kubectl(&["create", "secret", "generic", "web", "--from-literal=token=open-sesame-8261"]);
    namespace.apply(&format!(
        "
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {{name: web}}
spec:
  ttlStrategy: {{secondsAfterCompletion: 8}}
  args: [{{name: token, valueFrom: {{secretKeyRef: {{name: web, key: token}}}}}}]
  metrics:
  - name: ok
    count: 2
    interval: 1s
    successCondition: result == true
    provider:
      web:
        url: \"http://127.0.0.1:{port}/check\"
        headers: [{{key: token, value: \"{{{{args.token}}}}\"}}]
        jsonPath: \"{{$.ok}}\"
"
    ));
    let run = namespace.wait_for("analysisrun", "web", "over", SOON, |run| run["status"]["completedAt"].is_string());
    assert_eq!(run["status"]["phase"], "Successful", "{run}");
    // One request for each measurement, and none more.
    assert_eq!(tokens.try_iter().collect::<Vec<_>>(), ["open-sesame-8261"; 2]);
    assert!(!run.to_string().contains("open-sesame"), "{run}");
    assert!(!controller.log().contains("open-sesame"));
    let events = namespace.objects("events", "");
    assert!(events.iter().all(|event| !event.to_string().contains("open-sesame")));
    namespace.wait_for("analysisrun", "web", "removed after its time", SOON, Value::is_null);
}

const CHECK: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: check}
spec:
  args: [{name: hash}]
  metrics:
  - name: one
    successCondition: \"'{{args.hash}}' != '' && result[0] == 1\"
    provider: {prometheus: {address: \"http://prometheus.monitoring.svc.cluster.local:9090\", query: vector(1)}}
";

#[test]
fn an_experiment_of_its_own_compares_two_versions() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("compare");
    let _controller = controller(&namespace);
    let part = |name: &str, tag: &str| {
        format!(
            "{{name: {name}, replicas: 1, service: {{}}, selector: {{matchLabels: {{app: {name}}}}}, template: {}}}",
            template(name, tag)
        )
    };
    namespace.apply(&format!(
        "{CHECK}
---
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {{name: compare}}
spec:
  duration: 10s
  templates: [{}, {}]
  analyses: [{{name: check, templateName: check, args: [{{name: hash, value: \"{{{{templates.candidate.podTemplateHash}}}}\"}}]}}]
",
        part("baseline", "v3.1.0"),
        part("candidate", "v3.2.0")
    ));
    namespace.wait_for("experiment", "compare", "running", SOON, |one| one["status"]["phase"] == "Running");
    for name in ["baseline", "candidate"] {
        let made = namespace.object("service", &format!("compare-{name}")).unwrap();
        let hash = &made["spec"]["selector"]["rollouts-pod-template-hash"];
        assert_eq!(pods(&namespace, &format!("rollouts-pod-template-hash={}", hash.as_str().unwrap()), 1).len(), 1);
    }
    let over = namespace.wait_for("experiment", "compare", "over", SOON, |one| one["status"]["phase"] == "Successful");
    assert_eq!(over["status"]["analysisRuns"][0]["phase"], "Successful", "{over}");
    for name in ["baseline", "candidate"] {
        pods(&namespace, &format!("app={name}"), 0);
        namespace.wait_for("service", &format!("compare-{name}"), "gone", SOON, Value::is_null);
    }
}

/// Weights of a route by service.
fn weights(namespace: &Namespace) -> Vec<(String, u64)> {
    let route = namespace.object("httproute", "web").unwrap();
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().unwrap().clone();
    backends.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one["weight"].as_u64().unwrap_or(1))).collect()
}

//= compat: 5.4-7
#[test]
fn an_experiment_of_a_step_gets_its_share_of_the_requests() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("share");
    let _controller = controller(&namespace);
    let host = format!("{}.test", namespace.name());
    namespace.apply(&format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web}}
spec:
  parentRefs: [{{name: traefik, namespace: traefik}}]
  hostnames: [{host}]
  rules:
  - backendRefs: [{{name: stable, port: 80}}, {{name: canary, port: 80, weight: 0}}]
"
    ));
    let strategy = "{canary: {stableService: stable, canaryService: canary, \
         trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoute: web}}}, \
         steps: [{experiment: {templates: [{name: trial, specRef: canary, weight: 30, service: {name: trial}}]}}, {pause: {}}]}}";
    namespace
        .apply(&(service("stable", "web") + &service("canary", "web") + &rollout("web", 1, "v3.1.0", strategy, "")));
    healthy(&namespace, "web");
    set_tag(&namespace, "web", "v3.2.0");
    let shared = namespace.wait_until("three services in the route", SOON, || {
        let found = weights(&namespace);
        if found.len() == 3 { Ok(found) } else { Err(format!("{found:?}")) }
    });
    assert_eq!(shared.iter().map(|one| one.1).sum::<u64>(), 100, "{shared:?}");
    assert!(
        shared.iter().any(|(name, weight)| !["stable", "canary"].contains(&name.as_str()) && *weight == 30),
        "{shared:?}"
    );
    namespace.wait_until("a share of the requests", SOON, || {
        let answers = ask(&host, 200, SOON);
        let share = answers.share("v3.2.0");
        if answers.failed == 0 && (0.2..=0.4).contains(&share) { Ok(()) } else { Err(format!("{answers:?}")) }
    });
    let experiment = namespace.objects("experiments", "").remove(0);
    let name = experiment["metadata"]["name"].as_str().unwrap();
    let end = r#"{"spec":{"terminate":true}}"#;
    namespace.kubectl(&["patch", "experiment", name, "--type=merge", "--patch", end]);
    phase(&namespace, "web", "Paused");
    namespace.wait_until("two services in the route", SOON, || {
        let found = weights(&namespace);
        if found == [("stable".to_owned(), 100), ("canary".to_owned(), 0)] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    resume(&namespace, "web");
    healthy(&namespace, "web");
}
