//! The analysis before and after the switch, and what its results do.

use serin_core::analysis::RunPhase;
use serin_core::condition::Kind;

use crate::setting::{deployed, rollout, runs, services, stable, template, updating};
use crate::stage::Stage;

//= compat: 4.2-1
#[test]
fn a_first_version_is_not_analysed() {
    let mut stage = Stage::new(rollout(|own| (own.pre_promotion, own.post_promotion) = (true, true)));
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.world.runs.len()), ("Healthy", 0));
}

//= compat: 4.2-5
#[test]
fn the_analysis_before_the_switch_begins_with_the_last_member_and_survives_the_loss_of_one() {
    let mut stage = deployed(|own| own.pre_promotion = true);
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.settle();
    stage.available("v2", 2);
    stage.settle();
    assert_eq!(runs(&stage), "");
    stage.all_available();
    stage.settle();
    assert_eq!(runs(&stage), "svc-v2-2-pre Running");
    stage.available("v2", 2);
    stage.settle();
    assert_eq!(runs(&stage), "svc-v2-2-pre Running");
    stage.run_ends("svc-v2-2-pre", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(services(&stage), "v1/v2", "the switch needs every member all the same");
    stage.all_available();
    stage.settle();
    assert_eq!(services(&stage), "v2/v2");
}

//= compat: 4.2-6, 2.7-18
#[test]
fn the_analysis_after_the_switch_decides_about_the_promotion() {
    let mut stage = updating(|own| own.post_promotion = true);
    assert_eq!(stage.state(), "Progressing: waiting for analysis to complete");
    assert_eq!(runs(&stage), "svc-v2-2-post Running");
    stage.run_ends("svc-v2-2-post", RunPhase::Successful, "");
    stage.settle();
    assert_eq!((stable(&stage), stage.says(Kind::Healthy).as_str()), ("v2", "True RolloutHealthy: Rollout is healthy"));
}

//= compat: 2.6-15
#[test]
fn a_bad_result_after_the_switch_brings_the_users_back() {
    for phase in [RunPhase::Failed, RunPhase::Error] {
        let mut stage = updating(|own| own.post_promotion = true);
        stage.run_ends("svc-v2-2-post", phase, "too slow");
        stage.settle();
        assert_eq!((services(&stage).as_str(), stable(&stage)), ("v1/v2", "v1"));
        let cause = "Blue/green post-promotion analysis phase error/failed: too slow";
        assert!(stage.state().ends_with(cause), "{}", stage.state());
    }
}

//= compat: 4.3-3, 4.3-4
#[test]
fn an_inconclusive_run_waits_for_a_person_and_a_new_run_follows() {
    let mut stage = updating(|own| {
        own.pre_promotion = true;
        own.auto_promotion = false;
    });
    stage.run_ends("svc-v2-2-pre", RunPhase::Inconclusive, "neither good nor bad");
    stage.wait(1000);
    assert_eq!((stage.state().as_str(), services(&stage).as_str()), ("Paused: InconclusiveAnalysisRun", "v1/v2"));
    assert_eq!(stage.next(), " | paused-inconclusive");
    stage.promote();
    stage.settle();
    assert_eq!(runs(&stage), "svc-v2-2-pre Inconclusive, svc-v2-2-pre.1 Running");
    stage.run_ends("svc-v2-2-pre.1", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.state(), "Paused: BlueGreenPause", "the person ended one pause, not the other");
    stage.promote();
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v2"));
}

/// The mark of the ended pause was lost before the run was looked at: promoting did nothing, for ever.
//= compat: 4.3-4
#[test]
fn an_inconclusive_run_after_the_switch_is_run_again() {
    let mut stage = updating(|own| own.post_promotion = true);
    stage.run_ends("svc-v2-2-post", RunPhase::Inconclusive, "");
    stage.settle();
    assert_eq!((stage.state().as_str(), services(&stage).as_str()), ("Paused: InconclusiveAnalysisRun", "v2/v2"));
    stage.promote();
    stage.settle();
    assert_eq!(runs(&stage), "svc-v2-2-post Inconclusive, svc-v2-2-post.1 Running");
}

/// A thorough analysis takes longer than the deadline without progress.
#[test]
fn a_long_analysis_is_no_missing_progress() {
    let mut stage = updating(|own| (own.pre_promotion, own.post_promotion) = (true, true));
    stage.wait(5000);
    assert_eq!(stage.phase(), "Progressing");
    stage.run_ends("svc-v2-2-pre", RunPhase::Successful, "");
    stage.wait(5000);
    assert_eq!(stage.phase(), "Progressing");
    let mut stage = deployed(|_| {});
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.wait(700);
    assert!(stage.state().contains("ProgressDeadlineExceeded"), "members that never come are");
}

//= compat: 2.5-1, 2.6-3, 2.6-5
#[test]
fn health_is_the_users_view() {
    let mut stage = updating(|own| own.auto_promotion = false);
    assert_eq!(stage.says(Kind::Available), "True AvailableReason: Rollout has minimum availability");
    stage.members_come = false;
    stage.available("v2", 0);
    stage.settle();
    assert_eq!(
        (stage.world.status.counts.available, stage.world.status.counts.members),
        (3, 6),
        "the preview does not count"
    );
    stage.available("v1", 2);
    stage.settle();
    assert_eq!(stage.says(Kind::Available), "False AvailableReason: Rollout does not have minimum availability");
}
