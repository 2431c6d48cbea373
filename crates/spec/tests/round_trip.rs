//! What is read and written again is unchanged, fields that are not executed and fields of other Kubernetes versions
//! included.

use serde_json::Value;
use serin_spec::catalog::{Catalog, Object};
use serin_spec::{Source, check};

const GOOD: [(&str, &str); 5] = [
    ("canary.yaml", include_str!("good/canary.yaml")),
    ("blue-green.yaml", include_str!("good/blue-green.yaml")),
    ("anchors.yaml", include_str!("good/anchors.yaml")),
    ("list.json", include_str!("good/list.json")),
    ("maximal.yaml", include_str!("good/maximal.yaml")),
];

/// Every object of a catalogue as JSON, kind by kind.
fn written(catalog: &Catalog) -> Vec<Value> {
    fn of<T: Object + serde::Serialize>(catalog: &Catalog, all: &mut Vec<Value>) {
        all.extend(T::list(catalog).iter().map(|entry| serde_json::to_value(&entry.object).unwrap()));
    }
    use serin_spec::wire::{experiment::Experiment, kubernetes as k8s};
    let mut all = Vec::new();
    of::<serin_spec::wire::Rollout>(catalog, &mut all);
    of::<serin_spec::wire::AnalysisTemplate>(catalog, &mut all);
    of::<serin_spec::wire::ClusterAnalysisTemplate>(catalog, &mut all);
    of::<serin_spec::wire::AnalysisRun>(catalog, &mut all);
    of::<Experiment>(catalog, &mut all);
    of::<k8s::Service>(catalog, &mut all);
    of::<k8s::Ingress>(catalog, &mut all);
    of::<k8s::ConfigMap>(catalog, &mut all);
    of::<k8s::Secret>(catalog, &mut all);
    of::<k8s::Namespace>(catalog, &mut all);
    all
}

fn read(name: &str, text: &str) -> Catalog {
    let checked = check(&[Source::new(name, text)]);
    assert!(checked.problems.is_empty(), "{:#?}", checked.problems);
    checked.catalog
}

#[test]
fn objects_that_are_written_and_read_again_are_the_same() {
    for (name, text) in GOOD {
        let first = written(&read(name, text));
        assert!(!first.is_empty());
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": first });
        let second = written(&read(name, &list.to_string()));
        assert_eq!(first, second, "{name}");
    }
}

/// Nothing of the text is lost: every scalar of the maximal manifest is in what is written.
#[test]
fn no_value_of_the_text_is_lost() {
    let catalog = read("maximal.yaml", GOOD[4].1);
    let rollout = serde_json::to_value(&catalog.rollouts[0].object).unwrap();
    let pod = &rollout["spec"]["template"]["spec"];
    assert_eq!(pod["futureFieldOfPods"], serde_json::json!({ "kept": [1, 2.5, true, null, "x"] }));
    assert!(rollout["spec"]["template"]["metadata"].as_object().unwrap().contains_key("creationTimestamp"));
    let text = GOOD[4].1.split("\n---\n").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c))));
    let written = rollout.to_string();
    // Numbers in quotes and false booleans are written in other words.
    for word in words.filter(|word| word.len() > 2) {
        assert!(written.contains(word), "{word:?} is lost");
    }
}

#[test]
fn places_of_fields_are_found_by_path() {
    let catalog = read("canary.yaml", GOOD[0].1);
    let rollout = &catalog.rollouts[0];
    assert_eq!(rollout.ident(), "Rollout bankchurn-predictor");
    assert_eq!(rollout.place.to_string(), "canary.yaml:7");
    let line_of = |path: &str| {
        let (line, column) = rollout.place_of(path).unwrap_or_else(|| panic!("{path}"));
        let text: Vec<char> = GOOD[0].1.lines().nth(line - 1).unwrap().chars().collect();
        text[column - 1..].iter().collect::<String>()
    };
    assert_eq!(line_of("spec.strategy.canary.steps[0].setWeight"), "10");
    assert_eq!(line_of("spec.strategy.canary.steps"), "steps:");
    assert_eq!(line_of("metadata.labels[app.kubernetes.io/part-of]"), "bankchurn}");
    assert_eq!(line_of("spec.template.spec.containers[0].image"), "registry.local/bankchurn:1.4.0");
    assert_eq!(rollout.place_of("spec.strategy.blueGreen"), None);
    assert_eq!(rollout.place_of("spec.strategy.canary.steps[99]"), None);
}
