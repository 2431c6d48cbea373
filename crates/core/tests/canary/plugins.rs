//! Table: steps of plugins (section 6.13).

use serin_core::plugin::{Operation, PluginAnswer, PluginPhase, PluginStep};
use serin_core::{Action, Span, Step, intent};

use crate::oracle::judged_settle;
use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

pub(crate) fn plugin(name: &str) -> Step {
    Step::Plugin(PluginStep { name: name.to_owned() })
}

pub(crate) fn says(phase: PluginPhase, message: &str) -> Result<PluginAnswer, String> {
    Ok(PluginAnswer { phase, message: message.to_owned(), requeue_after: None, state: None })
}

/// What is remembered: step, operation, phase and number of answers of each.
fn entries(stage: &Stage) -> String {
    let entry = |p: &serin_core::plugin::PluginStatus| {
        format!("{} {} {} {}", p.index, p.operation.as_str(), p.phase.as_str(), p.executions)
    };
    stage.world.status.plugins.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// Questions that no answer came to yet.
fn open(stage: &Stage) -> Vec<&str> {
    stage.world.plugins.calls.iter().filter(|c| c.answer.is_none()).map(|c| c.id.as_str()).collect()
}

fn gated() -> Stage {
    Stage::updating(rollout(&[weight(10), plugin("acme/gate"), weight(50), PAUSE], as_is))
}

//= compat: 6.13-1, 6.13-2, 6.13-3, 6.13-5, 1.7-7
#[test]
fn a_step_is_over_when_its_plugin_says_so() {
    let mut stage = gated();
    let started = stage.world.status.plugins[0].started.as_millis();
    assert_eq!(open(&stage), [format!("svc-1-run-{started}-1")]);
    assert_eq!(stage.next(), " | awaiting-plugin", "it is asked once");
    stage.plugin_answers(says(PluginPhase::Running, "two of three"));
    let wake = judged_settle(&mut stage, 20).wake_at;
    assert_eq!((entries(&stage).as_str(), wake), ("1 Run Running 1", Some(stage.now + Span::from_secs(30))));
    stage.now = wake.unwrap();
    judged_settle(&mut stage, 20);
    assert_eq!(open(&stage), [format!("svc-1-run-{started}-2")]);
    stage.plugin_answers(says(PluginPhase::Successful, "all three"));
    judged_settle(&mut stage, 20);
    assert_eq!(
        (entries(&stage).as_str(), stage.state().as_str()),
        ("1 Run Successful 2", "Paused step 3: CanaryPauseStep")
    );
    let told = stage.told();
    let want = "StepPluginTransition: Step Plugin 2 (acme/gate) Run transitioned from Running to Successful: all three";
    assert!(told.iter().any(|t| t == want), "{told:?}");
    assert!(told.iter().any(|t| t == "RolloutStepCompleted: Rollout step 2/4 completed (plugin: acme/gate)"));
    let entry = &stage.world.status.plugins[0];
    assert_eq!((entry.finished, entry.backoff), (Some(stage.now), Span::ZERO));
}

#[test]
fn a_question_on_its_way_is_not_waited_for_in_a_circle() {
    let mut stage = gated();
    stage.plugin_answers(says(PluginPhase::Running, ""));
    stage.now = judged_settle(&mut stage, 20).wake_at.unwrap();
    judged_settle(&mut stage, 20);
    assert_eq!(open(&stage).len(), 1, "it is asked again");
    let wake = stage.pass().wake_at;
    assert!(wake.is_none_or(|at| at > stage.now), "{wake:?} at {:?}", stage.now);
}

//= compat: 6.13-2
#[test]
fn a_plugin_says_when_to_be_asked_again_and_what_to_be_told() {
    let mut stage = gated();
    let check = |stage: &mut Stage, wish: i64, want: i64| {
        let state = Some(format!("{{\"wish\":{wish}}}"));
        let requeue_after = Some(Span::from_secs(wish));
        stage.plugin_answers(Ok(PluginAnswer {
            phase: PluginPhase::Running,
            message: String::new(),
            requeue_after,
            state: state.clone(),
        }));
        let wake = judged_settle(stage, 20).wake_at.unwrap();
        assert_eq!(wake, stage.now + Span::from_secs(want));
        stage.now = wake;
        let call = stage.pass().actions.into_iter().find_map(|a| match a {
            Action::CallPlugin(call) => Some(call),
            _ => None,
        });
        assert_eq!(call.unwrap().state, state);
    };
    check(&mut stage, 5, 5);
    check(&mut stage, 0, 1);
    check(&mut stage, 90, 90);
    stage.plugin_answers(says(PluginPhase::Running, ""));
    judged_settle(&mut stage, 20);
    assert_eq!(stage.world.status.plugins[0].state.as_deref(), Some("{\"wish\":90}"), "silence keeps it");
}

//= compat: 6.13-2, 6.13-5
#[test]
fn a_plugin_that_cannot_be_asked_is_asked_again() {
    let mut stage = gated();
    stage.plugin_answers(Err("no answer within 30 s".to_owned()));
    let wake = judged_settle(&mut stage, 20).wake_at;
    assert_eq!((entries(&stage).as_str(), wake), ("1 Run Error 1", Some(stage.now + Span::from_secs(30))));
    let warning = "!ReconciliationError: Step Plugin 2 (acme/gate) Run could not be asked: no answer within 30 s";
    assert!(stage.told().iter().any(|t| t == warning));
    stage.now = wake.unwrap();
    judged_settle(&mut stage, 20);
    stage.plugin_answers(says(PluginPhase::Successful, ""));
    judged_settle(&mut stage, 20);
    assert_eq!(stage.world.status.step_index, Some(3));
}

//= compat: 6.13-3, 2.6-15
#[test]
fn a_plugin_that_fails_aborts() {
    let mut stage = gated();
    stage.plugin_answers(says(PluginPhase::Failed, "fairness 0.7"));
    judged_settle(&mut stage, 40);
    let want = "Degraded step 0: RolloutAborted: Rollout aborted update to revision 2: Step Plugin 2 (acme/gate) failed: fairness 0.7";
    assert_eq!((stage.state().as_str(), stage.weight()), (want, Some(0)));
    assert_eq!((entries(&stage).as_str(), open(&stage).len()), ("1 Run Failed 1", 0), "what failed is not taken back");
}

//= compat: 6.13-3
#[test]
fn a_plugin_that_is_switched_off_is_not_asked() {
    let mut stage = Stage::deployed(rollout(&[plugin("acme/gate"), weight(50), PAUSE], as_is));
    stage.world.plugins.disabled.push("acme/gate".to_owned());
    stage.template("v2");
    stage.settle();
    assert_eq!(
        (stage.state().as_str(), entries(&stage).as_str()),
        ("Paused step 2: CanaryPauseStep", "0 Run Successful 0")
    );
    assert!(stage.world.status.plugins[0].disabled && stage.world.plugins.calls.is_empty());
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert!(stage.world.plugins.calls.is_empty(), "and has nothing to take back");
}

//= compat: 6.13-4
#[test]
fn an_abort_takes_back_the_last_first() {
    let steps = [plugin("one"), plugin("two"), weight(50), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, as_is));
    for _ in 0..2 {
        stage.plugin_answers(says(PluginPhase::Successful, ""));
        judged_settle(&mut stage, 40);
    }
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(stage.weight(), Some(0), "traffic waits for no plugin");
    assert_eq!(entries(&stage), "0 Run Successful 1, 1 Run Successful 1, 1 Abort Running 0, 0 Abort Running 0");
    assert!(open(&stage).len() == 1 && open(&stage)[0].starts_with("svc-1-abort"), "one at a time: {:?}", open(&stage));
    stage.plugin_answers(says(PluginPhase::Running, "on it"));
    judged_settle(&mut stage, 40);
    assert_eq!(stage.world.status.plugins[2].message, "Abort must be over when it is answered: on it");
    stage.plugin_answers(says(PluginPhase::Successful, ""));
    judged_settle(&mut stage, 40);
    assert_eq!(entries(&stage), "0 Run Successful 1, 1 Run Successful 1, 1 Abort Failed 1, 0 Abort Successful 1");
    assert!(open(&stage).is_empty(), "each is asked once");
}

