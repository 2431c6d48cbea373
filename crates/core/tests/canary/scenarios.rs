//! The scenarios of appendix B of the reference that concern a canary, followed step by step.

use serin_core::condition::Kind;
use serin_core::intent;

use crate::stage::{PAUSE, Stage, as_is, basic, pause, rollout, weight};

fn one_replica() -> Stage {
    Stage::new(rollout(&[weight(50), pause(3)], |rollout, canary| {
        crate::stage::without_router(canary);
        rollout.replicas = 1;
    }))
}

/// The first event of the original, `RolloutAddedToInformer`, belongs to whoever watches objects and not to a decision.
//= compat: B.1-1, B.1-2, B.1-3, B.1-4, B.1-5, 10.16, 2.7-16, 9.4-2
#[test]
fn first_install() {
    let mut stage = one_replica();
    stage.members_come = false;

    stage.pass();
    assert_eq!((stage.sizes(), stage.world.pools[0].revision), (String::new(), 1));
    assert_eq!(stage.says(Kind::Progressing), "True NewReplicaSetCreated: Created new replica set \"svc-v1\"");

    let second = stage.pass();
    assert!(second.actions.is_empty());
    assert_eq!(stage.state(), "Progressing step 0: more replicas need to be updated");
    assert_eq!(stage.world.status.current_hash.as_ref().map(|h| h.as_str()), Some("v1"));
    assert_eq!(stage.world.status.current_steps_hash.as_deref(), Some("steps"));

    stage.pass();
    assert_eq!((stage.sizes(), stage.world.status.step_index), ("v1 1".to_owned(), Some(2)));
    assert_eq!(stage.world.status.stable.as_ref().map(|h| h.as_str()), Some("v1"));
    assert_eq!(
        stage.told(),
        [
            "RolloutUpdated: Rollout updated to revision 1",
            "NewReplicaSetCreated: Created ReplicaSet svc-v1 (revision 1)",
            "RolloutNotCompleted: Rollout not completed, started update to revision 1 (v1)",
            "ScalingReplicaSet: Scaled up ReplicaSet svc-v1 (revision 1) from 0 to 1",
            "RolloutCompleted: Rollout completed update to revision 1 (v1): Initial deploy",
        ]
    );

    stage.settle();
    assert_eq!(stage.state(), "Progressing step 2: updated replicas are still becoming available");
    stage.all_available();
    stage.settle();
    assert_eq!(stage.state(), "Healthy step 2");
    assert_eq!(stage.world.status.observed_generation, stage.world.rollout.generation);
    assert!(stage.world.runs.is_empty() && stage.world.split.is_none());
}

/// Passes in which the original only repairs conditions are one with the pass after them here.
//= compat: B.2-1, B.2-2, B.2-3, B.2-4, B.2-5, 2.7-6, 2.7-9, 2.7-10, 2.7-11
#[test]
fn update_abort_retry_and_a_pause_that_elapses() {
    let mut stage = one_replica();
    stage.wait(60);
    stage.events.clear();

    stage.template("v2");
    stage.settle();
    let until_the_pause = "ScalingReplicaSet RolloutStepCompleted RolloutPaused";
    assert_eq!(
        stage.told_reasons(),
        format!("RolloutUpdated NewReplicaSetCreated RolloutNotCompleted {until_the_pause}")
    );
    let status = &stage.world.status;
    assert_eq!((status.controller_pause, status.pauses.len()), (true, 1));
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
    assert_eq!(stage.says(Kind::Paused), "True RolloutPaused: Rollout is paused");
    assert_eq!(stage.says(Kind::Progressing), "Unknown RolloutPaused: Rollout is paused");

    intent::abort(&mut stage.world.status);
    let aborted_at = stage.now;
    stage.settle();
    let aborted = "Rollout aborted update to revision 2";
    assert_eq!(
        stage.told(),
        [
            "ScalingReplicaSet: Scaled down ReplicaSet svc-v2 (revision 2) from 1 to 0".to_owned(),
            format!("!RolloutAborted: {aborted}"),
        ]
    );
    assert_eq!(stage.state(), format!("Degraded step 0: RolloutAborted: {aborted}"));
    let status = &stage.world.status;
    assert_eq!((status.pauses.len(), status.controller_pause, status.abort), (0, false, true));
    assert_eq!(status.aborted_at, Some(aborted_at));

    intent::retry(&mut stage.world.status);
    let first = stage.pass();
    assert_eq!(
        stage.says(Kind::Progressing),
        "Unknown RolloutRetry: Retrying Rollout after it was aborted, revision 2"
    );
    assert_eq!(first.status.aborted_at, None);
    stage.settle();
    assert_eq!(stage.told_reasons(), until_the_pause);

    stage.wait(4);
    assert_eq!(
        stage.told(),
        [
            "RolloutStepCompleted: Rollout step 2/2 completed (pause: 3s)",
            "RolloutResumed: Rollout is resumed",
            "ScalingReplicaSet: Scaled down ReplicaSet svc-v1 (revision 1) from 1 to 0",
            "RolloutCompleted: Rollout completed update to revision 2 (v2): Completed all 2 canary steps",
        ]
    );
    assert_eq!((stage.world.pools.len(), stage.world.pools[1].revision), (2, 2));
    assert_eq!(stage.state(), "Healthy step 2");
}

