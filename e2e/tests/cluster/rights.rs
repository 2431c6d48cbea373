//! What the controller is allowed to do on a cluster: an account begins with nothing, is given what it is refused, and in the end
//! has done everything that a rollout can ask for. So each permission that it has by then is needed, and the installation gives
//! these and no other.

use serde_json::{Value, json};
use serin_e2e::{Cluster, Namespace};

use crate::account::{Account, Right};
use crate::friends::second_after;
use crate::install::OfTheCluster;
use crate::manifests::{self, canary, is_current, rollout, service, set_tag, uids};
use crate::web::{self, Source};

/// The label of what an instance drives and looks at.
const INSTANCE: &str = "argo-rollouts.argoproj.io/controller-instance-id";

/// An update with everything that one namespace can hold: a Deployment's template and its way to zero, metadata by role, an experiment
/// with a Service, an argument from a secret, a Job that fails once, histories of length 0.
fn everything(namespace: &Namespace, source: &Source) {
    let mut template = web::template_of(source, "well", "{{args.path}}", 1)["spec"].take();
    template["args"] = json!([{ "name": "path", "valueFrom": { "secretKeyRef": { "name": "path", "key": "path" } } }]);
    let image = "ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0";
    let container = json!({ "name": "job", "image": image, "command": ["/usr/bin/model-service", "nonsense"] });
    let pod = json!({ "spec": { "restartPolicy": "Never", "containers": [container] } });
    let job = json!({ "metadata": {}, "spec": { "backoffLimit": 0, "template": pod } });
    template["metrics"].as_array_mut().unwrap().push(json!({
        "name": "work", "count": 1, "failureLimit": 1, "provider": { "job": job },
    }));
    let patient = json!(1000);
    template["metrics"][0]["consecutiveErrorLimit"] = patient;
    let template = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": { "name": "well" }, "spec": template });
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "path" }, "stringData": { "path": "secret" } });
    let experiment =
        json!({ "duration": "3s", "templates": [{ "name": "aside", "specRef": "canary", "service": {} }] });
    let steps = json!([
        { "setWeight": 30 }, { "experiment": experiment }, { "analysis": { "templates": [{ "templateName": "well" }] } },
    ]);
    web::apply(namespace, &steps, vec![template, secret]);
    let mut rollout = namespace.object("rollout", "web").unwrap();
    let template = rollout["spec"]["template"].take();
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": template },
    });
    namespace.apply(&deployment.to_string());
    let canary = json!({
        "canaryMetadata": { "labels": { "role": "canary" } }, "stableMetadata": { "labels": { "role": "stable" } }, "scaleDownDelaySeconds": 1,
    });
    let patch = json!({ "spec": {
        "template": null, "revisionHistoryLimit": 0, "strategy": { "canary": canary },
        "workloadRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": "onsuccess" },
        "analysis": { "successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 0 },
    } });
    namespace.kubectl(&["patch", "rollout", "web", "--type=merge", "-p", &patch.to_string()]);
}

