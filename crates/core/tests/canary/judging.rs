//! Table: which runs exist, and what their results mean (section 4 and the traps about runs).

use serin_core::analysis::{RunKind, RunPhase};
use serin_core::{Action, Span, Step, decide, intent};

use crate::stage::{PAUSE, Stage, as_is, pause, rollout, weight};

/// An update with a background run from `background` and these steps.
fn updating(steps: &[Step], background: Option<usize>) -> Stage {
    let mut stage = Stage::deployed(rollout(steps, |_, canary| canary.background_from = background));
    assert!(stage.world.runs.is_empty(), "no run at the first install");
    stage.template("v2");
    stage.settle();
    stage.events.clear();
    stage
}

fn runs(stage: &Stage) -> Vec<String> {
    let runs = stage.world.runs.iter();
    runs.map(|r| format!("{} {}{}", r.name, r.phase, if r.terminating { " (stopped)" } else { "" })).collect()
}

//= compat: 4.1-1, 4.1-2, 4.2-1, 4.2-2, 4.2-3
#[test]
fn which_runs_there_are_and_their_names() {
    let steps = [weight(25), pause(10), Step::Analysis, PAUSE, Step::Analysis];
    let mut stage = updating(&steps, Some(2));
    assert!(runs(&stage).is_empty(), "before startingStep there is none");
    stage.wait(11);
    assert_eq!(runs(&stage), ["svc-v2-2 Running", "svc-v2-2-2 Running"]);
    assert_eq!(stage.world.runs.iter().map(|r| r.kind).collect::<Vec<_>>(), [RunKind::Background, RunKind::Step(2)]);
    assert_eq!((RunKind::Background.as_str(), RunKind::Step(2).as_str()), ("Background", "Step"));
    stage.run_ends("svc-v2-2-2", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.world.status.step_index, Some(3));
    stage.promote();
    stage.settle();
    assert_eq!(runs(&stage), ["svc-v2-2 Running", "svc-v2-2-2 Successful", "svc-v2-2-4 Running"], "one background run");

    // Another start takes the next name.
    intent::abort(&mut stage.world.status);
    stage.settle();
    intent::retry(&mut stage.world.status);
    stage.wait(11);
    assert!(runs(&stage).contains(&"svc-v2-2.1 Running".to_owned()));
    assert!(runs(&stage).contains(&"svc-v2-2-2.1 Running".to_owned()));
}

//= compat: 4.2-2
#[test]
fn without_a_step_to_start_from_it_runs_from_the_first() {
    let stage = updating(&[weight(25), PAUSE], Some(0));
    assert_eq!(runs(&stage), ["svc-v2-2 Running"]);
}

#[test]
fn a_run_that_was_decided_and_not_started_is_asked_for_again_during_a_pause() {
    // The process was killed after it wrote the status that names the run, and before it started the run.
    let mut stage = updating(&[weight(25), PAUSE], Some(0));
    stage.world.runs.clear();
    stage.settle();
    assert_eq!(stage.phase(), "Paused");
    assert_eq!(runs(&stage), ["svc-v2-2 Running"]);
}

//= compat: 4.2-7, 4.2-8, 4.3-1, 10.43
#[test]
fn what_stops_runs() {
    let both = || updating(&[weight(25), Step::Analysis, PAUSE], Some(0));
    let stopped = ["svc-v2-2 Successful (stopped)", "svc-v2-2-1 Successful (stopped)"];
    let check = |edit: fn(&mut Stage)| {
        let mut stage = both();
        assert_eq!(runs(&stage), ["svc-v2-2 Running", "svc-v2-2-1 Running"]);
        edit(&mut stage);
        stage.settle();
        assert_eq!(runs(&stage), stopped);
        assert_eq!((&stage.world.status.step_run, &stage.world.status.background_run), (&None, &None));
    };
    check(|s| intent::abort(&mut s.world.status));
    check(|s| s.promote_full());
    check(|s| s.template("v1"));

    // A step that is left stops its run only; a promotion stops the background run, finished or not.
    let mut stage = both();
    stage.promote();
    stage.settle();
    assert_eq!(runs(&stage), ["svc-v2-2 Running", "svc-v2-2-1 Successful (stopped)"]);
    stage.promote();
    stage.settle();
    assert_eq!(stage.phase(), "Healthy");
    assert_eq!(runs(&stage), stopped);

    // A run that nobody refers to is stopped as well.
    let mut stage = both();
    let mut stray = stage.world.runs[0].clone();
    stray.name = "svc-v2-2.7".to_owned();
    stage.world.runs.push(stray);
    assert_eq!(stage.next(), "stop run svc-v2-2.7 | awaiting-run");
}

