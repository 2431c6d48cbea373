//! Table: thresholds, sizes of old pools and scales of the canary (sections 1.7, 2.8 and 2.9).

use serin_core::rollout::{Amount, CanaryScale, Threshold};
use serin_core::{Span, Step};

use crate::stage::{PAUSE, Stage, as_is, basic, pause, rollout, weight};

//= compat: 1.7-5, 2.9-1, 2.9-2, 2.9-4, 2.9-5, 10.24
#[test]
fn thresholds_let_go_on_with_fewer_members() {
    let at_step = |threshold: Option<Threshold>, available: u32| {
        let mut stage = Stage::deployed(rollout(&[weight(100), PAUSE], |_, c| c.progress_threshold = threshold));
        stage.members_come = false;
        stage.template("v2");
        stage.settle();
        stage.available("v2", available);
        stage.settle();
        stage.world.status.step_index.unwrap()
    };
    assert_eq!((at_step(None, 3), at_step(None, 4)), (0, 1));
    let percent = |p| Some(Threshold::Percent(p));
    assert_eq!((at_step(percent(75), 2), at_step(percent(75), 3)), (0, 1));
    assert_eq!((at_step(percent(76), 3), at_step(percent(76), 4)), (0, 1));
    let pods = |p| Some(Threshold::Pods(p));
    assert_eq!((at_step(pods(2), 1), at_step(pods(2), 2)), (0, 1));

    // It holds for the promotion too.
    let mut stage = Stage::deployed(rollout(&[], |_, canary| canary.progress_threshold = percent(50)));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    stage.available("v2", 2);
    stage.settle();
    assert_eq!(stage.world.status.stable.as_ref().unwrap().as_str(), "v2");
}

//= compat: 2.9-5
#[test]
fn a_step_needs_stable_members_made_and_older_ones_gone() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], basic(1, 0)));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    let mut old = stage.pool("v1").clone();
    (old.hash, old.revision) = ("v0".into(), 0);
    (old.size, old.members, old.ready, old.available) = (0, 1, 1, 1);
    stage.world.pools.push(old);
    stage.all_available();
    for _ in 0..4 {
        stage.pass();
        stage.available("v0", 1);
    }
    assert_eq!(stage.next(), " | awaiting-old-members");
    stage.available("v0", 0);
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(1));
}

/// Old pools beside a promoted `v3` of 4 members, `(name, revision, size, available, goes at)`, and the next decision.
fn others(edit: impl Fn(&mut serin_core::Canary), pools: &[(&str, u64, u32, u32, Option<i64>)], want: &str) {
    let mut stage = Stage::deployed(rollout(&[weight(25)], |rollout, canary| {
        rollout.hash = "v3".into();
        edit(canary);
    }));
    stage.pool("v3").revision = 9;
    for (name, revision, size, available, at) in pools {
        let mut pool = stage.pool("v3").clone();
        (pool.hash, pool.revision, pool.size, pool.members) = ((*name).into(), *revision, *size, *size);
        (pool.ready, pool.available) = (*available, *available);
        pool.scale_down_at = at.map(|at| stage.now + Span::from_secs(at));
        stage.world.pools.push(pool);
    }
    assert_eq!(stage.next(), want);
}

//= compat: 2.8-23, 2.8-24, 2.8-25, 2.8-26
#[test]
fn old_pools_without_a_router_leave_as_availability_allows() {
    let basic = |canary: &mut serin_core::Canary| basic(1, 0)(&mut rollout(&[], as_is), canary);
    others(basic, &[("v1", 1, 3, 3, None)], "scale pool v1 to 0 | ");
    others(basic, &[("v1", 1, 4, 2, None)], "scale pool v1 to 0 | ");
    others(basic, &[("v1", 1, 3, 1, None), ("v2", 2, 2, 2, None)], "scale pool v2 to 0; scale pool v1 to 0 | ");
    // Nothing may go where stable itself lacks members, but for what is not healthy anyway.
    let mut stage = Stage::deployed(rollout(&[weight(25)], basic_4()));
    let mut old = stage.pool("v1").clone();
    (old.hash, old.revision, old.size, old.members) = ("v0".into(), 0, 3, 3);
    (old.ready, old.available) = (2, 2);
    stage.world.pools.push(old);
    stage.available("v1", 2);
    stage.members_come = false;
    stage.settle();
    assert_eq!(stage.sizes(), "v1 4, v0 2");
    stage.available("v1", 3);
    stage.settle();
    assert_eq!(stage.sizes(), "v1 4, v0 1");
    stage.available("v1", 4);
    stage.settle();
    assert_eq!(stage.sizes(), "v1 4");
}

