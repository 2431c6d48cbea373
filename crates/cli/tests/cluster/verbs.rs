//! The verbs of the plugin: what each says, and exactly what it writes.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::person::{Person, finish};
use crate::server::Server;
use crate::shop::{shop, template};

const SHOP: &str = "/apis/argoproj.io/v1alpha1/namespaces/shop";

/// A verb says a text and makes these calls.
#[track_caller]
fn check((server, person): &(Server, Person), line: &str, says: &str, calls: &[&str]) {
    server.calls();
    assert_eq!(person.kubectl(line).ok(), says, "{line}");
    let calls: Vec<String> = calls.iter().map(|call| call.replace("SHOP", SHOP)).collect();
    assert_eq!(server.calls(), calls, "{line}");
}

//= compat: 7.1-2, 7.4-1, 7.4-2, 7.4-3, 7.4-6, 10.47
#[test]
fn verbs_write_what_they_say() {
    let shop = shop();
    check(
        &shop,
        "abort web api",
        "rollout 'web' aborted\nrollout 'api' aborted\n",
        &[
            "PATCH merge SHOP/rollouts/web/status {\"status\":{\"abort\":true}}",
            "PATCH merge SHOP/rollouts/api/status {\"status\":{\"abort\":true}}",
        ],
    );
    assert_eq!(shop.0.get("rollouts", "web").unwrap()["status"]["abort"], true);
    let retried = "PATCH merge SHOP/rollouts/web/status {\"status\":{\"abort\":false}}";
    check(&shop, "retry rollout web", "rollout 'web' retried\n", &[retried]);
    check(&shop, "retry ro web", "rollout 'web' retried\n", &[retried]);
    let paused = "PATCH merge SHOP/rollouts/web {\"spec\":{\"paused\":true}}";
    check(&shop, "pause web", "rollout 'web' paused\n", &[paused]);
    let forgotten = "PATCH merge SHOP/experiments/trial/status {\"status\":null}";
    check(&shop, "retry experiment trial", "experiment 'trial' retried\n", &[forgotten]);
    assert_eq!(shop.0.get("experiments", "trial").unwrap().get("status"), None);
    let ended = "PATCH merge SHOP/experiments/trial {\"spec\":{\"terminate\":true}}";
    check(&shop, "terminate exp trial", "experiment 'trial' terminated\n", &[ended]);
    let stopped = "PATCH merge SHOP/analysisruns/check {\"spec\":{\"terminate\":true}}";
    check(&shop, "terminate analysisrun check", "analysisRun 'check' terminated\n", &[stopped]);
}

//= compat: 7.5-1, 7.5-2, 7.5-3, 7.5-4, 7.5-5, 7.5-6, 10.50
#[test]
fn promoting_writes_the_status_and_then_the_spec() {
    let shop = shop();
    let status = |body: &str| format!("PATCH merge SHOP/rollouts/web/status {{\"status\":{body}}}");
    let said = "rollout 'web' promoted\n";
    check(&shop, "promote web", said, &[&status("{\"currentStepIndex\":2,\"pauseConditions\":null}")]);
    check(&shop, "promote web --skip-current-step", said, &[&status("{\"currentStepIndex\":3}")]);
    check(&shop, "promote web -a", said, &[&status("{\"currentStepIndex\":3}")]);
    let full = status("{\"promoteFull\":true}");
    check(&shop, "promote web --full", "rollout 'web' fully promoted\n", &[&full]);
    shop.0.patch("rollouts", "web", &json!({ "spec": { "paused": true } }));
    let unpaused = "PATCH merge SHOP/rollouts/web {\"spec\":{\"paused\":false}}";
    check(&shop, "promote web --full", "rollout 'web' fully promoted\n", &[&full, unpaused]);
    let both = shop.1.kubectl("promote web -c -a").fails(1);
    assert!(
        both.ends_with("Error: Cannot use skip-current-step and skip-all-steps flags at the same time\n"),
        "{both}"
    );
    shop.0.patch("rollouts", "web", &json!({ "status": { "abort": true } }));
    assert!(shop.1.kubectl("promote web").fails(1).starts_with("Error: the update of rollout 'web' was aborted"));
    assert_eq!(shop.0.calls(), Vec::<String>::new());
}