/// A run whose Job works until it is told to stop. What it is refused at first ends no run.
fn working(name: &str) -> String {
    format!(
        "
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {{name: {name}}}
spec:
  metrics:
  - name: job
    consecutiveErrorLimit: 1000
    provider:
      job:
        metadata: {{labels: {{of: {name}}}}}
        spec:
          template:
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 1
              containers: [{{name: main, image: \"ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0\"}}]
"
    )
}

/// A rollout without pods whose template is a PodTemplate.
const HELD: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: held}
spec:
  replicas: 0
  selector: {matchLabels: {app: held}}
  strategy: {canary: {}}
  workloadRef: {apiVersion: v1, kind: PodTemplate, name: held}
";

/// What stands beside the update: a rollout with a route of each kind of the Gateway API, the one with a PodTemplate, one to be
/// restarted, and a run whose Job works.
fn others(namespace: &Namespace) {
    let route = |kind: &str| {
        format!(
            "
---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: routed}}
spec:
  parentRefs: [{{name: traefik, namespace: traefik}}]
  hostnames: [\"{}.{}.test\"]
  rules: [{{backendRefs: [{{name: routed-stable, port: 80}}, {{name: routed-canary, port: 80, weight: 0}}]}}]
",
            kind.to_lowercase(),
            namespace.name()
        )
    };
    let strategy = "{canary: {stableService: routed-stable, canaryService: routed-canary, \
         trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {httpRoutes: [{name: routed}], grpcRoutes: [{name: routed}]}}}, \
         steps: [{setWeight: 30}, {pause: {}}]}}";
    let template = manifests::template("held", "v3.1.0");
    let manifests = [
        service("routed-stable", "routed"),
        service("routed-canary", "routed"),
        route("HTTPRoute"),
        route("GRPCRoute"),
        rollout("routed", 1, "v3.1.0", strategy, ""),
        format!("\n---\n{{apiVersion: v1, kind: PodTemplate, metadata: {{name: held}}, template: {template}}}\n"),
        HELD.to_owned(),
        rollout("restarted", 1, "v3.1.0", &canary("[]"), ""),
        working("first"),
    ];
    namespace.apply(&manifests.concat());
}

/// Gives the name of the ReplicaSet that a rollout is about to make to somebody else's. Returns that one's uid.
fn take_the_name_of_held(namespace: &Namespace) -> Value {
    // A hash is of the template alone, so it is that of the rollout that was there before.
    let held = namespace.object("rollout", "held").unwrap();
    let name = format!("held-{}", held["status"]["stableRS"].as_str().unwrap());
    namespace.kubectl(&["delete", "rollout", "held", "--cascade=foreground", "--timeout=60s"]);
    let template = manifests::template("other", "v3.1.0");
    namespace.apply(&format!(
        "{{apiVersion: apps/v1, kind: ReplicaSet, metadata: {{name: {name}}}, \
           spec: {{replicas: 0, selector: {{matchLabels: {{app: other}}}}, template: {template}}}}}"
    ));
    namespace.apply(HELD);
    namespace.object("replicaset", &name).unwrap()["metadata"]["uid"].take()
}

/// Asks for a restart at a time that is after the beginning of every pod, and over.
fn restart(namespace: &Namespace) -> String {
    let made = |pod: &Value| pod["metadata"]["creationTimestamp"].as_str().unwrap().to_owned();
    let newest = namespace.objects("pods", "app=restarted").iter().map(made).max().unwrap();
    let at = second_after(namespace, &newest);
    let patch = json!({ "spec": { "restartAt": at } }).to_string();
    namespace.kubectl(&["patch", "rollout", "restarted", "--type=merge", "-p", &patch]);
    at
}

fn end(namespace: &Namespace, run: &str) {
    namespace.kubectl(&["patch", "analysisrun", run, "--type=merge", "-p", r#"{"spec":{"terminate":true}}"#]);
}

/// The Job of a run, while it is wanted.
fn job(namespace: &Namespace, run: &str) -> Option<Value> {
    let mut jobs = namespace.objects("jobs", &format!("of={run}")).into_iter();
    jobs.find(|job| job["metadata"]["deletionTimestamp"].is_null())
}

fn works(namespace: &Namespace, run: &str) -> bool {
    job(namespace, run).is_some_and(|job| job["status"]["active"] == 1)
}

/// How many objects with these labels are of the update, and not of what stands beside it.
fn of_web(namespace: &Namespace, kind: &str, labels: &str) -> usize {
    uids(namespace, kind, labels).iter().filter(|(name, _)| name.starts_with("web-")).count()
}

fn weights(namespace: &Namespace, kind: &str) -> [Value; 2] {
    let mut route = namespace.object(kind, "routed").unwrap();
    [0, 1].map(|i| route["spec"]["rules"][0]["backendRefs"][i]["weight"].take())
}

fn is_in(namespace: &Namespace, name: &str, phase: &str) -> bool {
    namespace.object("rollout", name).is_some_and(|r| is_current(&r) && r["status"]["phase"] == phase)
}

//= compat: 9.7-2
#[test]
fn everything_that_rollouts_ask_for_needs_every_permission_of_the_installation_and_no_other() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("rights");
    let source = Source::begin();
    let mut account = Account::of_namespace(&cluster, &namespace);
    everything(&namespace, &source);
    others(&namespace);
    let is_over = || namespace.object("rollout", "web").is_some_and(|r| web::is_over(&r));
    let at_zero = || namespace.object("deployment", "web").is_some_and(|d| d["spec"]["replicas"] == 0);
    let healthy = || ["held", "routed", "restarted"].iter().all(|name| is_in(&namespace, name, "Healthy"));
    account.grow(|| is_over() && at_zero() && healthy() && works(&namespace, "first"));

    let image = "ghcr.io/ml-portfolio/bankchurn-predictor:v3.2.0";
    let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    namespace.kubectl(&["patch", "deployment", "web", "--type=json", "-p", &patch.to_string()]);
    let routed = namespace.object("rollout", "routed").unwrap();
    let orphan = format!("routed-{}", routed["status"]["stableRS"].as_str().unwrap());
    let alone = r#"{"metadata":{"ownerReferences":null}}"#;
    namespace.kubectl(&["patch", "replicaset", &orphan, "--type=merge", "-p", alone]);
    set_tag(&namespace, "routed", "v3.2.0");
    let foreign = take_the_name_of_held(&namespace);
    let at = restart(&namespace);
    end(&namespace, "first");
    namespace.apply(&working("second"));
    // Until nothing of the past is left.
    let swept = || {
        let sets = of_web(&namespace, "replicasets", "rollouts-pod-template-hash");
        sets == 1 && of_web(&namespace, "analysisruns", "") + of_web(&namespace, "experiments", "") == 0
    };
    let updated = || source.asked("secret") > 0 && is_over() && swept();
    let shared = || ["httproute", "grpcroute"].iter().all(|kind| weights(&namespace, kind) == [json!(70), json!(30)]);
    let adopted = || {
        let owner = namespace.object("replicaset", &orphan).unwrap()["metadata"]["ownerReferences"][0]["uid"].take();
        owner == routed["metadata"]["uid"]
    };
    let renamed = || namespace.object("rollout", "held").is_some_and(|r| r["status"]["collisionCount"] == 1);
    let restarted = || namespace.object("rollout", "restarted").is_some_and(|r| r["status"]["restartedAt"] == at);
    let ended = || namespace.object("analysisrun", "first").is_some_and(|r| r["status"]["completedAt"].is_string());
    account.grow(|| {
        (updated() && adopted() && shared() && is_in(&namespace, "routed", "Paused"))
            && (renamed() && is_in(&namespace, "held", "Healthy"))
            && (restarted() && ended() && works(&namespace, "second"))
    });
    assert!(uids(&namespace, "replicasets", "").iter().any(|(_, uid)| foreign == *uid), "it was not ours to touch");

    // When the first one was ended, its Job could not be: that was refused.
    end(&namespace, "second");
    account.grow(|| job(&namespace, "second").is_none());
    account.assert_all_needed();
}

//= compat: 9.7-2
#[test]
fn the_lock_of_the_leader_needs_its_permissions() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("lock");
    let times = [("lease-duration", "3s"), ("renew-deadline", "2s"), ("retry-period", "1s")];
    let times = times.map(|(what, time)| format!("--leader-election-{what}={time}"));
    let words: Vec<&str> = ["--leader-elect"].into_iter().chain(times.iter().map(String::as_str)).collect();
    let mut account = Account::of_the_lock(&cluster, &namespace).with(&words);
    // One that was not allowed to renew it made it.
    let lease = || namespace.object("lease", "argo-rollouts-controller-lock").unwrap_or_default();
    account.grow(|| lease()["spec"]["leaseTransitions"].as_i64() > Some(0));
    account.assert_all_needed();
}

/// A template of the whole cluster, which goes with the test.
struct ForAll<'c>(&'c Cluster, String);