fn basic_4() -> impl Fn(&mut serin_core::Rollout, &mut serin_core::Canary) {
    basic(1, 0)
}

//= compat: 2.8-25, 2.8-27, 2.8-28, 2.8-30, 10.19
#[test]
fn old_pools_with_a_router_leave_after_their_delay() {
    let keep = |_: &mut serin_core::Canary| {};
    others(keep, &[("v2", 2, 2, 2, None)], "pool v2 goes to 0 at 1000090s | settled");
    others(keep, &[("v2", 2, 2, 2, Some(5))], " | scale-down-planned");
    others(keep, &[("v2", 2, 2, 2, Some(0))], "scale pool v2 to 0 | settled");
    others(|c| c.scale_down_delay = Span::ZERO, &[("v2", 2, 2, 2, None)], "scale pool v2 to 0 | settled");
    others(|c| c.dynamic_stable_scale = true, &[("v2", 2, 2, 2, Some(5))], "scale pool v2 to 0 | settled");
    let limit = |c: &mut serin_core::Canary| c.scale_down_delay_revision_limit = Some(1);
    others(limit, &[("v1", 1, 2, 2, Some(5)), ("v2", 2, 2, 2, Some(5))], "scale pool v1 to 0 | scale-down-planned");

    let mut stage = Stage::updating(rollout(&[weight(25)], as_is));
    stage.wait(1);
    assert!(stage.pool("v1").scale_down_at.is_some());
    stage.wait(31);
    assert_eq!(
        (stage.pool("v1").size, stage.pool("v1").scale_down_at),
        (0, None),
        "the plan goes with the last member"
    );
}

//= compat: 2.8-31
#[test]
fn a_pool_in_use_again_loses_its_planned_end() {
    let mut stage = Stage::updating(rollout(&[weight(25), pause(10)], as_is));
    stage.wait(11);
    assert!(stage.pool("v1").scale_down_at.is_some());
    stage.template("v1");
    stage.settle();
    assert_eq!(stage.pool("v1").scale_down_at, None);
    assert_eq!(stage.sizes(), "v1 1, v2 4", "an update to it begins with the first step");
}

//= compat: 1.7-14, 1.7-16, 2.8-2
#[test]
fn a_canary_scale_stays_in_force() {
    let scale = |scale| Step::SetCanaryScale(scale);
    let steps = [
        scale(CanaryScale::Replicas(6)),
        PAUSE,
        weight(25),
        PAUSE,
        scale(CanaryScale::Weight(50)),
        PAUSE,
        scale(CanaryScale::MatchTrafficWeight),
        PAUSE,
    ];
    let mut stage = Stage::updating(rollout(&steps, as_is));
    let mut seen = Vec::new();
    for _ in 0..4 {
        stage.settle();
        seen.push(format!("{} at {}", stage.sizes(), stage.weight().unwrap()));
        stage.promote();
    }
    assert_eq!(seen, ["v1 4, v2 6 at 0", "v1 4, v2 6 at 25", "v1 4, v2 2 at 25", "v1 4, v2 1 at 25"]);
}

//= compat: 2.2-10
#[test]
fn one_group_of_pools_moves_in_a_pass() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], |_, canary| {
        crate::stage::without_router(canary);
        (canary.max_surge, canary.max_unavailable) = (Amount::Count(2), Amount::Count(0));
    }));
    stage.promote();
    for _ in 0..20 {
        let decision = stage.pass();
        let scaled = decision.actions.iter().filter(|a| matches!(a, serin_core::Action::ScalePool { .. })).count();
        assert!(scaled <= 1, "{}", crate::stage::line(&decision));
        stage.all_available();
    }
    assert_eq!(stage.phase(), "Healthy");
}
