//! Small things that decisions depend on and that the larger tests pass by: each of them was found by changing the code and
//! seeing every other test pass.

use serin_core::Hash;
use serin_core::analysis::RunPhase;
use serin_core::condition::Kind;
use serin_core::phase::phase;
use serin_core::status::RunRef;

use crate::setting::{deployed, replicas, services, stable, template, updating};
use crate::stage::Stage;

/// An update whose members do not come.
fn hanging() -> Stage {
    let mut stage = deployed(|_| {});
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.settle();
    stage.now = stage.now + serin_core::Span::from_secs(5);
    stage
}

fn progressed(edit: impl FnOnce(&mut Stage)) -> bool {
    let mut stage = hanging();
    edit(&mut stage);
    stage.pass();
    stage.condition(Kind::Progressing).unwrap().updated == stage.now
}

/// What a service selects is progress, though no member came or went.
//= compat: 2.6-11
#[test]
fn services_that_change_are_progress() {
    assert!(!progressed(|_| {}));
    assert!(progressed(|stage| stage.world.services[1].selects = Some(Hash::new("v1"))), "the preview service");
    assert!(progressed(|stage| stage.world.services[0].selects = Some(Hash::new("v2"))), "the active service");
}

/// What is said between the switch and the promotion, by whether an analysis has still to speak.
//= compat: 2.5-1
#[test]
fn what_is_waited_for_after_the_switch() {
    let said = |analysis: bool, run: Option<RunPhase>| {
        let mut stage = updating(|own| own.post_promotion = true);
        assert_eq!(services(&stage), "v2/v2");
        let serin_core::Strategy::BlueGreen(own) = &mut stage.world.rollout.strategy else { unreachable!() };
        own.post_promotion = analysis;
        stage.world.status.blue_green.post_run =
            run.map(|phase| RunRef { name: "run".to_owned(), phase, message: String::new() });
        phase(&stage.world.rollout, &stage.world.status, stage.now).1
    };
    let (analysis, verification) =
        ("waiting for analysis to complete", "waiting for post-promotion verification to complete");
    assert_eq!(said(true, None), analysis);
    assert_eq!(said(true, Some(RunPhase::Running)), analysis);
    assert_eq!(said(true, Some(RunPhase::Successful)), verification);
    assert_eq!(said(false, None), verification);
    assert_eq!(said(false, Some(RunPhase::Running)), verification);
}

/// The run that ended an update stays to be seen until the update is retried; then it counts for nothing.
//= compat: 2.7-10
#[test]
fn a_failed_run_is_shown_until_the_retry() {
    let mut stage = updating(|own| own.pre_promotion = true);
    stage.run_ends("svc-v2-2-pre", RunPhase::Failed, "bad");
    stage.settle();
    let shown = |stage: &Stage| stage.world.status.blue_green.pre_run.as_ref().map(|r| (r.name.clone(), r.phase));
    assert_eq!(shown(&stage), Some(("svc-v2-2-pre".to_owned(), RunPhase::Failed)));
    stage.wait(10);
    assert_eq!(shown(&stage), Some(("svc-v2-2-pre".to_owned(), RunPhase::Failed)));
    serin_core::intent::retry(&mut stage.world.status);
    stage.settle();
    assert_ne!(shown(&stage).unwrap().0, "svc-v2-2-pre", "another run judges the retry");
}

/// Other replicas mean nothing to an aborted version that has no members any more.
//= compat: 2.2-8
#[test]
fn a_retired_version_is_not_told_the_replicas() {
    let mut stage = updating(|own| own.auto_promotion = false);
    serin_core::intent::abort(&mut stage.world.status);
    stage.wait(100);
    assert_eq!(stage.sizes(), "v1 3");
    replicas(&mut stage, 4);
    let actions: Vec<String> = stage.pass().actions.iter().map(ToString::to_string).collect();
    assert_eq!(actions, ["scale pool v1 to 4"]);
}

/// A version that returns within its delay, but is not whole, is looked at again when the delay is over.
#[test]
fn the_end_of_a_returning_versions_delay_is_not_missed() {
    let mut stage = updating(|own| own.scale_down_delay = Some(serin_core::Span::from_secs(50)));
    assert_eq!(stable(&stage), "v2");
    let at = stage.pool("v1").scale_down_at.expect("v1 waits for its scale-down");
    stage.members_come = false;
    stage.available("v1", 2);
    template(&mut stage, "v1");
    assert_eq!(stage.settle(), Some(at), "{}", stage.brief());
    assert_eq!(services(&stage).split('/').next(), Some("v2"));
}