//= compat: 4.2-4, 10.51
#[test]
fn step_runs_are_left_alone_during_a_pause() {
    let mut stage = updating(&[weight(25), Step::Analysis, PAUSE], Some(0));
    stage.run_ends("svc-v2-2", RunPhase::Inconclusive, "");
    stage.settle();
    assert_eq!(stage.state(), "Paused step 1: InconclusiveAnalysisRun");
    stage.run_ends("svc-v2-2-1", RunPhase::Failed, "bad");
    stage.settle();
    assert_eq!(stage.phase(), "Paused", "not looked at while a pause reason stands");

    // A person's pause of the spec is no such reason.
    let mut stage = updating(&[weight(25), Step::Analysis, PAUSE], None);
    stage.edit(|rollout, _| rollout.paused = true);
    stage.run_ends("svc-v2-2-1", RunPhase::Failed, "bad");
    stage.settle();
    assert_eq!(stage.phase(), "Degraded");
}

//= compat: 4.3-1, 4.3-2
#[test]
fn a_background_run_may_end_early_or_never() {
    let mut stage = updating(&[weight(25), pause(10)], Some(0));
    stage.run_ends("svc-v2-2", RunPhase::Successful, "");
    stage.wait(100);
    assert_eq!((stage.phase(), runs(&stage)), ("Healthy", vec!["svc-v2-2 Successful".to_owned()]));
    let mut stage = updating(&[weight(25), pause(10)], Some(0));
    stage.wait(100);
    assert_eq!(stage.phase(), "Healthy");
}

//= compat: 4.3-3, 4.3-6, 2.6-15, 2.6-14
#[test]
fn what_a_result_does() {
    let check = |run: &str, phase: RunPhase, state: &str, told: &str| {
        let mut stage = updating(&[weight(25), Step::Analysis, PAUSE], Some(0));
        stage.run_ends(run, phase, "why");
        stage.settle();
        assert_eq!(stage.state(), state);
        assert!(stage.told().contains(&told.to_owned()), "{told}");
    };
    let step = "svc-v2-2-1";
    let event = |kind: &str, run: &str, phase: &str, warning: &str| {
        format!("{warning}AnalysisRun{phase}: {kind} Analysis Run '{run}' Status New: '{phase}' Previous: 'Running'")
    };
    let aborted = |kind: &str| {
        format!(
            "Degraded step 0: RolloutAborted: Rollout aborted update to revision 2: {kind} analysis phase error/failed: why"
        )
    };
    use RunPhase::{Error, Failed, Inconclusive, Successful};
    check(step, Successful, "Paused step 2: CanaryPauseStep", &event("Step", step, "Successful", ""));
    check(step, Failed, &aborted("Step-based"), &event("Step", step, "Failed", "!"));
    check(step, Error, &aborted("Step-based"), &event("Step", step, "Error", "!"));
    check(step, Inconclusive, "Paused step 1: InconclusiveAnalysisRun", &event("Step", step, "Inconclusive", ""));
    let background = "svc-v2-2";
    check(
        background,
        Successful,
        "Progressing step 1: waiting for all steps to complete",
        &event("Background", background, "Successful", ""),
    );
    check(background, Failed, &aborted("Background"), &event("Background", background, "Failed", "!"));
    check(background, Error, &aborted("Background"), &event("Background", background, "Error", "!"));
    check(
        background,
        Inconclusive,
        "Paused step 1: InconclusiveAnalysisRun",
        &event("Background", background, "Inconclusive", ""),
    );
}

