//! Mistakes that decisions once made, each with the world that showed it.

use serin_core::analysis::RunPhase;
use serin_core::plugin::PluginPhase;
use serin_core::rollout::{CanaryScale, Threshold};
use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
use serin_core::{Span, Step, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, as_is, basic, rollout, weight};

/// The abort of a full promotion had no effect on sizes: the bad version went on to grow.
#[test]
fn an_abort_after_a_full_promotion_wins() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], basic(1, 0)));
    stage.members_come = false;
    stage.promote_full();
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    stage.members_come = true;
    judged_settle(&mut stage, 40);
    assert_eq!((stage.sizes().as_str(), stage.world.status.promote_full), ("v1 4", false));
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep", "a retry begins with the first step");
}

/// With `dynamicStableScale` a third version aborts while the second still has most of the traffic: what is left on the way
/// back stays with the second, and the third, which has no members, is not made to grow.
#[test]
fn an_abort_leaves_the_rest_with_the_version_that_has_it() {
    let mut stage = Stage::updating(rollout(&[weight(75), PAUSE], |_, canary| canary.dynamic_stable_scale = true));
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 1, v2 3", Some(75)));
    stage.template("v3");
    stage.members_come = false;
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 20);
    let split = stage.world.split.clone().unwrap();
    assert_eq!((split.canary.as_str(), split.weight), ("v2", 75));
    assert_eq!(stage.sizes(), "v1 4, v2 3");
    stage.all_available();
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(0), "v1 4"));
}

/// A canary smaller than its weight needs is what `setCanaryScale` may ask for; the step waited for it for ever.
#[test]
fn a_canary_scale_below_the_weight_is_reached() {
    let small = |scale| Step::SetCanaryScale(scale);
    let steps = [weight(75), small(CanaryScale::Replicas(1)), small(CanaryScale::Weight(0)), PAUSE];
    let mut stage = Stage::deployed(rollout(&steps, as_is));
    stage.template("v2");
    stage.router_obeys = false;
    let mut seen = Vec::new();
    for _ in 0..12 {
        judged_settle(&mut stage, 20);
        seen.push(format!("{} at {}", stage.sizes(), stage.weight().unwrap()));
        seen.dedup();
        stage.router_catches_up();
    }
    assert_eq!(seen, ["v1 4, v2 3 at 0", "v1 4, v2 1 at 75", "v1 4 at 0"]);
    assert_eq!(stage.state(), "Paused step 3: CanaryPauseStep");
}

/// With `dynamicStableScale` the abort of an update that began before stable ever had a member sent everything to it.
#[test]
fn an_abort_gives_no_weight_to_a_canary_that_never_had_any() {
    let mut stage = Stage::new(rollout(&[weight(75), PAUSE], |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    judged_settle(&mut stage, 20);
    stage.template("v2");
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 20);
    assert_eq!(stage.world.split, None);
    stage.members_come = true;
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(0), "v1 4"));
}

/// Fewer replicas than `replicaProgressThreshold` asks for: the update was stuck.
#[test]
fn a_threshold_above_the_replicas_is_all_of_them() {
    for threshold in [Threshold::Pods(9), Threshold::Percent(250)] {
        let steps = [weight(50)];
        let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.progress_threshold = Some(threshold)));
        stage.wait(60);
        assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Healthy step 1", "v2 4"), "{threshold:?}");
    }
}

/// The replicas change in the same moment as an abort is asked for: the members were gone before the traffic was.
#[test]
fn an_abort_with_other_replicas_keeps_members_until_the_traffic_is_gone() {
    for delay in [None, Some(Span::ZERO)] {
        let steps = [weight(50), PAUSE];
        let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.abort_scale_down_delay = delay));
        stage.router_obeys = false;
        intent::abort(&mut stage.world.status);
        stage.edit(|rollout, _| rollout.replicas = 6);
        judged_settle(&mut stage, 20);
        assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 6, v2 2", Some(50)));
        stage.router_catches_up();
        stage.wait(31);
        assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 6", Some(0)));
    }
}

