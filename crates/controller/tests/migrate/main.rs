//! Deployments that become Rollouts: golden files of what takes their place, and moves on a cluster in memory.

mod moved;
mod world;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serin_controller::Object;
use serin_controller::migrate::{Migration, Options, Refusal, Strategy, migrate};
use serin_spec::validate;
use serin_spec::wire::Rollout;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrate/cases")
}

fn read(path: &Path) -> Vec<Object> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple::<Value>(&text).unwrap().into_iter().map(Object).collect()
}

/// The words behind `# options:` on the first line.
fn options(path: &Path) -> Options {
    let text = std::fs::read_to_string(path).unwrap();
    let words = text.lines().next().and_then(|line| line.strip_prefix("# options:")).unwrap_or_default();
    let mut options = Options::default();
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("blueGreen", "") => options.strategy = Strategy::BlueGreen,
            ("workloadRef", "") => options.workload_ref = true,
            ("service", name) => options.service = Some(name.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    options
}

fn migrated(path: &Path) -> Result<Migration, Refusal> {
    let objects = read(path);
    let deployment = objects.iter().find(|object| object.kind() == "Deployment").unwrap().clone();
    migrate(&deployment, &objects, &options(path))
}

fn shown(migrated: &Result<Migration, Refusal>) -> String {
    let migration = match migrated {
        Ok(migration) => migration,
        Err(refusal) => return format!("# refused: {refusal}\n"),
    };
    let mut text: String = migration.notes.iter().fold(String::new(), |text, note| text + "# note: " + note + "\n");
    let all = [&migration.rollout].into_iter();
    for object in all.chain(&migration.services).chain(&migration.routes).chain(&migration.autoscalers) {
        write!(text, "---\n{}", serde_saphyr::to_string(&object.0).unwrap()).unwrap();
    }
    text
}

/// Each file of `cases` with what it becomes in `.out`; every Rollout keeps the rules that the API server holds it to.
#[test]
fn every_case_becomes_what_was_reviewed() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    paths.sort();
    assert!(paths.len() >= 10);
    for path in paths {
        let migrated = migrated(&path);
        let (text, golden) = (shown(&migrated), path.with_extension("out"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap_or_default(), "{}", path.display());
        if let Ok(migration) = migrated {
            let rollout: Rollout = serde_json::from_value(migration.rollout.0).unwrap();
            let errors: Vec<String> = validate::rollout(&rollout).iter().map(ToString::to_string).collect();
            assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
        }
    }
}

#[test]
fn only_a_deployment_becomes_one() {
    let set = Object(json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "a" } }));
    let refused = migrate(&set, &[], &Options::default()).unwrap_err();
    assert_eq!(refused.to_string(), "StatefulSet is no Deployment of apps/v1");
}

/// What a migration makes is there when it is made again.
#[test]
fn a_second_migration_makes_no_more_services() {
    for case in ["nginx.yaml", "routes.yaml", "blue-green.yaml"] {
        let path = cases().join(case);
        let mut objects = read(&path);
        let first = migrated(&path).unwrap();
        let changed = |object: &Object| {
            let mut all = first.routes.iter().chain(&first.autoscalers);
            all.any(|new| new.kind() == object.kind() && new.name() == object.name())
        };
        objects.retain(|object| !changed(object));
        objects.extend(first.services.iter().chain(&first.routes).chain(&first.autoscalers).cloned());
        let deployment = objects.iter().find(|object| object.kind() == "Deployment").unwrap().clone();
        let second = migrate(&deployment, &objects, &options(&path)).unwrap();
        assert_eq!(second.services, [], "{case}");
        assert_eq!((second.rollout, second.routes), (first.rollout, first.routes), "{case}");
    }
}
