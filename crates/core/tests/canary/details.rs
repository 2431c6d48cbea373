//! Small things that decisions depend on and that the larger tests pass by: each of them was found by changing the code and
//! seeing every other test pass.

use serin_core::condition::{Kind, Truth};
use serin_core::phase::Phase;
use serin_core::status::PauseReason;
use serin_core::world::Pool;
use serin_core::{Action, Hash, Reason, Span, Step, World, intent, revision};

use crate::stage::{EPOCH, PAUSE, Stage, as_is, basic, rollout, weight};

#[test]
fn the_words_of_conditions_and_pauses() {
    let kinds = [
        (Kind::InvalidSpec, "InvalidSpec"),
        (Kind::Available, "Available"),
        (Kind::Progressing, "Progressing"),
        (Kind::ReplicaFailure, "ReplicaFailure"),
        (Kind::Paused, "Paused"),
        (Kind::Completed, "Completed"),
        (Kind::Healthy, "Healthy"),
    ];
    kinds.iter().for_each(|(kind, word)| assert_eq!(kind.as_str(), *word));
    let truths = [(Truth::True, "True"), (Truth::False, "False"), (Truth::Unknown, "Unknown")];
    truths.iter().for_each(|(truth, word)| assert_eq!(truth.as_str(), *word));
    let pauses = [
        (PauseReason::CanaryPauseStep, "CanaryPauseStep"),
        (PauseReason::InconclusiveAnalysisRun, "InconclusiveAnalysisRun"),
        (PauseReason::InconclusiveExperiment, "InconclusiveExperiment"),
        (PauseReason::BlueGreenPause, "BlueGreenPause"),
    ];
    pauses.iter().for_each(|(pause, word)| assert_eq!(pause.as_str(), *word));
    let phases = [Phase::Progressing, Phase::Paused, Phase::Healthy, Phase::Degraded];
    assert_eq!(phases.map(Phase::as_str), ["Progressing", "Paused", "Healthy", "Degraded"]);
}

/// An update in which nothing moves: one canary member that is not ready, and stable members of which some are not.
fn hanging() -> Stage {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    let pool = stage.pool("v1");
    (pool.members, pool.ready, pool.available) = (4, 3, 2);
    stage.settle();
    stage
}

fn progressed(edit: impl FnOnce(&mut Stage)) -> bool {
    let mut stage = hanging();
    stage.now = stage.now + Span::from_secs(5);
    edit(&mut stage);
    stage.pass();
    stage.condition(Kind::Progressing).unwrap().updated == stage.now
}

/// Each of these alone is progress, and begins the deadline anew.
//= compat: 2.6-11
#[test]
fn what_counts_as_progress() {
    assert!(!progressed(|_| {}), "time alone is none");
    assert!(progressed(|stage| stage.pool("v2").members = 2), "a new member exists");
    assert!(progressed(|stage| stage.pool("v1").members = 3), "an old member is gone");
    assert!(!progressed(|stage| stage.pool("v1").members = 5), "an old member more is none");
    assert!(progressed(|stage| stage.pool("v1").ready = 4), "a member is ready");
    assert!(!progressed(|stage| stage.pool("v1").ready = 2), "a member less is none");
    assert!(progressed(|stage| stage.pool("v1").available = 3), "a member is available");
    assert!(!progressed(|stage| stage.pool("v1").available = 1), "a member less is none");
    assert!(progressed(|stage| stage.world.rollout.steps_hash = "others".to_owned()), "other steps");
}

/// A step that is done is progress, though no member came or went.
//= compat: 2.6-11
#[test]
fn a_step_is_progress() {
    let mut stage = Stage::deployed(rollout(&[weight(0), weight(0), PAUSE], as_is));
    stage.template("v2");
    let mut steps = 0;
    for _ in 0..12 {
        stage.now = stage.now + Span::from_secs(1);
        let before = stage.world.status.step_index;
        let decision = stage.pass();
        if decision.reasons.iter().any(|r| matches!(r, Reason::StepCompleted { .. })) {
            steps += 1;
            assert_ne!(before, stage.world.status.step_index);
            assert_eq!(stage.condition(Kind::Progressing).unwrap().updated, stage.now, "step {before:?}");
        }
    }
    assert_eq!(steps, 2);
}