//= compat: B.3-1, B.3-2, 1.7-10, 2.7-3, 2.7-4, 7.5-2, 10.49
#[test]
fn manual_promote_of_a_pause_without_an_end() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE, weight(50), PAUSE], as_is));
    stage.wait(100_000);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
    stage.events.clear();

    let unpause = intent::promote(&stage.world.rollout, &mut stage.world.status);
    assert!(!unpause.0 && stage.world.status.pauses.is_empty() && stage.world.status.controller_pause);
    stage.pass();
    assert_eq!(stage.says(Kind::Paused), "False RolloutPaused: Rollout is paused");
    assert_eq!(stage.says(Kind::Progressing), "Unknown RolloutResumed: Rollout is resumed");
    assert_eq!(stage.told(), ["RolloutStepCompleted: Rollout step 2/4 completed (pause)"]);
    assert_eq!((stage.world.status.step_index, stage.world.status.controller_pause), (Some(2), false));
}

//= compat: B.4-1, B.4-2, 1.7-1, 2.8-20, 2.8-26, 10.23
#[test]
fn basic_canary_moves_member_by_member() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], basic(1, 0)));
    stage.members_come = false;
    stage.template("v2");
    assert_eq!(sizes_pass_by_pass(&mut stage), ["v1 4", "v1 4, v2 1", "v1 3, v2 1"]);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");

    stage.promote();
    let sizes = ["v1 3, v2 1", "v1 3, v2 2", "v1 2, v2 2", "v1 2, v2 3", "v1 1, v2 3", "v1 1, v2 4", "v2 4"];
    assert_eq!(sizes_pass_by_pass(&mut stage), sizes);
    assert_eq!(stage.state(), "Healthy step 2");
}

/// The sizes after each pass; members become available when nothing else happens.
fn sizes_pass_by_pass(stage: &mut Stage) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..100 {
        if seen.last() != Some(&stage.sizes()) {
            seen.push(stage.sizes());
        }
        let before = stage.world.clone();
        stage.pass();
        if stage.world == before {
            stage.all_available();
        }
    }
    seen
}

//= compat: B.4-2
#[test]
fn promotion_does_not_wait_for_the_last_old_member() {
    let mut stage = Stage::updating(rollout(&[weight(100), PAUSE], basic(4, 0)));
    stage.promote();
    stage.settle();
    let old = stage.pool("v1");
    (old.size, old.members, old.available) = (0, 1, 0);
    stage.pass();
    assert_eq!(stage.world.status.stable.as_ref().map(|h| h.as_str()), Some("v2"));
    assert_eq!(stage.state(), "Progressing step 2: old replicas are pending termination");
}

//= compat: B.5-1, B.5-4, 2.11-2, 10.19, 10.26
#[test]
fn routed_canary_to_the_end() {
    let mut stage = Stage::new(rollout(&[weight(50), pause(60)], as_is));
    stage.members_come = false;
    stage.settle();
    assert_eq!((stage.sizes(), stage.weight()), ("v1 4".to_owned(), None), "no split before stable has members");
    stage.available("v1", 3);
    stage.settle();
    assert_eq!(stage.world.service("svc-canary").unwrap().selects, None, "adoption asks for every member");
    stage.all_available();
    stage.settle();
    assert_eq!((stage.weight(), stage.state()), (Some(0), "Healthy step 2".to_owned()));
    assert!(stage.world.service("svc-canary").unwrap().selects.is_some());

    stage.template("v2");
    stage.settle();
    assert_eq!((stage.sizes(), stage.weight()), ("v1 4, v2 2".to_owned(), Some(0)));
    stage.available("v2", 1);
    stage.settle();
    let canary = stage.world.service("svc-canary").unwrap().selects.clone();
    assert_eq!((canary.unwrap().as_str(), stage.weight()), ("v2", Some(0)));
    stage.all_available();
    stage.settle();
    assert_eq!((stage.weight(), stage.state()), (Some(50), "Paused step 1: CanaryPauseStep".to_owned()));

    stage.wait(61);
    assert_eq!((stage.sizes(), stage.weight()), ("v1 4, v2 4".to_owned(), Some(50)), "members come before traffic");
    stage.all_available();
    stage.settle();
    let promoted = stage.now;
    let split = stage.world.split.clone().unwrap();
    assert_eq!((split.stable.as_str(), split.weight), ("v2", 0));
    assert_eq!(stage.world.service("svc-stable").unwrap().selects.as_ref().unwrap().as_str(), "v2");
    assert_eq!(stage.pool("v1").scale_down_at, Some(promoted + serin_core::Span::from_secs(30)));
    assert_eq!(
        (stage.state().as_str(), stage.says(Kind::Healthy).as_str()),
        ("Healthy step 2", "False RolloutHealthy: Rollout is not healthy")
    );
    stage.wait(29);
    assert_eq!(stage.sizes(), "v1 4, v2 4");
    stage.wait(2);
    assert_eq!(
        (stage.sizes().as_str(), stage.says(Kind::Healthy).as_str()),
        ("v2 4", "True RolloutHealthy: Rollout is healthy")
    );
}