/// A canary that loses all its members kept its weight for as long as one stable member was missing.
#[test]
fn a_dead_canary_keeps_no_traffic() {
    for dynamic in [false, true] {
        let steps = [weight(50), PAUSE];
        let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = dynamic));
        assert_eq!(stage.weight(), Some(50));
        stage.members_come = false;
        stage.available("v2", 0);
        stage.available("v1", 1);
        judged_settle(&mut stage, 20);
        assert_eq!(stage.weight(), Some(0), "dynamic: {dynamic}");
    }
}

/// A step to a lower weight: members waited for the traffic to leave, and the traffic for the members.
#[test]
fn a_lower_weight_is_reached() {
    for dynamic in [false, true] {
        let steps = [weight(75), weight(25), PAUSE];
        let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = dynamic));
        stage.wait(1);
        let stable = if dynamic { 3 } else { 4 };
        assert_eq!((stage.weight(), stage.sizes()), (Some(25), format!("v1 {stable}, v2 1")));
        assert_eq!(stage.state(), "Paused step 2: CanaryPauseStep");
    }
}

/// While it waited for a person after an inconclusive run, nothing said so but in the first pass.
#[test]
fn an_inconclusive_pause_goes_on_giving_its_reason() {
    let mut stage = Stage::updating(rollout(&[weight(50), Step::Analysis], as_is));
    stage.run_ends("svc-v2-2-1", RunPhase::Inconclusive, "neither good nor bad");
    stage.wait(1000);
    assert_eq!(stage.next(), " | paused-inconclusive");
}

/// A small weight rounds to no member at all: stable got it with none.
#[test]
fn no_weight_is_too_small_to_need_a_member() {
    let steps = [weight(100), PAUSE, weight(97), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(100), "v2 4"));
    stage.members_come = false;
    stage.promote();
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(100), "v1 1, v2 4"));
    stage.all_available();
    judged_settle(&mut stage, 20);
    assert_eq!(stage.weight(), Some(97));
}

/// With `minPodsPerReplicaSet` the way back of an abort stopped in the middle: the canary never got as small as the next
/// step down asked for.
#[test]
fn an_abort_by_steps_ends_with_a_minimum_of_members() {
    let steps = [weight(25), weight(50), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| {
        canary.dynamic_stable_scale = true;
        canary.min_pods = Some(3);
    }));
    stage.wait(1);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(50), "v1 3, v2 3"));
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 30);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(0), "v1 4"));
}

/// A header route kept the members of a canary that was to have none, and those kept the route.
#[test]
fn a_header_route_goes_with_the_last_member() {
    let value = ValueMatch::Exact("yes".to_owned());
    let matches = vec![HeaderMatch { header: "x-tester".to_owned(), value }];
    let route = Step::SetHeaderRoute(HeaderRoute { name: "testers".to_owned(), matches });
    let mut stage = Stage::updating(rollout(&[weight(25), route, PAUSE, weight(0), PAUSE], as_is));
    stage.wait(1);
    assert_eq!(stage.world.split.as_ref().map(|s| s.header_routes.len()), Some(1));
    stage.promote();
    judged_settle(&mut stage, 20);
    assert_eq!(stage.world.split.as_ref().map(|s| s.header_routes.len()), Some(0));
    assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Paused step 4: CanaryPauseStep", "v1 4"));
}

/// An update that began before stable ever had all its members: stable was shrunk for a weight that nobody carried yet, and
/// then was too small for its first one.
#[test]
fn stable_is_whole_before_the_first_split() {
    let steps = [weight(50), PAUSE];
    let mut stage = Stage::new(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    judged_settle(&mut stage, 20);
    stage.available("v1", 3);
    stage.template("v2");
    judged_settle(&mut stage, 20);
    assert_eq!(stage.sizes(), "v1 4, v2 2");
    stage.members_come = true;
    judged_settle(&mut stage, 20);
    assert_eq!((stage.state().as_str(), stage.weight()), ("Paused step 1: CanaryPauseStep", Some(50)));
}

/// A rollback within the window, aborted and tried again: its first step was an analysis that no run was made for.
#[test]
fn a_retry_within_the_rollback_window_skips_the_steps_too() {
    let steps = [Step::Analysis, weight(50)];
    let mut stage = Stage::deployed(rollout(&steps, |rollout, _| rollout.rollback_window = Some(2)));
    stage.now = stage.now + Span::from_secs(100);
    stage.template("v2");
    stage.settle();
    stage.promote_full();
    stage.wait(60);
    assert_eq!(stage.sizes(), "v2 4");
    stage.members_come = false;
    stage.template("v1");
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    stage.wait(60);
    assert_eq!(stage.sizes(), "v2 4", "the delay of the abort is over");
    intent::retry(&mut stage.world.status);
    stage.members_come = true;
    judged_settle(&mut stage, 20);
    assert_eq!((stage.state().as_str(), stage.world.runs.len()), ("Healthy step 2", 1), "the run is v2's");
}

/// While stable lacked members the weight stayed where it was, and the step to it counted as done all the same.
#[test]
fn a_step_that_moved_no_traffic_is_not_complete() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    stage.template("v2");
    stage.members_come = false;
    judged_settle(&mut stage, 20);
    stage.available("v1", 1);
    stage.available("v2", 2);
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.world.status.step_index), (Some(0), Some(0)));
    assert_eq!(stage.next(), " | stable-too-small");
    stage.available("v1", 2);
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.world.status.step_index), (Some(50), Some(1)));
}

