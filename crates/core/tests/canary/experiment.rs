//! The experiment step of a canary.

use serin_core::analysis::RunPhase;
use serin_core::rollout::{BlueGreen, Canary, ExperimentStep, Rollout, Strategy};
use serin_core::status::PauseReason;
use serin_core::{Hash, Span, Step, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

const FIRST: &str = "svc-v2-2-1";

pub(crate) fn experiment(weights: &[(&str, u32)]) -> Step {
    let weights = weights.iter().map(|(template, weight)| ((*template).to_owned(), *weight)).collect();
    Step::Experiment(ExperimentStep { weights })
}

fn steps() -> [Step; 3] {
    [weight(25), experiment(&[("baseline", 5), ("canary", 10)]), PAUSE]
}

/// An update at its experiment step, which runs.
fn trying(edit: impl FnOnce(&mut Rollout, &mut Canary)) -> Stage {
    let mut stage = Stage::updating(rollout(&steps(), edit));
    judged_settle(&mut stage, 30);
    assert_eq!(experiments(&stage), format!("{FIRST} Running"));
    stage.events.clear();
    stage
}

fn experiments(stage: &Stage) -> String {
    let all = stage.world.experiments.iter().map(|e| format!("{} {}", e.name, e.phase));
    all.collect::<Vec<_>>().join(", ")
}

/// `stable / canary / each version of the experiment`, as the router carries it.
fn split(stage: &Stage) -> String {
    let split = stage.world.split.as_ref().unwrap();
    let rest: String = split.experiment.iter().map(|d| format!(" / {} {}", d.service, d.weight)).collect();
    format!("{} / {}{rest}", split.weight_stable(), split.weight)
}

//= compat: 5.4-6, 5.4-7
#[test]
fn versions_of_a_running_experiment_get_their_weights_from_stable() {
    let mut stage = trying(as_is);
    assert_eq!(split(&stage), "60 / 25 / svc-v2-2-1-baseline 5 / svc-v2-2-1-canary 10");
    assert_eq!(stage.world.status.weights.as_ref().map(|w| w.additional.len()), Some(2));
    assert_eq!(stage.next(), " | awaiting-experiment");
    stage.experiment_ends(FIRST, RunPhase::Successful, "");
    judged_settle(&mut stage, 30);
    assert_eq!((split(&stage).as_str(), stage.state().as_str()), ("75 / 25", "Paused step 2: CanaryPauseStep"));
    assert_eq!(stage.world.status.current_experiment, None);
}

//= compat: 5.4-6
#[test]
fn the_experiment_is_told_and_only_made_when_something_is_stable() {
    let mut stage = Stage::deployed(rollout(&[experiment(&[])], as_is));
    assert_eq!(experiments(&stage), "", "the first version has nothing to be compared with");
    stage.template("v2");
    judged_settle(&mut stage, 30);
    assert_eq!(experiments(&stage), "svc-v2-2-0 Running");
    assert!(stage.told().contains(&"ExperimentCreated: Created Experiment 'svc-v2-2-0'".to_owned()));
}

//= compat: 5.4-7
#[test]
fn no_weight_goes_to_versions_that_are_not_there() {
    let mut stage = Stage::updating(rollout(&steps(), as_is));
    stage.members_come = false;
    stage.experiments_go_on();
    judged_settle(&mut stage, 30);
    stage.world.experiments[0].pools[0].available = 0;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "65 / 25 / svc-v2-2-1-canary 10");
    stage.world.experiments[0].pools[1].service = None;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "75 / 25");
}

//= compat: 5.4-7
#[test]
fn weights_beyond_the_total_are_cut_and_never_taken_from_the_canary() {
    let list = [weight(60), experiment(&[("a", 30), ("b", 30)]), PAUSE];
    let mut stage = Stage::updating(rollout(&list, as_is));
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "0 / 60 / svc-v2-2-1-a 30 / svc-v2-2-1-b 10");
}

#[test]
fn weight_leaves_a_dead_version_although_stable_is_not_whole() {
    let mut stage = trying(as_is);
    stage.members_come = false;
    stage.available("v1", 1);
    stage.world.experiments[0].pools[1].available = 0;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "70 / 25 / svc-v2-2-1-baseline 5");
}