/// A world with a pool for each of these times of creation; the first is the version of the spec, the last the stable one.
fn created(times: &[i64], window: Option<u32>) -> World {
    let mut stage = Stage::new(rollout(&[], |rollout, _| rollout.rollback_window = window));
    for (i, at) in times.iter().enumerate() {
        let time = EPOCH + Span::from_millis(*at);
        stage.world.pools.push(Pool::new(Hash::new(format!("v{}", i + 1)), i as u64 + 1, time));
    }
    stage.world.status.stable = Some(Hash::new(format!("v{}", times.len())));
    stage.world
}

/// So many revisions lie between both; whole seconds count.
//= compat: 1.5-1, 1.5-3
#[test]
fn what_lies_within_the_rollback_window() {
    let within = |times: &[i64], window: u32| revision::within_rollback_window(&created(times, Some(window)));
    let four = [1_000, 2_000, 3_000, 4_000];
    assert_eq!([1, 2, 3, 4].map(|window| within(&four, window)), [false, false, true, true]);
    assert!(!within(&four, 0), "a window of no revisions is none");
    assert!(!revision::within_rollback_window(&created(&four, None)));
    assert!(within(&[1_000, 4_000], 1));
    assert!(!within(&[4_000, 1_000], 1), "the spec's version is newer");
    assert!(!within(&[1_000, 1_900], 9), "both are of the same second");
    assert!(within(&[1_000, 1_500, 4_000, 4_000], 1), "neither the second of the one nor of the other lies between");
    assert!(!within(&[1_000, 2_000, 4_000], 1));
}

/// A world in which `v2` is promoted, and `v1` lies within the rollback window and is in the spec again.
fn back_within_the_window() -> Stage {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], |rollout, _| rollout.rollback_window = Some(3)));
    stage.now = stage.now + Span::from_secs(60);
    stage.template("v2");
    stage.settle();
    stage.promote_full();
    stage.wait(100);
    stage.template("v1");
    stage
}

/// A retry within the window has no step to run either.
//= compat: 1.5-4
#[test]
fn a_retry_within_the_window_skips_the_steps_again() {
    let mut stage = back_within_the_window();
    stage.members_come = false;
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(2), "{}", stage.brief());
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(0));
    intent::retry(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(2));
}

/// Without steps there is no index, also on the way back.
//= compat: 2.4-3
#[test]
fn without_steps_going_back_has_no_step() {
    let mut stage = Stage::deployed(rollout(&[], as_is));
    stage.members_come = false;
    stage.template("v2");
    stage.settle();
    stage.template("v1");
    stage.settle();
    assert_eq!(stage.world.status.step_index, None);
}

/// What a step without a router waits for: its own members first, then the end of the others.
#[test]
fn which_members_a_step_waits_for() {
    let waits = |canary: u32, old: u32| {
        let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], basic(2, 0)));
        stage.members_come = false;
        stage.template("v2");
        stage.settle();
        let mut other = Pool::new(Hash::new("v0"), 0, EPOCH);
        (other.size, other.members, other.ready, other.available) = (old, old, old, old);
        stage.world.pools.push(other);
        let size = stage.pool("v2").members;
        stage.available("v2", canary.min(size));
        stage.available("v1", 2);
        stage.next().split(" | ").nth(1).unwrap().to_owned()
    };
    assert_eq!(waits(1, 1), "awaiting-members");
    assert_eq!(waits(2, 1), "awaiting-old-members");
}

/// Stable members that are told to go and still exist hold a step back.
//= compat: 2.9-4
#[test]
fn a_step_waits_for_stable_members_to_be_gone() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], basic(2, 0)));
    stage.template("v2");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.world.status.step_index), ("v1 2, v2 2", Some(1)));
    stage.world.status.step_index = Some(0);
    stage.world.status.clear_pauses();
    stage.pool("v1").members = 3;
    stage.pass();
    assert_eq!(stage.world.status.step_index, Some(0));
    stage.pool("v1").members = 2;
    stage.pass();
    assert_eq!(stage.world.status.step_index, Some(1));
}

/// Other replicas reach the pools that have not learnt them, and no other.
//= compat: 2.2-8
#[test]
fn a_pool_that_knows_the_replicas_is_not_told_again() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], as_is));
    stage.edit(|rollout, _| rollout.replicas = 3);
    stage.pool("v2").replicas_seen = Some(3);
    let scaled: Vec<String> = stage
        .pass()
        .actions
        .iter()
        .filter(|action| matches!(action, Action::ScalePool { .. }))
        .map(ToString::to_string)
        .collect();
    assert_eq!(scaled, ["scale pool v1 to 3"]);
    // It is a pass for that alone, also where only the new version does not know them.
    stage.pool("v2").replicas_seen = Some(2);
    assert_eq!(stage.next(), "scale pool v2 to 1 | resized");
}

