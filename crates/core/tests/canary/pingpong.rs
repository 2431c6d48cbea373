//! Table: `pingPong`, two services that swap roles (section 1.10).

use serin_core::rollout::{Canary, PingPong, Rollout};
use serin_core::status::Side;
use serin_core::{Action, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, rollout, weight};

fn swapping(_: &mut Rollout, canary: &mut Canary) {
    canary.ping_pong = Some(PingPong { ping: "ping".to_owned(), pong: "pong".to_owned() });
    (canary.canary_service, canary.stable_service) = (None, None);
}

/// What both services select, and which is the stable one.
fn roles(stage: &Stage) -> String {
    let selects =
        |name: &str| stage.world.service(name).unwrap().selects.clone().map_or("-".to_owned(), |h| h.to_string());
    let stable = stage.world.status.stable_ping_pong.map_or("-", Side::as_str);
    format!("ping {} pong {} stable {stable}", selects("ping"), selects("pong"))
}

//= compat: 1.10-1, 1.10-2, 2.7-19
#[test]
fn the_services_swap_at_every_promotion() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], swapping));
    assert_eq!(
        roles(&stage),
        "ping v1 pong - stable ping",
        "empty means that ping is the canary, so the first is ping"
    );
    stage.template("v2");
    stage.settle();
    assert_eq!(roles(&stage), "ping v1 pong v2 stable ping");
    stage.promote();
    stage.settle();
    assert_eq!((roles(&stage).as_str(), stage.state().as_str()), ("ping v1 pong v2 stable pong", "Healthy step 2"));
    stage.template("v3");
    stage.settle();
    assert_eq!(roles(&stage), "ping v3 pong v2 stable pong");
    stage.promote();
    stage.settle();
    assert_eq!(roles(&stage), "ping v3 pong v2 stable ping");
}

//= compat: 1.10-2, 1.10-3
#[test]
fn going_back_swaps_nothing() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], swapping));
    intent::abort(&mut stage.world.status);
    stage.wait(60);
    assert_eq!((roles(&stage).as_str(), stage.weight()), ("ping v1 pong v2 stable ping", Some(0)));
    stage.template("v1");
    stage.wait(60);
    assert_eq!((roles(&stage).as_str(), stage.state().as_str()), ("ping v1 pong v2 stable ping", "Healthy step 2"));
}

/// The service of the canary is pointed at the new version before that has a member, since nothing is sent there yet.
//= compat: 1.10-3
#[test]
fn the_canary_service_waits_for_no_member_but_for_the_traffic_to_leave() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], swapping));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    assert_eq!(roles(&stage), "ping v1 pong v2 stable ping");
    stage.all_available();
    stage.settle();
    assert_eq!(stage.weight(), Some(50));
    // A third version in the middle: half of the requests still go to the second.
    stage.router_obeys = false;
    stage.template("v3");
    stage.settle();
    assert_eq!((roles(&stage).as_str(), stage.weight()), ("ping v1 pong v2 stable ping", Some(50)));
    stage.router_catches_up();
    stage.settle();
    assert_eq!((roles(&stage).as_str(), stage.weight()), ("ping v1 pong v3 stable ping", Some(0)));
}

/// No promotion sends a request elsewhere: only what the weights are called changes.
//= compat: 1.10-2
#[test]
fn a_promotion_points_no_service() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], swapping));
    stage.promote();
    for _ in 0..30 {
        stage.all_available();
        let decision = stage.pass();
        let pointed = decision.actions.iter().any(|a| matches!(a, Action::PointService { .. }));
        assert!(!pointed, "{:?}", decision.actions);
    }
    assert_eq!(stage.state(), "Healthy step 2");
}

/// Beside the pair, the other two services are kept as without it.
//= compat: 1.10-4
#[test]
fn the_other_services_may_stand_beside() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], |_, canary| {
        canary.ping_pong = Some(PingPong { ping: "ping".to_owned(), pong: "pong".to_owned() });
    }));
    judged_settle(&mut stage, 20);
    let selects = |name: &str| stage.world.service(name).unwrap().selects.clone().unwrap().to_string();
    let all = ["svc-stable", "svc-canary", "ping", "pong"].map(selects);
    assert_eq!(all, ["v1", "v2", "v1", "v2"]);
}
