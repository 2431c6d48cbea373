//! `serin install`: printed, compared with a cluster, applied to it.

use serde_json::{Value, json};

use crate::server::Server;
use crate::{printed, said, serin};

const ROLLOUTS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.argoproj.io";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/serin/deployments/serin";
const ARGO: &str = "/apis/apps/v1/namespaces/argo-rollouts/deployments/argo-rollouts";

/// The lines of a command on a cluster.
fn at(kubeconfig: &str, words: &[&str]) -> Vec<String> {
    let words: Vec<&str> = ["install", "--kubeconfig", kubeconfig].into_iter().chain(words.iter().copied()).collect();
    printed(&words).lines().map(str::to_owned).collect()
}

#[test]
fn both_formats_hold_the_same_objects() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&printed(&["install"])).unwrap();
    let list: Value = serde_json::from_str(&printed(&["install", "-o", "json"])).unwrap();
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"], Value::Array(documents.clone()));
    assert_eq!(documents.len(), 18);
    assert_eq!(serde_saphyr::from_multiple::<Value>(&printed(&["install", "--without-crds"])).unwrap().len(), 10);
}

#[test]
fn one_namespace_is_its_own_home_unless_told_otherwise() {
    let homes = |words: &[&str]| {
        let words: Vec<&str> =
            ["install", "--without-crds", "--namespaced", "ml"].iter().chain(words).copied().collect();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&printed(&words)).unwrap();
        let deployment = documents.iter().find(|d| d["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        (deployment["metadata"]["namespace"].clone(), container["args"].clone())
    };
    assert_eq!(homes(&[]), (json!("ml"), json!(["controller", "--namespaced"])));
    let apart = (json!("tools"), json!(["controller", "--namespaced", "--namespace=ml"]));
    assert_eq!(homes(&["--controller-namespace", "tools"]), apart);
}

#[test]
fn logs_are_in_the_pod_or_in_a_claim() {
    let pod = |words: &[&str]| {
        let words: Vec<&str> = ["install", "--without-crds"].iter().chain(words).copied().collect();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&printed(&words)).unwrap();
        let deployment = documents.into_iter().find(|d| d["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["spec"].clone()
    };
    assert_eq!(pod(&[])["volumes"], Value::Null);
    assert_eq!(pod(&["--evidence-log"])["volumes"][0]["emptyDir"]["sizeLimit"], "1344Mi");
    let claimed = pod(&["--evidence-log=judged", "--evidence-log-max", "100"]);
    assert_eq!(claimed["volumes"][0]["persistentVolumeClaim"]["claimName"], "judged");
    let args = json!(["controller", "--evidence-log=/var/lib/serin/evidence", "--evidence-log-max=100"]);
    assert_eq!(claimed["containers"][0]["args"], args);
    for wrong in ["--evidence-log=A", "--evidence-log-max=100"] {
        assert_eq!(serin(&["install", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn names_that_no_cluster_takes_are_refused() {
    for words in [["--namespaced", "A"], ["--instance-id", "a b"], ["--replicas", "0"], ["--secrets-in", "a_b"]] {
        let output = serin(&[&["install"], words.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(words[0]), "{}", said(&output));
    }
}

#[test]
fn a_comparison_changes_nothing_and_applying_twice_changes_nothing_more() {
    let server = Server::start();
    let kubeconfig = server.kubeconfig();
    let compared = at(&kubeconfig, &["--diff"]);
    assert!(compared.iter().all(|line| line.ends_with(": would be created")), "{compared:?}");
    assert!(server.calls().iter().all(|call| call.starts_with("GET ")));
    let applied = at(&kubeconfig, &["--apply"]);
    assert!(applied.len() == 18 && applied.iter().all(|line| line.ends_with(": created")), "{applied:?}");
    let writes: Vec<String> = server.calls().into_iter().filter(|call| !call.starts_with("GET")).collect();
    assert_eq!(writes.len(), 18);
    assert!(writes.iter().all(|call| call.starts_with("PATCH ") && call.ends_with("?fieldManager=serin&force=true")));
    assert_eq!(writes[0], "PATCH /api/v1/namespaces/serin?fieldManager=serin&force=true");
    let again = at(&kubeconfig, &["--apply"]);
    assert!(again.iter().all(|line| line.ends_with(": unchanged")), "{again:?}");
}

#[test]
fn what_would_change_is_shown_field_by_field() {
    let server = Server::start();
    let kubeconfig = server.kubeconfig();
    at(&kubeconfig, &["--apply"]);
    let compared = at(&kubeconfig, &["--diff", "--replicas", "3"]);
    let place = compared.iter().position(|line| line == "Deployment serin/serin: would be changed").unwrap();
    assert_eq!(compared[place + 1], "  spec.replicas: 2 -> 3");
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
    let asked: Vec<String> = server.calls().into_iter().filter(|call| call.contains("dryRun=All")).collect();
    assert_eq!(asked.len(), 18);
}

/// Whoever runs Argo's controller has its definitions, and keeps them.
#[test]
fn definitions_of_others_stay_as_they_are() {
    let server = Server::start();
    let kubeconfig = server.kubeconfig();
    let theirs =
        json!({ "kind": "CustomResourceDefinition", "metadata": { "name": "rollouts.argoproj.io" }, "spec": {} });
    server.put(ROLLOUTS, theirs.clone());
    for flag in ["--diff", "--apply"] {
        let lines = at(&kubeconfig, &[flag]);
        let line = "CustomResourceDefinition rollouts.argoproj.io: left as it is: it was installed by somebody else, and works as well";
        assert!(lines.iter().any(|found| found == line), "{lines:?}");
    }
    assert_eq!(server.object(ROLLOUTS), Some(theirs));
    assert!(!server.calls().iter().any(|call| call.starts_with(&format!("PATCH {ROLLOUTS}"))));
}

#[test]
fn another_controller_that_runs_is_named() {
    let server = Server::start();
    let kubeconfig = server.kubeconfig();
    let warned = |replicas: u32| {
        server.put(ARGO, json!({ "kind": "Deployment", "spec": { "replicas": replicas } }));
        said(&serin(&["install", "--kubeconfig", &kubeconfig, "--diff"]))
    };
    assert!(warned(1).contains("warning: Argo's controller runs in namespace argo-rollouts"));
    assert_eq!(warned(0), "");
}

#[test]
fn a_cluster_that_is_not_there_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let output = serin(&["install", "--apply", "--kubeconfig", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).starts_with("error: failed to find the cluster"), "{}", said(&output));
}