//= compat: 6.13-4
#[test]
fn what_still_runs_is_ended_when_it_is_not_needed() {
    let check = |edit: &dyn Fn(&mut Stage)| {
        let mut stage = gated();
        let state = Some("{\"at\":7}".to_owned());
        stage.plugin_answers(
            says(PluginPhase::Running, "").map(|answer| PluginAnswer { state: state.clone(), ..answer }),
        );
        judged_settle(&mut stage, 20);
        edit(&mut stage);
        judged_settle(&mut stage, 40);
        let last = stage.world.status.plugins.last().unwrap();
        assert_eq!(last.state, state, "it is told what it said of itself");
        assert_eq!((last.index, last.operation, last.phase), (1, Operation::Terminate, PluginPhase::Running));
        stage.plugin_answers(says(PluginPhase::Successful, ""));
        judged_settle(&mut stage, 60);
        assert!(!open(&stage).iter().any(|id| id.contains("terminate")), "{}", entries(&stage));
    };
    check(&Stage::promote_full);
    check(&Stage::promote);
    check(&|s| s.template("v1"));
    check(&|s| s.template("v3"));
}

/// A new try waits until the one before is taken back, and knows nothing of it.
//= compat: 6.13-5, 2.7-10
#[test]
fn a_retry_begins_anew_once_everything_is_taken_back() {
    let mut stage = Stage::updating(rollout(&[plugin("one"), weight(50), PAUSE], as_is));
    stage.plugin_answers(says(PluginPhase::Running, ""));
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(entries(&stage), "0 Abort Running 0", "the steps wait");
    stage.plugin_answers(says(PluginPhase::Successful, ""));
    judged_settle(&mut stage, 40);
    assert_eq!(entries(&stage), "0 Run Running 0");
    stage.plugin_answers(says(PluginPhase::Failed, ""));
    judged_settle(&mut stage, 40);
    stage.now = stage.now + Span::from_millis(1);
    intent::retry(&mut stage.world.status);
    stage.edit(|rollout, _| rollout.replicas = 5);
    judged_settle(&mut stage, 40);
    assert_eq!(
        entries(&stage),
        "0 Run Running 0",
        "a failure counts for one try only, also where replicas change with it"
    );
}

