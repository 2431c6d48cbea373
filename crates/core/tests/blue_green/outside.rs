//! What lies outside of the strategy: the workload that ran the service before, and a spec that is invalid for a while.

use serin_core::invalid::{Problem, invalid};
use serin_core::rollout::{ScaleDown, Workload};

use crate::setting::{deployed, rollout, services, updating};
use crate::stage::Stage;

//= compat: 1.3-11, 1.3-12, 1.3-13
#[test]
fn a_workload_hands_over_to_the_first_revision_only() {
    let beside = |scale_down: ScaleDown| {
        let mut first = rollout(|_| {});
        first.workload = Some(Workload { scale_down, replicas: 3 });
        Stage::new(first)
    };
    let size = |stage: &Stage| stage.world.rollout.workload.unwrap().replicas;
    let mut stage = beside(ScaleDown::Progressively);
    stage.members_come = false;
    stage.settle();
    stage.available("v1", 2);
    stage.settle();
    assert_eq!(size(&stage), 1);
    for scale_down in [ScaleDown::OnSuccess, ScaleDown::Progressively] {
        let mut stage = beside(scale_down);
        stage.wait(60);
        assert_eq!((size(&stage), stage.phase()), (0, "Healthy"), "{scale_down:?}");
    }
    let mut second = deployed(|_| {});
    second.world.rollout.workload = Some(Workload { scale_down: ScaleDown::OnSuccess, replicas: 3 });
    second.world.pools[0].revision = 2;
    second.wait(60);
    assert_eq!(size(&second), 3);
}

//= compat: 8.1-3, 8.1-4, 8.1-6
#[test]
fn a_pause_before_the_switch_outlasts_an_invalid_spec() {
    let mut stage = updating(|own| own.auto_promotion = false);
    let (before, selected) = (stage.world.status.clone(), services(&stage));
    let decision = invalid(&stage.world, &Problem::Spec("wrong".to_owned()), stage.now);
    assert!(decision.actions.is_empty());
    stage.world.status = decision.status;
    assert!(
        stage.state().starts_with("Degraded: InvalidSpec: The Rollout \"svc\" is invalid: wrong"),
        "{}",
        stage.state()
    );
    stage.settle();
    assert_eq!((stage.world.status.pauses.clone(), services(&stage)), (before.pauses, selected));
    assert_eq!(stage.state(), "Paused: BlueGreenPause");
}
