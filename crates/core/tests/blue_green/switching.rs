//! When the users are switched, and what holds the switch back.

use serin_core::analysis::RunPhase;
use serin_core::{Span, intent};

use crate::setting::{deployed, replicas, runs, services, stable, template, updating};

//= compat: 1.6-2, 2.10-2, 2.10-5
#[test]
fn the_switch_waits_for_its_seconds() {
    let mut stage = deployed(|own| own.auto_promotion_delay = Span::from_secs(20));
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.settle();
    stage.wait(100);
    assert_eq!(services(&stage), "v1/v2", "the countdown begins when the members are there");
    stage.all_available();
    stage.wait(20);
    assert_eq!((services(&stage).as_str(), stage.state().as_str()), ("v1/v2", "Paused: BlueGreenPause"));
    assert_eq!(stage.next(), " | paused-until");
    stage.wait(1);
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v2"));
    assert!(stage.told().contains(&"RolloutResumed: Rollout is resumed".to_owned()));
}

//= compat: 1.6-1
#[test]
fn seconds_mean_nothing_where_a_person_promotes() {
    let mut stage = updating(|own| {
        own.auto_promotion = false;
        own.auto_promotion_delay = Span::from_secs(20);
    });
    stage.wait(1000);
    assert_eq!((services(&stage).as_str(), stage.next().as_str()), ("v1/v2", " | paused-for-person"));
    stage.promote();
    stage.settle();
    assert_eq!(services(&stage), "v2/v2");
}

/// A member lost in the moment of the promotion must not make the person's word forgotten.
#[test]
fn a_promotion_is_remembered_while_members_come_back() {
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.members_come = false;
    stage.available("v2", 2);
    stage.promote();
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.phase()), ("v1/v2", "Progressing"));
    stage.all_available();
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v2"));
}

//= compat: 2.10-1, 2.10-3, 2.7-12
#[test]
fn a_full_promotion_skips_pause_and_analysis_and_preview_size() {
    let mut stage = updating(|own| {
        own.auto_promotion = false;
        own.pre_promotion = true;
        own.post_promotion = true;
        own.preview_replicas = Some(1);
    });
    assert_eq!((stage.sizes().as_str(), runs(&stage).as_str()), ("v1 3, v2 1", "svc-v2-2-pre Running"));
    stage.members_come = false;
    stage.promote_full();
    stage.settle();
    assert_eq!((stage.sizes().as_str(), services(&stage).as_str()), ("v1 3, v2 3", "v1/v2"), "but not the members");
    stage.all_available();
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v2"));
    assert!(!stage.world.status.promote_full);
    assert!(stage.told().iter().any(|e| e.ends_with("Full promotion requested")));
}

//= compat: 1.2-7, 2.7-5
#[test]
fn a_person_who_halts_the_rollout_halts_both_services() {
    let mut stage = deployed(|_| {});
    stage.world.rollout.paused = true;
    template(&mut stage, "v2");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.sizes().as_str()), ("v1/v1", "v1 3, v2 3"), "sizes go on");
    assert_eq!(stage.state(), "Paused: manually paused");
    stage.world.rollout.paused = false;
    stage.settle();
    assert_eq!(services(&stage), "v2/v2");
}

/// Nothing is promoted, and no member goes, before the router was seen to have switched.
//= compat: 2.7-18
#[test]
fn what_follows_the_switch_waits_for_it() {
    let mut stage = deployed(|own| own.scale_down_delay = Some(Span::ZERO));
    stage.services_obey = false;
    template(&mut stage, "v2");
    stage.wait(100);
    assert_eq!((services(&stage).as_str(), stable(&stage), stage.sizes().as_str()), ("v1/v1", "v1", "v1 3, v2 3"));
    assert_eq!(stage.state(), "Progressing: active service cutover pending");
    stage.services_catch_up();
    stage.settle();
    assert_eq!((stable(&stage), stage.sizes().as_str()), ("v2", "v2 3"));
}

