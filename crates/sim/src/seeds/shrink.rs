//! Makes a failing scenario small: drops and simplifies one piece after the other as long as the same oracle complains.

use serin_core::plugin::PluginPhase;
use serin_core::rollout::{BlueGreen, Canary, Strategy};
use serin_core::{Span, Step};

use super::scenario::{Act, Quality, Scenario, When};
use super::{Failure, Played};
use crate::control::{Fate, PassFault};
use crate::world::{Behaviour, Delay};

/// The smallest scenario found for which the same oracle complains, and what it says then; `check` plays one.
pub fn shrink(
    scenario: &Scenario,
    failure: &Failure,
    check: &dyn Fn(&Scenario) -> Result<Played, Failure>,
) -> (Scenario, Failure) {
    let (mut best, mut failure) = (scenario.clone(), failure.clone());
    loop {
        let mut smaller = false;
        for candidate in candidates(&best) {
            if candidate == best {
                continue;
            }
            if let Err(found) = check(&candidate)
                && found.oracle == failure.oracle
            {
                (best, failure, smaller) = (candidate, found, true);
                break;
            }
        }
        if !smaller {
            return (best, failure);
        }
    }
}

/// Scenarios that are a little simpler, the greatest steps first.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |edit: &dyn Fn(&mut Scenario)| {
        let mut next = scenario.clone();
        edit(&mut next);
        all.push(next);
    };
    with(&|s| s.faults.actions.clear());
    with(&|s| s.faults.passes.clear());
    for i in (0..scenario.acts.len()).rev() {
        with(&|s| drop(s.acts.remove(i)));
    }
    for number in scenario.faults.actions.keys() {
        with(&|s| s.faults.actions.retain(|n, _| n != number));
        with(&|s| simpler_fate(s.faults.actions.get_mut(number)));
    }
    for number in scenario.faults.passes.keys() {
        with(&|s| s.faults.passes.retain(|n, _| n != number));
        with(&|s| simpler_fault(s.faults.passes.get_mut(number)));
    }
    for i in 0..scenario.versions.len() {
        with(&|s| s.versions[i].members = steady());
        with(&|s| s.versions[i].quality = Quality::Good);
        with(&|s| s.versions[i].members.crash_every = None);
        with(&|s| s.versions[i].members.flap_every = None);
        with(&|s| s.versions[i].members.ready_after = Delay::Fixed(Span::from_secs(1)));
    }
    for i in 0..scenario.acts.len() {
        with(&|s| simpler_time(&mut s.acts[i].0));
        with(&|s| simpler_act(&mut s.acts[i].1));
    }
    for edit in KNOBS {
        with(&|s| edit(s));
    }
    match &scenario.rollout.strategy {
        Strategy::Canary(canary) => canary_candidates(canary, &mut |canary| {
            with(&|s| s.rollout.strategy = Strategy::Canary(canary.clone()));
        }),
        Strategy::BlueGreen(blue_green) => {
            for edit in BLUE_GREEN_KNOBS {
                let mut next = blue_green.clone();
                edit(&mut next);
                with(&|s| s.rollout.strategy = Strategy::BlueGreen(next.clone()));
            }
        }
    }
    all
}

/// Knobs that every rollout has, each to what it usually is.
const KNOBS: [fn(&mut Scenario); 14] = [
    |s| s.rollout.metadata = Default::default(),
    |s| s.plugin.runs = vec![PluginPhase::Successful],
    |s| s.experiment.analyses.retain(|_| s.experiment.duration.is_none()),
    |s| {
        s.experiment.scale_down_delay = Span::ZERO;
        s.experiment.templates.iter_mut().for_each(|t| t.replicas = 1);
    },
    |s| s.rollout.workload = None,
    |s| s.rollout.replicas = 1,
    |s| s.rollout.replicas = s.rollout.replicas.min(2),
    |s| s.rollout.replicas = s.rollout.replicas.min(4),
    |s| s.rollout.rollback_window = None,
    |s| s.rollout.progress_deadline_abort = false,
    |s| s.rollout.progress_deadline = Span::from_secs(600),
    |s| s.rollout.revision_history_limit = 10,
    |s| s.rollout.run_history_limits = (5, 5),
    |s| {
        for metric in &mut s.metrics {
            (metric.count, metric.initial_delay, metric.interval) = (1, None, None);
            (metric.failure_limit, metric.consecutive_success_limit) = (0, 0);
        }
    },
];

const BLUE_GREEN_KNOBS: [fn(&mut BlueGreen); 9] = [
    |b| b.preview_service = None,
    |b| b.preview_replicas = None,
    |b| b.auto_promotion = true,
    |b| b.auto_promotion_delay = Span::ZERO,
    |b| b.pre_promotion = false,
    |b| b.post_promotion = false,
    |b| b.scale_down_delay = None,
    |b| b.scale_down_delay_revision_limit = None,
    |b| b.abort_scale_down_delay = None,
];

const CANARY_KNOBS: [fn(&mut Canary); 9] = [
    |c| c.ping_pong = None,
    |c| c.background_from = None,
    |c| c.scale_down_delay_revision_limit = None,
    |c| c.abort_scale_down_delay = None,
    |c| c.dynamic_stable_scale = false,
    |c| c.min_pods = None,
    |c| c.progress_threshold = None,
    |c| (c.max_surge, c.max_unavailable) = Default::default(),
    |c| {
        if c.traffic.is_some() {
            c.scale_down_delay = Span::from_secs(30);
        }
    },
];

fn canary_candidates(canary: &Canary, with: &mut dyn FnMut(Canary)) {
    for i in (0..canary.steps.len()).rev() {
        let mut next = canary.clone();
        next.steps.remove(i);
        with(next);
    }
    for edit in CANARY_KNOBS {
        let mut next = canary.clone();
        edit(&mut next);
        with(next);
    }
    for i in 0..canary.steps.len() {
        let mut next = canary.clone();
        match &mut next.steps[i] {
            Step::Pause(Some(span)) => *span = Span::from_secs(10),
            Step::SetWeight(weight) => *weight = (*weight / 10 * 10).max(10),
            Step::Experiment(experiment) => drop(experiment.weights.pop()),
            _ => {}
        }
        with(next);
    }
}

fn steady() -> Behaviour {
    Behaviour::steady(Some(Span::from_secs(1)))
}

fn simpler_time(when: &mut When) {
    if let When::Seconds(at) = when {
        *at = (*at / 2 / 10) * 10;
    }
}

fn simpler_act(act: &mut Act) {
    match act {
        Act::Replicas(count) => *count = (*count).min(2),
        Act::Deploy(index) if *index > 1 => *index -= 1,
        Act::Steps(steps) => drop(steps.pop()),
        _ => {}
    }
}

fn simpler_fate(fate: Option<&mut Fate>) {
    if let Some(Fate::Late(span) | Fate::Killed(span)) = fate {
        *span = Span::from_secs(1);
    }
}

fn simpler_fault(fault: Option<&mut PassFault>) {
    if let Some(PassFault::Stale(span) | PassFault::Killed(span)) = fault {
        *span = Span::from_secs(1);
    }
}