//= compat: 7.4-1, 7.5-5
#[test]
fn definitions_without_a_status_of_their_own_get_one_patch() {
    let shop = shop();
    shop.0.without_status.store(1, Ordering::Relaxed);
    let abort = "{\"status\":{\"abort\":true}}";
    let calls =
        [&*format!("PATCH merge SHOP/rollouts/web/status {abort}"), &*format!("PATCH merge SHOP/rollouts/web {abort}")];
    check(&shop, "abort web", "rollout 'web' aborted\n", &calls);
    let pauses = json!([{ "reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z" }]);
    let paused = json!({ "spec": { "paused": true }, "status": { "pauseConditions": pauses } });
    shop.0.patch("rollouts", "api", &paused);
    let calls = [
        "PATCH merge SHOP/rollouts/api/status {\"status\":{\"pauseConditions\":null}}",
        "PATCH merge SHOP/rollouts/api {\"spec\":{\"paused\":false},\"status\":{\"pauseConditions\":null}}",
    ];
    check(&shop, "promote api", "rollout 'api' promoted\n", &calls);
}

//= compat: 7.4-4, 10.47
#[test]
fn a_restart_has_a_time_or_an_error() {
    let (server, person) = shop();
    assert_eq!(person.kubectl("restart web").ok(), "rollout 'web' restarts in 0s\n");
    let at = server.get("rollouts", "web").unwrap()["spec"]["restartAt"].as_str().unwrap().to_owned();
    let first = serin_spec::timestamp::parse(&at).unwrap();
    assert_eq!(person.kubectl("restart web --in 10m").ok(), "rollout 'web' restarts in 10m\n");
    let calls = server.calls();
    assert_eq!(calls[0], format!("PATCH merge {SHOP}/rollouts/web {{\"spec\":{{\"restartAt\":\"{at}\"}}}}"));
    let at = server.get("rollouts", "web").unwrap()["spec"]["restartAt"].as_str().unwrap().to_owned();
    let later = serin_spec::timestamp::parse(&at).unwrap().as_secs() - first.as_secs();
    assert!((600..700).contains(&later), "{later}");
    let wrong = person.kubectl("restart web -i soon").fails(1);
    assert!(wrong.starts_with("Error: failed to restart rollout 'web': invalid duration"), "{wrong}");
    assert_eq!(server.calls().len(), 0);
}

//= compat: 7.4-5
#[test]
fn undoing_puts_the_template_of_a_revision_back() {
    let shop = shop();
    let said = "rollout 'web' undo\n";
    let patch = |image: &str| {
        let labels = "{\"labels\":{\"app\":\"web\"}}";
        let pod = format!("{{\"containers\":[{{\"image\":\"{image}\",\"name\":\"web\"}}]}}");
        format!(
            "PATCH json SHOP/rollouts/web [{{\"op\":\"replace\",\"path\":\"/spec/template\",\"value\":{{\"metadata\":{labels},\"spec\":{pod}}}}}]"
        )
    };
    check(&shop, "undo web", said, &[&patch("m:1")]);
    check(&shop, "undo web --to-revision 2", said, &[&patch("m:2")]);
    let skipped = "skipped rollback (current template already matches revision 2)\n";
    check(&shop, "undo web --to-revision=2", skipped, &[]);
    let unknown = "Error: unable to find specified revision 7 in history\n";
    assert_eq!(shop.1.kubectl("undo web --to-revision 7").fails(1), unknown);
    assert_eq!(shop.1.kubectl("undo api").fails(1), "Error: no revision found for rollout \"api\"\n");
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web-app", "namespace": "shop" },
        "spec": { "template": template("m:2") },
    })
}

/// `web` takes its template from a Deployment.
fn behind(shop: &(Server, Person)) {
    let reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web-app" });
    shop.0.put(deployment());
    shop.0.patch("rollouts", "web", &json!({ "spec": { "template": null, "workloadRef": reference } }));
}

