//! `serin` on a cluster: the commands of one machine, asked of an API server.

use serde_json::{Value, json};

use crate::person::Person;
use crate::server::Server;
use crate::shop::{replica_set, rollout, shop, template};

const SHOP: &str = "/apis/argoproj.io/v1alpha1/namespaces/shop";

/// A command says a text and makes these calls.
#[track_caller]
fn check((server, person): &(Server, Person), line: &str, says: &str, calls: &[&str]) {
    server.calls();
    assert_eq!(person.serin(&format!("{line} --kube-context main")).ok(), says, "{line}");
    let calls: Vec<String> = calls.iter().map(|call| call.replace("SHOP", SHOP)).collect();
    assert_eq!(server.calls(), calls, "{line}");
}

/// The pause of the second step.
fn paused() -> Value {
    let steps = serin_spec::lower::rollout(&serde_json::from_value(rollout("web")).unwrap(), 2, None).steps_hash;
    json!({ "status": {
        "currentStepHash": steps, "phase": "Paused", "message": "CanaryPauseStep", "controllerPause": true,
        "pauseConditions": [{ "reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z" }],
    } })
}

#[test]
fn commands_write_what_the_plugin_writes() {
    let shop = shop();
    shop.0.patch("rollouts", "web", &paused());
    let status = |body: &str| format!("PATCH merge SHOP/rollouts/web/status {{\"status\":{body}}}");
    check(&shop, "promote web", "shop/web goes on\n", &[&status("{\"pauseConditions\":null}")]);
    check(&shop, "promote web --full", "shop/web goes to 100% now\n", &[&status("{\"promoteFull\":true}")]);
    let said = "the update of shop/web is aborted: traffic goes back to stable\n";
    check(&shop, "abort web", said, &[&status("{\"abort\":true}")]);
    check(&shop, "abort web", "the update of shop/web was aborted already\n", &[]);
    let said = "shop/web starts again from its first step\n";
    check(&shop, "retry web", said, &[&status("{\"abort\":false}")]);
    let said = "shop/web is paused: resume with `serin promote web`\n";
    check(&shop, "pause web", said, &["PATCH merge SHOP/rollouts/web {\"spec\":{\"paused\":true}}"]);
    let ended = "PATCH merge SHOP/experiments/trial {\"spec\":{\"terminate\":true}}";
    check(&shop, "terminate experiment tri", "experiment shop/trial ends\n", &[ended]);
    let gone = "DELETE SHOP/experiments/trial {\"propagationPolicy\":\"Background\"}";
    check(&shop, "delete experiment trial", "experiment shop/trial is deleted\n", &[gone]);
    let gone = "DELETE SHOP/rollouts/api {\"propagationPolicy\":\"Background\"}";
    check(&shop, "delete shop/api", "shop/api is deleted\n", &[gone]);
    let restarted = shop.1.serin("restart web --in 5m -n shop").ok();
    assert_eq!(restarted, "shop/web restarts in 5m: its members are replaced one after the other\n");
    assert!(shop.0.calls()[0].starts_with(&format!("PATCH merge {SHOP}/rollouts/web {{\"spec\":{{\"restartAt\":\"")));
}

