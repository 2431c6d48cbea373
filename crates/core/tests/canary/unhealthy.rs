//! A promoted rollout that loses members says so, and is healthy again when they are back (section 2.6).

use serin_core::condition::Kind;

use crate::stage::{PAUSE, Stage, as_is, basic, rollout, weight};

//= compat: 2.6-12, 2.6-4, 2.6-3, 2.5-1
#[test]
fn members_lost_after_the_promotion_are_told_and_forgotten_when_they_are_back() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    stage.members_come = false;
    stage.available("v1", 2);
    stage.settle();
    assert_eq!(stage.state(), "Progressing step 2: updated replicas are still becoming available");
    assert_eq!(stage.says(Kind::Progressing), "True ReplicaSetNotAvailable: ReplicaSet \"svc-v1\" is not available");
    assert_eq!(stage.says(Kind::Healthy), "False RolloutHealthy: Rollout is not healthy");
    assert_eq!(stage.says(Kind::Available), "False AvailableReason: Rollout does not have minimum availability");
    assert_eq!(stage.next(), " | awaiting-members", "it waits for what is observed");
    stage.all_available();
    stage.settle();
    assert_eq!(stage.state(), "Healthy step 2");
    assert!(stage.says(Kind::Progressing).starts_with("True NewReplicaSetAvailable"));
}

/// The deadline begins when the members are lost, not when the rollout was promoted, and ends when they are back.
//= compat: 2.6-12, 2.6-13, 1.2-10
#[test]
fn members_that_stay_away_degrade_and_heal() {
    for router in [true, false] {
        let made = match router {
            true => rollout(&[weight(50), PAUSE], as_is),
            false => rollout(&[weight(50), PAUSE], basic(1, 0)),
        };
        let mut stage = Stage::deployed(made);
        stage.wait(5_000);
        stage.members_come = false;
        stage.available("v1", 3);
        stage.settle();
        let deadline = stage.settle().expect("the deadline is waited for");
        assert_eq!((deadline - stage.now.since(serin_core::Time::default())).as_secs(), 600, "router: {router}");
        stage.wait(601);
        let degraded = "Degraded step 2: ProgressDeadlineExceeded: ReplicaSet \"svc-v1\" has timed out progressing.";
        assert_eq!(stage.state(), degraded, "router: {router}");
        stage.wait(5_000);
        assert_eq!(stage.state(), degraded);
        stage.all_available();
        stage.settle();
        assert_eq!(stage.state(), "Healthy step 2", "router: {router}");
        // The next loss has its whole time again.
        stage.available("v1", 3);
        stage.wait(300);
        assert_eq!(stage.state(), "Progressing step 2: updated replicas are still becoming available");
    }
}

/// All members lost: the router keeps its split, since stable is all there is.
#[test]
fn a_promoted_version_without_a_member_keeps_the_traffic() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    let split = stage.world.split.clone();
    stage.members_come = false;
    stage.available("v1", 0);
    stage.wait(1_000);
    assert_eq!((stage.phase(), &stage.world.split), ("Degraded", &split));
    stage.all_available();
    stage.settle();
    assert_eq!(stage.phase(), "Healthy");
}
