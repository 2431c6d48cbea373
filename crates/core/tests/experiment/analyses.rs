//! Analyses of an experiment and what their results mean.

use serin_core::Span;
use serin_core::analysis::RunPhase;
use serin_core::experiment::{Experiment, ExperimentRun};

use crate::stage::{Stage, analysis, experiment};

fn with(duration: Option<i64>, analyses: &[(&str, bool)]) -> Experiment {
    experiment(|e| {
        e.duration = duration.map(Span::from_secs);
        e.scale_down_delay = Span::ZERO;
        e.analyses = analyses.iter().map(|(name, required)| analysis(name, *required)).collect();
    })
}

//= compat: 5.3-2, 5.3-9
#[test]
fn runs_begin_when_all_members_are_there() {
    let mut stage = Stage::new(with(None, &[("a", false)]));
    stage.members_come = false;
    stage.wait(10);
    assert_eq!(stage.world.runs, []);
    stage.members_come = true;
    stage.settle();
    assert_eq!(stage.analyses(), "a exp-a Running");
}

//= compat: 5.3-9
#[test]
fn a_run_takes_the_first_free_name() {
    let mut stage = Stage::new(with(None, &[("a", false)]));
    let foreign = |name: &str| ExperimentRun {
        name: name.to_owned(),
        analysis: None,
        phase: RunPhase::Failed,
        message: String::new(),
        terminating: false,
    };
    stage.world.runs = vec![foreign("exp-a"), foreign("exp-a.1")];
    stage.settle();
    assert_eq!((stage.phase(), stage.analyses().as_str()), ("Running", "a exp-a.2 Running"));
}

/// A run of that name which belongs to somebody else is never stopped.
#[test]
fn foreign_runs_are_left_alone() {
    let mut stage = Stage::running(with(None, &[("a", false)]));
    let foreign = ExperimentRun { name: "other".to_owned(), analysis: None, ..stage.world.runs[0].clone() };
    stage.world.runs.push(foreign);
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(stage.world.runs.iter().map(|r| r.terminating).collect::<Vec<_>>(), [true, false]);
}

//= compat: 5.3-2
#[test]
fn a_missing_template_is_an_error_before_anything_runs() {
    let mut stage = Stage::new(with(None, &[("a", false)]));
    stage.world.experiment.analyses[0].problem = Some("AnalysisTemplate 'errors' not found".to_owned());
    stage.members_come = false;
    stage.settle();
    assert_eq!(stage.state(), "Error: AnalysisTemplate 'errors' not found");
    assert_eq!(stage.sizes(), "");
    let mut nothing = Stage::new(with(None, &[("a", false)]));
    nothing.world.experiment.templates.clear();
    nothing.world.experiment.analyses[0].problem = Some("gone".to_owned());
    nothing.settle();
    assert_eq!((nothing.state().as_str(), nothing.world.status.available_at), ("Error: gone", None));
}

//= compat: 5.3-5, 5.3-7
#[test]
fn a_bad_run_ends_the_experiment_at_once_with_its_phase() {
    for phase in [RunPhase::Failed, RunPhase::Error, RunPhase::Inconclusive] {
        for required in [true, false] {
            let mut stage = Stage::running(with(Some(1000), &[("a", required), ("b", false)]));
            stage.run_is("exp-a", phase, "too many errors");
            stage.settle();
            assert_eq!(stage.state(), format!("{phase}: too many errors"));
            assert_eq!(stage.templates(), "baseline Successful, canary Successful");
            assert_eq!(stage.sizes(), "baseline 0, canary 0");
            assert_eq!(stage.analyses(), format!("a exp-a {phase}, b exp-b Successful"), "the other one is stopped");
        }
    }
}

//= compat: 5.3-7
#[test]
fn the_worst_of_several_bad_runs_decides() {
    let mut stage = Stage::running(with(None, &[("a", false), ("b", false), ("c", false)]));
    stage.run_is("exp-a", RunPhase::Inconclusive, "unclear");
    stage.run_is("exp-b", RunPhase::Failed, "bad");
    stage.run_is("exp-c", RunPhase::Error, "no data");
    stage.settle();
    assert_eq!(stage.state(), "Failed: bad");
}

//= compat: 5.3-5, 5.3-7
#[test]
fn all_required_runs_successful_end_it_early() {
    let mut stage = Stage::running(with(Some(10_000), &[("a", true), ("b", true), ("c", false)]));
    stage.run_is("exp-a", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.phase(), "Running");
    stage.run_is("exp-b", RunPhase::Successful, "");
    stage.settle();
    assert_eq!(stage.state(), "Successful: Required AnalysisRuns completed");
    assert_eq!(
        (stage.sizes().as_str(), stage.analyses().as_str()),
        ("baseline 0, canary 0", "a exp-a Successful, b exp-b Successful, c exp-c Successful")
    );
}

//= compat: 5.3-6
#[test]
fn runs_that_are_not_required_do_not_hold_the_end_up() {
    let mut stage = Stage::running(with(Some(10), &[("a", false)]));
    stage.wait(11);
    assert_eq!(stage.state(), "Successful");
    assert_eq!(stage.analyses(), "a exp-a Successful", "it is stopped");
}