fn image(server: &Server, name: &str) -> Value {
    server.get("rollouts", name).unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

#[test]
fn versions_come_and_go() {
    let shop = shop();
    let says = |line: &str| shop.1.serin(&format!("{line} --namespace shop")).ok();
    assert_eq!(says("deploy web 7"), "shop/web wants m:7 now\n");
    assert_eq!(image(&shop.0, "web"), "m:7");
    let calls = shop.0.calls();
    assert!(
        calls[0]
            .starts_with(&format!("PATCH json {SHOP}/rollouts/web [{{\"op\":\"replace\",\"path\":\"/spec/template\"")),
        "{calls:?}"
    );
    assert_eq!(says("deploy web 7"), "shop/web already wants m:7\n");
    assert_eq!(says("rollback web"), "shop/web goes back to revision 1 (m:1)\n");
    assert_eq!(image(&shop.0, "web"), "m:1");
    assert_eq!(says("undo web --to-revision 2"), "shop/web wants revision 2 again (m:2)\n");
    assert_eq!(says("undo web --to-revision 2"), "shop/web is at revision 2 already\n");
    let unknown = shop.1.serin("undo web --to-revision 9 -n shop").fails(2);
    assert_eq!(unknown, "error: shop/web does not know revision 9\nhint: known revisions: 1\n");
    let all = says("deploy all 8");
    assert_eq!(all, "shop/api wants m:8 now\nshop/web wants m:8 now\n");
    assert_eq!((image(&shop.0, "api"), image(&shop.0, "web")), (json!("m:8"), json!("m:8")));
}

#[test]
fn a_template_behind_a_reference_is_changed_there() {
    let shop = shop();
    let reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web-app" });
    shop.0.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web-app", "namespace": "shop", "uid": "d" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": template("m:2") },
    }));
    shop.0.patch("rollouts", "web", &json!({ "spec": { "template": null, "workloadRef": reference } }));
    assert_eq!(shop.1.serin("deploy web 5 -n shop").ok(), "shop/web wants m:5 now\n");
    let held = shop.0.get("deployments", "web-app").unwrap();
    assert_eq!(held["spec"]["template"]["spec"]["containers"][0]["image"], "m:5");
}

#[test]
fn where_a_sequential_test_stands_is_read_from_its_measurement() {
    let (server, person) = shop();
    server.patch("rollouts", "web", &paused());
    let standing = json!({
        "verdict": "undecided", "logE": 1.5, "logEFail": 4.6, "logEPass": 0.2, "logEPassAt": 3.0, "part": "+1 point",
        "canary": { "bad": 3.0, "total": 50.0 }, "stable": { "bad": 1.0, "total": 200.0 },
    });
    let measurement = json!({
        "phase": "Running", "startedAt": "2026-01-01T00:00:01Z", "value": "canary 6 %",
        "metadata": { "serin.dev/standing": standing.to_string(), "serin.dev/state": "{}" },
    });
    server.put(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {
            "name": "web-b-2", "namespace": "shop",
            "labels": { "rollout-type": "Background", "rollouts-pod-template-hash": "b" },
            "ownerReferences": [{ "kind": "Rollout", "name": "web", "uid": "r-web", "controller": true }],
        },
        "spec": { "metrics": [{ "name": "errors", "provider": { "plugin": { "serin.dev/compare": {} } } }] },
        "status": { "phase": "Running", "metricResults": [{ "name": "errors", "phase": "Running", "measurements": [measurement] }] },
    }));
    let view: Value = serde_json::from_str(&person.serin("get rollout web -n shop -o json").ok()).unwrap();
    let metric = &view["runs"][0]["metrics"][0];
    assert_eq!((&metric["name"], &metric["standing"]["verdict"]), (&json!("errors"), &json!("undecided")), "{view}");
    assert_eq!(metric["standing"]["canary"], json!({ "bad": 3.0, "total": 50.0 }));
}

