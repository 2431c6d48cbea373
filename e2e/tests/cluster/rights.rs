//! What the controller is allowed to do on a cluster: it begins with nothing, is given what it is refused, and in the end has done
//! an update with everything in it. So each permission that it has by then is needed, and none is missing in the table.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serin_e2e::{Cluster, Namespace};

use crate::web::{self, Source, WHOLE};

/// What the update below does not do: group, resource and verb, and who does it.
const ELSEWHERE: [(&str, &str, &str, &str); 16] = [
    ("", "pods/eviction", "create", "a restart"),
    ("", "podtemplates", "list", "a workloadRef to a PodTemplate"),
    ("", "podtemplates", "watch", "the same"),
    ("apps", "replicasets", "get", "one that is there already when it is to be made"),
    ("apps", "replicasets", "patch", "one that has lost its owner"),
    ("argoproj.io", "rollouts", "get", "the same: the owner to be is read anew"),
    ("argoproj.io", "rollouts/finalizers", "update", "only where the server checks who may block a deletion"),
    ("argoproj.io", "experiments/finalizers", "update", "the same"),
    ("argoproj.io", "analysisruns/finalizers", "update", "the same"),
    ("batch", "jobs", "delete", "a run that is ended while its Job works"),
    ("gateway.networking.k8s.io", "httproutes", "list", "a router of the Gateway API"),
    ("gateway.networking.k8s.io", "httproutes", "watch", "the same"),
    ("gateway.networking.k8s.io", "httproutes", "patch", "the same"),
    ("gateway.networking.k8s.io", "grpcroutes", "list", "the same"),
    ("gateway.networking.k8s.io", "grpcroutes", "watch", "the same"),
    ("gateway.networking.k8s.io", "grpcroutes", "patch", "the same"),
];

/// One permission: group, resource, verb.
type Right = (String, String, String);

/// Installs, keeps the account, and takes the installed role away. Returns the account's kubeconfig and what the role allowed.
fn installed(cluster: &Cluster, namespace: &Namespace) -> (std::path::PathBuf, BTreeSet<Right>) {
    let words =
        ["install", "--apply", "--without-crds", "--image", "serin/serin:dev", "--namespaced", namespace.name()];
    let mut command = Command::new(Cluster::built("serin"));
    command.args(words).arg("--kubeconfig").arg(cluster.kubeconfig("admin")).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    namespace.kubectl(&["delete", "deployment", "serin"]);
    let role = namespace.object("role", "serin").unwrap();
    let rights = rights(&role).filter(|(group, ..)| group != "coordination.k8s.io").collect();
    let token = namespace.kubectl(&["create", "token", "serin", "--duration=1h"]);
    (cluster.kubeconfig_of_token(namespace.name(), token.trim()), rights)
}

fn rights(role: &Value) -> impl Iterator<Item = Right> + '_ {
    let texts = |rule: &Value, what: &str| -> Vec<String> {
        rule[what].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    role["rules"].as_array().unwrap().iter().flat_map(move |rule| {
        let (groups, resources, verbs) = (texts(rule, "apiGroups"), texts(rule, "resources"), texts(rule, "verbs"));
        let mut all = Vec::new();
        for group in &groups {
            for resource in &resources {
                all.extend(verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())));
            }
        }
        all
    })
}

/// Makes these the account's permissions.
fn grant(namespace: &Namespace, rights: &BTreeSet<Right>) {
    let rules: Vec<Value> = rights
        .iter()
        .map(|(group, resource, verb)| json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] }))
        .collect();
    namespace.kubectl(&["patch", "role", "serin", "--type=merge", "-p", &json!({ "rules": rules }).to_string()]);
}

/// Every refusal that a text tells of, as the API server words them.
fn refused(text: &str) -> BTreeSet<Right> {
    let quoted = |text: &str| text.split(['"', '\\']).find(|part| !part.is_empty()).unwrap_or_default().to_owned();
    let one = |part: &str| {
        let (verb, rest) = part.split_once(" resource ")?;
        let group = rest.split_once("API group ").map(|(_, group)| group)?;
        let empty = group.trim_start_matches('\\').starts_with("\"\"") || group.starts_with("\\\"\\\"");
        Some((if empty { String::new() } else { quoted(group) }, quoted(rest), verb.to_owned()))
    };
    text.split("cannot ").skip(1).filter_map(one).collect()
}

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