/// Steps that change in the middle begin again below the weight that the canary has: with `dynamicStableScale` stable was to
/// take everything and to be smaller at once.
#[test]
fn other_steps_in_the_middle_begin_from_the_weight_there_is() {
    let steps = [weight(100), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(100), "v2 4"));
    stage.edit(|rollout, canary| {
        rollout.steps_hash = "others".to_owned();
        canary.steps = vec![weight(50), PAUSE];
    });
    judged_settle(&mut stage, 20);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(50), "v1 2, v2 2"));
}

/// With `dynamicStableScale` a `setCanaryScale` decides the size of stable too: it never got ready for a weight that was to come
/// back to it.
#[test]
fn stable_gets_ready_for_a_lower_weight_beside_a_canary_scale() {
    let steps = [weight(75), Step::SetCanaryScale(CanaryScale::Weight(75)), weight(25), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    stage.wait(1);
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(25), "v1 3, v2 3"));
    assert_eq!(stage.state(), "Paused step 3: CanaryPauseStep");
}

/// Nothing ever promoted a routed canary of no replicas: no member could show its weight.
#[test]
fn no_replicas_are_promoted_with_a_router() {
    let mut stage = Stage::updating(rollout(&[weight(50)], |rollout, _| rollout.replicas = 0));
    stage.wait(1);
    assert_eq!((stage.phase(), stage.world.status.stable.as_ref().unwrap().as_str()), ("Healthy", "v2"));
}

/// A background run that ended inconclusive in the middle of a pause step was taken for resumed, because the pause had left
/// its mark: runs were begun without end, two hundred at one moment.
#[test]
fn another_pause_does_not_resume_an_inconclusive_run() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], |_, canary| canary.background_from = Some(0)));
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
    stage.run_ends("svc-v2-2", RunPhase::Inconclusive, "");
    judged_settle(&mut stage, 10);
    assert_eq!(stage.world.runs.len(), 1);
    assert!(stage.next().contains("paused-inconclusive"), "{}", stage.next());
}

/// The promotion that answered an inconclusive background run ended the pause step after it as well, before that had begun.
#[test]
fn going_on_after_an_inconclusive_run_does_not_skip_the_next_pause() {
    let steps = [weight(25), Step::Analysis, PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.background_from = Some(0)));
    stage.run_ends("svc-v2-2", RunPhase::Inconclusive, "");
    judged_settle(&mut stage, 10);
    stage.promote();
    judged_settle(&mut stage, 10);
    assert_eq!(stage.world.runs.len(), 3, "another background run");
    stage.run_ends("svc-v2-2-1", RunPhase::Successful, "");
    judged_settle(&mut stage, 10);
    assert_eq!(stage.state(), "Paused step 2: CanaryPauseStep");
}

/// Without a router, a stable version whose members never came held the places that its successor needed, and not even a
/// full promotion helped.
#[test]
fn a_stable_version_without_members_makes_room() {
    let mut stage = Stage::new(rollout(&[], basic(1, 0)));
    stage.members_come = false;
    judged_settle(&mut stage, 10);
    stage.template("v2");
    for _ in 0..12 {
        judged_settle(&mut stage, 20);
        if stage.world.pool(&"v2".into()).is_some() {
            let size = stage.pool("v2").members;
            stage.available("v2", size);
        }
    }
    assert_eq!((stage.sizes().as_str(), stage.phase()), ("v2 4", "Healthy"));
}