#[test]
fn a_rollout_is_told_as_on_one_machine() {
    let (server, person) = shop();
    server.patch("rollouts", "web", &paused());
    let table = person.serin("status --kube-context main").ok();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME   STATUS        STEP   WEIGHT   READY"), "{table}");
    assert!(lines[2].starts_with("web    Paused        1/3    "), "{table}");
    let one = person.serin("get rollout web --namespace shop").ok();
    assert!(one.contains("web  shop  Canary  ‖ Paused  1 -> 2"), "{one}");
    assert!(one.contains("▶ 2. pause: {}") || one.contains("▶ 2. pause"), "{one}");
    assert!(one.contains("# revision 2  canary  b  2  1/1 ready"), "{one}");
    assert!(one.contains("why: pause without an end: promote or abort it"), "{one}");
    let view: Value = serde_json::from_str(&person.serin("get rollout web -n shop -o json").ok()).unwrap();
    assert_eq!((&view["image"], &view["stableImage"], &view["revision"]), (&json!("m:2"), &json!("m:1"), &json!(2)));
    server.put(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "web.1", "namespace": "shop" },
        "involvedObject": { "kind": "Rollout", "name": "web" }, "type": "Warning", "reason": "RolloutPaused",
        "message": "Rollout is paused (CanaryPauseStep)", "lastTimestamp": "2026-01-01T00:00:07Z",
    }));
    let why = person.serin("explain web -n shop").ok();
    assert!(why.starts_with("web is Paused (CanaryPauseStep): 2 on its way, 1 is stable."), "{why}");
    assert!(why.contains("- pause without an end: promote or abort it"), "{why}");
    assert!(why.ends_with("\nEvents:\n  00:00:07 ! RolloutPaused: Rollout is paused (CanaryPauseStep)\n"), "{why}");
    let history = person.serin("history web -n shop").ok();
    assert!(history.contains("RolloutPaused") && history.contains("m:1"), "{history}");
    assert!(person.serin("list -n shop").ok().contains("web"));
    assert!(person.serin("list experiments -n shop").ok().contains("trial   Failed"));
    let told = person.serin("explain experiment trial -n shop").ok();
    assert!(told.starts_with("✖ trial is Failed, begun ") && told.ends_with("and it can be applied anew.\n"), "{told}");
    server.patch(
        "rollouts",
        "web",
        &json!({ "status": { "phase": "Degraded", "message": "RolloutAborted: x", "abort": true } }),
    );
    assert!(person.serin("status web -n shop").fails(1).contains("web ended degraded"));
}

#[test]
fn waiting_ends_when_nothing_more_happens() {
    let (server, person) = shop();
    let done = json!({ "status": {
        "phase": "Healthy", "message": null, "pauseConditions": null, "controllerPause": null, "stableRS": "b", "currentStepIndex": 3, "replicas": 2, "updatedReplicas": 2,
        "readyReplicas": 2, "availableReplicas": 2,
    } });
    server.patch("rollouts", "web", &paused());
    let waits = person.serin("status web --wait -n shop").fails(2);
    assert!(waits.starts_with("error: web waits for a person: CanaryPauseStep\nhint: go on with"), "{waits}");
    // Nobody controls this cluster, so nothing follows.
    let timed = person.serin("promote web --wait --timeout 1 -n shop").fails(1);
    assert_eq!(timed, "error: no outcome within 1 s\n");
    server.patch("rollouts", "web", &done);
    assert!(person.serin("status web --wait -n shop").ok().contains("web Healthy"));
}

#[test]
fn manifests_are_applied_as_they_are_written() {
    let (server, person) = shop();
    person.write("all.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: s}, ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    let said = person.serin("apply -f all.yaml -n shop");
    assert_eq!(said.ok(), "Namespace shop is created\nService shop/s is created\n");
    let service = "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s\",\"namespace\":\"shop\"},\"spec\":{\"ports\":[{\"port\":80}],\"selector\":{\"app\":\"s\"}}}";
    let namespace = "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}";
    assert_eq!(
        server.calls(),
        [
            format!("PATCH apply /api/v1/namespaces/shop {namespace}"),
            format!("PATCH apply /api/v1/namespaces/shop/services/s {service}"),
        ]
    );
    person.write("odd.yaml", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: o}\n");
    let odd = person.serin("apply -f odd.yaml -n shop").fails(2);
    assert!(odd.contains("Odd o (example.com/v1) is of a kind that serin does not apply"), "{odd}");
    person.write(
        "typo.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: o}\nspec: {replica: 1}\n",
    );
    assert!(person.serin("apply -f typo.yaml -n shop").fails(2).contains("replica"));
    assert_eq!(server.calls(), Vec::<String>::new());
}

#[test]
fn one_that_cannot_be_read_hides_no_other() {
    let (server, person) = shop();
    server.patch("rollouts", "api", &json!({ "spec": { "fieldOfTomorrow": 1 } }));
    let status = person.serin("status -n shop").ok();
    assert!(
        status.contains("\nweb ") && status.contains("api: failed to read the rollout shop/api: unknown field"),
        "{status}"
    );
    let refused = person.serin("promote api -n shop").fails(2);
    assert!(refused.contains("unknown field `fieldOfTomorrow`"), "{refused}");
    assert!(person.kubectl("get rollout api").ok().contains("Status:          ◌ Progressing"));
    assert_eq!(person.kubectl("abort api").ok(), "rollout 'api' aborted\n");
}

fn linted(name: &str, service: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": template("m:2"),
            "strategy": { "blueGreen": { "activeService": service } },
        },
    })
}