/// A fast rollback asks nobody, also where promotions wait for a person.
//= compat: 2.7-13
#[test]
fn a_fast_rollback_does_not_pause() {
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.promote();
    stage.settle();
    assert_eq!(stable(&stage), "v2");
    stage.events.clear();
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v1/v1", "v1"));
    let told = stage.told_reasons();
    assert!(!told.contains("RolloutPaused"), "{told}");
}

/// On the way back to stable, any member is better than none; nobody is no better than nobody, so the users stay where they are.
#[test]
fn one_stable_member_rescues_the_users_of_a_dead_version() {
    for (available, active) in [(1, "v1"), (0, "v2")] {
        let mut stage = updating(|own| own.post_promotion = true);
        assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v1"));
        stage.members_come = false;
        stage.available("v2", 0);
        stage.available("v1", available);
        template(&mut stage, "v1");
        stage.settle();
        assert_eq!(services(&stage).split('/').next(), Some(active), "{available} stable members");
    }
}

/// Pause and analysis both wait for the members of the new pool; that was said twice.
#[test]
fn members_that_are_waited_for_are_told_once() {
    let mut stage = deployed(|own| (own.auto_promotion, own.pre_promotion) = (false, true));
    stage.members_come = false;
    template(&mut stage, "v2");
    stage.settle();
    assert_eq!(stage.next(), " | awaiting-members");
}

/// A service that forgot a version without members gets it back where stable has none either: nobody else could answer.
#[test]
fn a_forgotten_version_stays_where_stable_has_no_members_either() {
    let mut stage = updating(|own| own.post_promotion = true);
    stage.run_ends("svc-v2-2-post", RunPhase::Inconclusive, "");
    stage.settle();
    stage.members_come = false;
    stage.available("v1", 0);
    stage.available("v2", 0);
    stage.world.services.iter_mut().for_each(|s| s.selects = None);
    stage.settle();
    assert_eq!(services(&stage).split('/').next(), Some("v2"));
}

/// An aborted version without members is left alone: nothing is planned for it any more.
//= compat: 2.7-7
#[test]
fn an_aborted_version_without_members_has_no_plan() {
    let mut stage = updating(|own| own.auto_promotion = false);
    serin_core::intent::abort(&mut stage.world.status);
    stage.wait(100);
    assert_eq!((stage.sizes().as_str(), stage.pool("v2").scale_down_at), ("v1 3", None));
    assert_eq!(stage.pass().actions, []);
}

/// A version that comes before another controller promoted the first one gets all members: there is nothing to preview beside.
//= compat: 2.8-32
#[test]
fn before_the_first_promotion_every_version_is_whole() {
    let mut stage = deployed(|own| (own.auto_promotion, own.preview_replicas) = (false, Some(1)));
    stage.members_come = false;
    stage.available("v1", 2);
    template(&mut stage, "v2");
    stage.pass();
    stage.world.status.stable = None;
    for _ in 0..4 {
        stage.pass();
        assert!(!stage.sizes().contains("v2 1"), "{}", stage.brief());
    }
    assert!(stage.sizes().contains("v2 3"), "{}", stage.brief());
}

/// Of two former versions that leave at the same time, the newest waits where one may.
//= compat: 1.6-5
#[test]
fn plans_of_the_same_pass_count_towards_the_limit() {
    let mut stage = deployed(|own| own.scale_down_delay_revision_limit = Some(1));
    template(&mut stage, "v3");
    stage.wait(60);
    stage.pool("v1").scale_down_at = None;
    let pool = stage.pool("v1");
    (pool.size, pool.members, pool.ready, pool.available) = (3, 3, 3, 3);
    let mut second = pool.clone();
    (second.hash, second.revision, second.scale_down_at) = (Hash::new("v0"), 0, None);
    stage.world.pools.push(second);
    let actions: Vec<String> = stage.pass().actions.iter().map(ToString::to_string).collect();
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert_eq!(actions[1], "scale pool v0 to 0", "{actions:?}");
}

