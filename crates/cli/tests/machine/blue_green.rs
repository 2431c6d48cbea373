//! Blue-green rollouts: the new version stands beside the old one behind the preview service, is judged, and gets every request at
//! once. Whatever happens, no request fails, and none reaches a version that a command took the users from.

use std::time::Instant;

use serde_json::Value;

use crate::machine::{Machine, eventually};
use crate::manifests::{App, around_switch, error_rate, template};
use crate::visitor::{Load, Tally, Visitor};

/// The hash of the version with this tag.
pub(crate) fn hash_of(view: &Value, tag: &str) -> String {
    let pool = pool(view, tag);
    pool["hash"].as_str().unwrap().to_owned()
}

/// The pool with this tag.
pub(crate) fn pool<'a>(view: &'a Value, tag: &str) -> &'a Value {
    let image = format!("registry.test/model:{tag}");
    let pools = view["pools"].as_array().unwrap();
    pools.iter().find(|p| p["image"] == image.as_str()).unwrap_or_else(|| panic!("no {tag}: {view:#}"))
}

/// Whether it waits for a person before its switch.
pub(crate) fn waits(view: &Value) -> bool {
    view["phase"] == "Paused" && view["reasons"].as_array().unwrap().iter().any(|r| r["code"] == "paused-for-person")
}

/// The tag that a service leads to, as the router carries it.
pub(crate) fn leads_to(view: &Value, service: &str) -> String {
    let image = view["blueGreen"][service]["image"].as_str().unwrap_or_default();
    image.rsplit(':').next().unwrap_or_default().to_owned()
}

/// Whether an update ended with this version promoted.
pub(crate) fn promoted(view: &Value, tag: &str) -> bool {
    view["phase"] == "Healthy" && view["promoted"] == true && leads_to(view, "active") == tag
}

/// A load on the preview, as a tester makes it.
pub(crate) fn testers(machine: &Machine, app: &App) -> Load {
    Load::start(machine.router(), &format!("{}-preview.localhost", app.name), 2)
}

/// Ends the testers' load. Nothing failed, but until its first member is ready there is nobody to answer for a new version.
#[track_caller]
pub(crate) fn finish(testers: Load) -> Tally {
    let tally = testers.finish();
    let nobody = "503 from \"\": {\"error\":\"no version of this route has an endpoint\"";
    assert!(tally.failures.iter().all(|failure| failure.starts_with(nobody)), "{:?}", tally.failures);
    tally
}

/// Asserts that nothing failed, and that no request sent since `moment` reached this version.
#[track_caller]
pub(crate) fn left(tally: &Tally, version: &str, moment: Instant) {
    assert_eq!(tally.failures, Vec::<String>::new());
    let last = tally.last.get(version).expect("it had requests before");
    assert!(*last < moment, "a request reached it {:?} after the command returned", *last - moment);
}

/// The reasons of a rollout's events, in order, without repeats.
fn told(machine: &Machine) -> Vec<String> {
    let mut told: Vec<String> =
        machine.events("model").iter().map(|e| e["reason"].as_str().unwrap().to_owned()).collect();
    told.dedup();
    told
}

//= compat: 2.10-1, 2.10-4, 2.10-6, B.6-3, B.7-1
#[test]
fn a_good_version_is_previewed_judged_and_gets_every_request_at_once() {
    let (before, after) = (around_switch("pre", "health"), around_switch("post", "health"));
    let app = App::blue_green("model", &["autoPromotionEnabled: false", &before, &after]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let first = hash_of(&machine.view("model"), "good.1");
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    let second = hash_of(&view, "good.2");
    assert_eq!((leads_to(&view, "active").as_str(), leads_to(&view, "preview").as_str()), ("good.1", "good.2"));
    assert_eq!(
        (&pool(&view, "good.1")["role"], &pool(&view, "good.2")["role"]),
        (&"stable,active".into(), &"preview".into())
    );
    let run = &view["runs"][0];
    assert_eq!((&run["kind"], &run["phase"]), (&"PrePromotion".into(), &"Successful".into()), "{run:#}");
    for host in [
        "model-preview",
        "model-preview.default",
        "model-preview.default.svc.cluster.local",
        "model-preview.default.localhost",
    ] {
        assert_eq!(Visitor::new(machine.router(), host).get("/predict").unwrap().version, second, "{host}");
    }
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, first);
    look_before_the_switch(&machine);

    let said = machine.run(&["promote", "model"]).ok();
    let switched = Instant::now();
    assert_eq!(said, "default/model goes on; model-active leads to registry.test/model:good.2 now\n");
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, second);
    let view = machine.until("model", "promoted", |v| promoted(v, "good.2"));
    assert_eq!((&view["runs"][0]["kind"], &view["runs"][0]["phase"]), (&"PostPromotion".into(), &"Successful".into()));
    assert_eq!(pool(&view, "good.2")["role"], "stable,active,preview");
    let users = users.finish();
    left(&users, &first, switched);
    assert!(users.good[&first] > 20 && users.good[&second] > 20, "{:?}", users.good);
    assert!(finish(tests).good[&second] > 20);
    look_after_the_switch(&machine);
}

