//! Table: services and traffic (sections 2.11 and 6.1).

use serin_core::{Span, Split, intent};

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
        stage.told().iter().rfind(|t| t.starts_with("SwitchService")).unwrap(),
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
    stage.promote_full();
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
    Split { canary, weight, ..Split::all_to(stable, 100) }
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
    let promote = |s: &mut Stage| s.promote();
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
    check(&|s| s.promote_full(), 25);
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

//= compat: 2.7-13, 2.11-3, 6.1-2
#[test]
fn dynamic_stable_scale_goes_back_to_stable_as_fast_as_it_grows() {
    let mut stage = Stage::updating(rollout(&[weight(75), PAUSE], |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    stage.template("v1");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 3", Some(75)));
    let canary = stage.world.split.as_ref().unwrap().canary.clone();
    assert_eq!(canary.as_str(), "v2", "the former canary keeps its share");
    assert_eq!(services(&stage), both("v1", "v2"), "and the service that its share goes to");
    stage.all_available();
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight(), stage.phase()), ("v1 4", Some(0), "Healthy"));
    assert_eq!(services(&stage), both("v1", "v1"));
}