impl Drop for ForAll<'_> {
    fn drop(&mut self) {
        let _ = self.0.try_kubectl(&["delete", "clusteranalysistemplate", &self.1], "");
    }
}

//= compat: 9.7-2
#[test]
fn templates_of_the_whole_cluster_need_their_permissions() {
    let cluster = Cluster::booted();
    let home = cluster.namespace("for-all");
    let instance = "for-all";
    let _roles = OfTheCluster(&cluster, instance);
    let doubted = |(_, resource, _): &Right| resource == "clusteranalysistemplates";
    let mut account = Account::of_cluster(&cluster, &home, instance, doubted);
    let template = ForAll(&cluster, home.name().to_owned());
    cluster.apply(&format!(
        "
apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {{name: {}, labels: {{{INSTANCE}: {instance}}}}}
spec: {{metrics: [{{name: one, provider: {{web: {{url: \"http://127.0.0.1/\"}}}}}}]}}
",
        template.1
    ));
    let steps = format!("[{{analysis: {{templates: [{{templateName: {}, clusterScope: true}}]}}}}]", template.1);
    home.apply(&rollout("web", 0, "v3.1.0", &canary(&steps), ""));
    home.kubectl(&["label", "rollout", "web", &format!("{INSTANCE}={instance}")]);
    account.grow(|| is_in(&home, "web", "Healthy"));
    account.assert_all_needed();
}
