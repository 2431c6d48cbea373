//! Tests of what is installed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn named(options: &Options) -> Vec<String> {
    objects(options).iter().map(|o| format!("{} {}/{}", o.kind(), o.namespace(), o.name())).collect()
}

fn of<'o>(objects: &'o [Object], kind: &str, namespace: &str, name: &str) -> &'o Object {
    objects.iter().find(|o| (o.kind(), o.namespace(), o.name()) == (kind, namespace, name)).unwrap()
}

fn namespaced(home: &str, namespace: &str) -> Options {
    Options {
        scope: Scope::Namespace(namespace.to_owned()),
        home: home.to_owned(),
        shared: false,
        ..Options::default()
    }
}

/// Every rule that the account has, with where: `*` for everywhere.
fn rules(objects: &[Object], account: &str) -> Vec<(String, Value)> {
    let mut rules = Vec::new();
    for binding in objects.iter().filter(|o| o.kind().ends_with("Binding")) {
        assert_eq!(binding.0["subjects"].as_array().unwrap().len(), 1);
        assert_eq!(binding.0["subjects"][0]["name"], account);
        let role = &binding.0["roleRef"];
        let (kind, name) = (role["kind"].as_str().unwrap(), role["name"].as_str().unwrap());
        let place = if kind == "Role" { binding.namespace() } else { "" };
        let everywhere = binding.kind() == "ClusterRoleBinding";
        let at = if everywhere { "*" } else { binding.namespace() };
        let held = of(objects, kind, place, name).0["rules"].as_array().unwrap().clone();
        rules.extend(held.into_iter().map(|rule| (at.to_owned(), rule)));
    }
    rules
}

fn about<'r>(rules: &'r [(String, Value)], resource: &str) -> Vec<(&'r str, String)> {
    let has = |rule: &Value| rule["resources"].as_array().unwrap().iter().any(|r| r == resource);
    let verbs = |rule: &Value| {
        rule["verbs"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    rules.iter().filter(|(_, rule)| has(rule)).map(|(at, rule)| (at.as_str(), verbs(rule))).collect()
}

#[test]
fn a_cluster_and_one_namespace_get_what_they_need() {
    let own = |options: &Options| {
        let all = named(options).into_iter();
        all.filter(|name| !name.starts_with("CustomResource") && !name.contains("aggregate")).collect::<Vec<_>>()
    };
    assert_eq!(
        own(&Options::default()),
        [
            "Namespace /serin",
            "ServiceAccount serin/serin",
            "ClusterRole /serin",
            "ClusterRoleBinding /serin",
            "ClusterRole /serin-secrets",
            "Role serin/serin-leader",
            "RoleBinding serin/serin-leader",
            "Deployment serin/serin",
            "PodDisruptionBudget serin/serin",
            "Service serin/serin-metrics",
        ]
    );
    assert_eq!(
        named(&namespaced("a", "a")),
        [
            "ServiceAccount a/serin",
            "Role a/serin",
            "RoleBinding a/serin",
            "Role a/serin-leader",
            "RoleBinding a/serin-leader",
            "Deployment a/serin",
            "PodDisruptionBudget a/serin",
            "Service a/serin-metrics",
        ]
    );
    let apart = named(&namespaced("a", "b"));
    assert!(apart.contains(&"Namespace /a".to_owned()) && apart.contains(&"Role b/serin".to_owned()), "{apart:?}");
}

#[test]
fn people_get_rollouts_with_what_they_are_in_a_namespace() {
    let objects = objects(&Options::default());
    for (to, verbs) in [("admin", 8), ("edit", 8), ("view", 3)] {
        let role = of(&objects, "ClusterRole", "", &format!("serin-aggregate-to-{to}"));
        assert_eq!(role.label(&format!("rbac.authorization.k8s.io/aggregate-to-{to}")), Some("true"));
        assert_eq!(role.0["rules"][0]["verbs"].as_array().unwrap().len(), verbs);
    }
    let view = of(&objects, "ClusterRole", "", "serin-aggregate-to-view");
    assert_eq!(view.0["rules"][0]["verbs"], json!(["get", "list", "watch"]));
}

#[test]
fn secrets_are_read_where_it_was_said_and_never_listed() {
    let check = |options: Options, want: &[(&str, &str)]| {
        let objects = objects(&options);
        let rules = rules(&objects, "serin");
        let found = about(&rules, "secrets");
        let found: Vec<(&str, &str)> = found.iter().map(|(at, verbs)| (*at, verbs.as_str())).collect();
        assert_eq!(found, want);
    };
    check(Options::default(), &[]);
    let secrets = vec!["ml".to_owned(), "web".to_owned()];
    check(Options { scope: Scope::Cluster { secrets }, ..Options::default() }, &[("ml", "get"), ("web", "get")]);
    check(namespaced("a", "b"), &[("b", "get")]);
}

/// One namespace needs nothing of the cluster, so its owner can install it.
//= compat: 9.2-5
#[test]
fn one_namespace_asks_for_nothing_outside() {
    let objects = objects(&namespaced("a", "a"));
    assert!(objects.iter().all(|object| object.namespace() == "a"));
    assert_eq!(about(&rules(&objects, "serin"), "clusteranalysistemplates"), []);
    let whole = super::objects(&Options::default());
    assert_eq!(about(&rules(&whole, "serin"), "clusteranalysistemplates"), [("*", "list watch".to_owned())]);
}

/// No wildcard, nothing twice, and no way to more permissions.
#[test]
fn the_table_gives_no_more_than_it_says() {
    let mut seen = BTreeSet::new();
    for line in &permission::TABLE {
        assert!(!line.why.is_empty());
        for resource in line.resources {
            for verb in line.verbs {
                assert!(!resource.contains('*') && !verb.contains('*') && line.group != "*", "{line:?}");
                assert!(!["escalate", "bind", "impersonate"].contains(verb), "{line:?}");
                assert!(seen.insert((line.group, *resource, *verb)), "{resource} {verb} is there twice");
            }
        }
        assert_ne!(line.group, "rbac.authorization.k8s.io");
    }
}

//= compat: 9.2-1
#[test]
fn the_lock_is_the_one_lease_that_can_be_changed() {
    let instance = Options { instance: "blue".to_owned(), ..Options::default() };
    for (options, lock) in
        [(Options::default(), "argo-rollouts-controller-lock"), (instance, "argo-rollouts-controller-lock-blue")]
    {
        let objects = objects(&options);
        let rules = rules(&objects, &options.name());
        let leases: Vec<&Value> =
            rules.iter().map(|(_, r)| r).filter(|r| r["resources"] == json!(["leases"])).collect();
        assert_eq!(leases.len(), 2);
        assert_eq!((&leases[0]["verbs"], &leases[0]["resourceNames"]), (&json!(["create"]), &Value::Null));
        assert_eq!((&leases[1]["verbs"], &leases[1]["resourceNames"]), (&json!(["get", "update"]), &json!([lock])));
    }
}

#[test]
fn instances_share_nothing_but_what_a_cluster_has_once() {
    let instance = |name: &str| Options { instance: name.to_owned(), shared: false, ..Options::default() };
    let (one, other) = (named(&instance("")), named(&instance("blue")));
    let both: Vec<&String> = one.iter().filter(|name| other.contains(name)).collect();
    assert_eq!(both, ["Namespace /serin"]);
    let selector = |options: &Options| {
        let objects = objects(options);
        objects.iter().find(|o| o.kind() == "Deployment").unwrap().0["spec"]["selector"].clone()
    };
    assert_ne!(selector(&instance("")), selector(&instance("blue")));
}

#[test]
fn the_process_is_told_what_to_drive() {
    let arguments = |options: &Options| {
        let objects = objects(options);
        let deployment = objects.iter().find(|o| o.kind() == "Deployment").unwrap();
        deployment.0["spec"]["template"]["spec"]["containers"][0]["args"].clone()
    };
    assert_eq!(arguments(&Options::default()), json!(["controller"]));
    assert_eq!(arguments(&namespaced("a", "a")), json!(["controller", "--namespaced"]));
    assert_eq!(arguments(&namespaced("a", "b")), json!(["controller", "--namespaced", "--namespace=b"]));
    let blue = Options { instance: "blue".to_owned(), ..Options::default() };
    assert_eq!(arguments(&blue), json!(["controller", "--instance-id=blue"]));
}

/// What the strictest policy of Kubernetes for pods asks for.
#[test]
fn the_pod_is_restricted() {
    let objects = objects(&Options::default());
    let pod = &of(&objects, "Deployment", "serin", "serin").0["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"], json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } }));
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["capabilities"], json!({ "drop": ["ALL"] }));
    assert_eq!(container["readOnlyRootFilesystem"], true);
}