//= compat: B.5-5, 2.7-7
#[test]
fn routed_canary_aborted_at_the_pause() {
    let mut stage = Stage::updating(rollout(&[weight(50), pause(60)], as_is));
    stage.available("v1", 3);
    stage.members_come = false;
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!((stage.weight(), stage.sizes()), (Some(0), "v1 4, v2 2".to_owned()));
    assert_eq!(stage.world.service("svc-canary").unwrap().selects.as_ref().unwrap().as_str(), "v1");
    assert_eq!(stage.pool("v2").scale_down_at, None, "stable is not whole yet");
    stage.all_available();
    stage.wait(30);
    assert_eq!(stage.sizes(), "v1 4");
}

//= compat: B.8-1, 2.4-3, 2.7-13
#[test]
fn back_to_stable_in_the_middle() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    stage.events.clear();
    stage.template("v1");
    stage.settle();
    assert_eq!(
        stage.told(),
        [
            "RolloutUpdated: Rollout updated to revision 3",
            "SkipSteps: Rollback to stable ReplicaSets",
            "SwitchService: Switched selector for service 'svc-canary' from 'v2' to 'v1'",
            "TrafficWeightUpdated: Traffic weight updated from 50 to 0",
        ]
    );
    assert_eq!((stage.state().as_str(), stage.world.pools.len()), ("Healthy step 2", 2));
    assert_eq!((stage.pool("v1").revision, stage.pool("v2").revision), (3, 2));
    stage.wait(31);
    assert_eq!(stage.sizes(), "v1 4");
}

//= compat: B.8-2, 2.7-15, 10.53, 2.3-12
#[test]
fn back_to_the_version_before_takes_all_steps() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    stage.promote();
    stage.settle();
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("Healthy", "v1 4, v2 4"));
    stage.template("v1");
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.weight()), ("Paused step 1: CanaryPauseStep", Some(50)));
    assert_eq!((stage.pool("v1").revision, stage.sizes().as_str()), (3, "v1 2, v2 4"));
}

//= compat: B.8-2, 1.5-1, 1.5-3, 1.5-4, 1.5-5, 1.5-6, 2.7-13, 10.52
#[test]
fn back_within_the_window_skips_the_steps() {
    let window = |stage: &mut Stage| {
        stage.edit(|rollout, _| rollout.rollback_window = Some(1));
        stage.now = stage.now + serin_core::Span::from_secs(100);
        stage.template("v2");
        stage.settle();
        stage.promote();
        stage.settle();
        stage.events.clear();
    };
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    window(&mut stage);
    stage.template("v1");
    stage.settle();
    assert_eq!(stage.world.status.stable.as_ref().unwrap().as_str(), "v1");
    assert_eq!(stage.state(), "Healthy step 2");
    let told = stage.told();
    assert!(told.contains(&"SkipSteps: Rollback to active ReplicaSets within RollbackWindow".to_owned()), "{told:?}");
    assert!(
        told.last().unwrap().starts_with("RolloutCompleted")
            || told.iter().any(|t| t.ends_with("Rollback within window")),
        "{told:?}"
    );

    // Without members left it is no active pool: no such event, and promotion waits for the members.
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    window(&mut stage);
    stage.wait(60);
    stage.events.clear();
    stage.members_come = false;
    stage.template("v1");
    stage.settle();
    assert!(!stage.told_reasons().contains("SkipSteps"));
    assert_eq!((stage.world.status.stable.as_ref().unwrap().as_str(), stage.sizes().as_str()), ("v2", "v1 4, v2 4"));
    stage.available("v1", 3);
    stage.settle();
    assert_eq!(stage.world.status.stable.as_ref().unwrap().as_str(), "v2");
    stage.all_available();
    stage.settle();
    assert_eq!(stage.world.status.stable.as_ref().unwrap().as_str(), "v1");
}

/// Pools are compared by the second in which they were made; one that is not older than stable is new.
//= compat: 1.5-3, 10.52
#[test]
fn the_window_counts_by_time_of_creation() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], |rollout, _| rollout.rollback_window = Some(1)));
    stage.promote();
    stage.settle();
    let made = stage.pool("v1").created;
    stage.pool("v2").created = made + serin_core::Span::from_millis(900);
    stage.template("v1");
    stage.settle();
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep", "both were made in the same second");
}
