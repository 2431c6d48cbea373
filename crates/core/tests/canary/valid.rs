//! Table: a rollout that is invalid for a while (section 8.1).

use serin_core::condition::{Kind, Truth};
use serin_core::invalid::{Problem, invalid};
use serin_core::{Span, decide};

use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

fn missing() -> Problem {
    Problem::Spec("spec.strategy.canary.stableService: Invalid value: \"a\": service \"a\" not found".to_owned())
}

//= compat: 8.1-3, 8.1-4
#[test]
fn it_says_what_is_wrong_and_touches_nothing() {
    let stage = Stage::updating(rollout(&[weight(20), PAUSE], as_is));
    let before = &stage.world.status;
    let decision = invalid(&stage.world, &missing(), stage.now);
    assert!(decision.actions.is_empty() && decision.events.is_empty());
    let condition = decision.status.conditions.get(Kind::InvalidSpec).unwrap().clone();
    let text = "The Rollout \"svc\" is invalid: spec.strategy.canary.stableService: Invalid value: \"a\": service \"a\" not found";
    assert_eq!((condition.reason.as_str(), condition.message.as_str()), ("InvalidSpec", text));
    assert_eq!(
        (decision.status.phase.as_str(), decision.status.message.as_str()),
        ("Degraded", &*format!("InvalidSpec: {text}"))
    );
    assert_eq!(decision.status.observed_generation, stage.world.rollout.generation);
    let progress = |status: &serin_core::Status| (status.step_index, status.pauses.clone(), status.weights.clone());
    assert_eq!(progress(&decision.status), progress(before), "its progress is kept");
}

//= compat: 2.5-1
#[test]
fn of_two_bad_conditions_the_first_gives_the_phase() {
    let stage = Stage::deployed(rollout(&[], as_is));
    let check = |first: Kind, want: &str| {
        let mut status = stage.world.status.clone();
        let mut set = |kind: Kind| match kind {
            Kind::InvalidSpec => status.conditions.set(kind, Truth::True, "InvalidSpec", "wrong", stage.now),
            kind => status.conditions.set(kind, Truth::False, "ProgressDeadlineExceeded", "late", stage.now),
        };
        set(first);
        set(if first == Kind::InvalidSpec { Kind::Progressing } else { Kind::InvalidSpec });
        assert_eq!(serin_core::phase::phase(&stage.world.rollout, &status, stage.now).1, want);
    };
    check(Kind::InvalidSpec, "InvalidSpec: wrong");
    check(Kind::Progressing, "ProgressDeadlineExceeded: late");
}

//= compat: 8.1-3
#[test]
fn it_is_written_only_when_the_text_changes() {
    let mut stage = Stage::updating(rollout(&[weight(20), PAUSE], as_is));
    stage.world.status = invalid(&stage.world, &missing(), stage.now).status;
    let later = stage.now + Span::from_secs(60);
    assert_eq!(invalid(&stage.world, &missing(), later).status, stage.world.status);
    let other = invalid(&stage.world, &Problem::Spec("something else".to_owned()), later).status;
    let condition = other.conditions.get(Kind::InvalidSpec).unwrap();
    assert_eq!(condition.message, "The Rollout \"svc\" is invalid: something else");
    assert_eq!(condition.updated, later);
}

//= compat: 8.1-5, 8.5-11, 1.3-15
#[test]
fn it_is_looked_at_again_by_itself() {
    let stage = Stage::deployed(rollout(&[], as_is));
    let wait = |problem: &Problem| invalid(&stage.world, problem, stage.now).wake_at.unwrap().since(stage.now);
    assert_eq!(wait(&missing()), Span::from_secs(10));
    assert_eq!(wait(&Problem::Workload("deployments.apps \"a\" not found".to_owned())), Span::from_secs(20));
}

//= compat: 8.1-6
#[test]
fn once_it_is_mended_the_update_goes_on_where_it_was() {
    let mut stage = Stage::updating(rollout(&[weight(20), PAUSE], as_is));
    let undisturbed = decide(&stage.world, stage.now).status;
    stage.world.status = invalid(&stage.world, &missing(), stage.now).status;
    stage.settle();
    assert_eq!(stage.world.status.conditions.get(Kind::InvalidSpec), None);
    assert_eq!(stage.world.status, undisturbed);
    assert_eq!(stage.phase(), "Paused");
}