#[test]
fn definitions_of_others_are_known_by_their_missing_label() {
    let ours = definitions();
    assert!(ours.len() == 5 && ours.iter().all(is_ours));
    let mut theirs = ours[0].clone();
    theirs.0["metadata"]["labels"] = json!({ "app.kubernetes.io/part-of": "argo-rollouts" });
    assert!(!is_ours(&theirs));
    theirs.0["metadata"]["labels"] = Value::Null;
    assert!(!is_ours(&theirs));
}

#[test]
fn logs_are_written_where_a_volume_is() {
    let pod = |evidence: Option<EvidenceLog>| {
        let objects = objects(&Options { evidence, ..Options::default() });
        of(&objects, "Deployment", "serin", "serin").0["spec"]["template"]["spec"].clone()
    };
    let log = |claim: Option<&str>, max_mib| Some(EvidenceLog { claim: claim.map(str::to_owned), max_mib });
    let none = pod(None);
    assert_eq!((&none["volumes"], &none["containers"][0]["volumeMounts"]), (&Value::Null, &Value::Null));
    let own = pod(log(None, EvidenceLog::MAX_MIB));
    assert_eq!(own["volumes"], json!([{ "name": "evidence", "emptyDir": { "sizeLimit": "1344Mi" } }]));
    let container = &own["containers"][0];
    assert_eq!(container["args"], json!(["controller", "--evidence-log=/var/lib/serin/evidence"]));
    assert_eq!(container["volumeMounts"], json!([{ "name": "evidence", "mountPath": "/var/lib/serin/evidence" }]));
    assert_eq!(
        (&own["securityContext"]["fsGroup"], &container["securityContext"]),
        (&Value::Null, &none["containers"][0]["securityContext"])
    );
    let claimed = pod(log(Some("judged"), 100));
    assert_eq!(claimed["volumes"], json!([{ "name": "evidence", "persistentVolumeClaim": { "claimName": "judged" } }]));
    assert_eq!(claimed["containers"][0]["args"][2], "--evidence-log-max=100");
    assert_eq!(claimed["securityContext"]["fsGroup"], 65_532);
}
