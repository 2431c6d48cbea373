//! Table: services, traffic and sizes (sections 2.8, 2.9, 2.11 and 6.1).

use serin_core::rollout::{Amount, CanaryScale, Threshold};
use serin_core::{Span, Split, Step, intent};

use crate::stage::{PAUSE, Stage, as_is, basic, pause, rollout, weight};

fn selects(stage: &Stage, service: &str) -> Option<String> {
    stage.world.service(service)?.selects.as_ref().map(ToString::to_string)
}

fn services(stage: &Stage) -> [Option<String>; 2] {
    [selects(stage, "svc-stable"), selects(stage, "svc-canary")]
}

fn both(stable: &str, canary: &str) -> [Option<String>; 2] {
    [Some(stable.to_owned()), Some(canary.to_owned())]
}

//= compat: 2.11-2, 2.11-3, 2.11-4, 2.11-5, 10.26
#[test]
fn what_services_select() {
    let mut stage = Stage::new(rollout(&[weight(50), PAUSE], as_is));
    stage.members_come = false;
    stage.pass();
    stage.pass();
    assert_eq!(services(&stage), [None, None], "nothing is stable yet");
    stage.settle();
    assert_eq!(services(&stage), [Some("v1".to_owned()), None], "stable needs no member");
    stage.available("v1", 3);
    stage.settle();
    assert_eq!(services(&stage)[1], None, "a canary service is taken over with all members");
    stage.all_available();
    stage.settle();
    assert_eq!(services(&stage), both("v1", "v1"));

    stage.template("v2");
    stage.settle();
    assert_eq!(services(&stage), both("v1", "v1"), "no member yet");
    stage.available("v2", 1);
    stage.settle();
    assert_eq!(services(&stage), both("v1", "v2"), "one is enough for a service that is ours");
    assert_eq!(
        stage.told().iter().filter(|t| t.starts_with("SwitchService")).next_back().unwrap(),
        "SwitchService: Switched selector for service 'svc-canary' from 'v1' to 'v2'"
    );
    stage.available("v1", 0);
    stage.world.services[1].selects = Some("v2".into());
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(services(&stage), both("v1", "v1"), "an abort asks for no members of stable");
    stage.all_available();
    intent::retry(&mut stage.world.status);
    stage.members_come = true;
    stage.settle();
    intent::promote_full(&stage.world.rollout, &mut stage.world.status);
    stage.settle();
    assert_eq!(services(&stage), both("v2", "v2"), "promoted");
}

//= compat: 2.11-3
#[test]
fn with_dynamic_stable_scale_the_canary_service_leaves_last() {
    let mut stage = Stage::updating(rollout(&[weight(75), PAUSE], |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!((services(&stage), stage.weight()), (both("v1", "v2"), Some(75)));
    stage.all_available();
    stage.settle();
    assert_eq!((services(&stage), stage.weight()), (both("v1", "v1"), Some(0)));
}

//= compat: 2.11-6
#[test]
fn without_services_in_the_spec_none_is_touched() {
    let mut stage = Stage::deployed(rollout(&[weight(25)], basic(1, 0)));
    let foreign = serin_core::world::Service { name: "svc-canary".to_owned(), selects: None };
    stage.world.services.push(foreign);
    stage.template("v2");
    stage.wait(10);
    assert_eq!((stage.phase(), selects(&stage, "svc-canary")), ("Healthy", None));
}

/// A split between `v1` and `v2`.
fn split(weight: u32) -> Split {
    let (stable, canary) = ("v1".into(), "v2".into());
    Split { stable, canary, weight, weight_total: 100, header_routes: Vec::new() }
}

//= compat: 6.1-2, 6.1-4, 6.1-7, 6.1-8, 6.1-11, 2.8-1, 2.8-3
#[test]
fn weights_by_rule() {
    let check = |edit: &dyn Fn(&mut Stage), want: u32| {
        let mut stage = Stage::updating(rollout(&[weight(25), PAUSE, weight(50), PAUSE], as_is));
        assert_eq!(stage.world.split, Some(split(25)));
        stage.members_come = false;
        edit(&mut stage);
        stage.settle();
        assert_eq!(stage.weight(), Some(want), "{}", stage.brief());
    };
    let promote = |s: &mut Stage| drop(intent::promote(&s.world.rollout, &mut s.world.status));
    check(&|_| {}, 25);
    check(&promote, 25);
    check(
        &|s| {
            promote(s);
            s.members_come = true;
        },
        50,
    );
    check(
        &|s| {
            promote(s);
            promote(s);
        },
        25,
    );
    check(
        &|s| {
            promote(s);
            s.members_come = true;
            s.settle();
            promote(s);
            s.members_come = false;
        },
        50,
    );
    check(&|s| intent::abort(&mut s.world.status), 0);
    check(&|s| s.available("v2", 0), 0);
    check(&|s| drop(intent::promote_full(&s.world.rollout, &mut s.world.status)), 25);
    check(&|s| s.template("v1"), 0);
    check(&|s| s.template("v3"), 0);
    // Stable lacks the members for the rest.
    check(
        &|s| {
            promote(s);
            s.settle();
            s.available("v2", 2);
            s.available("v1", 1);
        },
        25,
    );
}

//= compat: 6.1-8
#[test]
fn weights_as_recorded_and_told() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.template("v2");
    stage.router_obeys = false;
    stage.settle();
    let weights = stage.world.status.weights.clone().unwrap();
    assert_eq!((weights.canary_hash.as_str(), weights.canary, weights.verified), ("v2", 25, false));
    assert_eq!((weights.stable_hash.as_str(), weights.stable), ("v1", 75));
    assert!(stage.told().contains(&"TrafficWeightUpdated: Traffic weight updated from 0 to 25".to_owned()));
    assert_eq!(stage.next(), "split v2 25 / v1 75 | awaiting-router");
    stage.router_catches_up();
    stage.settle();
    assert!(stage.world.status.weights.as_ref().unwrap().verified);
    assert_eq!(stage.told_reasons(), "RolloutStepCompleted RolloutPaused");
    stage.edit(|_, canary| canary.traffic = None);
    stage.pass();
    assert_eq!(stage.world.status.weights, None);
}

/// Without steps everything is swapped at the promotion.
//= compat: 6.1-2, 1.7-1
#[test]
fn a_router_without_steps() {
    let mut stage = Stage::deployed(rollout(&[], as_is));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight(), stage.world.status.step_index), ("v1 4, v2 4", Some(0), None));
    stage.all_available();
    stage.settle();
    assert_eq!((stage.phase(), stage.world.split.clone()), ("Healthy", Some(Split::all_to("v2".into(), 100))));
}