//= compat: 2.7-6, 2.10-4
#[test]
fn an_abort_after_the_switch_brings_the_users_back() {
    let mut stage = updating(|own| own.post_promotion = true);
    assert_eq!(
        (services(&stage).as_str(), stable(&stage), runs(&stage).as_str()),
        ("v2/v2", "v1", "svc-v2-2-post Running")
    );
    // A broken version loses members: that must not keep the users with it.
    stage.members_come = false;
    stage.available("v2", 1);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(
        (services(&stage).as_str(), runs(&stage).as_str()),
        ("v1/v2", "svc-v2-2-post Successful"),
        "and stops the run"
    );
    stage.wait(31);
    assert_eq!(stage.sizes(), "v1 3");
    intent::retry(&mut stage.world.status);
    stage.members_come = true;
    stage.settle();
    assert_eq!(
        (services(&stage).as_str(), runs(&stage).as_str()),
        ("v2/v2", "svc-v2-2-post Successful, svc-v2-2-post.1 Running")
    );
}

/// While stable has no member at all, an abort leaves the users where at least somebody answers.
#[test]
fn an_abort_does_not_send_the_users_to_nobody() {
    let mut stage = updating(|own| own.post_promotion = true);
    stage.members_come = false;
    stage.available("v1", 0);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(services(&stage), "v2/v2");
    stage.available("v1", 1);
    stage.settle();
    assert_eq!(services(&stage), "v1/v2");
}

/// Where nobody answers at all, an abort waits for no one.
#[test]
fn an_abort_goes_back_from_nobody_to_nobody() {
    let mut stage = updating(|own| own.post_promotion = true);
    stage.members_come = false;
    stage.available("v1", 0);
    stage.available("v2", 0);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(services(&stage), "v1/v2");
}

//= compat: 2.4-1, 2.4-2
#[test]
fn another_template_starts_over_and_another_size_does_not() {
    let mut stage = updating(|own| {
        own.auto_promotion = false;
        own.pre_promotion = true;
    });
    stage.run_ends("svc-v2-2-pre", RunPhase::Successful, "");
    stage.settle();
    replicas(&mut stage, 5);
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.state().as_str()), ("v1 5, v2 5", "Paused: BlueGreenPause"));
    template(&mut stage, "v3");
    stage.settle();
    assert_eq!(
        (stage.state().as_str(), services(&stage).as_str()),
        ("Progressing: active service cutover pending", "v1/v3")
    );
    assert!(runs(&stage).ends_with("svc-v3-3-pre Running"));
    assert!(stage.world.status.pauses.is_empty());
}

/// The template goes back to the stable version after the switch: the users go back at once, without pause or analysis.
//= compat: 2.7-13, 4.2-7
#[test]
fn going_back_to_stable_is_fast() {
    let mut stage = updating(|own| {
        own.post_promotion = true;
        own.pre_promotion = false;
    });
    assert_eq!(services(&stage), "v2/v2");
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage), stage.state().as_str()), ("v1/v1", "v1", "Healthy"));
    assert!(stage.world.runs.iter().all(|r| r.phase.is_completed()));
}

/// An aborted version waits for its scale-down as a former stable one does, but it never proved itself: the original skips
/// its analysis on the second try.
#[test]
fn an_aborted_version_is_judged_again_on_the_second_try() {
    let mut stage = updating(|own| own.pre_promotion = true);
    stage.run_ends("svc-v2-2-pre", RunPhase::Failed, "");
    stage.settle();
    assert!(stage.pool("v2").scale_down_at.is_some());
    template(&mut stage, "v1");
    stage.settle();
    template(&mut stage, "v2");
    stage.settle();
    assert_eq!(services(&stage), "v1/v2");
    assert!(runs(&stage).ends_with("svc-v2-4-pre Running"), "{}", runs(&stage));
}

//= compat: 2.7-13
#[test]
fn a_rollback_within_the_window_is_fast() {
    let mut stage = deployed(|own| {
        own.pre_promotion = true;
        own.auto_promotion = false;
    });
    stage.world.rollout.rollback_window = Some(1);
    stage.wait(5);
    template(&mut stage, "v2");
    stage.settle();
    stage.promote_full();
    stage.wait(100);
    assert_eq!((stable(&stage), stage.sizes().as_str()), ("v2", "v2 3"), "the former version is gone");
    stage.events.clear();
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((stable(&stage), services(&stage).as_str()), ("v1", "v1/v1"));
    assert!(stage.told().iter().any(|e| e.ends_with("Rollback within window")));
}