/// Another version of the experiment that answers, but has no weight, does not make a dead one alive.
#[test]
fn weight_leaves_a_dead_version_beside_a_living_one_without_weight() {
    let mut stage = Stage::updating(rollout(&[weight(25), experiment(&[("a", 10), ("b", 0)]), PAUSE], as_is));
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "65 / 25 / svc-v2-2-1-a 10");
    stage.members_come = false;
    stage.available("v1", 1);
    stage.world.experiments[0].pools[0].available = 0;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "75 / 25");
}

#[test]
fn weight_stays_with_a_version_that_answers_until_stable_is_whole() {
    let mut stage = trying(as_is);
    stage.members_come = false;
    stage.available("v1", 1);
    let before = split(&stage);
    stage.world.experiments[0].pools[1].service = None;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), before);
}

//= compat: 2.6-15, 5.4-8
#[test]
fn a_failed_experiment_aborts_with_its_message() {
    for phase in [RunPhase::Failed, RunPhase::Error] {
        let mut stage = trying(as_is);
        stage.experiment_ends(FIRST, phase, "Metric \"error-rate\" assessed Failed");
        judged_settle(&mut stage, 30);
        let cause = "Experiment analysis phase is error/failed: Metric \"error-rate\" assessed Failed";
        let message = format!("Rollout aborted update to revision 2: {cause}");
        assert_eq!(stage.state(), format!("Degraded step 0: RolloutAborted: {message}"));
        assert_eq!((split(&stage).as_str(), stage.world.status.current_experiment.clone()), ("100 / 0", None));
        let mut silent = trying(as_is);
        silent.experiment_ends(FIRST, phase, "");
        judged_settle(&mut silent, 30);
        assert!(silent.state().ends_with("Experiment analysis phase is error/failed"), "{}", silent.state());
    }
}

//= compat: 5.4-8
#[test]
fn abort_full_promotion_and_leaving_the_step_end_the_experiment() {
    type Wish = fn(&mut Stage);
    let wishes: [Wish; 3] = [|s| intent::abort(&mut s.world.status), Stage::promote_full, Stage::promote];
    for wish in wishes {
        let mut stage = trying(as_is);
        stage.router_obeys = true;
        wish(&mut stage);
        judged_settle(&mut stage, 40);
        assert!(stage.world.experiments[0].terminating);
        assert!(!split(&stage).contains("svc-v2-2-1"), "{}", split(&stage));
    }
}

//= compat: 5.4-2, 2.7-10
#[test]
fn a_retry_makes_another_one_with_a_number() {
    let mut stage = trying(as_is);
    for wanted in ["svc-v2-2-1-1", "svc-v2-2-1-2"] {
        intent::abort(&mut stage.world.status);
        judged_settle(&mut stage, 40);
        intent::retry(&mut stage.world.status);
        stage.wait(60);
        assert_eq!(stage.world.status.current_experiment.as_deref(), Some(wanted));
    }
}

/// Decided, and not there: it is asked for again under its name.
//= compat: 5.4-2
#[test]
fn an_experiment_whose_start_was_lost_is_started_again_under_its_name() {
    let mut stage = trying(as_is);
    stage.world.experiments.clear();
    let next = stage.next();
    assert!(next.contains(&format!("start experiment {FIRST}")), "{next}");
}

//= compat: 2.7-1, 4.3-3, 5.4-9
#[test]
fn an_inconclusive_experiment_waits_for_a_person_who_goes_on_with_the_next_step() {
    let mut stage = trying(as_is);
    stage.experiment_ends(FIRST, RunPhase::Inconclusive, "neither good nor bad");
    stage.wait(10_000);
    assert_eq!(stage.state(), "Paused step 1: InconclusiveExperiment");
    assert_eq!(stage.next(), " | paused-inconclusive");
    assert_eq!(experiments(&stage), format!("{FIRST} Inconclusive"), "no second one is made meanwhile");
    assert_eq!(split(&stage), "75 / 25");
    stage.promote();
    judged_settle(&mut stage, 30);
    assert_eq!(stage.state(), "Paused step 2: CanaryPauseStep");
    assert_eq!(stage.world.status.current_experiment, None);
}

//= compat: 5.4-9
#[test]
fn a_pause_that_other_tools_take_away_tries_once_more() {
    let mut stage = trying(as_is);
    stage.experiment_ends(FIRST, RunPhase::Inconclusive, "");
    judged_settle(&mut stage, 30);
    stage.world.status.pauses.clear();
    judged_settle(&mut stage, 30);
    assert_eq!(experiments(&stage), format!("{FIRST} Inconclusive, {FIRST}-1 Running"));
    stage.experiment_ends("svc-v2-2-1-1", RunPhase::Inconclusive, "");
    judged_settle(&mut stage, 30);
    assert!(stage.world.status.pause(PauseReason::InconclusiveExperiment).is_some(), "and waits again");
}