//= compat: 1.10-6, 2.8-19, 2.8-20, 2.8-22, 6.1-3
#[test]
fn dynamic_stable_scale_moves_traffic_before_members() {
    let mut stage = Stage::deployed(rollout(&[weight(50), pause(10), weight(75), pause(10)], |_, canary| {
        canary.dynamic_stable_scale = true;
        canary.scale_down_delay = Span::ZERO;
    }));
    stage.template("v2");
    let mut seen = Vec::new();
    for second in 0..60 {
        for _ in 0..30 {
            stage.pass();
            stage.all_available();
            seen.push(format!("{} at {}", stage.sizes(), stage.weight().unwrap()));
        }
        stage.now = crate::stage::EPOCH + Span::from_secs(100 + second);
    }
    seen.dedup();
    assert_eq!(
        seen,
        [
            "v1 4 at 0",
            "v1 4, v2 2 at 0",
            "v1 4, v2 2 at 50",
            "v1 2, v2 2 at 50",
            "v1 2, v2 3 at 50",
            "v1 2, v2 3 at 75",
            "v1 1, v2 3 at 75",
            "v1 1, v2 4 at 75",
            "v1 1, v2 4 at 100",
            "v2 4 at 100",
            "v2 4 at 0",
        ]
    );
    assert_eq!(stage.phase(), "Healthy");
}

//= compat: 6.1-3, 2.8-21
#[test]
fn dynamic_stable_scale_aborts_as_fast_as_stable_grows() {
    let steps = [weight(20), weight(40), weight(60), weight(80), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |rollout, canary| {
        rollout.replicas = 10;
        canary.dynamic_stable_scale = true;
    }));
    stage.wait(1);
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 2, v2 8", Some(80)));
    intent::abort(&mut stage.world.status);
    stage.members_come = false;
    let mut seen = Vec::new();
    for available in 2..=10 {
        stage.settle();
        let grown = stage.pool("v1").size.min(available);
        stage.available("v1", grown);
        stage.settle();
        seen.push(stage.weight().unwrap());
    }
    stage.settle();
    assert!(seen.is_sorted_by(|a, b| a >= b) && seen.len() > 3, "{seen:?}");
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 10", Some(0)));
}

//= compat: 2.7-13, 6.1-2
#[test]
fn dynamic_stable_scale_goes_back_to_stable_as_fast_as_it_grows() {
    let mut stage = Stage::updating(rollout(&[weight(75), PAUSE], |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    stage.template("v1");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 3", Some(75)));
    let canary = stage.world.split.as_ref().unwrap().canary.clone();
    assert_eq!(canary.as_str(), "v2", "the former canary keeps its share");
    stage.all_available();
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight(), stage.phase()), ("v1 4", Some(0), "Healthy"));
}

//= compat: 2.9-1, 2.9-2, 2.9-4, 2.9-5, 10.24
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
        intent::promote(&stage.world.rollout, &mut stage.world.status);
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
    intent::promote(&stage.world.rollout, &mut stage.world.status);
    for _ in 0..20 {
        let decision = stage.pass();
        let scaled = decision.actions.iter().filter(|a| matches!(a, serin_core::Action::ScalePool { .. })).count();
        assert!(scaled <= 1, "{}", crate::stage::line(&decision));
        stage.all_available();
    }
    assert_eq!(stage.phase(), "Healthy");
}
