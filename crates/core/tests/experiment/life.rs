//! The life of an experiment: it comes up, runs for its time, and ends with a verdict.

use serin_core::condition::Kind;
use serin_core::experiment::TemplatePhase;
use serin_core::{Span, Time};

use crate::stage::{EPOCH, Stage, as_is, experiment, template};

fn lasting(seconds: i64) -> Stage {
    Stage::running(experiment(|e| e.duration = Some(Span::from_secs(seconds))))
}

//= compat: 5.2-1, 5.3-1, 5.3-2
#[test]
fn pools_come_empty_then_get_members_and_run_once_all_are_there() {
    let mut stage = Stage::new(experiment(as_is));
    stage.members_come = false;
    stage.pass();
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("Pending", "baseline 0, canary 0"));
    stage.pass();
    assert_eq!(stage.sizes(), "baseline 1, canary 1");
    stage.settle();
    stage.available("baseline", 1);
    stage.settle();
    assert_eq!(stage.state(), "Pending");
    assert_eq!(stage.templates(), "baseline Running, canary Progressing");
    assert_eq!(stage.world.status.available_at, None);
    stage.available("canary", 1);
    stage.settle();
    assert_eq!(stage.state(), "Running");
    assert_eq!(stage.world.status.available_at, Some(EPOCH));
}

//= compat: 5.3-3, 5.3-6
#[test]
fn the_duration_counts_from_when_all_are_there_and_ends_strictly_after() {
    let mut stage = Stage::new(experiment(|e| e.duration = Some(Span::from_secs(60))));
    stage.members_come = false;
    stage.wait(100);
    stage.members_come = true;
    let wake = stage.settle();
    let end = EPOCH + Span::from_secs(160);
    assert_eq!(wake, Some(end + Span::from_millis(1)));
    stage.now = end;
    stage.settle();
    assert_eq!(stage.templates(), "baseline Running, canary Running");
    stage.now = end + Span::from_millis(1);
    stage.settle();
    assert_eq!(
        (stage.state().as_str(), stage.templates().as_str()),
        ("Successful", "baseline Successful, canary Successful")
    );
}

//= compat: 5.3-3
#[test]
fn without_a_duration_it_runs_until_terminated() {
    let mut stage = Stage::running(experiment(as_is));
    stage.wait(100_000);
    assert_eq!(stage.state(), "Running");
    assert_eq!(stage.next(), " | runs-until-terminated");
    stage.world.experiment.terminate = true;
    stage.settle();
    assert_eq!(stage.state(), "Successful");
}

//= compat: 5.3-8
#[test]
fn terminated_before_it_began_it_ends_without_making_anything() {
    let mut stage = Stage::new(experiment(|e| e.terminate = true));
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.sizes().as_str()), ("Successful", ""));
    assert_eq!(stage.templates(), "baseline Successful, canary Successful");
}

//= compat: 5.3-4
#[test]
fn members_that_do_not_come_in_time_fail_the_experiment() {
    let mut stage = Stage::new(experiment(|e| e.progress_deadline = Span::from_secs(50)));
    stage.members_come = false;
    stage.settle();
    stage.available("baseline", 1);
    let wake = stage.settle();
    assert_eq!(wake, Some(EPOCH + Span::from_secs(50)));
    stage.wait(49);
    assert_eq!(stage.phase(), "Pending");
    stage.wait(1);
    let message = "Template 'canary' exceeded its progressDeadlineSeconds (50)";
    assert_eq!(stage.state(), format!("Failed: {message}"));
    assert_eq!(stage.templates(), format!("baseline Successful, canary Failed: {message}"));
}

//= compat: 5.3-4
#[test]
fn each_new_available_member_renews_the_deadline() {
    let mut stage = Stage::new(experiment(|e| {
        e.templates = vec![template("a", 3)];
        e.progress_deadline = Span::from_secs(50);
    }));
    stage.members_come = false;
    for count in 1..3 {
        stage.wait(40);
        stage.available("a", count);
        stage.settle();
    }
    stage.wait(49);
    assert_eq!(stage.phase(), "Pending");
    stage.wait(1);
    assert_eq!(stage.phase(), "Failed");
}

//= compat: 5.3-4
#[test]
fn a_template_that_ran_and_lost_members_has_the_same_time_to_get_them_back() {
    let mut stage = lasting(10_000);
    stage.members_come = false;
    stage.wait(5000);
    stage.available("canary", 0);
    stage.settle();
    assert_eq!((stage.phase(), stage.templates().as_str()), ("Running", "baseline Running, canary Progressing"));
    stage.wait(599);
    assert_eq!(stage.phase(), "Running");
    stage.available("canary", 1);
    stage.settle();
    assert_eq!(stage.templates(), "baseline Running, canary Running");
    assert_eq!(stage.world.status.available_at, Some(EPOCH), "the duration still counts from the first time");
    stage.available("canary", 0);
    stage.wait(600);
    assert_eq!(stage.phase(), "Failed");
}

//= compat: 5.1-3
#[test]
fn what_is_decided_about_a_template_stays() {
    let mut stage = lasting(10);
    stage.members_come = false;
    stage.wait(11);
    assert_eq!(stage.templates(), "baseline Successful, canary Successful");
    stage.available("canary", 0);
    stage.world.pools[0].refused = Some("no command".to_owned());
    stage.wait(10_000);
    assert_eq!(stage.templates(), "baseline Successful, canary Successful");
    assert_eq!(stage.state(), "Successful");
}

