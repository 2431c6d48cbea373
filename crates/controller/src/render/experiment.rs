//! Experiments of a rollout's steps: made, told to end, forgotten.

use serde_json::{Value, json};
use serin_core::Hash;
use serin_core::analysis::RunPhase;
use serin_core::experiment::ExperimentStatus;
use serin_spec::arguments::Environment;
use serin_spec::raise::{self, Versions};
use serin_spec::wire::experiment::Experiment;
use serin_spec::wire::meta::ObjectMeta;
use serin_spec::wire::{PodTemplate, Rollout};

use crate::observe::View;
use crate::write::{Failure, Target, Verb, Write};

const API: &str = "argoproj.io/v1alpha1";

fn target(rollout: &Rollout, name: &str) -> Target {
    Target::new(API, "Experiment", rollout.metadata.namespace(), name)
}

/// A new experiment. One whose arguments cannot be resolved is made all the same, as an error that says why: so the rollout
/// sees it. That it is there already is no failure: the pass before made it.
//= compat: 5.4-2, 5.4-3, 5.4-4
pub(super) fn create(view: &View, step: usize, name: &str, (hash, revision): (&Hash, u64)) -> Option<Write> {
    let rollout = &view.rollout;
    let own = rollout.spec.template.clone().unwrap_or_default();
    let pods = |hash: Option<&Hash>| -> PodTemplate {
        let pool = hash.and_then(|hash| view.pools.iter().find(|p| p.hash() == Some(hash.as_str())));
        pool.map_or_else(|| own.clone(), |pool| pool.template())
    };
    let (latest, former) = (&view.world.rollout.hash, view.world.status.stable.as_ref());
    let (canary, stable) = (pods(Some(latest)), pods(former));
    let value = serde_json::to_value(rollout).unwrap_or(Value::Null);
    let environment = Environment { rollout: &value, latest, stable: former };
    let versions = Versions { canary: &canary, stable: &stable };
    let mut made = match raise::experiment(rollout, step, name, (hash, revision), versions, &environment) {
        Ok(made) => made?,
        Err(problem) => {
            let status = ExperimentStatus {
                phase: Some(RunPhase::Error),
                message: problem.to_string(),
                ..ExperimentStatus::default()
            };
            Experiment {
                api_version: API.to_owned(),
                kind: "Experiment".to_owned(),
                metadata: ObjectMeta {
                    name: Some(name.to_owned()),
                    owner_references: raise::owner(rollout),
                    ..ObjectMeta::default()
                },
                status: Some(raise::experiment_status(&status)),
                ..Experiment::default()
            }
        }
    };
    made.metadata.namespace = Some(rollout.metadata.namespace().to_owned());
    Some(Write::create(serde_json::to_value(&made).unwrap_or(Value::Null)).or(Failure::Skip))
}

/// Ends it. One that is gone needs no end.
//= compat: 5.4-8
pub(super) fn stop(rollout: &Rollout, name: &str) -> Write {
    let patch = json!({ "spec": { "terminate": true } });
    Write::new(target(rollout, name), Verb::MergePatch(patch)).or(Failure::Gone)
}

/// Forgets a finished experiment, and what it owns.
//= compat: 5.4-10
pub(super) fn delete(rollout: &Rollout, name: &str) -> Write {
    Write::new(target(rollout, name), Verb::Delete { foreground: false }).or(Failure::Gone)
}
