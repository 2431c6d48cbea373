//! Table: `restartAt` replaces members without a new version (section 1.4).

use serin_core::rollout::Amount;
use serin_core::{Action, Span, intent};

use crate::oracle::{judged_pass, judged_settle};
use crate::stage::{EPOCH, PAUSE, Stage, as_is, basic, rollout, weight, without_router};

/// Names of the members that a pass replaces.
fn replaced(stage: &mut Stage) -> usize {
    let decision = judged_pass(stage);
    decision.actions.iter().filter(|a| matches!(a, Action::EvictMember { .. })).count()
}

fn deployed(replicas: u32, unavailable: u32) -> Stage {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], |rollout, canary| {
        rollout.replicas = replicas;
        canary.max_unavailable = Amount::Count(unavailable);
    }));
    stage.members_come = false;
    stage
}

//= compat: 1.4-1, 1.4-2, 1.4-7, 1.4-10, 2.5-1
#[test]
fn members_are_replaced_until_none_is_older() {
    let mut stage = deployed(3, 1);
    stage.restart();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push((replaced(&mut stage), stage.state()));
        assert_eq!(replaced(&mut stage), 0, "one member may be missing, and is");
        assert!(stage.next().ends_with("restarting awaiting-members"), "{}", stage.next());
        stage.all_available();
    }
    let restarting = || "Progressing step 2: rollout is restarting".to_owned();
    assert_eq!(seen, [(1, restarting()), (1, restarting()), (1, restarting())]);
    judged_settle(&mut stage, 10);
    assert_eq!(stage.state(), "Healthy step 2");
    assert_eq!(stage.world.status.restarted_at, stage.world.rollout.restart_at);
    assert_eq!(replaced(&mut stage), 0);
}

//= compat: 1.4-3, 1.4-4, 1.4-6
#[test]
fn as_many_at_once_as_may_be_missing() {
    let check = |replicas: u32, unavailable: u32, edit: &dyn Fn(&mut Stage), want: usize| {
        let mut stage = deployed(replicas, unavailable);
        stage.restart();
        edit(&mut stage);
        assert_eq!(replaced(&mut stage), want, "{replicas} members, {unavailable} may be missing: {}", stage.brief());
    };
    check(1, 0, &|_| {}, 1);
    check(4, 0, &|_| {}, 1);
    check(4, 2, &|_| {}, 2);
    check(4, 9, &|_| {}, 4);
    // One is missing already: it is replaced, but no other.
    check(4, 1, &|s| s.available("v1", 3), 1);
    check(4, 2, &|s| s.available("v1", 3), 2);
    // Nobody is served: a restart may be the cure.
    check(4, 1, &|s| s.available("v1", 0), 4);
    check(0, 1, &|_| {}, 0);
}

//= compat: 1.4-2, 1.4-4
#[test]
fn members_of_every_pool_count_and_are_replaced() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    stage.restart();
    judged_settle(&mut stage, 40);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
    let restart = stage.world.rollout.restart_at.unwrap();
    assert_eq!(stage.world.status.restarted_at, Some(restart));
    let members = stage.world.pools.iter().flat_map(|p| &p.roster);
    assert!(members.clone().all(|m| m.started >= restart) && members.count() == 6, "{:?}", stage.world.pools);
}

//= compat: 1.4-1
#[test]
fn a_restart_in_the_future_is_waited_for() {
    let mut stage = deployed(2, 1);
    let at = stage.now + Span::from_secs(1_000_000);
    stage.edit(|rollout, _| rollout.restart_at = Some(at));
    judged_settle(&mut stage, 10);
    let decision = stage.pass();
    assert_eq!((decision.wake_at, stage.state().as_str()), (Some(at + Span::from_millis(1)), "Healthy step 2"));
    stage.now = at;
    assert_eq!(replaced(&mut stage), 0, "the time itself is not after it");
    stage.now = at + Span::from_millis(1);
    assert_eq!(replaced(&mut stage), 1);
}

//= compat: 1.4-8
#[test]
fn a_pass_that_replaces_members_does_nothing_else() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], as_is));
    stage.members_come = false;
    stage.restart();
    intent::abort(&mut stage.world.status);
    let decision = judged_pass(&mut stage);
    assert!(decision.actions.iter().all(|a| matches!(a, Action::EvictMember { .. })), "{:?}", decision.actions);
    judged_settle(&mut stage, 20);
    assert_eq!(stage.weight(), Some(0), "the abort follows at once");
}