//= compat: 7.4-5, 7.6-1
#[test]
fn a_template_is_changed_where_it_is() {
    let shop = shop();
    behind(&shop);
    assert_eq!(shop.1.kubectl("undo web").ok(), "rollout 'web' undo\n");
    let image = |server: &Server| {
        server.get("deployments", "web-app").unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image(&shop.0), "m:1");
    assert_eq!(shop.1.kubectl("set image web web=m:5").ok(), "deployment \"web-app\" image updated\n");
    assert_eq!(image(&shop.0), "m:5");
    let calls = shop.0.calls();
    assert!(calls[0].starts_with("PATCH json /apis/apps/v1/namespaces/shop/deployments/web-app ["), "{calls:?}");
    assert!(calls[1].starts_with("PUT /apis/apps/v1/namespaces/shop/deployments/web-app {"), "{calls:?}");
}

//= compat: 7.6-1
#[test]
fn an_image_is_set_whoever_else_writes() {
    let shop = shop();
    shop.0.conflicts.store(4, Ordering::Relaxed);
    assert_eq!(shop.1.kubectl("set image web web=m:7").ok(), "rollout \"web\" image updated\n");
    assert_eq!(shop.0.calls().len(), 5);
    let stored = shop.0.get("rollouts", "web").unwrap();
    assert_eq!(stored["spec"]["template"]["spec"]["containers"][0]["image"], "m:7");
    assert_eq!(shop.1.kubectl("set image web *=m:8").ok(), "rollout \"web\" image updated\n");
    shop.0.conflicts.store(5, Ordering::Relaxed);
    assert_eq!(shop.1.kubectl("set image web web=m:9").fails(1), "Error: the object has been modified\n");
    shop.0.calls();
    let unknown = "Error: unable to find container named \"side\"\n";
    assert_eq!(shop.1.kubectl("set image web side=m:7").fails(1), unknown);
    for usage in ["set image web", "set image web web", "set image web web=m=7", "set image", "set"] {
        assert!(shop.1.kubectl(usage).fails(1).contains("Usage: "), "{usage}");
    }
    assert_eq!(shop.0.calls(), Vec::<String>::new());
}

//= compat: 7.6-2
#[test]
fn objects_are_created_from_files() {
    let shop = shop();
    shop.1.write("exp.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {name: e}\nspec: {duration: 5m, templates: [{name: a, selector: {matchLabels: {app: t}}, template: {metadata: {labels: {app: t}}, spec: {containers: [{name: t, image: i}]}}}]}\n");
    shop.1.write("t.json", "{\"apiVersion\": \"argoproj.io/v1alpha1\", \"kind\": \"ClusterAnalysisTemplate\", \"metadata\": {\"name\": \"t\"}, \"spec\": {\"metrics\": []}}");
    let said = "experiment.argoproj.io/e created\nclusteranalysistemplate.argoproj.io/t created\n";
    let experiment = "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"Experiment\",\"metadata\":{\"name\":\"e\",\"namespace\":\"shop\"},\"spec\":{\"duration\":\"5m\",\"templates\":[{\"name\":\"a\",\"selector\":{\"matchLabels\":{\"app\":\"t\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"t\"}},\"spec\":{\"containers\":[{\"image\":\"i\",\"name\":\"t\"}]}}}]}}";
    let template = "{\"apiVersion\":\"argoproj.io/v1alpha1\",\"kind\":\"ClusterAnalysisTemplate\",\"metadata\":{\"name\":\"t\"},\"spec\":{\"metrics\":[]}}";
    let calls = [
        &*format!("POST SHOP/experiments {experiment}"),
        &*format!("POST /apis/argoproj.io/v1alpha1/clusteranalysistemplates {template}"),
    ];
    check(&shop, "create -f exp.yaml -f t.json", said, &calls);
    let taken = shop.1.kubectl("create -f exp.yaml").fails(1);
    assert_eq!(taken, "Error: experiments \"e\" already exists\n");
    shop.0.calls();
    shop.1.write("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n");
    assert_eq!(shop.1.kubectl("create -f service.yaml").fails(1), "Error: creates of /Service unsupported\n");
    shop.1.write(
        "typo.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {name: f}\nspec: {template: []}\n",
    );
    let typo = shop.1.kubectl("create -f exp.yaml -f typo.yaml").fails(1);
    assert!(typo.contains("typo.yaml:4:8: error: spec.template: "), "{typo}");
    let several = shop.1.kubectl("create -w -f t.json -f t.json").fails(1);
    assert_eq!(several, "Error: Cannot watch multiple resources\n");
    assert!(shop.1.kubectl("create").fails(1).contains("Usage: "));
    assert_eq!(shop.0.calls(), Vec::<String>::new());
}