//= compat: 2.6-13, 1.2-12
#[test]
fn an_experiment_may_take_longer_than_the_progress_deadline() {
    let mut stage = trying(|rollout, _| {
        rollout.progress_deadline = Span::from_secs(60);
        rollout.progress_deadline_abort = true;
    });
    stage.wait(10_000);
    assert_eq!((stage.phase(), experiments(&stage)), ("Progressing", format!("{FIRST} Running")));
}

//= compat: 5.4-10, 1.2-6
#[test]
fn finished_experiments_are_forgotten_like_runs_once_they_have_no_members() {
    let mut stage = trying(|rollout, _| rollout.run_history_limits = (1, 1));
    for _ in 0..3 {
        stage.experiment_ends(&stage.world.status.current_experiment.clone().unwrap(), RunPhase::Failed, "");
        stage.wait(60);
        intent::retry(&mut stage.world.status);
        stage.wait(60);
    }
    assert_eq!(experiments(&stage), "svc-v2-2-1-2 Failed, svc-v2-2-1-3 Running", "no name is used again");
    stage.experiment_ends("svc-v2-2-1-3", RunPhase::Successful, "");
    judged_settle(&mut stage, 30);
    stage.world.experiments[0].pools[0].members = 1;
    stage.members_come = false;
    stage.world.rollout.run_history_limits = (0, 0);
    judged_settle(&mut stage, 30);
    assert_eq!(
        experiments(&stage),
        "svc-v2-2-1-2 Failed, svc-v2-2-1-3 Successful",
        "members are never cut off, and the next name counts on from the last"
    );
    stage.world.experiments.iter_mut().flat_map(|e| &mut e.pools).for_each(|p| p.members = 0);
    judged_settle(&mut stage, 30);
    assert_eq!(experiments(&stage), "svc-v2-2-1-3 Successful");
    stage.promote_full();
    stage.members_come = true;
    stage.wait(60);
    assert_eq!((stage.phase(), experiments(&stage)), ("Healthy", String::new()), "once the update is over");
}

/// A canary without weight and without members is no reason to give stable more than it can carry.
#[test]
fn a_canary_without_weight_is_not_called_dead() {
    let list = [weight(0), experiment(&[("a", 10)]), PAUSE];
    let mut stage = Stage::updating(rollout(&list, as_is));
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "90 / 0 / svc-v2-2-1-a 10", "{}", stage.brief());
    stage.members_come = false;
    stage.available("v1", 3);
    stage.world.experiments[0].pools[0].service = None;
    judged_settle(&mut stage, 30);
    assert_eq!(split(&stage), "90 / 0 / svc-v2-2-1-a 10");
}

/// A version without weight that a router still names is not missed by anybody.
#[test]
fn a_destination_without_weight_is_not_called_dead() {
    let mut stage = trying(as_is);
    let mut named = stage.world.split.as_ref().unwrap().experiment[0].clone();
    (named.hash, named.weight) = ("gone".into(), 0);
    stage.members_come = false;
    stage.router_obeys = false;
    stage.available("v1", 1);
    stage.world.experiments[0].pools[1].service = None;
    stage.world.split.as_mut().unwrap().experiment.push(named);
    assert!(stage.next().contains("stable-too-small"), "{}", stage.next());
}

/// The pass that sees an abort or the wish to skip everything takes the weights of the experiment back.
//= compat: 5.4-7
#[test]
fn the_weights_of_an_experiment_end_in_the_pass_that_ends_it() {
    let after = |ask: &dyn Fn(&mut Stage)| {
        let mut stage = trying(as_is);
        ask(&mut stage);
        stage.pass();
        stage.world.split.unwrap().experiment.len()
    };
    assert_eq!(after(&|_| {}), 2);
    assert_eq!(after(&|stage| intent::abort(&mut stage.world.status)), 0);
    assert_eq!(after(&|stage| stage.promote_full()), 0);
}