//= compat: 1.4-11
#[test]
fn a_new_template_makes_a_restart_superfluous() {
    let mut stage = deployed(2, 1);
    stage.restart();
    stage.template("v2");
    stage.members_come = true;
    judged_settle(&mut stage, 40);
    assert_eq!(stage.world.status.restarted_at, stage.world.rollout.restart_at);
    assert!(stage.world.pools[0].roster.iter().all(|m| m.started < stage.world.rollout.restart_at.unwrap()));

    let mut stage = deployed(2, 1);
    let later = stage.now + Span::from_secs(3600);
    stage.edit(|rollout, _| rollout.restart_at = Some(later));
    stage.template("v2");
    judged_settle(&mut stage, 40);
    assert_eq!(stage.world.status.restarted_at, None, "what lies ahead is meant for the new members");
}

/// `spec.paused` does not stop a restart, and a pause or an abort keeps its own phase.
//= compat: 1.2-7, 1.4-10
#[test]
fn other_phases_win_over_a_restart() {
    let mut stage = deployed(2, 1);
    stage.restart();
    stage.edit(|rollout, _| rollout.paused = true);
    assert_eq!((replaced(&mut stage), stage.state().as_str()), (1, "Paused step 2: manually paused"));
}

/// Members that never come back are told of: the deadline of a restart is that of an update.
//= compat: 2.6-12
#[test]
fn a_restart_whose_members_never_come_degrades_and_heals() {
    let mut stage = deployed(2, 1);
    stage.restart();
    stage.wait(1);
    assert_eq!(stage.state(), "Progressing step 2: rollout is restarting");
    stage.wait(700);
    assert!(stage.state().starts_with("Degraded step 2: ProgressDeadlineExceeded"), "{}", stage.state());
    stage.members_come = true;
    stage.wait(60);
    assert_eq!(stage.state(), "Healthy step 2");
}

/// Without a router, during an update: what is missing for the restart is never more than may be missing.
//= compat: 1.4-4
#[test]
fn a_restart_in_the_middle_of_an_update_without_a_router() {
    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], basic(1, 1)));
    stage.restart();
    stage.members_come = false;
    for _ in 0..20 {
        let wanted: u32 = stage.world.pools.iter().map(|p| p.size).sum();
        judged_pass(&mut stage);
        let available: u32 = stage.world.pools.iter().map(|p| p.available).sum();
        assert!(available + 1 >= wanted.max(4), "{}", stage.brief());
        stage.all_available();
    }
    assert_eq!(stage.world.status.restarted_at, stage.world.rollout.restart_at);
    assert!(stage.now > EPOCH && stage.state().starts_with("Paused"));
}

/// A rollout that was never asked to restart knows nothing of it.
#[test]
fn no_restart_without_a_wish() {
    let mut stage = Stage::deployed(rollout(&[], |_, canary| without_router(canary)));
    stage.wait(100_000);
    assert_eq!((stage.world.status.restarted_at, stage.phase()), (None, "Healthy"));
}

/// A member that is not seen may be an old one: the restart is not over before all are.
#[test]
fn unseen_members_keep_a_restart_open() {
    let mut stage = deployed(3, 1);
    stage.restart();
    let now = stage.now;
    stage.pool("v1").roster.iter_mut().for_each(|member| member.started = now);
    let whole = serin_core::decide(&stage.world, stage.now);
    assert_eq!(whole.status.restarted_at, stage.world.rollout.restart_at);
    stage.pool("v1").roster.pop();
    let unseen = serin_core::decide(&stage.world, stage.now);
    assert_eq!(unseen.status.restarted_at, None);
}

/// A restart that does not come to its end misses the deadline, though all the old members answer.
//= compat: 2.6-13
#[test]
fn a_restart_that_hangs_misses_the_deadline() {
    let mut stage = deployed(3, 1);
    stage.restart();
    for _ in 0..4 {
        stage.world.status = serin_core::decide(&stage.world, stage.now).status;
        stage.now = stage.now + Span::from_secs(400);
    }
    let says = stage.says(serin_core::condition::Kind::Progressing);
    assert!(says.starts_with("False ProgressDeadlineExceeded"), "{says}");
}

/// An eviction may have been refused without a word: what is not observed is looked at again.
#[test]
fn a_restart_is_looked_at_again() {
    let mut stage = deployed(3, 1);
    stage.restart();
    assert_eq!(replaced(&mut stage), 1);
    assert_eq!(stage.settle(), Some(stage.now + Span::from_secs(30)));
}

/// A member that was started at the very moment of the restart is a new one.
//= compat: 1.4-2
#[test]
fn a_member_of_that_moment_is_new() {
    let mut stage = deployed(3, 1);
    stage.restart();
    let at = stage.world.rollout.restart_at.unwrap();
    stage.pool("v1").roster.iter_mut().for_each(|member| member.started = at);
    assert_eq!(serin_core::decide(&stage.world, stage.now).status.restarted_at, Some(at));
}