fn analysis_template(kind: &str, name: &str, metric: &str, more: &Value) -> Value {
    let mut template = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": { "name": name },
        "spec": {
            "args": [{ "name": "host" }, { "name": "limit", "value": "5" }],
            "metrics": [{ "name": metric, "provider": { "job": { "spec": {} } } }],
        },
    });
    if kind == "AnalysisTemplate" {
        template["metadata"]["namespace"] = "shop".into();
    }
    template["spec"].as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    template
}

//= compat: 7.6-3
#[test]
fn runs_are_created_from_templates() {
    let shop = shop();
    shop.0.put(analysis_template("AnalysisTemplate", "health", "errors", &Value::Null));
    shop.0.put(analysis_template("ClusterAnalysisTemplate", "common", "load", &Value::Null));
    let nested = json!({ "templates": [{ "templateName": "common", "clusterScope": true }] });
    shop.0.put(analysis_template("AnalysisTemplate", "both", "errors", &nested));
    let made = |person: &Person, line: &str| {
        let said = person.kubectl(&format!("create analysisrun {line}")).ok();
        let name = said.trim().strip_prefix("analysisrun.argoproj.io/").unwrap().strip_suffix(" created").unwrap();
        shop.0.get("analysisruns", name).unwrap()
    };
    let run = made(&shop.1, "--from health -a host=a=b --argument limit=7 --instance-id two");
    assert_eq!(run["metadata"]["name"], "health-1");
    assert_eq!(run["metadata"]["labels"], json!({ "argo-rollouts.argoproj.io/controller-instance-id": "two" }));
    assert_eq!(run["spec"]["args"], json!([{ "name": "host", "value": "a=b" }, { "name": "limit", "value": "7" }]));
    let run = made(&shop.1, "--from both --name mine -a host=h");
    let metrics = run["spec"]["metrics"].as_array().unwrap();
    assert_eq!(metrics.iter().map(|m| m["name"].as_str().unwrap()).collect::<Vec<_>>(), ["errors", "load"]);
    let run = made(&shop.1, "--global --from common --generate-name g- -a host=h");
    assert_eq!(
        run["metadata"],
        json!({ "generateName": "g-", "name": "g-1", "namespace": "shop", "resourceVersion": run["metadata"]["resourceVersion"], "uid": "u-g-1" })
    );
    shop.1.write(
        "t.yaml",
        "kind: AnalysisTemplate\nmetadata: {name: file}\nspec: {metrics: [{name: m, provider: {job: {spec: {}}}}]}\n",
    );
    let run = made(&shop.1, "--from-file t.yaml -a free=1");
    assert_eq!(run["spec"]["args"], json!([{ "name": "free", "value": "1" }]));
    let fails = |line: &str| shop.1.kubectl(&format!("create ar {line}")).fails(1);
    assert_eq!(fails("--from health"), "Error: args.host was not resolved\n");
    assert_eq!(fails("--from health -a host"), "Error: arguments must be in the form NAME=VALUE\n");
    assert_eq!(fails("--from none"), "Error: analysistemplates.argoproj.io \"none\" not found\n");
    assert_eq!(fails(""), "Error: one of --from or --from-file must be specified\n");
    let warned = shop.1.kubectl("create ar --from health -a host=h -a hots=h");
    assert_eq!(warned.err, "Warning: the template declares no argument \"hots\": it is left out\n");
}

