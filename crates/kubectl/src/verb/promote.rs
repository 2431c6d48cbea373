//! Promoting: go on, skip, or skip everything.

use serde_json::{Value, json};
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, Write};

use super::{Change, VerbError};
use crate::info::steps;
use crate::phase::{list, text};

/// How far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// End the pause, or skip the step that runs.
    On,
    /// Skip all that is left: pauses, steps, analysis.
    Full,
    /// Skip the current step, whatever it is.
    SkipStep,
    /// Skip all steps; analysis in the background goes on.
    SkipSteps,
}

/// What a promotion writes.
///
/// # Errors
/// When there are no steps to skip, or the update was aborted.
//= compat: 7.5-1, 7.5-5
pub fn promote(rollout: &Object, how: How) -> Result<Change, VerbError> {
    let strategy = &rollout.0["spec"]["strategy"];
    if matches!(how, How::SkipStep | How::SkipSteps) {
        match () {
            () if strategy["blueGreen"].is_object() => return Err(VerbError::SkipBlueGreen),
            () if steps(rollout).is_empty() => return Err(VerbError::SkipNothing),
            () => {}
        }
    }
    let paused = rollout.0["spec"]["paused"] == true;
    let change = match how {
        //= compat: 7.5-6
        How::SkipStep => of(rollout, Some(json!({ "currentStepIndex": next(rollout) })), false),
        How::SkipSteps => of(rollout, Some(json!({ "currentStepIndex": steps(rollout).len() })), false),
        //= compat: 7.5-4
        How::Full => {
            let under_way = rollout.0["status"]["currentPodHash"] != rollout.0["status"]["stableRS"];
            of(rollout, under_way.then(|| json!({ "promoteFull": true })), paused)
        }
        How::On => of(rollout, on(rollout, paused)?, paused),
    };
    Ok(change)
}

/// The status that a plain promotion asks for. An update that was aborted has no step to skip, and one that a person paused
/// goes on with the step at which it was paused: neither loses one, which the original would skip unseen.
//= compat: 7.5-2, 7.5-3, 10.50
fn on(rollout: &Object, paused: bool) -> Result<Option<Value>, VerbError> {
    let status = &rollout.0["status"];
    let pauses = !list(&status["pauseConditions"]).is_empty();
    let run = text(&status["canary"]["currentStepAnalysisRunStatus"]["status"]);
    let has_steps = !steps(rollout).is_empty();
    if status["abort"] == true {
        return Err(VerbError::Aborted(rollout.name().to_owned()));
    }
    Ok(match pauses {
        true if has_steps && run == "Inconclusive" && status["controllerPause"] == true => {
            let index = next(rollout);
            Some(json!({ "pauseConditions": null, "controllerPause": false, "currentStepIndex": index }))
        }
        true => Some(json!({ "pauseConditions": null })),
        false if has_steps && !paused => Some(json!({ "pauseConditions": null, "currentStepIndex": next(rollout) })),
        false => None,
    })
}

/// The index behind the current step, at most the number of steps.
fn next(rollout: &Object) -> usize {
    let index = rollout.0["status"]["currentStepIndex"].as_u64().unwrap_or(0);
    let steps = steps(rollout).len();
    usize::try_from(index).map_or(steps, |index| steps.min(index.saturating_add(1)))
}

