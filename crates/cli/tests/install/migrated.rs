//! `serin migrate`: from files, from a cluster, and the steps of a move.

use serde_json::{Value, json};

use crate::server::Server;
use crate::{printed, said, serin};

const CASES: &str = "crates/controller/tests/migrate/cases";

fn case(name: &str) -> String {
    format!("{CASES}/{name}.yaml")
}

#[test]
fn files_become_documents_and_notes_are_told_beside() {
    let output = serin(&["migrate", "deployment", "-f", &case("losses")]);
    assert!(output.status.success(), "{}", said(&output));
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&String::from_utf8(output.stdout.clone()).unwrap()).unwrap();
    let kinds: Vec<&str> = documents.iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Rollout"]);
    assert!(said(&output).lines().all(|line| line.starts_with("note: ")), "{}", said(&output));
    assert_eq!(said(&output).lines().count(), 3);
}

#[test]
fn what_is_printed_has_no_error_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("migrated.yaml");
    for (name, words) in [("nginx", vec![]), ("routes", vec![]), ("blue-green", vec!["--strategy", "blueGreen"])] {
        let (deployment, from) = (case(name), ["migrate", "deployment", "-f"]);
        let words: Vec<&str> = from.into_iter().chain([deployment.as_str()]).chain(words).collect();
        std::fs::write(&file, printed(&words)).unwrap();
        let lint = serin(&["lint", &deployment, file.to_str().unwrap(), "-o", "json"]);
        let problems: Value = serde_json::from_slice(&lint.stdout).unwrap();
        let errors: Vec<&Value> = problems.as_array().unwrap().iter().filter(|p| p["severity"] == "error").collect();
        // The route that was given is there twice, because the changed one stands beside it.
        assert!(errors.iter().all(|problem| problem["code"] == "duplicate-object"), "{name}: {errors:#?}");
    }
}

#[test]
fn what_cannot_be_told_is_asked_for() {
    let check = |words: &[&str], want: &str| {
        let words: Vec<&str> = ["migrate", "deployment"].iter().chain(words).copied().collect();
        let output = serin(&words);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(want), "{}", said(&output));
    };
    check(&[], "<NAME>");
    check(&["other", "-f", &case("nginx")], "no such Deployment");
    check(&["-f", CASES], "several Deployments");
    check(
        &["-f", &case("many-services"), "--strategy", "blueGreen"],
        "hint: say which one takes the requests: --service NAME",
    );
    check(&["-f", "no/such/file"], "failed to read");
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "generation": 1 },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
        "status": { "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 },
    })
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const ROLLOUT: &str = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web";

#[test]
fn a_plan_of_a_running_deployment_changes_nothing() {
    let server = Server::start();
    server.put(DEPLOYMENT, deployment());
    let plan = printed(&["migrate", "deployment", "web", "--plan", "--kubeconfig", &server.kubeconfig()]);
    let lines: Vec<&str> = plan.lines().map(str::trim_start).collect();
    assert_eq!(lines[0], "1. create Rollout web");
    assert_eq!(lines.last(), Some(&"6. wait until Deployment web has 0 pods, and the Rollout stands"));
    assert!(server.calls().iter().all(|call| call.starts_with("GET ")));
}

/// The same command takes a move up where it stands.
#[test]
fn a_move_waits_for_the_rollout_and_can_be_taken_up_again() {
    let server = Server::start();
    let kubeconfig = server.kubeconfig();
    server.put(DEPLOYMENT, deployment());
    let words = ["migrate", "deployment", "web", "--apply", "--timeout", "1", "--kubeconfig", &kubeconfig];
    let output = serin(&words);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("Rollout web is healthy with 2 available pods"), "{}", said(&output));
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
    let mut rollout = server.object(ROLLOUT).unwrap();
    rollout["metadata"]["generation"] = json!(1);
    rollout["status"] = json!({ "observedGeneration": "1", "phase": "Healthy", "availableReplicas": 2 });
    server.put(ROLLOUT, rollout);
    // Nobody scales here, so it stops at the first pod that does not go.
    assert_eq!(serin(&words).status.code(), Some(1));
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
    let mut scaled = server.object(DEPLOYMENT).unwrap();
    scaled["spec"]["replicas"] = json!(0);
    scaled["status"]["replicas"] = json!(0);
    server.put(DEPLOYMENT, scaled);
    assert_eq!(printed(&words), "Rollout web has taken the Deployment's place\n");
}

#[test]
fn a_name_that_is_not_there_is_said_to_be() {
    let server = Server::start();
    let output = serin(&["migrate", "deployment", "web", "--kubeconfig", &server.kubeconfig()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("there is no Deployment web in namespace shop"), "{}", said(&output));
}
