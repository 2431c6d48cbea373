//! Table: aborts, retries and promotions (sections 2.7, 7.4 and 7.5).

use serin_core::rollout::{CanaryScale, Rollout};
use serin_core::{Span, Step, intent};

use crate::progress::at_the_pause;
use crate::stage::{PAUSE, Stage, as_is, rollout, weight};

//= compat: 2.7-8, 10.39
#[test]
fn an_abort_delay_of_zero_follows_the_ordinary_sizes() {
    let zero = |_: &mut Rollout, canary: &mut serin_core::Canary| canary.abort_scale_down_delay = Some(Span::ZERO);
    let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], zero));
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!(stage.sizes(), "v1 4", "the canary goes at once");

    let steps = [Step::SetCanaryScale(CanaryScale::Replicas(2)), weight(25), PAUSE];
    let mut stage = Stage::updating(rollout(&steps, zero));
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.weight()), ("v1 4, v2 2", Some(0)), "a scale at the first step stays");
}

//= compat: 2.7-7, 2.7-8
#[test]
fn who_keeps_members_after_an_abort() {
    let planned = |delay: Option<i64>, dynamic: bool, router: bool| {
        let mut stage = Stage::updating(rollout(&[weight(25), PAUSE], |_, canary| {
            canary.abort_scale_down_delay = delay.map(Span::from_secs);
            canary.dynamic_stable_scale = dynamic;
            if !router {
                crate::stage::without_router(canary);
            }
        }));
        intent::abort(&mut stage.world.status);
        stage.settle();
        let pool = stage.pool("v2");
        (pool.size, pool.scale_down_at.map(|at| at.since(crate::stage::EPOCH).as_secs()))
    };
    // Sixty seconds are over when the update begins.
    assert_eq!(planned(None, false, true), (1, Some(90)));
    assert_eq!(planned(Some(7), false, true), (1, Some(67)));
    assert_eq!(planned(Some(0), false, true), (0, None));
    assert_eq!(planned(None, true, true), (0, None));
    assert_eq!(planned(Some(7), true, true), (1, Some(67)));
    assert_eq!(planned(Some(7), false, false), (0, None));
}

//= compat: 2.7-10, 2.7-11, 10.15, 10.17, 7.4-1, 7.4-2, 4.3-5
#[test]
fn abort_and_the_ways_out_of_it() {
    let aborted = || {
        let mut stage = at_the_pause();
        intent::abort(&mut stage.world.status);
        stage.wait(100);
        assert_eq!((stage.phase(), stage.world.status.step_index), ("Degraded", Some(0)));
        assert_eq!(stage.world.rollout.hash.as_str(), "v2", "the spec keeps the bad version");
        stage
    };
    let mut stage = aborted();
    intent::retry(&mut stage.world.status);
    stage.settle();
    assert_eq!((stage.state().as_str(), stage.weight()), ("Paused step 1: CanaryPauseStep", Some(25)));

    let mut stage = aborted();
    stage.template("v3");
    stage.settle();
    assert_eq!((stage.phase(), stage.world.status.abort), ("Paused", false));

    let mut stage = aborted();
    assert!(intent::promote_full(&stage.world.rollout, &mut stage.world.status).is_some());
    stage.settle();
    assert_eq!((stage.phase(), stage.world.status.stable.as_ref().unwrap().as_str()), ("Healthy", "v2"));

    let mut stage = aborted();
    stage.edit(|rollout, _| rollout.steps_hash = "others".to_owned());
    stage.settle();
    assert_eq!((stage.phase(), stage.world.status.abort), ("Paused", false));
}

//= compat: 2.2-6
#[test]
fn an_abort_of_what_is_promoted_is_dropped() {
    let mut stage = Stage::deployed(rollout(&[weight(25)], as_is));
    intent::abort(&mut stage.world.status);
    stage.settle();
    assert_eq!((stage.phase(), stage.world.status.abort, stage.world.status.aborted_at), ("Healthy", false, None));
}

//= compat: 2.7-12, 2.7-17, 7.5-4, 2.7-14
#[test]
fn a_full_promotion_skips_everything_but_the_members() {
    let mut stage = at_the_pause();
    stage.edit(|rollout, _| rollout.paused = true);
    stage.settle();
    let unpause = intent::promote_full(&stage.world.rollout, &mut stage.world.status).unwrap();
    assert!(unpause.0, "the spec is resumed");
    stage.edit(|rollout, _| rollout.paused = false);
    stage.members_come = false;
    stage.settle();
    assert_eq!((stage.sizes().as_str(), stage.phase(), stage.weight()), ("v1 4, v2 4", "Progressing", Some(25)));
    stage.events.clear();
    stage.all_available();
    stage.settle();
    let completed =
        "RolloutCompleted: Rollout completed update to revision 2 (v2): Full promotion requested".to_owned();
    assert!(stage.told().contains(&completed));
    assert_eq!((stage.phase(), stage.world.status.promote_full), ("Healthy", false));

    // Where everything is promoted it does nothing, also when it stands in the status.
    assert_eq!(intent::promote_full(&stage.world.rollout, &mut stage.world.status), None);
    stage.world.status.promote_full = true;
    stage.settle();
    assert!(!stage.world.status.promote_full);
}

//= compat: 7.5-2, 7.5-3, 10.50
#[test]
fn a_plain_promote_by_what_runs() {
    let steps = [weight(25), Step::Analysis, weight(50)];
    let mut stage = Stage::updating(rollout(&steps, as_is));
    assert_eq!(stage.world.status.step_index, Some(1));
    stage.promote();
    assert_eq!((stage.world.status.step_index, stage.world.status.step_run.as_ref()), (Some(2), None));
    for _ in 0..3 {
        stage.promote();
    }
    assert_eq!(stage.world.status.step_index, Some(3), "not beyond the end");

    let mut stage = at_the_pause();
    stage.edit(|rollout, _| rollout.paused = true);
    let unpause = intent::promote(&stage.world.rollout, &mut stage.world.status);
    assert!(unpause.0 && stage.world.status.pauses.is_empty());
    assert_eq!(stage.world.status.step_index, Some(1), "a pause is ended, not skipped");
}

//= compat: 2.7-1, 2.7-2
#[test]
fn pauses_are_kept_once_and_forgotten_together() {
    use serin_core::status::{PauseReason, Status};
    let mut status = Status::default();
    status.add_pause(PauseReason::CanaryPauseStep, crate::stage::EPOCH);
    status.add_pause(PauseReason::CanaryPauseStep, crate::stage::EPOCH + Span::from_secs(9));
    status.add_pause(PauseReason::InconclusiveAnalysisRun, crate::stage::EPOCH);
    assert_eq!((status.pauses.len(), status.pauses[0].start, status.controller_pause), (2, crate::stage::EPOCH, true));
    status.remove_pause(PauseReason::CanaryPauseStep);
    assert!(status.controller_pause);
    status.remove_pause(PauseReason::InconclusiveAnalysisRun);
    assert!(!status.controller_pause && status.pauses.is_empty());
}

//= compat: 2.7-19
#[test]
fn promotion_cleans_up() {
    let mut stage = at_the_pause();
    stage.wait(200);
    let status = &stage.world.status;
    assert_eq!((status.step_index, status.abort, status.promote_full), (Some(3), false, false));
    assert_eq!((status.pauses.len(), status.step_run.as_ref(), status.background_run.as_ref()), (0, None, None));
    assert_eq!(status.stable, status.current_hash);
}