/// A canary service that no rollout took over yet is not given a version without members.
//= compat: 2.11-5
#[test]
fn an_unadopted_service_waits_for_members() {
    let mut stage = Stage::deployed(rollout(&[weight(0), PAUSE], as_is));
    stage.world.services[1].selects = None;
    stage.template("v2");
    stage.settle();
    assert_eq!(stage.world.services[1].selects, None, "{}", stage.brief());
}

/// Going back with `dynamicStableScale`, the former canary gives up its share as stable members come, not all at once.
#[test]
fn going_back_gives_up_the_share_bit_by_bit() {
    let steps = [weight(25), weight(50), weight(75), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    assert_eq!(stage.weight(), Some(75));
    stage.members_come = false;
    stage.template("v1");
    stage.settle();
    let mut seen = Vec::new();
    for available in 1..=4 {
        stage.available("v1", available);
        stage.settle();
        seen.push(stage.weight().unwrap());
    }
    assert_eq!(seen, [75, 75, 50, 0]);
}

/// A former canary that has no member left has no share to give up.
#[test]
fn a_dead_former_canary_keeps_no_share() {
    let steps = [weight(25), weight(50), weight(75), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, |_, canary| canary.dynamic_stable_scale = true));
    stage.members_come = false;
    stage.available("v2", 0);
    stage.template("v1");
    stage.settle();
    stage.available("v1", 1);
    stage.settle();
    assert_eq!(stage.weight(), Some(0), "{}", stage.brief());
}

/// An abort ends the header routes in the pass that sees it, also where the canary keeps its members.
//= compat: 6.1-5
#[test]
fn an_abort_ends_header_routes_of_the_first_step() {
    use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
    let matches = vec![HeaderMatch { header: "x-tester".to_owned(), value: ValueMatch::Exact("yes".to_owned()) }];
    let scale = Step::SetCanaryScale(serin_core::rollout::CanaryScale::Replicas(1));
    let steps = [scale, Step::SetHeaderRoute(HeaderRoute { name: "testers".to_owned(), matches }), PAUSE];
    let keeps = |_: &mut _, canary: &mut serin_core::Canary| canary.abort_scale_down_delay = Some(Span::ZERO);
    let mut stage = Stage::updating(rollout(&steps, keeps));
    assert_eq!(stage.world.split.as_ref().unwrap().header_routes.len(), 1);
    intent::abort(&mut stage.world.status);
    stage.pass();
    assert!(stage.world.split.as_ref().unwrap().header_routes.is_empty());
}

/// Where an abort and a full promotion are both asked for, the pass that sees them moves nothing forward.
#[test]
fn an_abort_weighs_more_than_a_promotion_from_the_first_pass_on() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], basic(1, 0)));
    assert_eq!(stage.sizes(), "v1 3, v2 1");
    stage.promote_full();
    stage.world.status.abort = true;
    let decision = stage.pass();
    assert!(!decision.status.promote_full);
    assert!(!stage.sizes().contains("v2 2"), "{}", stage.sizes());
}

/// A run that a person must judge is named once, and only while the pause for it lasts.
#[test]
fn an_inconclusive_run_is_named_once() {
    let named = |stage: &Stage| stage.next().split(' ').filter(|word| *word == "paused-inconclusive").count();
    let mut stage = Stage::updating(rollout(&[Step::Analysis, PAUSE], as_is));
    stage.run_ends("svc-v2-2-0", serin_core::analysis::RunPhase::Inconclusive, "unclear");
    assert_eq!(named(&stage), 1, "as it is noticed");
    stage.settle();
    assert_eq!(named(&stage), 1, "as it lasts");
    stage.world.status.clear_pauses();
    stage.world.rollout.paused = true;
    let decision = stage.pass();
    let count = decision.reasons.iter().filter(|r| matches!(r, Reason::PausedInconclusive { .. })).count();
    assert!(count <= 1, "{:?}", decision.reasons);
}

/// An abort that takes all weight back leaves the name of the version that was aborted, not of the one that had the weight before.
#[test]
fn an_abort_names_the_version_of_the_spec_at_weight_zero() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    assert_eq!(stage.weight(), Some(50));
    stage.template("v3");
    stage.pass();
    stage.pass();
    intent::abort(&mut stage.world.status);
    assert_eq!(
        stage.world.status.weights.as_ref().map(|w| w.canary_hash.as_str()),
        Some("v2"),
        "nothing was shifted yet"
    );
    stage.settle();
    let split = stage.world.split.as_ref().unwrap();
    assert_eq!((split.canary.as_str(), split.weight), ("v3", 0));
}

