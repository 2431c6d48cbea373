//! Small things that decisions depend on and that the larger tests pass by: each of them was found by changing the code and
//! seeing every other test pass.

use serin_core::Hash;
use serin_core::analysis::RunPhase;
use serin_core::condition::Kind;
use serin_core::phase::phase;
use serin_core::status::RunRef;

use crate::setting::{deployed, services, template, updating};
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
