//! Table: the spec, pauses, steps, pools and what starts over (sections 1.2, 1.7 and 2.2-2.4).

use serin_core::rollout::{CanaryScale, Rollout};
use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
use serin_core::{Span, Step, intent};

use crate::stage::{PAUSE, Stage, as_is, basic, pause, rollout, weight};

/// Edits the world of an update from `v1` to `v2` (4 replicas, router, steps 25%, pause 60 s, 50%) that waits at its pause, and
/// compares the next decision, `actions | reasons`.
fn check(edit: impl FnOnce(&mut Stage), want: &str) {
    let mut stage = at_the_pause();
    edit(&mut stage);
    assert_eq!(stage.next(), want);
}

pub(crate) fn at_the_pause() -> Stage {
    Stage::updating(rollout(&[weight(25), pause(60), weight(50)], as_is))
}

fn header_route(name: &str, header: Option<&str>) -> Step {
    let value = ValueMatch::Exact("yes".to_owned());
    let matches = header.map(|header| HeaderMatch { header: header.to_owned(), value });
    Step::SetHeaderRoute(HeaderRoute { name: name.to_owned(), matches: matches.into_iter().collect() })
}

//= compat: 1.7-6, 1.7-8, 1.7-10, 2.4-1, 2.4-6, 2.2-8, 10.18, 2.2-6
#[test]
fn a_pause_and_what_ends_it() {
    check(|_| {}, " | paused-until");
    check(|s| s.now = s.now + Span::from_secs(60), " | paused-until");
    check(|s| s.now = s.now + Span::from_millis(60_001), " | step-completed");
    check(|s| s.promote(), " | step-completed");
    check(|s| s.edit(|rollout, _| rollout.paused = true), " | paused-by-person");
    check(
        |s| {
            s.edit(|rollout, _| rollout.paused = true);
            s.now = s.now + Span::from_secs(100);
        },
        " | paused-by-person",
    );
    check(|s| s.template("v3"), "create pool v3 (revision 3) | new-revision");
    check(|s| s.template("v1"), "pool v1 is revision 3 | ");
    check(|s| s.edit(|rollout, _| rollout.steps_hash = "others".to_owned()), " | restarted");
    check(|s| s.edit(|rollout, _| rollout.replicas = 8), "scale pool v1 to 8; scale pool v2 to 2 | resized");
    check(
        |s| intent::abort(&mut s.world.status),
        "service svc-canary selects v1; split v2 0 / v1 100; pool v2 goes to 0 at 1000090s | aborted awaiting-router",
    );
    // Nothing else in the spec starts over.
    check(
        |s| {
            s.edit(|rollout, canary| {
                rollout.revision_history_limit = 1;
                rollout.progress_deadline = Span::from_secs(1);
                canary.scale_down_delay = Span::from_secs(1);
            });
        },
        " | paused-until",
    );
}

//= compat: 1.7-9, 10.6
#[test]
fn a_pause_of_no_seconds_ends_at_the_first_look_after_it_began() {
    let mut stage = Stage::deployed(rollout(&[pause(0), PAUSE], as_is));
    stage.template("v2");
    stage.wait(1);
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
}

//= compat: 1.7-7
#[test]
fn steps_as_they_stand_in_events() {
    let scale = Step::SetCanaryScale;
    let steps = [
        (weight(20), "setWeight: 20"),
        (PAUSE, "pause"),
        (pause(30), "pause: 30s"),
        (Step::Analysis, "analysis"),
        (scale(CanaryScale::Weight(5)), "setCanaryScale{weight: 5}"),
        (scale(CanaryScale::MatchTrafficWeight), "setCanaryScale{matchTrafficWeight: true}"),
        (scale(CanaryScale::Replicas(3)), "setCanaryScale{replicas: 3}"),
        (header_route("testers", None), "setHeaderRoute: testers"),
    ];
    for (step, text) in steps {
        assert_eq!(step.to_string(), text);
    }
}

//= compat: 1.7-6, 1.7-11
#[test]
fn one_step_a_pass() {
    let mut stage = Stage::deployed(rollout(&[weight(0), weight(0), weight(0), PAUSE], as_is));
    stage.template("v2");
    let mut seen = Vec::new();
    for _ in 0..10 {
        let before = stage.world.status.step_index;
        stage.pass();
        seen.push((before.unwrap(), stage.world.status.step_index.unwrap()));
    }
    let jumps: Vec<_> = seen.into_iter().filter(|(from, to)| from < &3 && to > from).collect();
    assert_eq!(jumps, [(0, 1), (1, 2), (2, 3)]);
}

//= compat: 1.7-18, 1.7-19, 6.1-5
#[test]
fn header_routes_come_and_go_with_their_steps() {
    let steps = [
        Step::SetCanaryScale(CanaryScale::Replicas(1)),
        header_route("testers", Some("x-tester")),
        header_route("staff", Some("x-staff")),
        PAUSE,
        header_route("testers", None),
        PAUSE,
    ];
    let routes = |stage: &Stage| {
        let split = stage.world.split.clone().unwrap();
        split.header_routes.into_iter().map(|r| r.name).collect::<Vec<_>>()
    };
    let mut stage = Stage::deployed(rollout(&steps, as_is));
    assert!(routes(&stage).is_empty(), "never at the first install");
    stage.template("v2");
    stage.settle();
    assert_eq!((routes(&stage), stage.weight()), (vec!["testers".to_owned(), "staff".to_owned()], Some(0)));
    stage.promote();
    stage.settle();
    assert_eq!(routes(&stage), ["staff"]);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert!(routes(&stage).is_empty());
}