/// A version whose delay ends now does not return fast any more: it leaves in this very pass.
//= compat: 2.7-13
#[test]
fn a_delay_that_ends_now_is_over() {
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.promote();
    stage.settle();
    let at = stage.pool("v1").scale_down_at.expect("v1 waits for its scale-down");
    stage.now = at;
    template(&mut stage, "v1");
    stage.settle();
    assert_eq!((services(&stage).as_str(), stage.phase()), ("v2/v1", "Paused"), "{}", stage.brief());
}

/// Healthy means all of it: members, both services, and a spec that was seen.
//= compat: 2.6-5
#[test]
fn healthy_means_promoted_served_and_whole() {
    let healthy = |edit: &dyn Fn(&mut Stage)| {
        let mut stage = deployed(|_| {});
        stage.members_come = false;
        stage.services_obey = false;
        edit(&mut stage);
        serin_core::decide(&stage.world, stage.now).status.conditions.get(Kind::Healthy).map(|c| c.truth.as_str())
    };
    assert_eq!(healthy(&|_| {}), Some("True"));
    assert_eq!(healthy(&|stage| stage.available("v1", 2)), Some("False"));
    assert_eq!(healthy(&|stage| stage.world.services[1].selects = Some(Hash::new("v0"))), Some("False"));
    assert_eq!(healthy(&|stage| stage.world.services[0].selects = Some(Hash::new("v0"))), Some("False"));
    assert_eq!(healthy(&|stage| stage.world.rollout.generation += 1), Some("False"));
}

/// Members that are missing are what is waited for, but where a preview is meant to have fewer.
//= compat: 2.5-1
#[test]
fn missing_members_are_told_unless_the_preview_is_smaller() {
    let said = |preview: Option<u32>, checkpoint: bool| {
        let mut stage = deployed(|own| (own.auto_promotion, own.preview_replicas) = (false, preview));
        template(&mut stage, "v2");
        stage.settle();
        stage.world.status.pauses.clear();
        stage.world.status.blue_green.checkpoint = checkpoint;
        (stage.world.status.counts.updated, stage.world.status.counts.available) = (1, 1);
        phase(&stage.world.rollout, &stage.world.status, stage.now).1
    };
    let more = "more replicas need to be updated";
    assert_eq!(said(None, false), more);
    assert_eq!(said(Some(1), false), "active service cutover pending");
    assert_eq!(said(Some(1), true), more);
}

/// Other replicas reach a new version in the same pass as the stable one, also before it has the users.
//= compat: 2.2-8
#[test]
fn other_replicas_reach_both_versions_at_once() {
    let mut stage = updating(|own| own.auto_promotion = false);
    replicas(&mut stage, 4);
    stage.pass();
    assert_eq!(stage.sizes(), "v1 4, v2 4");
}

/// What is waited for is told, also where nothing but members is missing.
#[test]
fn missing_members_are_a_reason() {
    let told = |auto: bool| {
        let mut stage = deployed(|own| own.auto_promotion = auto);
        stage.members_come = false;
        template(&mut stage, "v2");
        stage.settle();
        stage.next()
    };
    assert_eq!((told(true).as_str(), told(false).as_str()), (" | awaiting-members", " | awaiting-members"));
}

/// Another template begins with what the services select, which is not looked up again for it.
//= compat: 2.4-1
#[test]
fn the_first_pass_of_a_version_knows_the_services() {
    let mut stage = deployed(|own| own.auto_promotion = false);
    template(&mut stage, "v2");
    let mut first = stage.pass();
    while first.status.current_hash.as_ref().unwrap().as_str() == "v1" {
        first = stage.pass();
    }
    let own = &first.status.blue_green;
    let names = [&own.active, &own.preview].map(|hash| hash.as_ref().map(|hash| hash.as_str().to_owned()));
    assert_eq!(names, [Some("v1".to_owned()), Some("v1".to_owned())]);
}

/// Ready and available are counted where the users are, not where nobody looks yet.
#[test]
fn the_members_that_the_users_have_are_counted() {
    let stage = updating(|own| own.auto_promotion = false);
    let counts = &stage.world.status.counts;
    assert_eq!((counts.members, counts.ready, counts.available), (6, 3, 3));
}

