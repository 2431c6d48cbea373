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
        phase(&stage.world.rollout, &stage.world.status).1
    };
    let (analysis, verification) =
        ("waiting for analysis to complete", "waiting for post-promotion verification to complete");
    assert_eq!(said(true, None), analysis);
    assert_eq!(said(true, Some(RunPhase::Running)), analysis);
    assert_eq!(said(true, Some(RunPhase::Successful)), verification);
    assert_eq!(said(false, None), verification);
    assert_eq!(said(false, Some(RunPhase::Running)), verification);
}
