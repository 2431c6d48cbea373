//! A status that is raised and lowered again is the same status, so a decision made after a restart is the same decision.

use proptest::prelude::*;
use serde_json::json;
use serin_core::analysis::RunPhase;
use serin_core::condition::{Condition, Conditions, Kind, Truth};
use serin_core::phase::Phase;
use serin_core::plugin::{Operation, PluginPhase, PluginStatus};
use serin_core::status::{BlueGreenStatus, Counts, Pause, PauseReason, RunRef, Side, Status, Weights};
use serin_core::{Destination, Hash, Span, Time};
use serin_spec::wire::status::RolloutStatus;
use serin_spec::{lower, raise, wire};

fn rollout() -> wire::Rollout {
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "fraud" },
        "spec": {
            "selector": { "matchLabels": { "b": "2", "a": "1" }, "matchExpressions": [
                { "key": "c", "operator": "In", "values": ["y", "x"] }, { "key": "d", "operator": "DoesNotExist" } ] },
            "strategy": { "canary": { "canaryService": "fraud-canary", "stableService": "fraud-stable" } },
        },
    }))
    .unwrap()
}

/// Any time of the calendar, to the millisecond.
fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        (-62_167_219_200_000_i64..=253_402_207_199_999).prop_map(Time::from_millis),
        (0_i64..2_000_000_000).prop_map(Time::from_secs),
    ]
}

fn hash() -> impl Strategy<Value = Hash> {
    "[bcdf4-9]{1,10}".prop_map(Hash::new)
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..50, 0..=i32::MAX as u32]
}

fn run_phase() -> impl Strategy<Value = RunPhase> {
    use RunPhase::{Error, Failed, Inconclusive, Pending, Running, Successful};
    prop_oneof![Just(Pending), Just(Running), Just(Successful), Just(Failed), Just(Error), Just(Inconclusive)]
}

fn run_ref() -> impl Strategy<Value = RunRef> {
    ("[a-z-]{1,12}", run_phase(), ".{0,20}").prop_map(|(name, phase, message)| RunRef { name, phase, message })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    use Kind::{Available, Completed, Healthy, InvalidSpec, Paused, Progressing, ReplicaFailure};
    let kinds = vec![InvalidSpec, Available, Progressing, ReplicaFailure, Paused, Completed, Healthy];
    let truth = prop_oneof![Just(Truth::True), Just(Truth::False), Just(Truth::Unknown)];
    let rest = (truth, "[A-Za-z]{1,9}", ".{0,30}", time(), time());
    let count = kinds.len();
    (Just(kinds).prop_shuffle(), prop::collection::vec(rest, 0..=count)).prop_map(|(kinds, rest)| {
        let conditions = kinds.into_iter().zip(rest);
        Conditions::from_vec(
            conditions
                .map(|(kind, (truth, reason, message, updated, transitioned))| Condition {
                    kind,
                    truth,
                    reason,
                    message,
                    updated,
                    transitioned,
                })
                .collect(),
        )
    })
}

fn weights() -> impl Strategy<Value = Weights> {
    (count(), hash(), count(), hash(), any::<bool>()).prop_map(
        |(canary, canary_hash, stable, stable_hash, verified)| Weights {
            canary,
            canary_hash,
            stable,
            stable_hash,
            additional: Vec::new(),
            verified,
        },
    )
}