/// While nobody has the users, a new version is no preview of anything.
//= compat: 2.8-32
#[test]
fn without_an_active_version_the_new_one_is_whole() {
    let mut stage = Stage::new(crate::setting::rollout(|own| own.preview_replicas = Some(1)));
    stage.world.rollout.paused = true;
    stage.settle();
    assert_eq!(services(&stage), "-/-");
    template(&mut stage, "v2");
    stage.settle();
    assert_eq!(stage.sizes(), "v1 3, v2 3");
}

/// An abort before the first promotion takes no members: there is nothing to go back to.
//= compat: 2.7-8
#[test]
fn an_aborted_first_version_keeps_its_members() {
    let mut stage = deployed(|_| {});
    template(&mut stage, "v2");
    stage.members_come = false;
    stage.settle();
    (stage.world.status.stable, stage.world.status.abort) = (None, true);
    stage.pool("v1").size = 0;
    let actions: Vec<String> = stage.pass().actions.iter().map(ToString::to_string).collect();
    assert!(actions.iter().all(|a| !a.starts_with("pool v2 goes") && !a.starts_with("scale pool v2")), "{actions:?}");
}

/// A person who holds a rollout after the switch holds its promotion too.
//= compat: 1.2-7
#[test]
fn a_held_rollout_is_not_promoted() {
    let mut stage = updating(|own| own.post_promotion = true);
    assert_eq!((services(&stage).as_str(), stable(&stage)), ("v2/v2", "v1"));
    stage.world.rollout.paused = true;
    stage.run_ends("svc-v2-2-post", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stable(&stage), "v1");
    stage.world.rollout.paused = false;
    stage.settle();
    assert_eq!(stable(&stage), "v2");
}

/// The analysis after the switch begins after the switch.
//= compat: 4.2-6
#[test]
fn nothing_is_analysed_after_a_switch_before_it() {
    let stage = updating(|own| (own.post_promotion, own.auto_promotion) = (true, false));
    assert_eq!((services(&stage).as_str(), crate::setting::runs(&stage).as_str()), ("v1/v2", ""));
    let stage = updating(|_| {});
    assert_eq!((stable(&stage), crate::setting::runs(&stage).as_str()), ("v2", ""));
}

/// An aborted version is not held for anybody again.
//= compat: 2.7-3
#[test]
fn an_aborted_version_does_not_pause() {
    let mut stage = updating(|own| own.auto_promotion = false);
    stage.events.clear();
    serin_core::intent::abort(&mut stage.world.status);
    let mut reasons = String::new();
    for _ in 0..5 {
        reasons.push_str(&crate::stage::line(&stage.pass()));
    }
    assert!(!stage.told_reasons().contains("RolloutPaused"));
    assert!(!reasons.contains("paused-for-person"), "{reasons}");
}

/// A whole stable version misses no deadline because something else is not as it should be.
//= compat: 2.6-13
#[test]
fn a_whole_stable_version_misses_no_deadline() {
    let mut stage = deployed(|_| {});
    stage.services_obey = false;
    stage.world.services[1].selects = Some(Hash::new("v0"));
    for _ in 0..4 {
        stage.now = stage.now + serin_core::Span::from_secs(400);
        stage.settle();
    }
    assert_eq!(stage.condition(Kind::Healthy).map(|c| c.truth.as_str()), Some("False"));
    assert!(!stage.says(Kind::Progressing).contains("Deadline"), "{}", stage.says(Kind::Progressing));
}

/// Without a delay nothing is planned.
//= compat: 2.8-28
#[test]
fn without_a_delay_no_plan_is_made() {
    let mut stage = deployed(|own| own.scale_down_delay = Some(serin_core::Span::ZERO));
    template(&mut stage, "v2");
    let mut actions = String::new();
    for _ in 0..10 {
        stage.all_available();
        actions.push_str(&crate::stage::line(&stage.pass()));
    }
    assert_eq!(stage.sizes(), "v2 3");
    assert!(!actions.contains("goes to 0"), "{actions}");
}

/// Where no version was known before, none is started over.
#[test]
fn a_first_look_starts_nothing_over() {
    let mut stage = deployed(|_| {});
    template(&mut stage, "v2");
    stage.pass();
    stage.world.status.current_hash = None;
    assert!(!stage.next().contains("restarted"), "{}", stage.next());
}
