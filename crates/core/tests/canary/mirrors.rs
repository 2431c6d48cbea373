//! Table: `setMirrorRoute`, managed routes and their order (sections 1.7 and 6.10), and weights out of another total.

use serin_core::rollout::{CanaryScale, Traffic};
use serin_core::weight::{HeaderMatch, HeaderRoute, MirrorRoute, RouteMatch, ValueMatch};
use serin_core::{Step, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

pub(crate) fn mirror(name: &str, percentage: u32) -> Step {
    let path = Some(ValueMatch::Prefix("/predict".to_owned()));
    let matches = vec![RouteMatch { path, ..RouteMatch::default() }];
    Step::SetMirrorRoute(MirrorRoute { name: name.to_owned(), percentage, matches })
}

fn unmirror(name: &str) -> Step {
    Step::SetMirrorRoute(MirrorRoute { name: name.to_owned(), percentage: 100, matches: Vec::new() })
}

fn header(name: &str) -> Step {
    let value = ValueMatch::Exact("yes".to_owned());
    let matches = vec![HeaderMatch { header: name.to_owned(), value }];
    Step::SetHeaderRoute(HeaderRoute { name: name.to_owned(), matches })
}

/// Names of the routes that the router carries: mirrors with their percentage, then routes by header.
fn routes(stage: &Stage) -> String {
    let split = stage.world.split.as_ref().unwrap();
    let mirrors = split.mirrors.iter().map(|m| format!("{} {}%", m.name, m.percentage));
    let headers = split.header_routes.iter().map(|h| h.name.clone());
    mirrors.chain(headers).collect::<Vec<_>>().join(", ")
}

//= compat: 1.7-18, 6.10-3
#[test]
fn a_mirror_lasts_until_a_step_removes_it() {
    let steps = [weight(10), mirror("shadow", 50), PAUSE, mirror("all", 100), PAUSE, unmirror("shadow"), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, as_is));
    let mut seen = vec![routes(&stage)];
    for _ in 0..2 {
        stage.promote();
        stage.settle();
        seen.push(routes(&stage));
    }
    assert_eq!(seen, ["shadow 50%", "shadow 50%, all 100%", "all 100%"]);
    stage.promote();
    stage.settle();
    assert_eq!((routes(&stage).as_str(), stage.phase()), ("", "Healthy"));
    let told = stage.told();
    assert!(
        told.iter().any(|t| t == "RolloutStepCompleted: Rollout step 2/7 completed (setMirrorRoute: shadow)"),
        "{told:?}"
    );
}

//= compat: 6.10-2
#[test]
fn an_abort_a_full_promotion_and_a_dead_canary_have_no_mirror() {
    let steps = [weight(10), mirror("shadow", 100), header("testers"), PAUSE];
    let check = |edit: &dyn Fn(&mut Stage), want: &str| {
        let mut stage = Stage::updating(rollout(&steps, as_is));
        assert_eq!(routes(&stage), "shadow 100%, testers");
        stage.members_come = false;
        edit(&mut stage);
        judged_settle(&mut stage, 40);
        assert_eq!(routes(&stage), want, "{}", stage.brief());
    };
    check(&|_| {}, "shadow 100%, testers");
    check(&|s| intent::abort(&mut s.world.status), "");
    check(&Stage::promote_full, "");
    check(&|s| s.available("v2", 0), "");
    check(&|s| s.template("v1"), "");
}

//= compat: 1.7-19
#[test]
fn the_first_version_has_no_mirror() {
    let stage = Stage::deployed(rollout(&[mirror("shadow", 100), PAUSE], as_is));
    assert_eq!((routes(&stage).as_str(), stage.phase()), ("", "Healthy"));
}

//= compat: 6.10-1
#[test]
fn managed_routes_say_which_comes_first() {
    let steps = [weight(10), header("b"), header("a"), mirror("n", 100), mirror("m", 100), PAUSE];
    let listed = ["m", "a", "b"].map(str::to_owned);
    let stage = Stage::updating(rollout(&steps, |_, canary| canary.managed_routes = listed.to_vec()));
    assert_eq!(routes(&stage), "m 100%, n 100%, a, b");
}

/// A router that carries the weight but not the mirror has not done what was asked.
#[test]
fn a_mirror_step_waits_for_the_router() {
    let mut stage = Stage::updating(rollout(&[weight(10), PAUSE, mirror("shadow", 100), weight(20)], as_is));
    stage.router_obeys = false;
    stage.promote();
    judged_settle(&mut stage, 20);
    assert_eq!(stage.next(), "split v2 10 / v1 90, mirror route shadow | awaiting-router");
    stage.router_catches_up();
    judged_settle(&mut stage, 20);
    assert_eq!((routes(&stage).as_str(), stage.world.status.step_index), ("shadow 100%", Some(3)));
}

//= compat: 8.3-15, 2.8-5
#[test]
fn weights_out_of_a_thousand() {
    let steps = [weight(5), PAUSE, weight(500), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.traffic = Some(Traffic { weight_total: 1000 })));
    let carried = |stage: &Stage| {
        let split = stage.world.split.clone().unwrap();
        format!("{} + {} of {}: {}", split.weight, split.weight_stable(), split.weight_total, stage.sizes())
    };
    assert_eq!(carried(&stage), "5 + 995 of 1000: v1 4, v2 1");
    stage.promote();
    judged_settle(&mut stage, 20);
    assert_eq!(carried(&stage), "500 + 500 of 1000: v1 4, v2 2");
    let weights = stage.world.status.weights.clone().unwrap();
    assert_eq!((weights.canary, weights.stable, weights.verified), (500, 500, true));
    stage.promote();
    stage.wait(60);
    assert_eq!((carried(&stage).as_str(), stage.state().as_str()), ("0 + 1000 of 1000: v2 4", "Healthy step 4"));
    let told = stage.told();
    assert!(told.contains(&"TrafficWeightUpdated: Traffic weight updated from 500 to 1000".to_owned()), "{told:?}");
}

/// A route of either kind is a use of the canary: its last member goes when the router was seen to have dropped it.
//= compat: 2.8-22
#[test]
fn the_last_member_stays_while_the_router_has_a_route_to_it() {
    let scale = |count| Step::SetCanaryScale(CanaryScale::Replicas(count));
    for route in [header("x-tester"), mirror("shadow", 50)] {
        let mut stage = Stage::updating(rollout(&[scale(1), route, PAUSE, scale(0), PAUSE], as_is));
        assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 1", Some(0)));
        stage.router_obeys = false;
        stage.promote();
        judged_settle(&mut stage, 20);
        assert_eq!((stage.sizes().as_str(), routes(&stage).is_empty()), ("v1 4, v2 1", false));
        stage.router_catches_up();
        judged_settle(&mut stage, 20);
        assert_eq!((stage.sizes().as_str(), routes(&stage).as_str()), ("v1 4", ""));
    }
}