/// One that is not the current one and still runs is told to end, and forgotten only after that.
//= compat: 5.4-8
#[test]
fn an_experiment_that_runs_is_not_forgotten() {
    let mut stage = trying(|rollout, _| rollout.run_history_limits = (0, 0));
    let mut stray = stage.world.experiments[0].clone();
    (stray.name, stray.hash) = ("stray".to_owned(), "v0".into());
    stray.pools.clear();
    stage.world.experiments.push(stray);
    let actions: Vec<String> = stage.pass().actions.iter().map(ToString::to_string).collect();
    assert_eq!(actions, ["stop experiment stray"]);
}

//= compat: 1.5-2
#[test]
fn pools_of_experiments_count_for_nothing_in_the_rollback_window() {
    let mut stage = Stage::deployed(rollout(&steps(), |rollout, _| rollout.rollback_window = Some(1)));
    stage.now = stage.now + Span::from_secs(60);
    stage.template("v2");
    judged_settle(&mut stage, 30);
    stage.experiment_ends(FIRST, RunPhase::Successful, "");
    judged_settle(&mut stage, 30);
    stage.promote();
    stage.wait(60);
    assert_eq!((stage.phase(), stage.world.status.stable.clone()), ("Healthy", Some(Hash::new("v2"))));
    let pools = stage.world.experiments.iter().flat_map(|e| &e.pools).count();
    assert_eq!(pools, 2);
    stage.template("v1");
    judged_settle(&mut stage, 30);
    assert_eq!(stage.world.status.stable, Some(Hash::new("v1")), "no pool lies between the two");
    assert_eq!(experiments(&stage), format!("{FIRST} Successful"), "and no step is run");
}

#[test]
fn a_rollout_that_becomes_blue_green_ends_its_experiments() {
    let mut stage = trying(as_is);
    let strategy = BlueGreen { active_service: "svc-stable".to_owned(), auto_promotion: true, ..BlueGreen::default() };
    stage.world.rollout.strategy = Strategy::BlueGreen(strategy);
    stage.world.rollout.steps_hash = String::new();
    stage.settle();
    assert!(stage.world.experiments.iter().all(|e| e.phase.is_completed()), "{}", experiments(&stage));
}

/// A version that comes in the middle is tried by an experiment of its own.
//= compat: 2.4-2
#[test]
fn another_template_begins_with_another_experiment() {
    let mut stage = Stage::updating(rollout(&[experiment(&[("a", 10)]), PAUSE], as_is));
    judged_settle(&mut stage, 30);
    assert_eq!(experiments(&stage), "svc-v2-2-0 Running");
    stage.template("v3");
    judged_settle(&mut stage, 40);
    assert_eq!(stage.world.status.current_experiment.as_deref(), Some("svc-v3-3-0"));
    assert!(stage.world.experiment("svc-v2-2-0").unwrap().terminating);
}

/// Aborted by its experiment and retried in the same moment: the one that failed is not judged again.
//= compat: 2.7-10
#[test]
fn a_retry_right_after_the_abort_is_not_aborted_by_the_former_experiment() {
    let mut stage = Stage::updating(rollout(&[experiment(&[]), PAUSE], as_is));
    judged_settle(&mut stage, 30);
    stage.experiment_ends("svc-v2-2-0", RunPhase::Failed, "");
    stage.pass();
    assert!(stage.world.status.abort);
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(stage.world.status.current_experiment.as_deref(), Some("svc-v2-2-0-1"), "{}", stage.brief());
}

/// The first step is where an abort goes back to; while it lasts nothing is tried there.
//= compat: 5.4-8
#[test]
fn nothing_is_tried_while_an_abort_lasts_or_everything_is_skipped() {
    let first = || {
        let mut stage = Stage::updating(rollout(&[experiment(&[("a", 10)]), PAUSE], as_is));
        judged_settle(&mut stage, 30);
        assert_eq!(experiments(&stage), "svc-v2-2-0 Running");
        stage.members_come = false;
        stage
    };
    let mut stage = first();
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 30);
    assert_eq!((experiments(&stage).as_str(), stage.world.status.step_index), ("svc-v2-2-0 Successful", Some(0)));
    assert_eq!((stage.world.experiments[0].terminating, &stage.world.status.current_experiment), (true, &None));

    let mut stage = first();
    stage.promote_full();
    judged_settle(&mut stage, 30);
    assert_eq!((experiments(&stage).as_str(), stage.world.status.step_index), ("svc-v2-2-0 Successful", Some(0)));
    assert_eq!((stage.world.experiments[0].terminating, &stage.world.status.current_experiment), (true, &None));
}
