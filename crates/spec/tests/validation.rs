//! Validation against what Argo Rollouts' own code said of 152 Rollouts.

use serin_spec::{Source, check, validate};

/// A case: a Rollout as YAML, and what the original said of it.
#[derive(serde::Deserialize)]
struct Case {
    rollout: String,
    errors: Option<Vec<Expected>>,
    #[serde(rename = "unmarshalError")]
    unmarshal_error: Option<String>,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Expected {
    #[serde(rename = "type")]
    kind: String,
    field: String,
    detail: String,
}

/// The cases. Their namespace is a plain `n`, which is the boolean false in the YAML of Kubernetes. The original makes a
/// text of it again where it decodes into its own types; the API server refuses it, and so do we, so it is quoted here.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = serde_json::from_str(include_str!("data/validation.json")).unwrap();
    for case in &mut cases {
        case.rollout = case.rollout.replace("namespace: n}", "namespace: 'n'}");
    }
    cases
}

//= compat: 8.1-1, 8.1-8, 8.3-1, 8.3-2, 8.3-3, 8.3-4, 8.3-5, 8.3-6, 8.3-7, 8.3-8, 8.3-9, 8.3-10, 8.3-11, 8.3-12
//= compat: 8.3-13, 8.3-14, 8.3-15, 8.3-16, 8.3-17, 8.3-18, 8.3-19, 8.3-20, 8.3-21, 8.3-22, 1.3-5, 1.8-1, 1.10-1
#[test]
fn the_original_finds_the_same_errors() {
    let mut different = Vec::new();
    for (i, case) in cases().into_iter().enumerate().filter(|(_, case)| case.unmarshal_error.is_none()) {
        let checked = check(&[Source::new("rollout.yaml", case.rollout.as_str())]);
        let Some(entry) = checked.catalog.rollouts.first() else {
            different.push(format!("{i}: not read: {:#?}", checked.problems));
            continue;
        };
        let found = validate::rollout(&entry.object);
        let found: Vec<Expected> = serde_json::from_value(serde_json::to_value(found).unwrap()).unwrap();
        let wanted = case.errors.unwrap_or_default();
        if found != wanted {
            different.push(format!("{i}: {}\nwanted {wanted:#?}\nfound {found:#?}", case.rollout));
        }
    }
    assert!(different.is_empty(), "{} cases differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn what_the_original_cannot_decode_is_a_problem_with_its_place() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.unmarshal_error.is_some()).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let checked = check(&[Source::new("rollout.yaml", case.rollout.as_str())]);
        assert!(checked.catalog.rollouts.is_empty());
        let lines: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["rollout.yaml:5:13: error: spec.replicas: expected a whole number, found the text \"x\""],
            "{}",
            case.rollout
        );
    }
}
