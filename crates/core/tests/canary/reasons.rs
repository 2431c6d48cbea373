//! Table: every reason, its code and its words.

use serin_core::analysis::RunPhase;
use serin_core::{Reason, Span, Step, decide};

use crate::stage::{PAUSE, Stage, as_is, pause, rollout, weight};

/// The words of every reason of the next decision, `code: words`.
fn reasons(stage: &Stage) -> Vec<String> {
    let say = |reason: &Reason| format!("{}: {reason}", reason.code());
    decide(&stage.world, stage.now).reasons.iter().map(say).collect()
}

/// Edits an update from `v1` to `v2` that waits at its first pause, and expects exactly these reasons.
fn check(edit: impl FnOnce(&mut Stage), want: &[&str]) {
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE, weight(50), pause(60), Step::Analysis], as_is));
    edit(&mut stage);
    assert_eq!(reasons(&stage), want);
}

/// Plays the update up to its analysis.
fn at_the_analysis(stage: &mut Stage) {
    stage.promote();
    stage.wait(61);
}

#[test]
fn every_reason_has_its_words() {
    check(|_| {}, &["paused-for-person: pause without an end: promote or abort it"]);
    check(|s| s.template("v3"), &["new-revision: revision 3 (v3) is new"]);
    check(
        |s| {
            s.template("v3");
            s.pass();
        },
        &["restarted: template or steps changed: starting from the first step"],
    );
    check(
        |s| {
            s.template("v1");
            s.pass();
        },
        &["back-to-stable: the template is the stable version again: steps are skipped"],
    );
    check(
        |s| {
            s.now = s.now + Span::from_secs(10);
            s.promote_full();
            s.settle();
            s.pool("v1").created = s.now - Span::from_secs(1000);
            s.edit(|rollout, _| rollout.rollback_window = Some(1));
            s.template("v1");
            s.pass();
        },
        &["within-rollback-window: rollback within rollbackWindow: steps are skipped"],
    );
    check(
        |s| {
            s.promote();
            s.pass();
            s.pass();
        },
        &["awaiting-members: 1 of 2 members of v2 are available"],
    );
    check(
        |s| {
            s.promote();
            s.members_come = false;
            s.settle();
            s.available("v1", 1);
            s.available("v2", 2);
        },
        &["stable-too-small: traffic stays: stable has 1 of the 2 members it would need"],
    );
    check(
        |s| {
            s.router_obeys = false;
            s.promote();
            s.settle();
        },
        &["awaiting-router: the router does not carry the wanted weights yet"],
    );
    check(
        |s| {
            s.promote();
            s.settle();
            s.now = s.now + Span::from_secs(15);
        },
        &["paused-until: pause, 45s left"],
    );
    check(
        |s| s.edit(|rollout, _| rollout.paused = true),
        &["paused-by-person: paused by a person: resume with promote"],
    );
    check(at_the_analysis, &["awaiting-run: svc-v2-2-4 has not decided yet"]);
    check(
        |s| {
            at_the_analysis(s);
            s.run_ends("svc-v2-2-4", RunPhase::Inconclusive, "");
            s.settle();
        },
        &["paused-inconclusive: svc-v2-2-4 is inconclusive: promote or abort it"],
    );
    check(
        |s| {
            at_the_analysis(s);
            s.run_ends("svc-v2-2-4", RunPhase::Inconclusive, "neither nor");
            s.settle();
        },
        &["paused-inconclusive: svc-v2-2-4 is inconclusive (neither nor): promote or abort it"],
    );
    check(Stage::promote, &["step-completed: step 2/5 completed (pause)"]);
    check(
        |s| {
            serin_core::intent::abort(&mut s.world.status);
            s.wait(60);
        },
        &["aborted: aborted: traffic is with stable"],
    );
    check(
        |s| {
            at_the_analysis(s);
            s.run_ends("svc-v2-2-4", RunPhase::Failed, "too slow");
            s.wait(60);
        },
        &["aborted: aborted: Step-based analysis phase error/failed: too slow"],
    );
    check(|s| s.edit(|rollout, _| rollout.replicas = 5), &["resized: replicas changed: sizes are adjusted first"]);
    check(
        |s| {
            s.promote_full();
            s.pass();
            s.all_available();
        },
        &["promoted: promoted: Full promotion requested"],
    );
    check(
        |s| {
            s.promote_full();
            s.settle();
        },
        &["scale-down-planned: v1 keeps its members until its scale-down time"],
    );
    check(
        |s| {
            s.promote_full();
            s.wait(60);
        },
        &["settled: everything is as wanted"],
    );
    check(
        |s| {
            s.promote();
            s.members_come = false;
            s.wait(1000);
        },
        &[
            "awaiting-members: 1 of 2 members of v2 are available",
            "deadline-exceeded: no progress within progressDeadlineSeconds",
        ],
    );
    // Only without a router (see the table of sizes) old members are waited for.
    assert_eq!(Reason::AwaitingOldMembers { left: 2 }.to_string(), "2 old members are not gone yet");
}

#[test]
fn a_plugin_is_quoted_only_where_it_said_something() {
    let words = |message: &str| {
        let (plugin, operation) = ("acme/gate".to_owned(), serin_core::plugin::Operation::Run);
        Reason::AwaitingPlugin { plugin, operation, message: message.to_owned() }.to_string()
    };
    assert_eq!(words(""), "plugin acme/gate was asked to Run");
    assert_eq!(words("two of three"), "plugin acme/gate was asked to Run: two of three");
}
