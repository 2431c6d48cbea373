//! Lowering and hashing have an answer for everything, however strange, and hashing does not look at the order of keys.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisRunStatus};
use serin_spec::wire::status::RolloutStatus;
use serin_spec::{hash, lower, wire};

/// JSON of any shape under names that a pod template has.
fn tree() -> impl Strategy<Value = Value> {
    let names = [
        "metadata",
        "spec",
        "labels",
        "containers",
        "resources",
        "limits",
        "env",
        "volumes",
        "ports",
        "creationTimestamp",
        "affinity",
        "securityContext",
        "httpGet",
        "port",
        "livenessProbe",
        "ownerReferences",
        "name",
        "image",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[0-9]{1,3}(m|Mi|e9|)".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let entries = prop::collection::vec((prop::sample::select(names.to_vec()), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            entries.prop_map(|entries| Value::Object(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(reversed).collect()),
        Value::Object(entries) => {
            Value::Object(entries.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn any_tree_has_a_hash_whatever_the_order_of_its_keys(metadata in tree(), spec in tree()) {
        let template = json!({ "metadata": metadata, "spec": spec });
        let hash = hash::pod_template(&PodTemplate(template.clone()), None);
        prop_assert!((1..=10).contains(&hash.as_str().len()));
        prop_assert_eq!(hash, hash::pod_template(&PodTemplate(reversed(&template)), None));
    }

    #[test]
    fn any_number_and_text_of_a_rollout_is_lowered(n in prop::collection::vec(any::<i32>(), 16), text in ".{0,6}", big in any::<i64>()) {
        let object = json!({
            "apiVersion": "a", "kind": "Rollout", "metadata": {},
            "spec": {
                "replicas": n[0], "revisionHistoryLimit": n[1], "progressDeadlineSeconds": n[2], "rollbackWindow": { "revisions": n[3] },
                "analysis": { "successfulRunHistoryLimit": n[4] },
                "strategy": { "canary": {
                    "maxSurge": big, "maxUnavailable": text, "scaleDownDelaySeconds": n[5], "scaleDownDelayRevisionLimit": n[6],
                    "abortScaleDownDelaySeconds": n[7], "minPodsPerReplicaSet": n[8], "trafficRouting": { "maxTrafficWeight": n[9] },
                    "replicaProgressThreshold": { "type": text, "value": n[10] },
                    "analysis": { "templates": [{ "templateName": text }], "startingStep": n[11] },
                    "steps": [{ "setWeight": n[12] }, { "pause": { "duration": big } }, { "pause": { "duration": text } },
                        { "setCanaryScale": { "replicas": n[13] } }, { "setCanaryScale": { "weight": n[14] } }],
                } },
            },
        });
        let rollout: wire::Rollout = serde_json::from_value(object).unwrap();
        let lowered = lower::rollout(&rollout, big, Some(n[15]));
        prop_assert_eq!(lowered.canary().unwrap().steps.len(), 5);
        prop_assert!(lowered.canary().unwrap().weight_total() > 0);
    }

    #[test]
    fn any_number_and_text_of_a_run_is_lowered(n in prop::collection::vec(any::<i64>(), 5), text in ".{0,6}", limit in any::<i32>()) {
        let spec: AnalysisRunSpec = serde_json::from_value(json!({
            "metrics": [{ "name": text, "interval": text, "initialDelay": text, "count": n[0], "failureLimit": n[1], "inconclusiveLimit": n[2],
                "consecutiveErrorLimit": n[3], "consecutiveSuccessLimit": n[4], "provider": {} }],
            "dryRun": [{ "metricName": text }], "measurementRetention": [{ "metricName": text, "limit": limit }],
        })).unwrap();
        prop_assert_eq!(lower::run_spec(&spec).metrics.len(), 1);
        prop_assert!(lower::invalid(&spec).is_some());
    }

    #[test]
    fn any_text_in_a_status_is_lowered(text in ".{0,12}", n in any::<i32>()) {
        let status: RolloutStatus = serde_json::from_value(json!({
            "abortedAt": text, "pauseConditions": [{ "reason": text, "startTime": text }], "observedGeneration": text, "currentStepIndex": n,
            "replicas": n, "collisionCount": n, "phase": text,
            "conditions": [{ "type": "Available", "status": text, "lastUpdateTime": text, "reason": text, "message": text }],
            "canary": { "weights": { "canary": { "weight": n }, "stable": { "weight": n } }, "currentStepAnalysisRunStatus": { "name": text, "status": text } },
        })).unwrap();
        let lowered = lower::status(&status);
        prop_assert_eq!((lowered.pauses.len(), lowered.conditions.iter().count()), (1, 1));
        let run: AnalysisRunStatus = serde_json::from_value(json!({
            "phase": text, "startedAt": text, "runSummary": {}, "metricResults": [{ "name": text, "phase": text, "measurements": [{ "startedAt": text }] }],
        })).unwrap();
        prop_assert_eq!(lower::run_status(&run).metrics.len(), 1);
    }
}