//= compat: 4.3-6
#[test]
fn the_first_sight_of_a_run_has_nothing_before_it() {
    let mut stage = Stage::deployed(rollout(&[Step::Analysis], |_, _| {}));
    stage.template("v2");
    stage.settle();
    let told = "AnalysisRunRunning: Step Analysis Run 'svc-v2-2-0' Status New: 'Running' Previous: 'NoPreviousStatus'";
    assert!(stage.told().contains(&told.to_owned()));
    let mut stage = Stage::deployed(rollout(&[Step::Analysis], |_, _| {}));
    stage.template("v2");
    (0..3).for_each(|_| drop(stage.pass()));
    stage.run_ends("svc-v2-2-0", RunPhase::Pending, "");
    stage.pass();
    assert!(!stage.told_reasons().contains("AnalysisRun"), "a run that has not begun is no news");
}

//= compat: 2.7-5, 4.3-3, 4.3-4, 7.5-2
#[test]
fn an_inconclusive_run_halts_until_a_person_decides() {
    let inconclusive = || {
        let mut stage = updating(&[weight(25), Step::Analysis, weight(50), PAUSE], None);
        stage.run_ends("svc-v2-2-1", RunPhase::Inconclusive, "");
        stage.settle();
        stage
    };
    let mut stage = inconclusive();
    stage.pool("v2").size = 3;
    stage.settle();
    assert_eq!(stage.pool("v2").size, 3, "sizes are left alone");
    assert_eq!(stage.world.runs.len(), 1, "no new run");

    // Resumed as any client may do it: the analysis is tried again.
    let mut stage = inconclusive();
    stage.world.status.pauses.clear();
    stage.settle();
    assert_eq!(runs(&stage), ["svc-v2-2-1 Inconclusive", "svc-v2-2-1.1 Running"]);

    // Promoted: the analysis is skipped.
    let mut stage = inconclusive();
    stage.promote();
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.weight()), ("Paused step 3: CanaryPauseStep", Some(50)));
}

//= compat: 1.2-13, 4.3-7
#[test]
fn finished_runs_are_kept_by_result_newest_first() {
    let mut stage = updating(&[weight(25), Step::Analysis], None);
    stage.edit(|rollout, _| rollout.run_history_limits = (1, 2));
    let base = stage.world.runs[0].clone();
    let results =
        [RunPhase::Successful, RunPhase::Failed, RunPhase::Error, RunPhase::Inconclusive, RunPhase::Successful];
    for (i, phase) in results.into_iter().enumerate() {
        let mut run = base.clone();
        (run.name, run.phase) = (format!("old-{i}"), phase);
        run.created = stage.now + Span::from_secs(i as i64);
        stage.world.runs.push(run);
    }
    let mut orphan = base.clone();
    (orphan.name, orphan.hash, orphan.phase) = ("orphan".to_owned(), "gone".into(), RunPhase::Successful);
    orphan.created = stage.now + Span::from_secs(99);
    stage.world.runs.push(orphan);
    stage.settle();
    assert_eq!(
        runs(&stage),
        ["svc-v2-2-1 Running", "old-2 Error", "old-3 Inconclusive", "old-4 Successful"],
        "one good, two bad, none of a version without a pool, and the current one whatever the limits"
    );
}