#[test]
fn lints_look_at_the_cluster() {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "there", "namespace": "shop" },
        "spec": { "selector": { "app": "web" } },
    });
    let server = Server::with([linted("good", "there"), service]);
    let person = Person::at(&server);
    let fine = person.serin("lint -n shop").ok();
    assert!(fine.contains("in 2 files"), "{fine}");
    server.put(linted("bad", "missing"));
    let found = person.serin("lint -n shop");
    assert!(
        found.out.contains("there is no Service \"missing\"") && found.out.contains("rollouts/bad:"),
        "{}",
        found.out
    );
    assert_eq!(found.code, 2);
    // A file that names what is there is as good as one that has it, and the faults of others are not its own.
    let mut written = linted("new", "there");
    written["metadata"].as_object_mut().unwrap().remove("namespace");
    written["metadata"]["namespace"] = "shop".into();
    person.write("new.json", &written.to_string());
    let fine = person.serin("lint new.json --kube-context main").ok();
    assert!(!fine.contains("missing"), "{fine}");
    assert_eq!(server.calls(), Vec::<String>::new());
}

#[test]
fn what_only_the_router_of_one_machine_counts_is_no_metric_of_a_cluster() {
    let (server, person) = shop();
    let template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": { "name": "errors", "namespace": "shop" },
        "spec": { "metrics": [{ "name": "m", "provider": { "plugin": { "serin.dev/compare": { "tolerance": "1pt" } } } }] },
    });
    person.write("errors.json", &template.to_string());
    for line in ["lint errors.json --kube-context main", "apply -f errors.json --kube-context main"] {
        let refused = person.serin(line);
        let told = refused.out.clone() + &refused.err;
        assert!(
            refused.code == 2 && told.contains("it compares what the router of one machine counts"),
            "{line}: {told}"
        );
    }
    assert!(server.get("analysistemplates", "errors").is_none());
    let fine = person.serin("lint errors.json").ok();
    assert!(!fine.contains("counts"), "{fine}");
}

#[test]
fn what_is_of_one_machine_says_so() {
    let (_, person) = shop();
    for line in ["up", "down", "info", "logs web", "query up"] {
        let refused = person.serin(&format!("{line} -n shop")).fails(2);
        assert!(
            refused.starts_with("error: this command is for one machine\nhint: leave out --kube-context"),
            "{refused}"
        );
    }
    let none = person.serin("status web --kube-context none").fails(2);
    assert!(
        none.starts_with("error: failed to find the cluster: ") && none.contains("hint: see --kubeconfig"),
        "{none}"
    );
    let unknown = person.serin("promote nothing -n shop").fails(2);
    assert!(unknown.starts_with("error: there is no rollout \"nothing\"\nhint: known: api, web"), "{unknown}");
}

#[test]
fn a_cluster_that_is_away_is_code_3() {
    let server = Server::with([rollout("web"), replica_set("web", "a", 1)]);
    let person = Person::at(&server);
    let text = std::fs::read_to_string(person.path("kubeconfig")).unwrap();
    person.write("away", &text.replace(&server.url(), "http://127.0.0.1:1"));
    let away = person.serin("status --kubeconfig away").fails(3);
    assert!(away.starts_with("error: failed to list ") && away.contains("hint: is this the right cluster?"), "{away}");
}