/// Lets one controller after the other work, each with what the former was refused, until `done`. Returns what was granted by then.
fn grow(
    namespace: &Namespace,
    kubeconfig: &std::path::Path,
    allowed: &BTreeSet<Right>,
    granted: &mut BTreeSet<Right>,
    done: impl Fn() -> bool,
) {
    let begun = Instant::now();
    // An event that is refused stops nothing, so only a talkative controller tells of it.
    let words = ["--namespaced", "--namespace", namespace.name(), "--loglevel=debug"];
    'anew: loop {
        let controller = namespace.controller_with(kubeconfig, &words, &[]);
        // A refusal may be of a moment before the last grant was known everywhere.
        loop {
            assert!(begun.elapsed() < WHOLE * 2, "not done with {granted:#?}\n{}", controller.log());
            let told = controller.log() + &namespace.kubectl(&["get", "analysisruns", "-o", "json"]);
            let new: BTreeSet<Right> = refused(&told).difference(granted).cloned().collect();
            if !new.is_empty() {
                let missing: Vec<&Right> = new.difference(allowed).collect();
                assert!(missing.is_empty(), "asks for what the installation does not grant: {missing:?}");
                granted.extend(new);
                grant(namespace, granted);
                continue 'anew;
            }
            if done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

//= compat: 9.7-2
#[test]
fn a_whole_update_needs_every_permission_and_no_other_than_those_of_the_installation() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("rights");
    let source = Source::begin();
    let (kubeconfig, allowed) = installed(&cluster, &namespace);
    let mut granted = BTreeSet::new();
    grant(&namespace, &granted);
    everything(&namespace, &source);
    let healthy = || namespace.object("rollout", "web").is_some_and(|r| web::is_over(&r));
    let at_zero = || namespace.object("deployment", "web").is_some_and(|d| d["spec"]["replicas"] == 0);
    grow(&namespace, &kubeconfig, &allowed, &mut granted, || healthy() && at_zero());
    let image = "ghcr.io/ml-portfolio/bankchurn-predictor:v3.2.0";
    let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    namespace.kubectl(&["patch", "deployment", "web", "--type=json", "-p", &patch.to_string()]);
    // Until nothing of the past is left.
    let swept = || {
        let sets = namespace.objects("replicasets", "rollouts-pod-template-hash").len();
        let runs = namespace.objects("analysisruns", "").len() + namespace.objects("experiments", "").len();
        source.asked("secret") == 1 && healthy() && (sets, runs) == (1, 0)
    };
    grow(&namespace, &kubeconfig, &allowed, &mut granted, swept);
    let unused: Vec<&Right> = allowed.difference(&granted).collect();
    let elsewhere: BTreeSet<Right> = ELSEWHERE
        .iter()
        .map(|(group, resource, verb, _)| ((*group).into(), (*resource).into(), (*verb).into()))
        .collect();
    assert_eq!(unused, elsewhere.iter().collect::<Vec<_>>(), "granted: {granted:#?}");
}

#[test]
fn refusals_are_read() {
    let said = r#"failed to patch Rollout a/web: rollouts.argoproj.io "web" is forbidden: User "u" cannot patch resource "rollouts/status" in API group "argoproj.io" in the namespace "a""#;
    let right = |group: &str, resource: &str, verb: &str| -> Right { (group.into(), resource.into(), verb.into()) };
    assert_eq!(refused(said), [right("argoproj.io", "rollouts/status", "patch")].into());
    let in_json = r#"secrets \"path\" is forbidden: User \"u\" cannot get resource \"secrets\" in API group \"\" in the namespace \"a\""#;
    assert_eq!(refused(in_json), [right("", "secrets", "get")].into());
    assert_eq!(refused("cannot say"), BTreeSet::new());
}