/// What still runs is told to stop first, and forgotten when it has ended.
//= compat: 4.2-8, 4.3-7
#[test]
fn a_run_that_nobody_wants_is_stopped_before_it_is_forgotten() {
    let mut stage = updating(&[weight(25), Step::Analysis], None);
    stage.edit(|rollout, _| rollout.run_history_limits = (0, 0));
    let mut stray = stage.world.runs[0].clone();
    (stray.name, stray.phase) = ("stray".to_owned(), RunPhase::Running);
    stage.world.runs.push(stray);
    let actions = decide(&stage.world, stage.now).actions;
    assert_eq!(actions, [Action::StopRun { name: "stray".to_owned() }]);
}

/// A run that was forgotten left its name to another one, and a pass that saw the world of a minute ago took the former one's
/// result for the new one's.
//= compat: 4.1-1, 4.3-7
#[test]
fn no_name_of_a_run_is_used_again_while_the_update_lasts() {
    let mut stage = updating(&[Step::Analysis, PAUSE], None);
    stage.edit(|rollout, _| rollout.run_history_limits = (0, 0));
    for name in ["svc-v2-2-0", "svc-v2-2-0.1", "svc-v2-2-0.2"] {
        assert_eq!(runs(&stage).last(), Some(&format!("{name} Running")));
        stage.run_ends(name, RunPhase::Failed, "");
        stage.settle();
        assert_eq!(runs(&stage), [format!("{name} Failed")], "the last one stays, whatever the limits");
        intent::retry(&mut stage.world.status);
        stage.settle();
    }
    stage.run_ends("svc-v2-2-0.3", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(runs(&stage), ["svc-v2-2-0.3 Successful"]);
    stage.promote();
    stage.wait(60);
    assert_eq!((stage.phase(), runs(&stage)), ("Healthy", Vec::new()), "the update is over");
}

/// A pass that saw the world of a minute ago gave a run the name of one that had been told to stop since: what that one came to,
/// "Successful, Run Terminated", let the step pass.
#[test]
fn a_run_that_was_told_to_stop_before_it_was_begun_is_no_verdict() {
    let mut stage = Stage::deployed(rollout(&[Step::Analysis, PAUSE], as_is));
    stage.template("v2");
    while stage.world.runs.is_empty() {
        stage.pass();
    }
    let taken = &mut stage.world.runs[0];
    (taken.phase, taken.terminating) = (RunPhase::Successful, true);
    stage.settle();
    assert_eq!(runs(&stage), ["svc-v2-2-0 Successful (stopped)", "svc-v2-2-0.1 Running"]);
    assert_eq!(stage.world.status.step_index, Some(0));
    stage.run_ends("svc-v2-2-0.1", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.state(), "Paused step 1: CanaryPauseStep");
}

/// A run that goes on and that a person ends lets its step pass, as in the original.
//= compat: 3.8-6
#[test]
fn a_run_that_a_person_terminates_lets_its_step_pass() {
    let mut stage = updating(&[Step::Analysis, PAUSE], None);
    stage.world.runs[0].terminating = true;
    stage.settle();
    stage.run_ends("svc-v2-2-0", RunPhase::Successful, "Run Terminated");
    stage.settle();
    assert_eq!((stage.state().as_str(), runs(&stage).len()), ("Paused step 1: CanaryPauseStep", 1));
}

/// Aborted by its run and retried before anything else was decided: the run that failed aborted it once more.
//= compat: 4.3-5, 2.7-10
#[test]
fn a_retry_right_after_the_abort_is_not_aborted_by_the_former_run() {
    for background in [None, Some(0)] {
        let steps = if background.is_some() { [weight(25), PAUSE] } else { [Step::Analysis, PAUSE] };
        let mut stage = updating(&steps, background);
        let name = stage.world.runs[0].name.clone();
        stage.run_ends(&name, RunPhase::Failed, "");
        stage.pass();
        assert!(stage.world.status.abort);
        intent::retry(&mut stage.world.status);
        stage.settle();
        assert!(!stage.world.status.abort, "{}", stage.brief());
        assert_eq!(runs(&stage), [format!("{name} Failed"), format!("{name}.1 Running")]);
    }
}
