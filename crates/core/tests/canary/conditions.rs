//! Table: counts, phase, conditions and the deadline (sections 1.2, 2.1, 2.5 and 2.6).

use serin_core::analysis::RunPhase;
use serin_core::condition::{Kind, Truth};
use serin_core::{Span, Step, intent};

use crate::stage::{PAUSE, Stage, as_is, basic, pause, rollout, weight};

/// Edits a promoted `v1` with 4 members, and compares phase and message after one decision.
fn check_phase(edit: impl FnOnce(&mut Stage), want: &str) {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.members_come = false;
    edit(&mut stage);
    stage.pass();
    assert_eq!(stage.state(), want);
}

//= compat: 2.5-1, 1.2-8
#[test]
fn the_first_test_that_holds_gives_the_phase() {
    let timed_out = |stage: &mut Stage| {
        let now = stage.now;
        stage.world.status.conditions.set(Kind::Progressing, Truth::False, "ProgressDeadlineExceeded", "late", now);
        stage.available("v1", 3);
    };
    check_phase(|_| {}, "Healthy step 2");
    check_phase(timed_out, "Degraded step 2: ProgressDeadlineExceeded: late");
    check_phase(
        |s| {
            timed_out(s);
            s.edit(|r, _| r.paused = true);
        },
        "Degraded step 2: ProgressDeadlineExceeded: late",
    );
    check_phase(|s| s.edit(|r, _| r.paused = true), "Paused step 2: manually paused");
    check_phase(|s| s.pool("v1").members = 3, "Progressing step 2: more replicas need to be updated");
    check_phase(|s| s.available("v1", 3), "Progressing step 2: updated replicas are still becoming available");
    check_phase(
        |s| {
            s.template("v2");
            s.settle();
        },
        "Progressing step 0: waiting for all steps to complete",
    );
    check_phase(
        |s| {
            s.template("v2");
            s.pass();
            s.pass();
        },
        "Progressing step 0: waiting for all steps to complete",
    );
}

//= compat: 2.6-3, 2.6-4, 2.6-5, 2.6-6, 2.6-7, 2.6-9, 2.6-10, 2.6-11, 2.6-12
#[test]
fn conditions_of_an_update() {
    let mut stage = Stage::deployed(rollout(&[weight(25), pause(60)], as_is));
    let says = |stage: &Stage| {
        [Kind::Available, Kind::Progressing, Kind::Completed, Kind::Healthy].map(|kind| stage.says(kind))
    };
    assert_eq!(
        says(&stage),
        [
            "True AvailableReason: Rollout has minimum availability",
            "True NewReplicaSetAvailable: ReplicaSet \"svc-v1\" has successfully progressed.",
            "True RolloutCompleted: RolloutCompleted",
            "True RolloutHealthy: Rollout is healthy",
        ]
    );
    assert_eq!(stage.says(Kind::Paused), "", "never paused, never said");

    // A member is lost: the clock of the deadline starts again.
    stage.now = stage.now + Span::from_secs(1000);
    stage.members_come = false;
    stage.available("v1", 3);
    stage.settle();
    assert_eq!(stage.says(Kind::Available), "False AvailableReason: Rollout does not have minimum availability");
    assert_eq!(stage.says(Kind::Progressing), "True ReplicaSetNotAvailable: ReplicaSet \"svc-v1\" is not available");
    assert_eq!(stage.says(Kind::Healthy), "False RolloutHealthy: Rollout is not healthy");
    assert_eq!(stage.condition(Kind::Progressing).unwrap().updated, stage.now);
    stage.all_available();
    stage.settle();
    assert_eq!(stage.phase(), "Healthy");

    // Progress renews the time, and keeps that of the last change of truth.
    stage.template("v2");
    stage.settle();
    let before = stage.condition(Kind::Progressing).unwrap().clone();
    assert_eq!(stage.says(Kind::Completed), "False RolloutCompleted: RolloutCompleted");
    stage.now = stage.now + Span::from_secs(5);
    stage.available("v2", 1);
    stage.pass();
    let after = stage.condition(Kind::Progressing).unwrap();
    assert_eq!(stage.says(Kind::Progressing), "True ReplicaSetUpdated: ReplicaSet \"svc-v2\" is progressing.");
    assert_eq!((after.updated, after.transitioned), (stage.now, before.transitioned));

    stage.members_come = true;
    stage.settle();
    assert_eq!(stage.says(Kind::Paused), "True RolloutPaused: Rollout is paused");
    assert_eq!(stage.says(Kind::Progressing), "Unknown RolloutPaused: Rollout is paused");
}

