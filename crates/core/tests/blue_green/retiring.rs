//! Which members go, and when.

use serin_core::analysis::RunPhase;
use serin_core::{Span, intent};

use crate::setting::{deployed, replicas, services, stable, template, updating};
use crate::stage::Stage;

fn next_version(stage: &mut Stage, hash: &str) {
    template(stage, hash);
    stage.settle();
}

//= compat: 1.6-3
#[test]
fn no_delay_scales_the_former_version_down_at_once() {
    let stage = updating(|own| own.scale_down_delay = Some(Span::ZERO));
    assert_eq!((stage.sizes().as_str(), stable(&stage)), ("v2 3", "v2"));
}

//= compat: 1.6-5, 2.8-28
#[test]
fn only_so_many_former_versions_wait() {
    let mut stage = deployed(|own| own.scale_down_delay_revision_limit = Some(1));
    next_version(&mut stage, "v2");
    next_version(&mut stage, "v3");
    assert_eq!(stage.sizes(), "v2 3, v3 3", "the newest waits");
    stage.wait(31);
    assert_eq!(stage.sizes(), "v3 3");
}

//= compat: 2.4-5, 10.21
#[test]
fn a_version_from_the_middle_stays_for_the_delay() {
    let mut stage = updating(|own| own.auto_promotion = false);
    next_version(&mut stage, "v3");
    assert_eq!((stage.sizes().as_str(), services(&stage).as_str()), ("v1 3, v2 3, v3 3", "v1/v3"));
    stage.wait(31);
    assert_eq!(stage.sizes(), "v1 3, v3 3");
}

/// One that never was stable does not grow while it waits, one that was keeps the size that the users would need.
#[test]
fn what_waits_has_the_size_it_may_need() {
    let mut stage = updating(|own| {
        own.auto_promotion = false;
        own.preview_replicas = Some(1);
    });
    next_version(&mut stage, "v3");
    assert_eq!(stage.sizes(), "v1 3, v2 1, v3 1");
    stage.promote();
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stable(&stage)), ("v1 3, v2 1, v3 3", "v3"));
    replicas(&mut stage, 5);
    stage.settle();
    assert_eq!(stage.sizes(), "v1 5, v2 1, v3 5");
}

//= compat: 1.6-4, 2.8-35
#[test]
fn former_versions_stay_until_the_analysis_after_the_switch_has_spoken() {
    for (delay, kept) in [(None, true), (Some(Span::from_secs(30)), false)] {
        let mut stage = deployed(|own| {
            own.post_promotion = true;
            own.scale_down_delay = delay;
        });
        next_version(&mut stage, "v2");
        stage.run_ends("svc-v2-2-post", RunPhase::Successful, "");
        stage.settle();
        assert_eq!(stable(&stage), "v2");
        next_version(&mut stage, "v3");
        stage.wait(100);
        let sizes = if kept { "v1 3, v2 3, v3 3" } else { "v2 3, v3 3" };
        assert_eq!(stage.sizes(), sizes, "{delay:?}");
        stage.run_ends("svc-v3-3-post", RunPhase::Successful, "");
        stage.wait(100);
        assert_eq!(stage.sizes(), "v3 3");
    }
}

//= compat: 2.8-35
#[test]
fn nothing_is_taken_away_while_an_analysis_is_inconclusive() {
    let mut stage = updating(|own| {
        own.post_promotion = true;
        own.scale_down_delay = Some(Span::ZERO);
    });
    next_version(&mut stage, "v3");
    stage.run_ends("svc-v3-3-post", RunPhase::Inconclusive, "");
    let before = stage.sizes();
    stage.wait(500);
    assert_eq!((stage.sizes(), stage.state().as_str()), (before, "Paused: InconclusiveAnalysisRun"));
}

//= compat: 2.7-8
#[test]
fn an_aborted_version_without_a_delay_stays_for_good() {
    let mut stage = updating(|own| {
        own.auto_promotion = false;
        own.abort_scale_down_delay = Some(Span::ZERO);
    });
    intent::abort(&mut stage.world.status);
    stage.wait(1000);
    assert_eq!(stage.sizes(), "v1 3, v2 3");
}

//= compat: 2.7-7, 2.8-34
#[test]
fn an_aborted_version_stays_until_stable_is_whole() {
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.members_come = false;
    stage.available("v1", 2);
    intent::abort(&mut stage.world.status);
    stage.wait(100);
    assert_eq!(stage.sizes(), "v1 3, v2 3");
    stage.available("v1", 3);
    stage.wait(31);
    assert_eq!(stage.sizes(), "v1 3");
}

//= compat: 2.8-31
#[test]
fn a_retry_keeps_the_members() {
    let mut stage = updating(|own| own.auto_promotion = false);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert!(stage.pool("v2").scale_down_at.is_some());
    intent::retry(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.pool("v2").scale_down_at, None);
    stage.wait(100);
    assert_eq!((stage.sizes().as_str(), stage.state().as_str()), ("v1 3, v2 3", "Paused: BlueGreenPause"));
}

/// A rollback that waits for members past the end of the delay is an ordinary update from then on.
#[test]
fn a_rollback_is_fast_only_within_the_delay() {
    let mut stage = deployed(|own| own.pre_promotion = true);
    template(&mut stage, "v2");
    stage.settle();
    stage.run_ends("svc-v2-2-pre", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stable(&stage), "v2");
    stage.members_come = false;
    stage.available("v1", 2);
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.sizes().as_str()), ("v2/v1", "v1 3, v2 3"));
    stage.wait(31);
    stage.all_available();
    stage.settle();
    assert_eq!(services(&stage), "v2/v1");
    assert_eq!(stage.next(), " | awaiting-run");
}

/// A third version arrives while the second has the users and is not promoted: the second must not lose its members.
#[test]
fn the_version_that_has_the_users_keeps_its_members() {
    let mut stage = updating(|own| {
        own.post_promotion = true;
        own.pre_promotion = false;
        own.scale_down_delay = Some(Span::from_secs(10));
    });
    assert_eq!(services(&stage), "v2/v2");
    stage.members_come = false;
    template(&mut stage, "v3");
    stage.wait(100);
    assert_eq!((services(&stage).as_str(), stage.sizes().as_str()), ("v2/v3", "v1 3, v2 3, v3 3"));
    intent::abort(&mut stage.world.status);
    stage.wait(100);
    assert_eq!((services(&stage).as_str(), stage.sizes().as_str()), ("v1/v3", "v1 3"));
}

/// A limit that comes later holds for those that wait already: the older one goes.
//= compat: 1.6-5
#[test]
fn a_later_limit_sends_the_older_version_away() {
    let mut stage = deployed(|_| {});
    next_version(&mut stage, "v2");
    next_version(&mut stage, "v3");
    assert_eq!(stage.sizes(), "v1 3, v2 3, v3 3");
    let serin_core::Strategy::BlueGreen(own) = &mut stage.world.rollout.strategy else { unreachable!() };
    own.scale_down_delay_revision_limit = Some(1);
    stage.settle();
    assert_eq!(stage.sizes(), "v2 3, v3 3");
}