fn look_before_the_switch(machine: &Machine) {
    let explained = machine.run(&["explain", "model"]).ok();
    for line in [
        "model is Paused (BlueGreenPause): good.2 on its way, good.1 is stable.",
        "  active  model-active leads to good.1 (host model-active.default.localhost)",
        "  preview model-preview leads to good.2 (host model-preview.default.localhost)",
        "Next: `serin promote model` goes on, `serin abort model` stops.",
    ] {
        assert!(explained.lines().any(|l| l == line), "{line} is missing:\n{explained}");
    }
    let screen = machine.run(&["get", "rollout", "model"]).ok();
    for part in
        ["Active  model-active -> good.1", "Preview model-preview -> good.2", "✔ 2. prePromotionAnalysis", "▶ 3. pause"]
    {
        assert!(screen.contains(part), "{part} is missing:\n{screen}");
    }
    let status = machine.run(&["status"]).ok();
    assert!(status.contains("model   Paused   2/5    0 "), "{status}");
}

fn look_after_the_switch(machine: &Machine) {
    machine.until("model", "seen on both ways", |view| {
        let of = |via: &str, tag: &str| {
            let (traffic, hash) = (view["traffic"].as_array().unwrap(), hash_of(view, tag));
            let found = traffic.iter().find(|t| t["via"] == via && t["version"] == hash.as_str());
            found.map_or(0, |t| t["requests"].as_u64().unwrap())
        };
        of("active", "good.1") > 0 && of("active", "good.2") > 0 && of("preview", "good.2") > 0
    });
    let history = machine.run(&["history", "model"]).ok();
    for word in ["SwitchService", "stable,active,preview", "good.1", "AnalysisRunEnded", "RolloutCompleted"] {
        assert!(history.contains(word), "{word} is missing: {history}");
    }
    let watched = machine.run(&["get", "rollout", "model", "--watch"]).ok();
    assert!(watched.contains("model: Healthy, step 5/5, model-active leads to good.2"), "{watched}");
    let shown = machine.run(&["get", "rollout", "model", "-o", "yaml"]).ok();
    assert!(shown.contains("strategy: BlueGreen") && shown.contains("name: model-preview"), "{shown}");
}

//= compat: B.7-2, B.7-3, 2.8-32, 2.8-33, 10.41
#[test]
fn a_small_preview_is_judged_and_grows_before_the_switch() {
    let before = around_switch("pre", "health");
    let mut app = App::blue_green("model", &["autoPromotionEnabled: false", "previewReplicaCount: 1", &before]);
    app.replicas = 3;
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 2, 0)]);
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    assert_eq!((&pool(&view, "good.2")["size"], &pool(&view, "good.1")["size"]), (&1.into(), &3.into()));
    let (first, second) = (hash_of(&view, "good.1"), hash_of(&view, "good.2"));
    assert_eq!(view["runs"][0]["name"], format!("model-{second}-2-pre"));
    let said = machine.run(&["promote", "model"]).ok();
    assert_eq!(said, "default/model goes on; model-active is switched once all 3 members are available\n");
    let mut visitor = machine.visitor(&app);
    let view = machine.until("model", "switched", |v| leads_to(v, "active") == "good.2");
    assert_eq!((&pool(&view, "good.2")["available"], visitor.get("/predict").unwrap().version), (&3.into(), second));
    machine.until("model", "promoted", |v| promoted(v, "good.2"));
    let users = users.finish();
    left(&users, &first, Instant::now());
    finish(tests);
}