//= compat: 5.3-6
#[test]
fn a_required_run_is_waited_for_after_the_duration() {
    let mut stage = Stage::running(with(Some(10), &[("a", true)]));
    stage.wait(1000);
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("Running", "baseline 0, canary 0"));
    assert_eq!(stage.next(), " | awaiting-run");
    stage.run_is("exp-a", RunPhase::Failed, "bad");
    stage.settle();
    assert_eq!(stage.state(), "Failed: bad");
}

//= compat: 5.3-6
#[test]
fn without_a_duration_successful_runs_that_are_not_required_end_nothing() {
    let mut stage = Stage::running(with(None, &[("a", false)]));
    stage.run_is("exp-a", RunPhase::Successful, "");
    stage.wait(1000);
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("Running", "baseline 1, canary 1"));
}

//= compat: 5.3-8
#[test]
fn terminating_stops_the_runs_and_ends_well_unless_something_failed() {
    let mut stage = Stage::running(with(Some(1000), &[("a", true), ("b", false)]));
    stage.world.experiment.terminate = true;
    stage.events.clear();
    stage.settle();
    assert_eq!(stage.phase(), "Successful");
    assert!(stage.world.runs.iter().all(|r| r.terminating));
    let mut failed = Stage::running(with(Some(1000), &[("a", true)]));
    failed.world.experiment.terminate = true;
    failed.run_is("exp-a", RunPhase::Failed, "bad");
    failed.settle();
    assert_eq!(failed.state(), "Failed: bad");
}

//= compat: 5.3-8
#[test]
fn terminated_before_its_required_run_began_it_ends() {
    let mut stage = Stage::new(with(None, &[("a", true)]));
    stage.members_come = false;
    stage.settle();
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.world.runs.len()), ("Successful", 0));
}

/// An analysis that comes as late as the end is not begun and not waited for.
//= compat: 5.3-8
#[test]
fn an_analysis_that_comes_with_the_end_is_not_waited_for() {
    let mut stage = Stage::running(with(None, &[("a", false)]));
    stage.world.experiment.analyses.push(analysis("late", true));
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.world.runs.len()), ("Successful", 1));
}

/// One that comes after the time of the templates is over is begun and waited for.
//= compat: 5.3-6
#[test]
fn an_analysis_that_comes_after_the_duration_is_waited_for() {
    let mut stage = Stage::running(with(Some(10), &[("a", true)]));
    stage.wait(20);
    stage.world.experiment.analyses = vec![analysis("late", true)];
    stage.settle();
    assert_eq!((stage.phase(), stage.analyses().as_str()), ("Running", "late exp-late Running"));
}

#[test]
fn a_run_that_was_decided_and_is_not_there_is_asked_for_again_under_its_name() {
    let mut stage = Stage::running(with(None, &[("a", true)]));
    stage.world.runs.clear();
    assert_eq!(stage.next(), "start run exp-a | runs-until-terminated");
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(stage.phase(), "Successful", "too late to begin it");
}

//= compat: 5.3-11
#[test]
fn runs_are_told_to_the_experiment_and_as_warnings_to_the_rollout() {
    let mut stage = Stage::running(with(None, &[("a", true)]));
    stage.owner_events.clear();
    stage.run_is("exp-a", RunPhase::Successful, "");
    stage.settle();
    let text = "AnalysisRunSuccessful: AnalysisRun 'a' transitioned from Running -> Successful";
    assert!(stage.told().contains(&text.to_owned()));
    assert_eq!(stage.owner_told(), [format!("!{text}")]);
    let mut other = Stage::running(with(None, &[("a", false)]));
    other.world.experiment.terminate = true;
    other.settle();
    let told = other.told();
    assert!(told.iter().any(|t| t.starts_with("AnalysisRunTerminating: AnalysisRun 'exp-a'")), "{told:?}");
}

/// An analysis that has ended stays as it ended, whatever becomes of its run.
#[test]
fn an_analysis_ends_once() {
    let mut stage = Stage::running(with(None, &[("a", false)]));
    for phase in [RunPhase::Successful, RunPhase::Running] {
        stage.run_is("exp-a", phase, "");
        stage.settle();
        assert_eq!((stage.phase(), stage.analyses().as_str()), ("Running", "a exp-a Successful"));
    }
}

/// What is waited for says whether its end is needed.
#[test]
fn a_run_that_is_waited_for_says_whether_it_is_required() {
    use serin_core::experiment::ExperimentReason;
    let stage = Stage::running(with(None, &[("a", true), ("b", false)]));
    let reasons = serin_core::experiment::decide(&stage.world, stage.now).reasons;
    let required: Vec<(&str, bool)> = reasons
        .iter()
        .filter_map(|reason| match reason {
            ExperimentReason::AwaitingRun { run, required } => Some((run.as_str(), *required)),
            _ => None,
        })
        .collect();
    assert_eq!(required, [("exp-a", true), ("exp-b", false)]);
}
