//! Rollouts whose template is in a Deployment, and what happens when that is missing.

use serde_json::Value;
use serin_local::store::{Batch, Shelf, Store};

use crate::machine::Machine;
use crate::manifests::App;

/// The rollout of the app behind a Deployment of the same name, which holds its template and selector.
fn behind(app: &App) -> String {
    let yaml = app.yaml();
    let (before, rest) = yaml.split_once("  selector:").unwrap();
    let (held, after) = rest.split_once("  strategy:").unwrap();
    let (strategy, others) = after.split_once("---\n").unwrap();
    let name = &app.name;
    format!(
        "{before}  workloadRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}, scaleDown: onsuccess}}\n  strategy:{strategy}\
         ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector:{held}---\n{others}"
    )
}

/// A machine with that rollout, healthy at its first version.
fn machine(app: &App) -> Machine {
    let mut machine = Machine::new();
    machine.write("model.yaml", &behind(app));
    machine.up();
    machine.until("model", "healthy at first", |v| v["phase"] == "Healthy");
    machine
}

/// Hash, wanted and available members of each pool.
fn pools(view: &Value) -> Vec<[Value; 3]> {
    let pools = view["pools"].as_array().unwrap().iter();
    pools.map(|pool| ["hash", "size", "available"].map(|key| pool[key].clone())).collect()
}

fn image(tag: &str) -> Value {
    format!("registry.test/model:{tag}").into()
}

//= compat: 1.3-3, 1.3-10, 7.6-1
#[test]
fn commands_and_files_change_the_template_where_it_is() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = machine(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.at_step("model", 1, 20);
    assert_eq!(view["image"], image("good.2"));
    machine.run(&["rollback", "model", "--wait"]).ok();
    machine.until("model", "back", |v| v["phase"] == "Healthy" && v["image"] == image("good.1"));

    // The file of the Deployment alone.
    let changed = App { tag: "good.3".to_owned(), ..app.clone() };
    let yaml = behind(&changed);
    let deployment = yaml.split("---\n").find(|part| part.contains("kind: Deployment\n")).unwrap();
    let file = machine.beside("deployment.yaml");
    std::fs::write(&file, deployment).unwrap();
    machine.run(&["apply", "-f", &file.to_string_lossy()]).ok();
    let view = machine.at_step("model", 1, 20);
    assert_eq!(view["image"], image("good.3"));
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    machine.until("model", "promoted", |v| v["phase"] == "Healthy" && v["stableImage"] == image("good.3"));

    // One that does not fit the rollout is refused whole.
    std::fs::write(&file, deployment.replace("labels: {app: model}", "labels: {app: other}")).unwrap();
    let err = machine.run(&["apply", "-f", &file.to_string_lossy()]).fails(2);
    assert!(err.contains("`selector` does not match template `labels`"), "{err}");
}

//= compat: 1.3-6, 8.1-3, 8.1-4, 8.1-6
#[test]
fn a_deployment_that_is_missing_for_a_while_stops_nothing_that_runs() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let mut machine = machine(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = pools(&machine.at_step("model", 1, 20));
    machine.kill_control();
    let mut batch = Batch::default();
    batch.delete(Shelf::Objects, "Deployment/default/model");
    Store::open(&machine.state()).unwrap().commit(batch).unwrap();

    machine.up_again();
    let view = machine.until("model", "invalid", |v| v["phase"] == "Degraded");
    let text = "InvalidSpec: The Rollout \"model\" is invalid: deployments.apps \"model\" not found";
    assert_eq!((view["message"].as_str(), &view["stepIndex"]), (Some(text), &1.into()));
    let mut visitor = machine.visitor(&app);
    for _ in 0..20 {
        assert_eq!(visitor.get("/").unwrap().status, 200);
    }
    assert_eq!(pools(&machine.view("model")), before, "no member came or went");
    let told = machine.run(&["explain", "model"]).ok();
    assert!(told.contains("nothing is changed until this is mended"), "{told}");

    machine.run(&["apply", "-f", &machine.app().to_string_lossy()]).ok();
    let view = machine.until("model", "paused again", |v| v["phase"] == "Paused");
    assert_eq!((&view["stepIndex"], &view["image"]), (&1.into(), &image("good.2")), "it goes on where it was");
}