//= compat: 2.10-7, 2.7-7, B.2-3
#[test]
fn a_version_that_fails_its_preview_never_has_a_user() {
    let app = App::blue_green("model", &["abortScaleDownDelaySeconds: 20", &around_switch("pre", "health")]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let first = hash_of(&machine.view("model"), "good.1");
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "errors.2"]).ok();
    let view = machine.until("model", "aborted", |v| v["phase"] == "Degraded");
    assert!(view["message"].as_str().unwrap().contains("pre-promotion analysis phase error/failed"), "{view:#}");
    assert_eq!((leads_to(&view, "active").as_str(), leads_to(&view, "preview").as_str()), ("good.1", "errors.2"));
    assert_eq!((&view["weight"]["actual"], &view["stepIndex"]), (&0.into(), &0.into()));
    machine.until("model", "without its members", |v| pool(v, "errors.2")["size"] == 0);
    machine.run(&["promote", "model"]).fails(2);
    let said = machine.run(&["rollback", "model", "--wait"]).ok();
    assert!(said.starts_with("default/model goes back to revision 1 (registry.test/model:good.1)"), "{said}");
    let users = users.finish();
    assert_eq!(users.failures, Vec::<String>::new());
    assert_eq!(users.good.keys().collect::<Vec<_>>(), [&first], "nobody but the stable version answered");
    assert!(!tests.finish().failures.is_empty(), "the testers saw what users did not");
}

//= compat: 10.42, 2.8-34
#[test]
fn a_version_that_fails_after_its_switch_gives_the_users_back() {
    let lines = ["scaleDownDelaySeconds: 1", &around_switch("post", "always-bad")];
    let app = App::blue_green("model", &lines);
    // It takes twenty seconds to be sure, and the former version outlives its delay meanwhile.
    let machine = Machine::with(&[&app], &[template("always-bad", "10s", 5, 2, "vector(1)")]);
    let first = hash_of(&machine.view("model"), "good.1");
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "switched", |v| leads_to(v, "active") == "good.2");
    let second = hash_of(&view, "good.2");
    assert_eq!(
        (&pool(&view, "good.1")["role"], &pool(&view, "good.2")["role"]),
        (&"stable".into(), &"active,preview".into())
    );
    let view = machine.until("model", "back", |v| v["phase"] == "Degraded" && leads_to(v, "active") == "good.1");
    let back = Instant::now();
    assert_eq!((&pool(&view, "good.1")["available"], &view["aborted"]), (&2.into(), &true.into()));
    assert!(view["message"].as_str().unwrap().contains("post-promotion analysis phase error/failed"), "{view:#}");
    machine.run(&["rollback", "model", "--wait"]).ok();
    let users = users.finish();
    left(&users, &second, back);
    assert!(users.good[&first] > 20 && users.good[&second] > 20, "{:?}", users.good);
}

#[test]
fn abort_and_rollback_return_when_the_users_are_back() {
    // An analysis that is never satisfied and never fails keeps the way back open.
    let app = App::blue_green("model", &[&around_switch("post", "endless")]);
    let machine = Machine::with(&[&app], &[template("endless", "600s", 100, 0, "vector(0)")]);
    let mut versions = Vec::new();
    for (command, tag) in [("abort", "good.2"), ("rollback", "good.3")] {
        let users = machine.load(&app);
        machine.run(&["deploy", "model", tag]).ok();
        let view = machine.until("model", "switched", |v| leads_to(v, "active") == tag);
        machine.until("model", "answering", |v| {
            let of = |t: &&Value| t["via"] == "active" && t["version"] == hash_of(&view, tag).as_str();
            v["traffic"].as_array().unwrap().iter().find(of).is_some_and(|t| t["requests"].as_u64() > Some(10))
        });
        let said = machine.run(&[command, "model"]).ok();
        let returned = Instant::now();
        assert!(said.ends_with("; model-active leads to registry.test/model:good.1 now\n"), "{said}");
        assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, hash_of(&view, "good.1"));
        eventually("asked again", || machine.view("model")["traffic"] != view["traffic"]);
        left(&users.finish(), &hash_of(&view, tag), returned);
        versions.push(tag);
    }
    machine.until("model", "healthy", |v| promoted(v, "good.1"));
    assert_eq!(versions.len(), 2);
}