fn plugin() -> impl Strategy<Value = PluginStatus> {
    use PluginPhase::{Error, Failed, Running, Successful};
    let operation = prop_oneof![Just(Operation::Run), Just(Operation::Abort), Just(Operation::Terminate)];
    let phase = prop_oneof![Just(Running), Just(Successful), Just(Failed), Just(Error)];
    let times = (time(), prop::option::of(time()), prop::option::of(time()), 0_i64..100_000_000);
    let state = prop::option::of(prop_oneof![Just("{\"at\":[1,null]}".to_owned()), Just("\"x\"".to_owned())]);
    let rest = (".{0,20}", 0..=i32::MAX as u32, any::<bool>(), state);
    (0_usize..100, "[a-z/]{1,9}", operation, phase, times, rest).prop_map(
        |(index, name, operation, phase, (started, updated, finished, backoff_ms), rest)| {
            let (message, executions, disabled, state) = rest;
            let backoff = Span::from_millis(backoff_ms);
            PluginStatus {
                index,
                name,
                operation,
                phase,
                message,
                started,
                updated,
                finished,
                backoff,
                executions,
                disabled,
                state,
            }
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    let reason = prop_oneof![
        Just(PauseReason::CanaryPauseStep),
        Just(PauseReason::InconclusiveAnalysisRun),
        Just(PauseReason::InconclusiveExperiment),
        Just(PauseReason::BlueGreenPause),
    ];
    let pause = (reason, time()).prop_map(|(reason, start)| Pause { reason, start });
    let flags =
        (any::<bool>(), prop::option::of(time()), prop::collection::vec(pause, 0..3), any::<bool>(), any::<bool>());
    let version = (
        prop::option::of(hash()),
        prop::option::of("[bcdf4-9]{1,10}"),
        prop::option::of(0_usize..100),
        prop::option::of(hash()),
        any::<i64>(),
        count(),
    );
    use Phase::{Degraded, Healthy, Paused, Progressing};
    let phase = prop_oneof![Just(Progressing), Just(Paused), Just(Healthy), Just(Degraded)];
    let outcome = (conditions(), phase, ".{0,30}");
    let counts = (count(), count(), count(), count()).prop_map(|(members, updated, ready, available)| Counts {
        members,
        updated,
        ready,
        available,
    });
    let experiment = prop::option::of("[a-z]{1,9}");
    let runs = (prop::option::of(run_ref()), prop::option::of(run_ref()), prop::option::of(weights()), experiment);
    let services = (prop::option::of(hash()), prop::option::of(hash()), any::<bool>());
    let switched = (prop::option::of(run_ref()), prop::option::of(run_ref()));
    let blue_green = (services, switched).prop_map(|((active, preview, checkpoint), (pre_run, post_run))| {
        BlueGreenStatus { active, preview, checkpoint, pre_run, post_run }
    });
    let side = prop_oneof![Just(Side::Ping), Just(Side::Pong)];
    let rest = (prop::option::of(time()), prop::option::of(side), prop::collection::vec(plugin(), 0..3));
    (flags, version, outcome, counts, runs, blue_green, rest).prop_map(
        |(flags, version, outcome, counts, runs, blue_green, (restarted_at, stable_ping_pong, plugins))| {
            let (abort, aborted_at, pauses, controller_pause, promote_full) = flags;
            let (current_hash, current_steps_hash, step_index, stable, observed_generation, collision_count) = version;
            let (conditions, phase, message) = outcome;
            let (step_run, background_run, weights, current_experiment) = runs;
            Status {
                abort,
                aborted_at,
                pauses,
                controller_pause,
                current_hash,
                current_steps_hash,
                step_index,
                stable,
                promote_full,
                observed_generation,
                conditions,
                phase,
                message,
                counts,
                step_run,
                background_run,
                current_experiment,
                weights,
                collision_count,
                restarted_at,
                stable_ping_pong,
                plugins,
                blue_green,
            }
        },
    )
}

proptest! {
    //= compat: 2.6-1, 2.6-2, 2.7-1, 1.10-1, 1.10-4
    #[test]
    fn a_status_survives_the_wire(status in status()) {
        let raised = raise::status(&status, &rollout());
        let text = serde_json::to_string(&raised).unwrap();
        let read: RolloutStatus = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &raised);
        prop_assert_eq!(lower::status(&read), status);
    }
}

//= compat: 1.10-4
#[test]
fn names_and_selector_come_from_the_spec() {
    let status = Status {
        weights: Some(Weights {
            canary: 20,
            canary_hash: Hash::new("c"),
            stable: 80,
            stable_hash: Hash::new("s"),
            additional: vec![Destination { service: "fraud-exp".to_owned(), hash: Hash::new("e"), weight: 5 }],
            verified: true,
        }),
        observed_generation: 3,
        counts: Counts { members: 4, updated: 1, ready: 4, available: 3 },
        ..Status::default()
    };
    let raised = serde_json::to_value(raise::status(&status, &rollout())).unwrap();
    let want = json!({
        "replicas": 4, "updatedReplicas": 1, "readyReplicas": 4, "availableReplicas": 3, "HPAReplicas": 4,
        "selector": "a=1,b=2,c in (x,y),!d", "observedGeneration": "3", "phase": "Progressing",
        "canary": { "weights": {
            "canary": { "weight": 20, "serviceName": "fraud-canary", "podTemplateHash": "c" },
            "stable": { "weight": 80, "serviceName": "fraud-stable", "podTemplateHash": "s" },
            "additional": [{ "weight": 5, "serviceName": "fraud-exp", "podTemplateHash": "e" }],
            "verified": true,
        } },
    });
    assert_eq!(raised, want);
}

#[test]
fn what_the_core_knows_nothing_of_is_kept() {
    let mut rollout = rollout();
    let former = json!({
        "workloadObservedGeneration": "4", "duration": { "finishedAt": "2026-01-01T00:00:00Z" },
        "blueGreen": { "activeSelector": "x" }, "albs": [{}], "currentPodHash": "old",
        "canary": {
            "weights": { "canary": { "weight": 1 }, "stable": { "weight": 99 }, "additional": [{ "weight": 5 }] } },
    });
    rollout.status = Some(serde_json::from_value(former).unwrap());
    let raised = serde_json::to_value(raise::status(&Status::default(), &rollout)).unwrap();
    let want = json!({
        "selector": "a=1,b=2,c in (x,y),!d", "workloadObservedGeneration": "4",
        "duration": { "finishedAt": "2026-01-01T00:00:00Z" }, "phase": "Progressing",
        "albs": [{}],
    });
    assert_eq!(raised, want);
}

#[test]
fn what_cannot_be_read_holds_the_rollout() {
    let wire: RolloutStatus = serde_json::from_value(json!({
        "pauseConditions": [{ "reason": "SomethingElse", "startTime": "2026-01-01T00:00:00Z" },
            { "reason": "CanaryPauseStep", "startTime": "once" }],
        "currentPodHash": "", "stableRS": "", "currentStepHash": "", "observedGeneration": "5d8f9c", "phase": "Novel",
        "conditions": [{ "type": "Novel", "status": "True", "reason": "r", "message": "m" },
            { "type": "Available", "status": "Perhaps", "reason": "r", "message": "m", "lastUpdateTime": "1970-01-01T00:00:05Z" }],
    }))
    .unwrap();
    let status = lower::status(&wire);
    assert_eq!(status.pauses[0].reason, PauseReason::InconclusiveAnalysisRun);
    assert!(status.pauses[1].start > Time::from_secs(9_000_000_000));
    assert_eq!((status.current_hash, status.stable, status.current_steps_hash), (None, None, None));
    assert_eq!((status.observed_generation, status.phase), (0, Phase::Progressing));
    let conditions: Vec<&Condition> = status.conditions.iter().collect();
    assert_eq!(conditions.len(), 1);
    assert_eq!((conditions[0].kind, conditions[0].truth), (Kind::Available, Truth::Unknown));
    assert_eq!((conditions[0].updated, conditions[0].transitioned), (Time::from_secs(5), Time::from_secs(5)));
}
