//! Table: pauses that end on evidence (`serin.dev/advance: evidence`), and what happens where it does not come.

use serin_core::analysis::RunPhase;
use serin_core::rollout::Undecided;
use serin_core::{Share, Step};

use crate::stage::{PAUSE, Stage, pause, rollout, weight};

/// An update whose first pause of a minute waits for the background run.
fn waiting(advance: Option<Undecided>, steps: &[Step]) -> Stage {
    let mut stage = Stage::deployed(rollout(steps, |_, canary| {
        canary.background_from = Some(0);
        canary.advance = advance;
    }));
    stage.template("v2");
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(1));
    stage
}

fn steps() -> [Step; 4] {
    [weight(20), pause(60), weight(50), pause(60)]
}

fn passes(stage: &mut Stage, weight: u32) {
    stage.world.runs[0].passed_at = Some(Share { weight, total: 100 });
    stage.settle();
}

#[test]
fn a_pause_is_over_once_the_tests_have_passed_at_its_weight() {
    let mut stage = waiting(Some(Undecided::Hold), &steps());
    stage.wait(5);
    assert_eq!(stage.world.status.step_index, Some(1));
    passes(&mut stage, 20);
    assert_eq!(stage.world.status.step_index, Some(3), "the next weight is set, and waits for its own evidence");
    stage.wait(5);
    passes(&mut stage, 50);
    assert_eq!(stage.world.status.step_index, Some(4));
}

#[test]
fn what_passed_at_another_weight_counts_for_nothing() {
    let mut stage = waiting(Some(Undecided::Hold), &steps());
    passes(&mut stage, 10);
    assert_eq!(stage.world.status.step_index, Some(1));
}

#[test]
fn without_being_asked_for_evidence_ends_no_pause() {
    let mut stage = waiting(None, &steps());
    passes(&mut stage, 20);
    assert_eq!(stage.world.status.step_index, Some(1));
    stage.wait(61);
    assert_eq!(stage.world.status.step_index, Some(3));
}

#[test]
fn a_pause_for_a_person_waits_for_that_person() {
    let mut stage = waiting(Some(Undecided::Promote), &[weight(20), PAUSE]);
    passes(&mut stage, 20);
    assert_eq!((stage.world.status.step_index, stage.phase()), (Some(1), "Paused"));
}

#[test]
fn what_happens_when_time_is_up_is_a_policy() {
    let mut hold = waiting(Some(Undecided::Hold), &steps());
    hold.wait(61);
    assert_eq!(hold.world.status.step_index, Some(1));
    let reasons: Vec<String> = hold.pass().reasons.iter().map(|r| format!("{}: {r}", r.code())).collect();
    let waits = "awaiting-evidence: the pause is over, and the tests of svc-v2-2 have not passed yet";
    assert!(reasons.iter().any(|reason| reason == waits), "{reasons:?}");
    passes(&mut hold, 20);
    assert_eq!(hold.world.status.step_index, Some(3), "late evidence is evidence");

    let mut promote = waiting(Some(Undecided::Promote), &steps());
    promote.wait(61);
    assert_eq!(promote.world.status.step_index, Some(3));

    let mut back = waiting(Some(Undecided::RollBack), &steps());
    back.wait(61);
    assert!(back.world.status.abort, "{}", back.state());
    assert!(back.world.status.message.contains("undecided means roll back"), "{}", back.world.status.message);
}

#[test]
fn a_person_can_always_go_on() {
    let mut stage = waiting(Some(Undecided::Hold), &steps());
    stage.wait(61);
    stage.promote();
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(3));
}

#[test]
fn a_background_run_that_is_over_or_was_never_wanted_leaves_it_to_time() {
    let mut over = waiting(Some(Undecided::Hold), &steps());
    let name = over.world.runs[0].name.clone();
    over.run_ends(&name, RunPhase::Successful, "");
    over.settle();
    assert_eq!(over.world.status.step_index, Some(1));
    over.wait(61);
    assert_eq!(over.world.status.step_index, Some(3));

    let mut later = Stage::deployed(rollout(&steps(), |_, canary| {
        canary.background_from = Some(2);
        canary.advance = Some(Undecided::Hold);
    }));
    later.template("v2");
    later.settle();
    later.wait(61);
    assert_eq!(later.world.status.step_index, Some(3));
}
