//! What is printed, beside what Argo's own plugin prints for the same objects (see `crates/kubectl/tests/data/README.md`).

use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_spec::{Source, read, timestamp};

use crate::person::Person;
use crate::server::Server;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kubectl/tests/data/screens")
}

/// The objects, all as old as they were at the time that the screens are of.
fn shop() -> Vec<Value> {
    let then = timestamp::parse("2026-01-10T12:00:00Z").unwrap().as_millis();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Whole seconds, rounded up: nothing looks younger than it was.
    let moved = (i64::try_from(now.as_millis()).unwrap() - then) / 1000 * 1000;
    let text = std::fs::read_to_string(folder().join("shop.yaml")).unwrap();
    let mut objects = read::objects(&[Source::new("shop.yaml", text)]);
    objects.iter_mut().for_each(|object| later(object, moved));
    objects
}

fn later(value: &mut Value, ms: i64) {
    match value {
        Value::String(text) if text.len() == 20 && text.ends_with('Z') => {
            if let Some(at) = timestamp::parse(text) {
                *text = timestamp::format(serin_core::Time::from_millis(at.as_millis() + ms));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| later(item, ms)),
        Value::Object(fields) => fields.values_mut().for_each(|field| later(field, ms)),
        _ => {}
    }
}

/// The commands with their files.
fn commands(objects: &[Value]) -> Vec<(String, String)> {
    let names = |kind: &str| {
        let of = objects.iter().filter(move |object| object["kind"] == kind);
        of.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let get = |kind: &str, name: &String| (format!("get {kind} {name} --no-color"), format!("get-{kind}-{name}"));
    let rollouts = names("Rollout");
    let mut commands: Vec<(String, String)> = rollouts.iter().map(|name| get("rollout", name)).collect();
    commands.extend(names("Experiment").iter().map(|name| get("experiment", name)));
    let list = |arguments: &str, file: &str| (format!("list {arguments}"), format!("list-{file}"));
    commands.extend([
        list("rollouts", "rollouts"),
        list("rollouts -A", "rollouts-all-namespaces"),
        list("rollouts --name web", "rollouts-name"),
        list("experiments", "experiments"),
        list("experiments --all-namespaces", "experiments-all-namespaces"),
    ]);
    commands.extend(rollouts.iter().map(|name| (format!("status {name} --watch=false"), format!("status-{name}"))));
    commands
}

//= compat: 7.1-1, 7.2-1, 7.2-2, 7.3-1, 7.3-2, 7.3-3, 7.3-5, 7.3-6, 10.48
#[test]
fn screens_are_those_of_the_original() {
    let objects = shop();
    let person = Person::at(&Server::with(objects.clone()));
    let original = std::env::var_os("SERIN_ARGO_PLUGIN").map(PathBuf::from);
    for (line, file) in commands(&objects) {
        let path = folder().join(format!("{file}.txt"));
        if let Some(original) = &original {
            let theirs = person.run(original.clone(), &line);
            let text = format!("{}{}", theirs.out, theirs.err);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&path).unwrap_or_default(),
                text,
                "{file}.txt is not what the original prints"
            );
            assert_eq!(person.kubectl(&line).code, theirs.code, "{line}");
        }
        let ours = person.kubectl(&line);
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(format!("{}{}", ours.out, ours.err), wanted, "{line}");
    }
}