/// A change of the spec alone needs a second look: the first writes down that it was seen.
//= compat: 2.6-5, B.1-5
#[test]
fn healthy_only_with_the_generation_seen() {
    let mut stage = Stage::deployed(rollout(&[weight(25)], as_is));
    stage.edit(|rollout, _| rollout.revision_history_limit = 3);
    stage.pass();
    assert_eq!(stage.condition(Kind::Healthy).unwrap().truth, Truth::False);
    stage.pass();
    assert_eq!(stage.condition(Kind::Healthy).unwrap().truth, Truth::True);
}

//= compat: 2.6-8
#[test]
fn a_pool_that_cannot_make_members_says_so() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], as_is));
    stage.pool("v1").failure = Some("no such program".to_owned());
    stage.settle();
    assert_eq!(stage.says(Kind::ReplicaFailure), "True FailedCreate: no such program");
    stage.world.status.conditions.remove(Kind::ReplicaFailure);
    stage.pool("v2").failure = Some("out of memory".to_owned());
    stage.settle();
    assert_eq!(stage.says(Kind::ReplicaFailure), "True FailedCreate: out of memory", "the new pool's comes first");
    stage.pool("v1").failure = None;
    stage.pool("v2").failure = None;
    stage.settle();
    assert_eq!(stage.says(Kind::ReplicaFailure), "");
}

#[test]
fn counts_are_sums_over_the_pools() {
    let stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    let counts = stage.world.status.counts;
    assert_eq!((counts.members, counts.updated, counts.ready, counts.available), (6, 2, 6, 6));
}

/// An update whose members never come.
fn hanging(aborts: bool, steps: &[Step]) -> Stage {
    let mut stage = Stage::deployed(rollout(steps, |rollout, _| {
        rollout.progress_deadline = Span::from_secs(120);
        rollout.progress_deadline_abort = aborts;
    }));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    stage.events.clear();
    stage
}

const TIMED_OUT: &str = "ReplicaSet \"svc-v2\" has timed out progressing.";

//= compat: 1.2-9, 1.2-10, 2.6-13
#[test]
fn the_deadline_is_said_and_no_more() {
    let mut stage = hanging(false, &[weight(25), PAUSE]);
    assert_eq!(stage.settle(), Some(stage.now + Span::from_secs(120)), "it wakes itself for the deadline");
    stage.wait(119);
    assert_eq!(stage.phase(), "Progressing");
    stage.wait(1);
    assert_eq!(stage.says(Kind::Progressing), format!("False ProgressDeadlineExceeded: {TIMED_OUT}"));
    assert_eq!(stage.state(), format!("Degraded step 0: ProgressDeadlineExceeded: {TIMED_OUT}"));
    assert_eq!(stage.next(), " | awaiting-members deadline-exceeded");
    assert_eq!(stage.sizes(), "v1 4, v2 1");
    stage.wait(1000);
    stage.members_come = true;
    stage.settle();
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep", "it recovers by itself");
}

//= compat: 1.2-11, 2.6-15
#[test]
fn the_deadline_aborts_where_the_spec_says_so() {
    let mut stage = hanging(true, &[weight(25), PAUSE]);
    stage.wait(120);
    let text = format!("Rollout aborted update to revision 2: {TIMED_OUT}");
    assert_eq!(stage.told(), [format!("!RolloutAborted: {text}")]);
    assert_eq!(stage.state(), format!("Degraded step 0: RolloutAborted: {text}"));
    assert!(stage.next().contains("aborted"));
}

//= compat: 1.2-11, 1.2-12, 2.6-13
#[test]
fn times_that_do_not_count_for_the_deadline() {
    for (why, steps) in [("an analysis", [Step::Analysis]), ("a pause", [PAUSE])] {
        let mut stage = hanging(true, &steps);
        stage.wait(100_000);
        assert_ne!(stage.phase(), "Degraded", "{why}");
    }
    let mut stage = hanging(true, &[weight(25), PAUSE]);
    stage.edit(|rollout, _| rollout.paused = true);
    stage.wait(100_000);
    assert_eq!(stage.state(), "Paused step 0: manually paused");

    let mut stage = hanging(true, &[weight(25), PAUSE]);
    intent::abort(&mut stage.world.status);
    stage.wait(100_000);
    assert_eq!(stage.says(Kind::Progressing), "False RolloutAborted: Rollout aborted update to revision 2");

    // An old pool within its scale-down delay.
    let mut stage = hanging(true, &[weight(25), PAUSE]);
    let at = stage.now + Span::from_secs(500);
    let mut old = stage.pool("v1").clone();
    (old.hash, old.revision, old.size, old.scale_down_at) = ("v0".into(), 0, 4, Some(at));
    (old.members, old.ready, old.available) = (4, 4, 4);
    stage.world.pools.push(old);
    stage.settle();
    stage.wait(400);
    assert_eq!(stage.phase(), "Progressing");
}

