//! Table: taking down the workload that ran the service before (section 1.3).

use serin_core::rollout::{ScaleDown, Workload};
use serin_core::{Rollout, intent};

use crate::stage::{Stage, basic, pause, rollout, weight};

/// A first install beside a workload of 4.
fn beside(scale_down: ScaleDown, replicas: u32) -> Rollout {
    rollout(&[weight(50), pause(60)], |rollout, canary| {
        basic(4, 0)(rollout, canary);
        rollout.workload = Some(Workload { scale_down, replicas });
    })
}

fn size(stage: &Stage) -> u32 {
    stage.world.rollout.workload.unwrap().replicas
}

//= compat: 1.3-10
#[test]
fn a_workload_that_is_to_stay_is_left_alone() {
    let stage = Stage::deployed(beside(ScaleDown::Never, 4));
    assert_eq!(size(&stage), 4);
}

//= compat: 1.3-11
#[test]
fn on_success_it_goes_once_the_first_revision_was_seen_healthy() {
    let mut stage = Stage::new(beside(ScaleDown::OnSuccess, 4));
    stage.members_come = false;
    stage.wait(30);
    stage.available("v1", 3);
    stage.settle();
    assert_eq!((size(&stage), stage.phase()), (4, "Progressing"));
    stage.all_available();
    stage.wait(30);
    assert_eq!((size(&stage), stage.phase()), (0, "Healthy"));
    // Somebody starts it again: it is replaced for good.
    stage.world.rollout.workload.as_mut().unwrap().replicas = 2;
    stage.settle();
    assert_eq!(size(&stage), 0);
}

//= compat: 1.3-12
#[test]
fn progressively_it_gives_one_member_for_each_that_is_ready() {
    let mut stage = Stage::new(beside(ScaleDown::Progressively, 4));
    stage.members_come = false;
    stage.settle();
    let mut sizes = vec![size(&stage)];
    for ready in [1, 2, 3] {
        stage.available("v1", ready);
        stage.settle();
        sizes.push(size(&stage));
    }
    assert_eq!(sizes, [4, 3, 2, 1]);
    stage.available("v1", 1);
    stage.settle();
    assert_eq!(size(&stage), 3, "what is lost here is made up for there");
    stage.all_available();
    stage.wait(30);
    assert_eq!((size(&stage), stage.phase()), (0, "Healthy"));
}

//= compat: 1.3-12
#[test]
fn progressively_it_comes_back_when_members_are_taken_away() {
    let mut stage = Stage::new(beside(ScaleDown::Progressively, 0));
    stage.members_come = false;
    stage.wait(30);
    assert_eq!(size(&stage), 0, "nothing moves before a member is ready");
    stage.edit(|rollout, _| rollout.replicas = 3);
    stage.settle();
    assert_eq!(size(&stage), 3, "fewer members here, so those of the workload are wanted again");
}

//= compat: 1.3-13
#[test]
fn a_later_revision_never_touches_it() {
    for scale_down in [ScaleDown::OnSuccess, ScaleDown::Progressively] {
        let mut stage = Stage::new(beside(scale_down, 4));
        stage.members_come = false;
        stage.settle();
        stage.template("v2");
        stage.settle();
        stage.members_come = true;
        stage.all_available();
        intent::promote_full(&stage.world.rollout, &mut stage.world.status);
        stage.wait(120);
        assert_eq!((size(&stage), stage.phase()), (4, "Healthy"), "{scale_down:?}");
    }
}

/// A pool that only learns the replicas loses nobody, so nobody is called back for it.
#[test]
fn a_pool_that_keeps_its_size_calls_nobody_back() {
    let mut stage = Stage::new(beside(ScaleDown::Progressively, 0));
    stage.members_come = false;
    stage.settle();
    stage.pool("v1").replicas_seen = Some(3);
    let decision = stage.pass();
    assert_eq!(decision.actions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["scale pool v1 to 4"]);
    assert_eq!(size(&stage), 0);
}
