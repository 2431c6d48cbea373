//! Table: every reason of an experiment, its code and its words.

use serin_core::analysis::RunPhase;
use serin_core::experiment::ExperimentReason;
use serin_core::{Span, Time};

#[test]
fn every_reason_has_its_words() {
    let at = Time::from_secs(1_000_090);
    let template = || "trial".to_owned();
    let run = || "svc-compare".to_owned();
    let ended = |phase, message: &str| ExperimentReason::Ended { phase, message: message.to_owned() };
    let said = [
        (
            ExperimentReason::Invalid { problem: "no templates".to_owned() },
            "invalid-spec: the spec is invalid: no templates",
        ),
        (
            ExperimentReason::TwoPools { template: template() },
            "two-pools: two pools say that they belong to template trial: remove one of them",
        ),
        (ended(RunPhase::Successful, ""), "ended: ended: Successful"),
        (ended(RunPhase::Failed, "too slow"), "ended: ended: Failed (too slow)"),
        (ExperimentReason::Terminating, "terminating: it was asked to stop"),
        (
            ExperimentReason::AwaitingMembers { template: template(), available: 1, wanted: 3 },
            "awaiting-members: 1 of 3 members of trial are available",
        ),
        (
            ExperimentReason::RunsUntil { end: at, left: Span::from_secs(90) },
            "runs-until: all templates run, 1m30s left",
        ),
        (
            ExperimentReason::RunsUntilTerminated,
            "runs-until-terminated: all templates run until the required analyses succeed or somebody terminates it",
        ),
        (
            ExperimentReason::AwaitingRun { run: run(), required: true },
            "awaiting-run: svc-compare must succeed and runs",
        ),
        (ExperimentReason::AwaitingRun { run: run(), required: false }, "awaiting-run: svc-compare runs"),
        (
            ExperimentReason::ScaleDownPlanned { template: template(), at },
            "scale-down-planned: trial keeps its members until its scale-down time",
        ),
        (
            ExperimentReason::AwaitingRouter { template: template() },
            "awaiting-router: trial keeps its members while the router sends requests to them",
        ),
    ];
    for (reason, words) in said {
        assert_eq!(format!("{}: {reason}", reason.code()), words);
    }
}
