//! The scenarios of appendix B of the reference that concern blue-green, followed step by step.

use serin_core::analysis::RunPhase;
use serin_core::condition::Kind;

use crate::setting::{deployed, rollout, runs, services, stable, template};
use crate::stage::Stage;

/// The first event of the original, `RolloutAddedToInformer`, belongs to whoever watches objects and not to a decision.
//= compat: B.6-1, B.6-3, B.6-4, 2.2-11, 2.7-18
#[test]
fn first_install_and_update_with_an_active_service_only() {
    let mut stage = Stage::new(rollout(|own| own.preview_service = None));
    stage.members_come = false;
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stable(&stage), services(&stage).as_str()), ("v1 3", "v1", "-/-"));
    assert_eq!(stage.state(), "Progressing: updated replicas are still becoming available");
    stage.available("v1", 2);
    stage.settle();
    assert_eq!(services(&stage), "-/-", "the users come when every member is there");
    stage.all_available();
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.state().as_str()), ("v1/-", "Healthy"));
    assert_eq!(
        stage.told_reasons(),
        "RolloutUpdated NewReplicaSetCreated RolloutNotCompleted ScalingReplicaSet RolloutCompleted SwitchService"
    );

    template(&mut stage, "v2");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), services(&stage).as_str()), ("v1 3, v2 3", "v1/-"));
    assert_eq!(stage.state(), "Progressing: active service cutover pending");
    stage.available("v2", 2);
    stage.settle();
    assert_eq!((stable(&stage), services(&stage).as_str()), ("v1", "v1/-"));
    stage.all_available();
    stage.settle();
    assert_eq!((stable(&stage), services(&stage).as_str()), ("v2", "v2/-"));
    assert_eq!(
        stage.told(),
        [
            "RolloutUpdated: Rollout updated to revision 2",
            "NewReplicaSetCreated: Created ReplicaSet svc-v2 (revision 2)",
            "RolloutNotCompleted: Rollout not completed, started update to revision 2 (v2)",
            "ScalingReplicaSet: Scaled up ReplicaSet svc-v2 (revision 2) from 0 to 3",
            "SwitchService: Switched selector for service 'svc-active' from 'v1' to 'v2'",
            "RolloutCompleted: Rollout completed update to revision 2 (v2): Completed blue-green update",
        ]
    );

    stage.wait(29);
    assert_eq!(stage.sizes(), "v1 3, v2 3", "the former version stays for 30 s");
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((stable(&stage), services(&stage).as_str()), ("v1", "v1/-"), "and is returned to at once");
    assert!(
        stage
            .told()
            .contains(&"RolloutCompleted: Rollout completed update to revision 3 (v1): Fast rollback".to_owned())
    );
    stage.wait(31);
    assert_eq!(stage.sizes(), "v1 3");
}

/// With a first install that is announced as not completed, as a canary's is: the condition is the same for both.
//= compat-differs: B.6-2 RolloutNotCompleted is told of the first install of either strategy
#[test]
fn a_first_install_is_not_completed_at_first() {
    let mut stage = Stage::new(rollout(|_| {}));
    stage.settle();
    assert!(stage.told_reasons().contains("RolloutNotCompleted"));
}

//= compat: B.7-1, B.7-2, B.7-3, 2.10-6, 2.8-32, 2.8-33, 4.2-5, 4.2-9, 10.41
#[test]
fn a_small_preview_is_judged_and_then_promoted_by_a_person() {
    let mut stage = deployed(|own| {
        own.preview_replicas = Some(1);
        own.auto_promotion = false;
        own.pre_promotion = true;
    });
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.settle();
    assert_eq!(
        (services(&stage).as_str(), stage.sizes().as_str()),
        ("v1/v2", "v1 3, v2 1"),
        "preview before any member"
    );
    stage.all_available();
    stage.settle();
    assert_eq!((runs(&stage).as_str(), stage.phase()), ("svc-v2-2-pre Running", "Progressing"));
    assert_eq!(stage.next(), " | awaiting-run");
    stage.run_ends("svc-v2-2-pre", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.state(), "Paused: BlueGreenPause");
    assert_eq!(stage.next(), " | paused-for-person");
    assert!(stage.told().contains(&"RolloutPaused: Rollout is paused (BlueGreenPause)".to_owned()));

    stage.promote();
    stage.settle();
    assert!(stage.world.status.blue_green.checkpoint);
    assert_eq!((stage.sizes().as_str(), services(&stage).as_str()), ("v1 3, v2 3", "v1/v2"), "full size comes first");
    stage.all_available();
    stage.settle();
    assert_eq!((stable(&stage), services(&stage).as_str()), ("v2", "v2/v2"));
    assert!(!stage.world.status.blue_green.checkpoint);
    let pre = stage.world.status.blue_green.pre_run.clone();
    assert_eq!(
        pre.map(|r| (r.name, r.phase)),
        Some(("svc-v2-2-pre".to_owned(), RunPhase::Successful)),
        "the result stays"
    );
}

//= compat: B.7-3, 2.10-7, 2.7-7, 2.6-15
#[test]
fn a_preview_that_fails_its_analysis_is_never_seen_by_the_users() {
    let mut stage = crate::setting::updating(|own| own.pre_promotion = true);
    stage.run_ends("svc-v2-2-pre", RunPhase::Failed, "p99 is 3 s");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v1/v2", "v1"));
    let cause =
        "Rollout aborted update to revision 2: Blue/green pre-promotion analysis phase error/failed: p99 is 3 s";
    assert_eq!(stage.says(Kind::Progressing), format!("False RolloutAborted: {cause}"));
    assert_eq!(stage.state(), format!("Degraded: RolloutAborted: {cause}"));
    assert_eq!(stage.sizes(), "v1 3, v2 3");
    stage.wait(31);
    assert_eq!(
        (stage.sizes().as_str(), services(&stage).as_str()),
        ("v1 3", "v1/v2"),
        "after the abort's delay it goes"
    );
}