/// Both patches, and the one that is both.
fn of(rollout: &Object, status: Option<Value>, unpause: bool) -> Change {
    let target = Target::of(rollout);
    let write = |verb| Write::new(target.clone(), verb);
    let instead = status.as_ref().map(|status| match unpause {
        true => json!({ "spec": { "paused": false }, "status": status }),
        false => json!({ "status": status }),
    });
    Change {
        status: status.map(|status| write(Verb::StatusPatch(json!({ "status": status })))),
        spec: unpause.then(|| write(Verb::MergePatch(json!({ "spec": { "paused": false } })))),
        instead: instead.map(|patch| write(Verb::MergePatch(patch))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_controller::merge_patch;

    fn rollout(patch: &Value) -> Object {
        let rollout = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": {} }, { "setWeight": 50 }] } } },
            "status": { "currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a" },
        });
        Object(merge_patch::apply(&rollout, patch))
    }

    fn check(patch: Value, how: How, status: Option<Value>, spec: Option<Value>) {
        let change = promote(&rollout(&patch), how).unwrap();
        let body = |write: &Option<Write>| match write.as_ref().map(|write| &write.verb) {
            Some(Verb::StatusPatch(body) | Verb::MergePatch(body)) => Some(body.clone()),
            _ => None,
        };
        assert_eq!((body(&change.status), body(&change.spec)), (status.clone(), spec.clone()), "{patch}");
        assert_eq!(change.instead.is_some(), status.is_some());
        if let (Some(status), Some(spec)) = (status, spec) {
            assert_eq!(body(&change.instead), Some(merge_patch_sum(&status, &spec)));
        }
    }

    /// Two patches of different fields in one.
    fn merge_patch_sum(a: &Value, b: &Value) -> Value {
        let mut sum = b.as_object().cloned().unwrap();
        sum.extend(a.as_object().cloned().unwrap());
        Value::Object(sum)
    }

    //= compat: 7.5-2, 7.5-3, 7.5-5, 10.50
    #[test]
    fn going_on_ends_a_pause_or_skips_a_step_and_never_both() {
        let pause = json!([{ "reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z" }]);
        let step = |n: usize| Some(json!({ "status": { "pauseConditions": null, "currentStepIndex": n } }));
        let go = Some(json!({ "spec": { "paused": false } }));
        check(
            json!({ "status": { "pauseConditions": pause } }),
            How::On,
            Some(json!({ "status": { "pauseConditions": null } })),
            None,
        );
        check(json!({}), How::On, step(2), None);
        check(json!({ "status": { "currentStepIndex": null } }), How::On, step(1), None);
        check(json!({ "status": { "currentStepIndex": 3 } }), How::On, step(3), None);
        check(json!({ "spec": { "paused": true } }), How::On, None, go.clone());
        let both = json!({ "spec": { "paused": true }, "status": { "pauseConditions": pause } });
        check(both, How::On, Some(json!({ "status": { "pauseConditions": null } })), go);
        let inconclusive = json!({ "status": {
            "pauseConditions": pause, "controllerPause": true,
            "canary": { "currentStepAnalysisRunStatus": { "name": "r", "status": "Inconclusive" } },
        } });
        let skip = json!({ "status": { "pauseConditions": null, "controllerPause": false, "currentStepIndex": 2 } });
        check(inconclusive, How::On, Some(skip), None);
        let blue_green = json!({ "spec": { "strategy": { "canary": null, "blueGreen": {} } } });
        check(blue_green.clone(), How::On, None, None);
        check(json!({ "spec": { "strategy": { "canary": { "steps": null } } } }), How::On, None, None);
        let paused = merge_patch::apply(&blue_green, &json!({ "status": { "pauseConditions": pause } }));
        check(paused, How::On, Some(json!({ "status": { "pauseConditions": null } })), None);
        let aborted = rollout(&json!({ "status": { "abort": true } }));
        assert_eq!(promote(&aborted, How::On), Err(VerbError::Aborted("web".to_owned())));
    }

    //= compat: 7.5-1, 7.5-4, 7.5-6
    #[test]
    fn skipping_says_how_far() {
        let full = Some(json!({ "status": { "promoteFull": true } }));
        let go = Some(json!({ "spec": { "paused": false } }));
        check(json!({}), How::Full, full.clone(), None);
        check(json!({ "spec": { "paused": true } }), How::Full, full, go.clone());
        check(json!({ "spec": { "paused": true }, "status": { "stableRS": "b" } }), How::Full, None, go);
        check(json!({}), How::SkipStep, Some(json!({ "status": { "currentStepIndex": 2 } })), None);
        check(json!({}), How::SkipSteps, Some(json!({ "status": { "currentStepIndex": 3 } })), None);
        let blue_green = rollout(&json!({ "spec": { "strategy": { "canary": null, "blueGreen": {} } } }));
        assert_eq!(promote(&blue_green, How::SkipStep), Err(VerbError::SkipBlueGreen));
        let without = rollout(&json!({ "spec": { "strategy": { "canary": { "steps": null } } } }));
        assert_eq!(promote(&without, How::SkipSteps), Err(VerbError::SkipNothing));
    }
}