//= compat: 7.6-4
#[test]
fn a_file_is_linted_in_the_words_of_the_original() {
    let (_, person) = shop();
    let file = |weight: u32, selector: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: web, image: \"m:1\"}}]}}}}\n  strategy: {{canary: {{canaryService: one, stableService: two, steps: [{{setWeight: {weight}}}]}}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: one}}\nspec: {{selector: {{{selector}}}}}\n"
        )
    };
    person.write("good.yaml", &file(10, "app: web"));
    assert_eq!(
        person.kubectl("lint -f good.yaml"),
        crate::ran::Ran { code: 0, out: String::new(), err: String::new() }
    );
    person.write("bad.yaml", &file(110, "app: other"));
    let bad = person.kubectl("lint -f bad.yaml");
    let first = "Invalid value: 110: SetWeight needs to be between 0 and 100";
    let second = "Invalid value: \"one\": Service \"one\" has unmatch label \"app\" in rollout";
    assert_eq!(bad.out, format!("{first}\n{second}\n"));
    assert_eq!(bad.fails(1), format!("Error: spec.strategy.steps[0].setWeight: {first}\n"));
    person.write("typo.yaml", &file(10, "app: web").replace("canaryService", "canaryServize"));
    let typo = person.kubectl("lint -f typo.yaml").fails(1);
    assert!(typo.contains("canaryServize"), "{typo}");
    assert!(person.kubectl("lint").fails(1).contains("Usage: "));
}

//= compat: 7.3-4, 7.3-5, 7.3-6, 10.48
#[test]
fn a_status_is_told_until_it_is_final() {
    let (server, person) = shop();
    assert_eq!(person.kubectl("status web --watch=false").ok(), "Progressing - more replicas need to be updated\n");
    let timed = person.kubectl("status web --timeout 200ms");
    assert_eq!(timed.out, "Progressing - more replicas need to be updated\n");
    assert_eq!(timed.fails(1), "Error: Rollout status watch exceeded timeout\n");
    server.calls();
    let watching = person.begin("status web");
    // Two more phases while somebody watches; the last one ends it.
    server.watched(1);
    server.patch("rollouts", "web", &json!({ "status": { "phase": "Paused", "message": "CanaryPauseStep" } }));
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.patch("rollouts", "web", &json!({ "status": { "phase": "Healthy", "message": null } }));
    let told = finish(watching, "status web").ok();
    assert_eq!(told, "Progressing - more replicas need to be updated\nPaused - CanaryPauseStep\nHealthy\n");
    server.patch("rollouts", "web", &json!({ "status": { "phase": "Degraded", "message": "it broke" } }));
    let degraded = "Error: The rollout is in a degraded state with message: it broke\n";
    for (line, told) in [("status web", "Degraded - it broke\n"), ("status web -w=false", "Degraded\n")] {
        let ran = person.kubectl(line);
        assert_eq!(ran.out, told);
        assert_eq!(ran.fails(1), degraded);
    }
    assert_eq!(person.kubectl("status none").fails(1), "Error: rollout.argoproj.io \"none\" not found\n");
}

//= compat: 7.2-1, 7.2-9
#[test]
fn a_watch_draws_again_and_ends_in_time() {
    let (server, person) = shop();
    let watching = person.begin("get rollout web -w --timeout-seconds 3");
    server.watched(5);
    std::thread::sleep(std::time::Duration::from_millis(200));
    server.patch("rollouts", "web", &json!({ "status": { "phase": "Healthy", "message": null } }));
    let drawn = finish(watching, "get rollout").ok();
    let screens: Vec<&str> = drawn.split("\u{1b}[H\u{1b}[2J\u{1b}[0;0H").skip(1).collect();
    assert!((3..=17).contains(&screens.len()), "{}", screens.len());
    assert!(screens[0].contains("Status:          ◌ Progressing"), "{}", screens[0]);
    assert!(screens.last().unwrap().contains("Status:          ✔ Healthy"), "{drawn}");
    let gone = person.kubectl("get rollout none -w").fails(1);
    assert_eq!(gone, "Error: rollout.argoproj.io \"none\" not found\n");
}