/// The first version has nothing to go back to.
//= compat: 1.2-11
#[test]
fn the_first_version_is_not_aborted() {
    let mut stage = Stage::new(rollout(&[weight(25)], |rollout, _| rollout.progress_deadline_abort = true));
    stage.members_come = false;
    stage.wait(2000);
    assert_eq!((stage.phase(), stage.world.status.abort), ("Degraded", false));
}

//= compat: 2.6-14, 2.6-16
#[test]
fn a_second_abort_keeps_the_first_cause() {
    let mut stage =
        Stage::deployed(rollout(&[weight(25), Step::Analysis], |_, canary| canary.background_from = Some(0)));
    stage.template("v2");
    stage.settle();
    stage.events.clear();
    stage.run_ends("svc-v2-2", RunPhase::Failed, "too many errors");
    stage.run_ends("svc-v2-2-1", RunPhase::Error, "no data");
    stage.settle();
    let text = "Rollout aborted update to revision 2: Background analysis phase error/failed: too many errors";
    assert!(stage.told().contains(&format!("!RolloutAborted: {text}")));
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.says(Kind::Progressing), format!("False RolloutAborted: {text}"));
    assert_eq!(stage.told_reasons(), "");
}

//= compat: 2.2-7, 2.7-4, 10.49
#[test]
fn only_pauses_that_end_by_themselves_tell_that_they_are_over() {
    let mut stage = Stage::updating(rollout(&[weight(25), pause(60), PAUSE], as_is));
    stage.events.clear();
    stage.wait(61);
    let told = stage.told_reasons();
    assert_eq!(told, "RolloutStepCompleted RolloutResumed RolloutPaused");
    stage.promote();
    stage.wait(1);
    assert!(!stage.told_reasons().contains("RolloutResumed"));
}

//= compat: B.4-2
#[test]
fn old_members_keep_a_rollout_without_a_router_from_being_healthy() {
    let mut stage = Stage::updating(rollout(&[], basic(4, 0)));
    assert_eq!(stage.state(), "Healthy");
    stage.pool("v1").members = 1;
    stage.pass();
    assert_eq!(stage.state(), "Progressing: old replicas are pending termination");
}

//= compat: 2.3-9
#[test]
fn a_version_that_could_not_be_made_says_so_until_it_is_there() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    let refused = |stage: &mut Stage| stage.world.pools.retain(|pool| pool.hash.as_str() != "v2");
    stage.template("v2");
    stage.pass();
    stage.pass();
    refused(&mut stage);
    let why = "Failed to create new replica set \"svc-v2\": exceeded quota";
    let now = stage.now;
    stage.world.status.conditions.set(Kind::Progressing, Truth::False, "ReplicaSetCreateError", why, now);
    // However long it takes: nothing is under way that could be late.
    for _ in 0..3 {
        stage.now = stage.now + Span::from_secs(3600);
        stage.pass();
        refused(&mut stage);
        assert_eq!(stage.says(Kind::Progressing), format!("False ReplicaSetCreateError: {why}"));
    }
    // It is there, and has all the time that a version has.
    stage.members_come = false;
    stage.pass();
    stage.pass();
    assert_eq!(stage.says(Kind::Progressing), "True NewReplicaSetCreated: Created new replica set \"svc-v2\"");
    let condition = stage.condition(Kind::Progressing).map(|told| told.updated);
    assert_eq!(condition, Some(stage.now));
    // Another version knows nothing of it.
    refused(&mut stage);
    let now = stage.now;
    stage.world.status.conditions.set(Kind::Progressing, Truth::False, "ReplicaSetCreateError", why, now);
    stage.template("v3");
    stage.pass();
    assert_eq!(stage.says(Kind::Progressing), "True NewReplicaSetCreated: Created new replica set \"svc-v3\"");
}