/// Who promoted an aborted update skipped its first step, and the retry after it began with the second: a version whose
/// analysis had failed was promoted.
#[test]
fn promoting_an_aborted_update_skips_nothing() {
    let mut stage = Stage::updating(rollout(&[Step::Analysis], as_is));
    stage.run_ends("svc-v2-2-0", RunPhase::Failed, "");
    judged_settle(&mut stage, 10);
    stage.promote();
    assert_eq!(stage.world.status.step_index, Some(0));
    // The field may be written by others.
    stage.world.status.step_index = Some(1);
    judged_settle(&mut stage, 10);
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 10);
    assert_eq!((stage.world.status.step_index, stage.world.runs.len()), (Some(0), 2));
}

/// An abort that was taken back and asked for again before anything was decided had no time, so that its retry was not known as
/// one, and waited for a plugin of the try before.
#[test]
fn a_retry_after_two_aborts_begins_anew() {
    let steps = [crate::plugins::plugin("acme/gate")];
    let mut stage = Stage::deployed(rollout(&steps, |rollout, canary| {
        rollout.replicas = 0;
        crate::stage::without_router(canary);
    }));
    stage.template("v2");
    judged_settle(&mut stage, 20);
    intent::abort(&mut stage.world.status);
    stage.pass();
    stage.promote_full();
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 20);
    stage.plugin_answers(crate::plugins::says(PluginPhase::Successful, ""));
    judged_settle(&mut stage, 20);
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 20);
    assert_eq!(stage.next(), " | awaiting-plugin");
}

/// Where the run that was inconclusive is not known any more, the pause that it led to gave no reason.
#[test]
fn an_inconclusive_pause_without_its_run_gives_a_reason_too() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    let now = stage.now;
    stage.world.status.clear_pauses();
    stage.world.status.add_pause(serin_core::status::PauseReason::InconclusiveAnalysisRun, now);
    stage.settle();
    assert_eq!(stage.next(), " | paused-for-person");
}

/// A header route is traffic too: while stable lacked members, the requests that it took to a canary without any were answered
/// by nobody.
#[test]
fn a_header_route_leaves_a_dead_canary_though_stable_lacks_members() {
    let value = ValueMatch::Exact("yes".to_owned());
    let matches = vec![HeaderMatch { header: "x-tester".to_owned(), value }];
    let route = Step::SetHeaderRoute(HeaderRoute { name: "testers".to_owned(), matches });
    let experiment = crate::experiment::experiment(&[("a", 10)]);
    let mut stage = Stage::updating(rollout(&[route, PAUSE, experiment], |_, canary| {
        canary.steps.insert(0, Step::SetCanaryScale(CanaryScale::Replicas(1)));
    }));
    let header_routes = |stage: &Stage| stage.world.split.as_ref().map(|s| s.header_routes.len());
    stage.members_come = false;
    stage.available("v1", 1);
    stage.promote();
    judged_settle(&mut stage, 20);
    stage.experiments_go_on();
    judged_settle(&mut stage, 20);
    assert_eq!((header_routes(&stage), stage.next().as_str()), (Some(1), " | stable-too-small awaiting-experiment"));
    stage.available("v2", 0);
    judged_settle(&mut stage, 20);
    assert_eq!(header_routes(&stage), Some(0), "{}", stage.brief());
}

/// An abort goes back to the first step, and a `setCanaryScale` there took the members before the traffic was gone.
#[test]
fn an_abort_into_a_canary_scale_keeps_the_members_until_the_traffic_is_gone() {
    let scale = Step::SetCanaryScale;
    let steps = [scale(CanaryScale::Replicas(1)), weight(75), scale(CanaryScale::MatchTrafficWeight), PAUSE];
    let stays = Some(Span::ZERO);
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.abort_scale_down_delay = stays));
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 3", Some(75)));
    stage.router_obeys = false;
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 20);
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 3", Some(75)));
    stage.router_obeys = true;
    judged_settle(&mut stage, 20);
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 1", Some(0)), "the canary is meant to stay");
}