//= compat: 1.2-7, 1.2-8, 7.4-3
#[test]
fn a_person_who_pauses_freezes_sizes_and_steps_but_not_traffic() {
    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.template("v2");
    stage.edit(|rollout, _| rollout.paused = true);
    stage.wait(100);
    assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Paused step 0: manually paused", "v1 4"));

    let mut stage = at_the_pause();
    stage.edit(|rollout, _| rollout.paused = true);
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!((stage.weight(), stage.sizes().as_str()), (Some(0), "v1 4, v2 1"), "an abort takes the traffic");
    assert!(stage.pool("v2").scale_down_at.is_none());
}

//= compat: 1.2-4, 1.2-5, 1.2-6
#[test]
fn old_pools_and_their_runs_are_forgotten_beyond_the_limit() {
    let mut stage = Stage::deployed(rollout(&[Step::Analysis], |rollout, canary| {
        rollout.revision_history_limit = 2;
        canary.scale_down_delay = Span::ZERO;
    }));
    for version in ["v2", "v3", "v4", "v5"] {
        stage.now = stage.now + Span::from_secs(1);
        stage.template(version);
        stage.settle();
        stage.world.runs.iter_mut().for_each(|r| r.phase = serin_core::analysis::RunPhase::Successful);
        stage.settle();
        assert_eq!(stage.phase(), "Healthy");
    }
    let left = |stage: &Stage| stage.world.pools.iter().map(|p| p.hash.to_string()).collect::<Vec<_>>();
    assert_eq!(left(&stage), ["v3", "v4", "v5"]);
    assert!(stage.world.runs.iter().all(|r| r.hash.as_str() != "v2"), "{:?}", stage.world.runs);

    // A candidate with members is passed over, and no other goes in its place.
    stage.edit(|rollout, _| rollout.revision_history_limit = 1);
    stage.pool("v3").members = 1;
    assert!(!stage.next().contains("delete pool"), "{}", stage.next());
    stage.pool("v3").members = 0;
    assert!(stage.next().contains("delete pool v3"), "{}", stage.next());
}

//= compat: 1.2-2
#[test]
fn no_replicas_at_all() {
    for with_router in [false, true] {
        let no_members = |rollout: &mut Rollout, canary: &mut serin_core::Canary| {
            rollout.replicas = 0;
            if !with_router {
                crate::stage::without_router(canary);
            }
        };
        let mut stage = Stage::deployed(rollout(&[weight(50), pause(10)], no_members));
        stage.template("v2");
        stage.wait(60);
        assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Healthy step 2", ""), "router: {with_router}");
        assert_eq!(stage.world.status.stable.as_ref().unwrap().as_str(), "v2");
    }
}

//= compat: 2.3-6, 2.3-7, 2.3-10, 2.3-12, 2.3-13
#[test]
fn pools_are_named_numbered_and_found_by_age() {
    let mut stage = at_the_pause();
    stage.events.clear();
    stage.template("v3");
    stage.pass();
    assert_eq!(
        stage.told(),
        [
            "RolloutUpdated: Rollout updated to revision 3",
            "NewReplicaSetCreated: Created ReplicaSet svc-v3 (revision 3)",
        ]
    );
    // Two pools of the same template: the older one is used.
    let mut twin = stage.pool("v3").clone();
    twin.revision = 9;
    stage.world.pools.push(twin);
    assert_eq!(stage.world.new_pool().unwrap().revision, 3);
}

//= compat: 2.4-1, 2.4-2, 2.4-4
#[test]
fn other_steps_start_over_and_end_where_nothing_is_under_way() {
    let mut stage = at_the_pause();
    stage.edit(|rollout, canary| {
        rollout.steps_hash = "others".to_owned();
        canary.steps = vec![weight(10), PAUSE];
    });
    stage.world.status.promote_full = true;
    stage.pass();
    let status = &stage.world.status;
    assert_eq!((status.step_index, status.abort, status.promote_full), (Some(0), false, false));
    assert_eq!((status.pauses.len(), stage.world.pools.len()), (0, 2));

    let mut stage = Stage::deployed(rollout(&[weight(25), PAUSE], as_is));
    stage.edit(|rollout, canary| {
        rollout.steps_hash = "others".to_owned();
        canary.steps = vec![weight(10), PAUSE, weight(20)];
    });
    stage.settle();
    assert_eq!(stage.state(), "Healthy step 3");
}

//= compat: 2.4-5, 10.21
#[test]
fn a_third_version_in_the_middle() {
    let mut stage = at_the_pause();
    stage.template("v3");
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Paused step 1: CanaryPauseStep", "v1 4, v3 1"));

    let mut stage = Stage::updating(rollout(&[weight(50), PAUSE], basic(0, 1)));
    assert_eq!(stage.sizes(), "v1 2, v2 2");
    stage.members_come = false;
    stage.template("v3");
    stage.settle();
    assert_eq!(stage.sizes(), "v1 2, v2 1, v3 1", "drained within maxUnavailable, and no more than four");
    stage.members_come = true;
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.phase()), ("v1 2, v3 2", "Paused"));
}

//= compat: 2.4-7
#[test]
fn template_and_replicas_in_one_edit() {
    let mut stage = Stage::deployed(rollout(&[weight(50), PAUSE], as_is));
    stage.edit(|rollout, _| rollout.replicas = 6);
    stage.template("v2");
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 6, v2 3", Some(50)));
}
