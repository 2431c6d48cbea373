//! Recorded cases: a Rollout, its objects and a split in a file, and beside it what the routers carry and how they change.
//! `UPDATE_GOLDEN=1` rewrites the answers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_core::Hash;
use serin_core::weight::{Destination, Split};
use serin_routes::{Change, Problem, Service, Verb};

use crate::stage::Stage;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    cases.sort();
    cases
}

/// The stage of a case and the split that it asks for.
fn read(path: &Path) -> (Stage, Split) {
    let text = fs::read_to_string(path).unwrap();
    let mut documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let case = documents.remove(0);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let services = documents.iter().filter(|document| document["kind"] == "Service").map(Service::of);
    let stage = Stage {
        services: services.collect(),
        rollout: serde_json::from_value(documents.remove(0)).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        version: Hash::new(text(&case["version"])),
        objects: documents.into_iter().filter(|document| document["kind"] != "Service").collect(),
        keeps_names: true,
    };
    let names: Vec<&str> = case["routes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let destination = |one: &Value| Destination {
        service: text(&one["service"]),
        hash: Hash::new(text(&one["hash"])),
        weight: one["weight"].as_u64().unwrap() as u32,
    };
    let split = Split {
        experiment: case["experiment"].as_array().into_iter().flatten().map(destination).collect(),
        ..stage.weight(case["weight"].as_u64().unwrap_or(0) as u32)
    };
    let split = stage.with_routes(split, &names);
    (stage, split)
}

fn shown(split: &Split) -> String {
    let mut text = format!("{} to {}, {} to {}", split.weight_stable(), split.stable, split.weight, split.canary);
    for one in &split.experiment {
        write!(text, ", {} to {} ({})", one.weight, one.hash, one.service).unwrap();
    }
    for route in &split.header_routes {
        match route.matches.is_empty() {
            true => text.push_str(", and something that no split asks for"),
            false => write!(text, ", by header {}", route.name).unwrap(),
        }
    }
    for route in &split.mirrors {
        write!(text, ", mirrored {}", route.name).unwrap();
    }
    text
}

fn change(change: &Change) -> String {
    let (verb, body) = match &change.verb {
        Verb::Create(body) => ("create", body),
        Verb::MergePatch(body) => ("patch", body),
    };
    let event = change.event.as_ref().map(|event| format!("event {}: {}\n", event.reason, event.message));
    let body = serde_json::to_string_pretty(body).unwrap();
    let (version, kind, namespace, name) = (change.api_version, change.kind, &change.namespace, &change.name);
    format!("\n{verb} {version} {kind} {namespace}/{name}\n{}{body}\n", event.unwrap_or_default())
}

fn problem(problem: &Problem) -> String {
    format!("problem ({:?}, {}): {problem}\n", problem.class, problem.reason())
}

/// What the routers carry, how they change, and that they carry the split then.
fn answer(mut stage: Stage, split: &Split) -> String {
    let problems = serin_routes::routers(&stage.rollout).err().unwrap_or_default();
    if !problems.is_empty() {
        return problems.iter().map(problem).collect();
    }
    let mut text = match stage.observe() {
        Ok(None) => "carries nothing of ours\n".to_owned(),
        Ok(Some(split)) => format!("carries {}\n", shown(&split)),
        Err(found) => return problem(&found),
    };
    writeln!(text, "wanted  {}", shown(split)).unwrap();
    if let Err(found) = stage.render(split) {
        return text + &problem(&found);
    }
    let changes = stage.carry(split);
    text.extend(changes.iter().map(change));
    assert_eq!(stage.observe().unwrap().as_ref(), Some(split), "what was written does not read back");
    assert_eq!(stage.render(split).unwrap(), [], "a second rendering is not empty");
    text
}

//= compat: 6.2-4, 6.2-6, 6.11-4, 6.11-6
#[test]
fn routers_answer_as_recorded() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    for path in cases {
        let (stage, split) = read(&path);
        let found = answer(stage, &split);
        let golden = path.with_extension("txt");
        if update {
            fs::write(&golden, &found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            different.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(different.is_empty(), "{} answers differ:\n{}", different.len(), different.join("\n"));
}