//= compat: 7.3-2
#[test]
fn a_list_tells_what_changes() {
    let (server, person) = shop();
    let mut watching = person.begin("list rollouts --watch --name web");
    server.watched(1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.patch("rollouts", "api", &json!({ "status": { "readyReplicas": 2 } }));
    server.patch("rollouts", "web", &json!({ "status": { "readyReplicas": 2 } }));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    watching.kill().unwrap();
    let told = String::from_utf8(watching.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("NAME        STRATEGY   STATUS        STEP"), "{told}");
    assert!(
        lines[1].contains(" 0/0 ")
            && lines[2].starts_with("web         Canary     Progressing   1/3   20          2/0"),
        "{told}"
    );
    server.remove("rollouts", "web");
    server.remove("rollouts", "api");
    let none = person.kubectl("list rollouts");
    assert_eq!((none.err.as_str(), none.out.as_str(), none.code), ("No resources found.\n", "", 0));
    assert_eq!(person.kubectl("-n empty list exp").err, "No resources found.\n");
}

//= compat: 7.1-1
#[test]
fn kubectl_s_own_flags_choose_the_cluster() {
    let (server, person) = shop();
    assert_eq!(person.kubectl("pause web -n elsewhere").fails(1), "Error: rollouts.argoproj.io \"web\" not found\n");
    assert_eq!(person.kubectl("--context other pause web").fails(1), "Error: rollouts.argoproj.io \"web\" not found\n");
    assert_eq!(person.kubectl("pause web --context=other --namespace=shop -v=0").ok(), "rollout 'web' paused\n");
    let all = "--as me --as-group g --as-uid 7 --token t --cluster c --user u --request-timeout 5s --loglevel=error --cache-dir x \
               --insecure-skip-tls-verify=false --disable-compression --tls-server-name n";
    assert_eq!(person.kubectl(&format!("pause web {all}")).ok(), "rollout 'web' paused\n");
    let server_flag = format!("-s {} --kubeconfig kubeconfig pause web", server.url());
    assert_eq!(person.kubectl(&server_flag).ok(), "rollout 'web' paused\n");
    assert!(person.kubectl("pause web --context none").fails(1).starts_with("Error: failed to find the cluster"));
    assert!(person.kubectl("pause web --loglevel loud").fails(1).contains("not a valid log level"));
    assert!(person.kubectl("pause web --request-timeout soon").fails(1).contains("no request time-out"));
    assert!(person.kubectl("pause web -s 127.0.0.1:1").fails(1).starts_with("Error: failed to patch Rollout shop/web"));
    for usage in ["", "pause", "frobnicate", "get", "retry", "promote web --fulll"] {
        assert!(person.kubectl(usage).fails(1).contains("Usage: "), "{usage}");
    }
    assert!(person.kubectl("promote --help").ok().contains("--full"));
    assert_eq!(person.run(person.path("kubectl-serin"), "pause web").ok(), "rollout 'web' paused\n");
}

//= compat: 7.7-1, 7.7-4, 7.7-6
#[test]
fn what_is_elsewhere_says_where() {
    let (_, person) = shop();
    assert!(person.kubectl("dashboard --port 3100").fails(1).contains("get rollout NAME --watch"));
    assert!(person.kubectl("notifications template get").fails(1).contains("Argo's notification engine"));
    let version = person.kubectl("version").ok();
    assert!(version.starts_with("kubectl-argo-rollouts: v") && version.contains("\n  Platform: linux/"), "{version}");
    let short = person.kubectl("version --short").ok();
    assert_eq!(short.lines().count(), 1, "{short}");
    assert!(version.starts_with(&short));
}

//= compat: 7.7-5
#[test]
fn names_are_completed_from_the_cluster() {
    let (_, person) = shop();
    assert_eq!(person.kubectl("__complete promote w").ok(), "web\n:4\n");
    assert_eq!(
        person.run(person.path("kubectl_complete-argo-rollouts"), "terminate analysisrun c").ok(),
        "check\n:4\n"
    );
    assert_eq!(person.kubectl("__complete -n elsewhere promote w").ok(), ":4\n");
    for (shell, word) in [("zsh", "compdef"), ("fish", "complete -c"), ("powershell", "Register-ArgumentCompleter")] {
        assert!(person.kubectl(&format!("completion {shell}")).ok().contains(word), "{shell}");
    }
    assert!(person.kubectl("completion tcsh").fails(1).contains("possible values"));
    // What bash does when the key is pressed.
    let pressed = "source <(./kubectl-argo-rollouts completion bash)
COMP_WORDS=(./kubectl-argo-rollouts abort '')
COMP_CWORD=2
_kubectl_argo_rollouts
echo \"${COMPREPLY[@]}\"
";
    person.write("bash", pressed);
    assert_eq!(person.run("/bin/bash".into(), "bash").ok(), "api web\n");
}
