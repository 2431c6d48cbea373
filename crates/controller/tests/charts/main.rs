//! Chart and kustomize bases, rendered by Helm and kubectl, hold the same objects as `serin install` prints. `SERIN_HELM` and
//! `SERIN_KUBECTL` name the programs; `cargo xtask deploy --check` sets them.

mod rendered;

use std::collections::BTreeMap;

use serde_json::Value;
use serin_controller::Object;
use serin_controller::install::difference::differences;
use serin_controller::install::{EvidenceLog, Options, Scope, objects};

use rendered::{helm, helm_fails, kustomize, kustomize_with, program};

/// Objects by kind, namespace and name.
type ByName = BTreeMap<String, Value>;

fn by_name(objects: impl IntoIterator<Item = Value>) -> ByName {
    let mut all = ByName::new();
    for object in objects {
        let object = Object(object);
        let name = format!("{} {}/{}", object.kind(), object.namespace(), object.name());
        assert!(all.insert(name.clone(), object.0).is_none(), "{name} is there twice");
    }
    all
}

/// What `serin install` prints, without what a test leaves out.
fn printed(options: &Options, without: &[&str]) -> ByName {
    by_name(objects(options).into_iter().map(|object| object.0).filter(|object| {
        let kind = object["kind"].as_str().unwrap();
        !without.contains(&kind)
    }))
}

#[track_caller]
fn same(found: &ByName, wanted: &ByName) {
    let names = |all: &ByName| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(wanted));
    for (name, object) in wanted {
        let found = differences(&Object(found[name].clone()), &Object(object.clone()));
        assert_eq!(found, [], "{name}");
    }
}

fn namespaced(home: &str, watched: &str) -> Options {
    Options { scope: Scope::Namespace(watched.to_owned()), home: home.to_owned(), ..Options::default() }
}

#[test]
fn the_bases_hold_what_install_prints() {
    same(&by_name(kustomize("cluster")), &printed(&Options::default(), &[]));
    let namespaced = Options { shared: false, ..namespaced("serin", "serin") };
    same(&by_name(kustomize("namespaced")), &printed(&namespaced, &[]));
    assert_eq!(by_name(kustomize("crds")).len(), 5);
}

#[test]
fn the_component_logs_what_install_lets_be_logged() {
    let evidence = Some(EvidenceLog { claim: None, max_mib: EvidenceLog::MAX_MIB });
    for (base, options) in [
        ("cluster", Options { evidence: evidence.clone(), ..Options::default() }),
        ("namespaced", Options { evidence, shared: false, ..namespaced("serin", "serin") }),
    ] {
        same(&by_name(kustomize_with(base, "evidence")), &printed(&options, &[]));
    }
}

/// Helm makes the release's namespace itself, so the chart has none.
const NAMESPACE: &[&str] = &["Namespace"];

#[test]
fn the_chart_holds_what_install_prints() {
    same(&by_name(helm("serin", &["--include-crds"])), &printed(&Options::default(), NAMESPACE));
}

#[test]
fn the_charts_values_mean_what_options_do() {
    let check = |home: &str, values: &[&str], options: Options| {
        let found = by_name(helm(home, values));
        same(&found, &printed(&options, &["Namespace", "CustomResourceDefinition"]));
    };
    check("a", &["--set", "watch.namespace=b"], namespaced("a", "b"));
    check("a", &["--set", "watch.namespace=a"], namespaced("a", "a"));
    check(
        "here",
        &[
            "--set=replicas=3",
            "--set=instanceId=blue",
            "--set=image.repository=registry.example/serin",
            "--set=image.tag=v1",
            "--set=secrets.namespaces={b,a}",
        ],
        Options {
            scope: Scope::Cluster { secrets: vec!["b".to_owned(), "a".to_owned()] },
            home: "here".to_owned(),
            image: "registry.example/serin:v1".to_owned(),
            replicas: 3,
            instance: "blue".to_owned(),
            ..Options::default()
        },
    );
    let logging = |claim: Option<&str>, max_mib| {
        let evidence = Some(EvidenceLog { claim: claim.map(str::to_owned), max_mib });
        Options { home: "a".to_owned(), evidence, ..Options::default() }
    };
    check("a", &["--set", "evidence.enabled=true"], logging(None, EvidenceLog::MAX_MIB));
    let claimed = ["--set=evidence.enabled=true", "--set=evidence.existingClaim=judged", "--set=evidence.maxMiB=100"];
    check("a", &claimed, logging(Some("judged"), 100));
    check("a", &["--set", "evidence.existingClaim=judged"], Options { home: "a".to_owned(), ..Options::default() });
    let alone = Options { shared: false, home: "a".to_owned(), ..Options::default() };
    check("a", &["--set", "people.create=false"], alone);
}

#[test]
fn a_digest_is_taken_as_one() {
    let found = by_name(helm("a", &["--set", "image.digest=sha256:00ff"]));
    let image = &found["Deployment a/serin"]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "serin/serin@sha256:00ff");
}

/// Values that only the chart has.
#[test]
fn what_a_cluster_wants_of_pods_is_put_on_them() {
    let found = by_name(helm(
        "a",
        &[
            "--set=nodeSelector.disk=fast",
            "--set=podLabels.team=ml",
            "--set=podAnnotations.note=x",
            "--set=priorityClassName=high",
            "--set=imagePullSecrets[0].name=pull",
            "--set=tolerations[0].key=gpu",
            "--set=extraArgs={--loglevel=debug}",
            "--set=serviceAccount.annotations.role=r",
        ],
    ));
    let template = &found["Deployment a/serin"]["spec"]["template"];
    let pod = &template["spec"];
    assert_eq!(template["metadata"]["labels"]["team"], "ml");
    assert_eq!(template["metadata"]["annotations"]["note"], "x");
    assert_eq!(pod["nodeSelector"]["disk"], "fast");
    assert_eq!(pod["priorityClassName"], "high");
    assert_eq!(pod["imagePullSecrets"][0]["name"], "pull");
    assert_eq!(pod["tolerations"][0]["key"], "gpu");
    assert_eq!(pod["containers"][0]["args"], serde_json::json!(["controller", "--loglevel=debug"]));
    assert_eq!(found["ServiceAccount a/serin"]["metadata"]["annotations"]["role"], "r");
}

#[test]
fn wrong_values_are_refused_with_their_name() {
    let check = |value: &str, word: &str| {
        let error = helm_fails(&["--set", value]);
        assert!(error.contains(word), "{value}: {error}");
    };
    check("replicas=0", "replicas");
    check("replicas=two", "replicas");
    check("instanceId=NOT_A_NAME", "instanceId");
    check("secrets.namespaces=all", "namespaces");
    check("imgae.tag=1", "imgae");
    check("evidence.maxMiB=3", "maxMiB");
    check("evidence.existingClaim=A", "existingClaim");
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    let output = program("SERIN_HELM", "helm").args(["lint", "--strict"]).arg(rendered::chart()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