/// Where the first split gives stable nothing, stable needs no member for it.
#[test]
fn a_first_split_without_a_share_for_stable_needs_no_stable_member() {
    let mut stage = Stage::new(rollout(&[weight(100), PAUSE], as_is));
    stage.members_come = false;
    stage.settle();
    stage.template("v2");
    stage.settle();
    assert_eq!(stage.world.split, None, "neither version answers");
    stage.available("v2", 4);
    stage.settle();
    assert_eq!((stage.weight(), stage.pool("v1").available), (Some(100), 0));
}

/// A lost stable member holds a step back with a router too: stable is to be whole.
//= compat: 2.9-4
#[test]
fn a_step_with_a_router_waits_for_a_whole_stable_pool() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.members_come = false;
    let pool = stage.pool("v1");
    (pool.members, pool.ready, pool.available) = (3, 3, 3);
    stage.template("v2");
    stage.settle();
    stage.available("v2", 1);
    stage.settle();
    assert_eq!((stage.world.status.step_index, stage.weight()), (Some(0), Some(0)), "{}", stage.brief());
    let pool = stage.pool("v1");
    (pool.members, pool.ready, pool.available) = (4, 4, 4);
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(1));
}

/// Stable members that never come give their places to a successor that cannot grow otherwise.
//= compat: 2.8-14
#[test]
fn idle_stable_members_make_room() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], basic(0, 1)));
    stage.members_come = false;
    stage.available("v1", 1);
    stage.template("v2");
    stage.settle();
    assert_eq!(stage.sizes(), "v1 2, v2 2", "{}", stage.brief());
}

/// Other replicas leave an aborted version the members that it keeps for its delay.
//= compat: 2.2-8, 2.7-7
#[test]
fn an_aborted_version_that_waits_is_not_resized() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.sizes(), "v1 4, v2 2");
    stage.edit(|rollout, _| rollout.replicas = 6);
    stage.pass();
    assert_eq!(stage.sizes(), "v1 6, v2 2");
}

/// The pass that sees the former version again, within the window, has no step left at once.
//= compat: 1.5-4
#[test]
fn the_first_pass_within_the_window_skips_the_steps() {
    let mut stage = back_within_the_window();
    let mut first = stage.pass();
    while first.status.current_hash.as_ref().unwrap().as_str() == "v2" {
        first = stage.pass();
    }
    assert_eq!(first.status.step_index, Some(2));
}

/// Of two former versions that leave at the same time, the newest waits where one may.
//= compat: 2.8-28
#[test]
fn plans_of_the_same_pass_count_towards_the_limit() {
    let mut stage = Stage::deployed(rollout(&[weight(25)], |rollout, canary| {
        rollout.hash = "v3".into();
        canary.scale_down_delay_revision_limit = Some(1);
    }));
    stage.pool("v3").revision = 9;
    for (name, revision) in [("v1", 1), ("v2", 2)] {
        let mut pool = stage.pool("v3").clone();
        (pool.hash, pool.revision) = (name.into(), revision);
        stage.world.pools.push(pool);
    }
    assert_eq!(stage.next(), "pool v2 goes to 0 at 1000090s; scale pool v1 to 0 | settled");
}

/// A split that the router carries already asks nothing of stable's members.
//= compat: 2.9-4
#[test]
fn stable_may_lose_members_while_no_weight_moves() {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], as_is));
    assert_eq!(stage.weight(), Some(25));
    stage.members_come = false;
    stage.available("v1", 1);
    assert!(!stage.next().contains("stable-too-small"), "{}", stage.next());
}

/// A share is written as it is read.
#[test]
fn shares_are_written_as_they_are_read() {
    let share = serin_core::Share { weight: 20, total: 100 };
    assert_eq!((share.to_string().as_str(), serin_core::Share::parse("20/100")), ("20/100", Some(share)));
}

/// A pool that loses its labels and annotations is told in words.
#[test]
fn metadata_that_goes_is_told() {
    let metadata = serin_core::metadata::Metadata::default();
    let action = Action::SetMetadata { hash: Hash::new("v1"), metadata };
    assert_eq!(action.to_string(), "pool v1 carries no metadata");
}

