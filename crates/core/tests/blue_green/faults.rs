//! Mistakes that decisions once made, each with the world that showed it.

use serin_core::analysis::RunPhase;

use crate::setting::{deployed, rollout, services, stable, template, updating};
use crate::stage::Stage;

fn forget(stage: &mut Stage) {
    stage.world.services.iter_mut().for_each(|s| s.selects = None);
}

/// A router that began anew, or a manifest that was applied again, left the services without a version: the users were given
/// the new one, unjudged and unpromoted, as if nothing had ever been deployed.
#[test]
fn a_service_that_forgot_its_version_gets_it_back() {
    let mut stage = updating(|own| own.auto_promotion = false);
    assert_eq!(services(&stage), "v1/v2");
    forget(&mut stage);
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.state().as_str()), ("v1/v2", "Paused: BlueGreenPause"));

    stage.world.rollout.paused = true;
    forget(&mut stage);
    stage.settle();
    assert_eq!(services(&stage), "v1/-", "users are served while a person holds the rollout, too");
}

/// The same after the switch: the version under judgement stays, and is not promoted before it was seen to be served.
#[test]
fn a_switch_that_was_forgotten_is_made_again() {
    let mut stage = updating(|own| own.post_promotion = true);
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v1"));
    stage.run_ends("svc-v2-2-post", RunPhase::Successful, "");
    forget(&mut stage);
    let first = stage.pass();
    assert!(first.actions.iter().any(|a| a.to_string() == "service svc-active selects v2"), "{:?}", first.actions);
    assert_eq!(stable(&stage), "v1");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v2"));
}

/// A version that is aborted while its service forgot goes back to stable.
#[test]
fn an_abort_of_a_forgotten_switch_goes_back() {
    let mut stage = updating(|own| own.post_promotion = true);
    forget(&mut stage);
    serin_core::intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(services(&stage).split('/').next(), Some("v1"));
}

/// The first version was promoted but never given the users, because a person held the rollout; its successor came, and
/// nobody answered until that was ready.
#[test]
fn the_first_version_is_owed_to_the_users_before_its_successor() {
    let mut stage = Stage::new(rollout(|own| own.auto_promotion = false));
    stage.world.rollout.paused = true;
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("-/-", "v1"));
    stage.world.rollout.paused = false;
    template(&mut stage, "v2");
    stage.members_come = false;
    stage.settle();
    assert_eq!(services(&stage), "v1/v2");
    stage.members_come = true;
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.phase()), ("v1/v2", "Paused"), "and the successor waits for its word");
}

/// The same where the first version has no member left: its successor is better than nobody.
#[test]
fn the_first_version_is_not_owed_without_members() {
    let mut stage = Stage::new(rollout(|own| own.auto_promotion = false));
    stage.world.rollout.paused = true;
    stage.settle();
    stage.world.rollout.paused = false;
    stage.members_come = false;
    stage.available("v1", 0);
    template(&mut stage, "v2");
    stage.settle();
    stage.available("v2", 3);
    stage.settle();
    assert_eq!(services(&stage), "v2/v2");
}

/// The empty hash of no steps was written as nothing and read back as nothing, so the memory was never equal to itself.
#[test]
fn without_steps_no_hash_of_steps_is_kept() {
    let stage = deployed(|_| {});
    assert_eq!(stage.world.status.current_steps_hash, None);
}

/// A service forgot a version that had lost its members while a run waited for a person: users were given nothing, though
/// stable could have answered.
#[test]
fn a_forgotten_version_without_members_gives_way_to_stable() {
    let mut stage = updating(|own| own.post_promotion = true);
    stage.run_ends("svc-v2-2-post", RunPhase::Inconclusive, "");
    stage.settle();
    stage.members_come = false;
    stage.available("v2", 0);
    forget(&mut stage);
    stage.settle();
    assert_eq!((services(&stage).split('/').next(), stage.phase()), (Some("v1"), "Paused"));
}