//= compat: 1.6-2, 2.10-2, 2.10-5, B.6-1
#[test]
fn without_a_person_the_switch_comes_after_its_time_and_the_old_members_go_after_theirs() {
    let app = App::blue_green("model", &["autoPromotionSeconds: 30", "scaleDownDelaySeconds: 40"]);
    let machine = Machine::with(&[&app], &[]);
    let first = "Applied RolloutUpdated NewReplicaSetCreated RolloutNotCompleted SwitchService ScalingReplicaSet \
                 RolloutCompleted SwitchService";
    assert_eq!(told(&machine).join(" "), first);
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "paused", |v| v["phase"] == "Paused");
    let left_ms = view["wakeAtMs"].as_i64().unwrap() - view["nowMs"].as_i64().unwrap();
    assert!((1..=30_001).contains(&left_ms), "{left_ms}");
    assert_eq!((pool(&view, "good.2")["available"].as_i64(), leads_to(&view, "active").as_str()), (Some(2), "good.1"));
    let view = machine.until("model", "promoted", |v| promoted(v, "good.2"));
    let paused = |e: &&Value| e["reason"] == "RolloutPaused";
    let events = machine.events("model");
    let at = |found: Option<&Value>| found.unwrap()["at_ms"].as_i64().unwrap();
    let switched = at(events.iter().rfind(|e| e["reason"] == "SwitchService"));
    assert!(switched - at(events.iter().rfind(paused)) > 30_000, "{events:#?}");
    let old = pool(&view, "good.1");
    assert_eq!(old["size"], 2, "requests under way end there");
    let planned = old["scaleDownAtMs"].as_i64().unwrap();
    assert!((40_000..45_000).contains(&(planned - switched)), "{planned} {switched}");
    let view = machine.until("model", "without the old members", |v| pool(v, "good.1")["size"] == 0);
    assert!(view["nowMs"].as_i64().unwrap() >= planned);
    assert_eq!(users.finish().failures, Vec::<String>::new());
}

//= compat: 1.6-3
#[test]
fn requests_under_way_end_where_they_began_although_the_old_members_go_at_once() {
    let mut app = App::blue_green("model", &["autoPromotionEnabled: false", "scaleDownDelaySeconds: 0"]);
    // Every request takes a while, so that some are always under way.
    app.tag = "slow.1".to_owned();
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    let users = Load::start(machine.router(), &app.host(), 12);
    eventually("busy", || {
        let view = machine.view("model");
        view["traffic"].as_array().unwrap().iter().any(|t| t["via"] == "active" && t["inFlight"].as_u64() > Some(3))
    });
    machine.run(&["promote", "model"]).ok();
    let returned = Instant::now();
    let view = machine.until("model", "without the old members", |v| {
        let old = pool(v, "slow.1");
        old["size"] == 0 && old["members"] == serde_json::json!([]) && hash_of(v, "good.2") == hash_of(&view, "good.2")
    });
    assert_eq!(pool(&view, "slow.1")["scaleDownAtMs"], Value::Null, "no time was set for it");
    left(&users.finish(), &hash_of(&view, "slow.1"), returned);
}

//= compat: B.6-4, 2.7-13
#[test]
fn undo_returns_at_once_to_a_version_that_still_runs() {
    let before = around_switch("pre", "health");
    let app = App::blue_green("model", &["autoPromotionEnabled: false", "scaleDownDelaySeconds: 3000", &before]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 2, 0)]);
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "previewed", |v| leads_to(v, "preview") == "good.2");
    // A person takes the responsibility: neither analysis nor pause.
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    let view = machine.view("model");
    assert_eq!((leads_to(&view, "active").as_str(), &pool(&view, "good.1")["size"]), ("good.2", &2.into()));
    let runs = view["runs"].as_array().unwrap().len();
    let said = machine.run(&["undo", "model"]).ok();
    let returned = Instant::now();
    assert!(said.ends_with("; model-active leads to registry.test/model:good.1 now\n"), "{said}");
    let mut visitor = machine.visitor(&app);
    let back = hash_of(&view, "good.1");
    assert!((0..20).all(|_| visitor.get("/predict").unwrap().version == back));
    let after = machine.until("model", "promoted", |v| promoted(v, "good.1"));
    assert_eq!(after["runs"].as_array().unwrap().len(), runs, "nothing was judged again");
    left(&users.finish(), &hash_of(&view, "good.2"), returned);
}