/// Behind the last step all members are meant to be updated, and that is what is said.
//= compat: 2.5-1
#[test]
fn behind_the_last_step_more_replicas_are_waited_for() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    let said = |stage: &Stage| serin_core::phase::phase(&stage.world.rollout, &stage.world.status, stage.now).1;
    stage.world.status.pauses.clear();
    assert_eq!(stage.world.status.counts.updated, 2);
    assert_eq!(said(&stage), "waiting for all steps to complete");
    stage.world.status.step_index = Some(2);
    assert_eq!(said(&stage), "more replicas need to be updated");
}

/// The first weights are told without those before them, which were none.
#[test]
fn the_first_weights_are_told() {
    let mut stage = Stage::new(rollout(&[weight(25), PAUSE], as_is));
    stage.settle();
    let told = stage.told();
    assert!(told.contains(&"TrafficWeightUpdated: Traffic weight updated to 0".to_owned()), "{told:?}");
}

/// A version that was just promoted and loses a member is all there is: no share of it is called a canary's.
#[test]
fn a_promoted_version_is_no_former_canary() {
    for dynamic in [true, false] {
        let mut stage =
            Stage::updating(rollout(&[weight(50), PAUSE], |_, canary| canary.dynamic_stable_scale = dynamic));
        stage.promote();
        while stage.world.status.stable.as_ref().unwrap().as_str() == "v1" {
            stage.pass();
            stage.all_available();
        }
        let weights = stage.world.status.weights.as_ref();
        assert_eq!(weights.map(|w| (w.canary_hash.as_str(), w.canary)), Some(("v2", 100)));
        stage.members_come = false;
        stage.available("v2", 3);
        stage.settle();
        assert_eq!(stage.weight(), Some(0), "{}", stage.brief());
    }
}

/// Of two former versions without a router, the newest goes first, and the other keeps what the users need.
//= compat: 2.8-26
#[test]
fn former_versions_leave_within_one_budget() {
    let mut stage = Stage::deployed(rollout(&[weight(25)], |rollout, canary| {
        basic(1, 0)(rollout, canary);
        rollout.hash = "v3".into();
    }));
    stage.pool("v3").revision = 9;
    for (name, revision) in [("v1", 1), ("v2", 2)] {
        let mut pool = stage.pool("v3").clone();
        (pool.hash, pool.revision) = (name.into(), revision);
        (pool.size, pool.members, pool.ready, pool.available) = (2, 2, 2, 2);
        stage.world.pools.push(pool);
    }
    stage.available("v3", 2);
    assert_eq!(stage.next().split(" | ").next(), Some("scale pool v2 to 0"));
}

/// A rollout that a person holds is not called healthy, though everything runs.
//= compat: 2.6-4
#[test]
fn a_held_rollout_is_not_healthy() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    assert_eq!(stage.condition(Kind::Healthy).map(|c| c.truth), Some(Truth::True));
    stage.world.rollout.paused = true;
    stage.settle();
    assert_eq!(stage.condition(Kind::Healthy).map(|c| c.truth), Some(Truth::False));
}

#[test]
fn small_questions_have_small_answers() {
    let canary = rollout(&[], basic(0, 0));
    assert_eq!(canary.blue_green(), None);
    let strategy = canary.canary().unwrap();
    assert_eq!([0, 1, 4].map(|replicas| strategy.unavailable(replicas)), [0, 1, 1]);
    let stage = Stage::deployed(canary);
    let conditions: Vec<_> = stage.world.status.conditions.iter().cloned().collect();
    let again = serin_core::condition::Conditions::from_vec(conditions.clone());
    assert!(!conditions.is_empty() && again.iter().eq(conditions.iter()));
}

/// A person who holds a rollout behind its last step holds its promotion.
//= compat: 1.2-7
#[test]
fn a_held_rollout_is_not_promoted() {
    let mut stage = Stage::updating(rollout(&[weight(100), PAUSE], as_is));
    stage.promote();
    stage.world.rollout.paused = true;
    stage.settle();
    assert_eq!(stage.world.status.stable, Some(Hash::new("v1")));
    stage.world.rollout.paused = false;
    stage.settle();
    assert_eq!(stage.world.status.stable, Some(Hash::new("v2")));
}

/// The pass that sees the wish to skip everything stops what is still judged.
//= compat: 4.2-7
#[test]
fn a_full_promotion_stops_its_runs_at_once() {
    let mut stage = Stage::updating(rollout(&[Step::Analysis, PAUSE], as_is));
    stage.promote_full();
    let decision = stage.pass();
    assert!(decision.actions.iter().any(|a| a.to_string().starts_with("stop run")), "{:?}", decision.actions);
}