/// Questions of two tries have different names, however fast one follows the other.
#[test]
fn a_name_means_one_question() {
    let mut stage = gated();
    let first = open(&stage)[0].to_owned();
    intent::abort(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    stage.world.plugins.calls.iter_mut().for_each(|c| c.answer = Some(says(PluginPhase::Successful, "")));
    judged_settle(&mut stage, 40);
    stage.now = stage.now + Span::from_millis(1);
    intent::retry(&mut stage.world.status);
    judged_settle(&mut stage, 40);
    assert_eq!(open(&stage).len(), 1);
    assert_ne!(open(&stage)[0], first);
}

//= compat: 6.13-1
#[test]
fn a_plugin_is_not_asked_while_a_person_holds_the_rollout() {
    let mut stage = Stage::deployed(rollout(&[plugin("one"), PAUSE], as_is));
    stage.template("v2");
    stage.edit(|rollout, _| rollout.paused = true);
    judged_settle(&mut stage, 40);
    assert!(open(&stage).is_empty() && stage.world.status.plugins.is_empty());
}

/// Another template ends what runs, not what is done.
//= compat: 6.13-5
#[test]
fn a_plugin_that_is_done_is_not_told_to_end() {
    let mut stage = gated();
    stage.plugin_answers(says(PluginPhase::Successful, ""));
    judged_settle(&mut stage, 20);
    assert_eq!(stage.state(), "Paused step 3: CanaryPauseStep");
    stage.template("v3");
    while stage.world.status.current_hash.as_ref().unwrap().as_str() == "v2" {
        stage.pass();
    }
    assert_eq!(entries(&stage), "");
}

/// A plugin that fails is a warning, one that goes on is none.
#[test]
fn a_failed_plugin_warns() {
    let mut stage = gated();
    stage.plugin_answers(says(PluginPhase::Failed, "closed"));
    judged_settle(&mut stage, 20);
    let told = stage.told();
    let want = "!StepPluginTransition: Step Plugin 2 (acme/gate) Run transitioned from Running to Failed: closed";
    assert!(told.iter().any(|t| t == want), "{told:?}");
}