#[test]
fn promote_says_when_there_is_nothing_to_end() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false", &around_switch("pre", "endless")]);
    let machine = Machine::with(&[&app], &[template("endless", "600s", 100, 0, "vector(0)")]);
    let refused = machine.run(&["promote", "model"]).fails(2);
    assert!(refused.contains("no update to promote"), "{refused}");
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "judged", |v| !v["runs"].as_array().unwrap().is_empty());
    let refused = machine.run(&["promote", "model"]).fails(2);
    assert!(refused.contains("is not paused") && refused.contains("promote --full"), "{refused}");
    let said = machine.run(&["promote", "model", "--full"]).ok();
    assert_eq!(said, "default/model goes to 100% now; model-active leads to registry.test/model:good.2 now\n");
    machine.until("model", "promoted", |v| promoted(v, "good.2"));
}

#[test]
fn a_rollout_without_a_preview_service_is_switched_when_the_new_version_is_whole() {
    let app = App::blue_green("model", &[]);
    let mut machine = Machine::new();
    let yaml = app.yaml().replace("\n      previewService: model-preview", "");
    machine.write("model.yaml", &yaml);
    machine.up();
    machine.until("model", "healthy at first", |v| v["phase"] == "Healthy" && leads_to(v, "active") == "good.1");
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "never.2"]).ok();
    let view =
        machine.until("model", "waiting for members", |v| v["pools"][0]["members"].as_array().unwrap().len() == 2);
    assert_eq!((&pool(&view, "never.2")["role"], &view["blueGreen"]["preview"]), (&"new".into(), &Value::Null));
    assert_eq!(leads_to(&view, "active"), "good.1");
    machine.run(&["deploy", "model", "good.3", "--wait"]).ok();
    let view = machine.view("model");
    assert_eq!((promoted(&view, "good.3"), &pool(&view, "good.3")["role"]), (true, &"stable,active".into()));
    let users = users.finish();
    left(&users, &hash_of(&view, "good.1"), Instant::now());
    assert_eq!(users.good.keys().len(), 2, "never.2 had nobody: {:?}", users.good);
}

#[test]
fn a_canary_becomes_blue_green_and_a_canary_again_without_a_failed_request() {
    let canary = App::new("model", &["setWeight: 50", "pause: {}"]);
    let mut blue_green = App::blue_green("model", &["autoPromotionEnabled: false"]);
    blue_green.replicas = 1;
    let machine = Machine::with(&[&canary], &[]);
    let users = machine.load(&canary);
    let apply = |app: &App| {
        let file = machine.beside("changed.yaml");
        std::fs::write(&file, app.yaml()).unwrap();
        machine.run(&["apply", "-f", &file.to_string_lossy()]).ok();
    };
    apply(&blue_green);
    machine.until("model", "blue-green", |v| v["strategy"] == "BlueGreen" && promoted(v, "good.1"));
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "waiting for a person", waits);
    machine.run(&["promote", "model", "--wait"]).ok();
    apply(&canary);
    machine.until("model", "a canary", |v| {
        v["strategy"] == "Canary" && v["phase"] == "Healthy" && v["weight"]["actual"] == 0
    });
    machine.run(&["deploy", "model", "good.3"]).ok();
    machine.at_step("model", 1, 50);
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    let users = users.finish();
    assert_eq!(users.failures, Vec::<String>::new());
    assert_eq!(users.good.len(), 3, "{:?}", users.good);
}

//= compat: 2.7-10
#[test]
fn a_retry_is_judged_anew_and_waits_anew() {
    let lines = ["autoPromotionEnabled: false", "scaleDownDelaySeconds: 3000", &around_switch("pre", "fine")];
    let app = App::blue_green("model", &lines);
    let machine = Machine::with(&[&app], &[template("fine", "10s", 2, 0, "vector(0)")]);
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    let said = machine.run(&["abort", "model"]).ok();
    assert_eq!(said, "the update of default/model is aborted: the users never left stable\n");
    machine.until("model", "degraded", |v| v["phase"] == "Degraded");
    assert_eq!(machine.run(&["retry", "model"]).ok(), "default/model starts again\n");
    let view = machine.until("model", "judged and waiting again", |v| waits(v) && v["runs"] != view["runs"]);
    let runs = view["runs"].as_array().unwrap();
    assert!(runs.len() == 2 && runs.iter().all(|run| run["phase"] == "Successful"), "{runs:#?}");
    machine.run(&["promote", "model", "--wait"]).ok();
    let users = users.finish();
    left(&users, &hash_of(&view, "good.1"), Instant::now());
}