//= compat: 5.1-3
#[test]
fn the_worst_template_decides() {
    let order = ["Successful", "Running", "Progressing", "Error", "Failed"];
    let severities = order.map(|word| TemplatePhase::parse(word).unwrap().severity());
    assert!(severities.is_sorted_by(|a, b| a < b), "{severities:?}");
    let mut stage = Stage::new(experiment(|e| e.progress_deadline = Span::from_secs(5)));
    stage.members_come = false;
    stage.pass();
    stage.pass();
    stage.now = stage.now + Span::from_secs(5);
    stage.pool("baseline").refused = Some("no command stands for image x".to_owned());
    stage.settle();
    assert_eq!(stage.phase(), "Failed", "{}", stage.templates());
}

//= compat: 5.2-7
#[test]
fn members_that_can_never_be_made_are_an_error_at_once() {
    let mut stage = Stage::new(experiment(as_is));
    stage.members_come = false;
    stage.settle();
    stage.events.clear();
    stage.pool("canary").refused = Some("no command stands for image x".to_owned());
    stage.settle();
    assert_eq!(stage.state(), "Error: no command stands for image x");
    let told = stage.told();
    assert!(told.contains(&"!ReplicaSetUpdateError: no command stands for image x".to_owned()), "{told:?}");
}

//= compat: 5.3-11
#[test]
fn every_change_of_phase_is_told() {
    let mut stage = Stage::new(experiment(|e| {
        e.templates = vec![template("a", 1)];
        e.duration = Some(Span::from_secs(10));
        e.scale_down_delay = Span::ZERO;
    }));
    stage.wait(11);
    let told = [
        "TemplateProgressing: Template 'a' transitioned from  -> Progressing",
        "ExperimentPending: Experiment transitioned from  -> Pending",
        "NewReplicaSetCreated: Created ReplicaSet exp-a",
        "ScalingReplicaSet: Scaled up ReplicaSet exp-a from 0 to 1",
        "TemplateRunning: Template 'a' transitioned from Progressing -> Running",
        "ExperimentRunning: Experiment transitioned from Pending -> Running",
        "TemplateSuccessful: Template 'a' transitioned from Running -> Successful",
        "ExperimentSuccessful: Experiment transitioned from Running -> Successful",
        "ScalingReplicaSet: Scaled down ReplicaSet exp-a from 1 to 0",
    ];
    assert_eq!(stage.told(), told);
}

//= compat: 5.3-12
#[test]
fn the_condition_follows_the_phase() {
    let mut stage = Stage::new(experiment(|e| e.duration = Some(Span::from_secs(10))));
    stage.members_come = false;
    stage.settle();
    assert_eq!(stage.says(Kind::Progressing), "True ReplicaSetUpdated: Experiment \"exp\" is progressing.");
    stage.members_come = true;
    stage.settle();
    assert_eq!(stage.says(Kind::Progressing), "True NewReplicaSetAvailable: Experiment \"exp\" is running.");
    stage.wait(11);
    let text = "False ExperimentCompleted: Experiment \"exp\" has completed successfully.";
    assert_eq!(stage.says(Kind::Progressing), text);
    let mut failed = Stage::new(experiment(|e| e.progress_deadline = Span::ZERO));
    failed.settle();
    assert_eq!(failed.says(Kind::Progressing), "False ExperimentCompleted: Experiment \"exp\" has ended: Failed.");
}

//= compat: 5.3-13, 8.6-1
#[test]
fn an_invalid_experiment_gets_a_condition_and_nothing_else_and_heals() {
    let mut stage = Stage::new(experiment(|e| e.invalid = Some("spec.templates[0].name: Required value".to_owned())));
    stage.wait(1000);
    assert_eq!((stage.phase(), stage.sizes().as_str()), ("", ""));
    let text = "The Experiment \"exp\" is invalid: spec.templates[0].name: Required value";
    assert_eq!(stage.says(Kind::InvalidSpec), format!("True InvalidSpec: {text}"));
    assert_eq!(stage.told(), [format!("!InvalidSpec: {text}")]);
    assert_eq!(stage.next(), " | invalid-spec");
    stage.world.experiment.invalid = Some("another".to_owned());
    stage.settle();
    assert!(stage.says(Kind::InvalidSpec).ends_with("another"));
    stage.world.experiment.invalid = None;
    stage.settle();
    assert_eq!((stage.phase(), stage.says(Kind::InvalidSpec).as_str()), ("Running", ""));
}

//= compat: 5.1-2
#[test]
fn the_status_speaks_of_every_template() {
    let mut stage = lasting(10);
    stage.members_come = false;
    stage.now = stage.now + Span::from_secs(3);
    stage.available("canary", 0);
    stage.settle();
    let status = stage.world.status.template("canary").unwrap();
    assert_eq!((status.members, status.ready, status.available), (1, 0, 0));
    assert_eq!(status.hash.as_ref().map(serin_core::Hash::as_str), Some("hcanary"));
    assert_eq!(status.transitioned, Time::from_secs(1_000_003));
}

/// "Longer than the duration": at its end it still runs.
#[test]
fn an_experiment_without_templates_ends_after_its_time() {
    let mut stage = Stage::new(experiment(|e| {
        e.templates.clear();
        e.duration = Some(Span::from_secs(5));
    }));
    stage.settle();
    assert_eq!(stage.state(), "Running");
    stage.now = stage.now + Span::from_secs(5);
    stage.settle();
    assert_eq!(stage.state(), "Running");
    stage.wait(1);
    assert_eq!(stage.state(), "Successful");
}
