//! A seed becomes a scenario. Only rollouts are drawn that validation lets through.

use std::collections::BTreeMap;

use serin_core::analysis::Metric;
use serin_core::experiment::Analysis;
use serin_core::metadata::Metadata;
use serin_core::plugin::{PluginPhase, PluginStep};
use serin_core::rollout::{
    Amount, BlueGreen, Canary, CanaryScale, ExperimentStep, PingPong, Rollout, ScaleDown, Strategy, Threshold, Traffic,
    Workload,
};
use serin_core::weight::{HeaderMatch, HeaderRoute, MirrorRoute, RouteMatch, ValueMatch};
use serin_core::{Hash, RoleMetadata, Span, Step};

use super::scenario::{Act, Character, PLUGIN, Quality, Scenario, TEMPLATES, VERSIONS, When};
use crate::control::{Fate, Faults, PassFault};
use crate::random::Rng;
use crate::world::{Behaviour, Delay, ExperimentPlan, Plugin, TemplatePlan};

/// The scenario of a seed.
pub fn scenario(seed: u64) -> Scenario {
    // A stream each, so that a new knob of one part leaves the others of every seed as they were.
    let stream = |number| Rng::stream(seed, number);
    Scenario {
        seed,
        rollout: rollout(&mut stream(10)),
        metrics: metrics(&mut stream(11)),
        versions: versions(&mut stream(12)),
        plugin: plugin(&mut stream(15)),
        experiment: experiment(&mut stream(16)),
        acts: acts(&mut stream(13)),
        faults: faults(&mut stream(14)),
    }
}

/// One of `n` numbers from 0.
fn one_of(rng: &mut Rng, n: u64) -> u64 {
    rng.below(n)
}

fn seconds(rng: &mut Rng, low: i64, high: i64) -> Span {
    Span::from_secs(rng.between(low, high))
}

fn maybe<T>(rng: &mut Rng, probability: f64, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    rng.chance(probability).then(|| draw(rng))
}

fn rollout(rng: &mut Rng) -> Rollout {
    let replicas = [0, 1, 1, 2, 3, 4, 5, 7, 10][one_of(rng, 9) as usize];
    let strategy = match one_of(rng, 5) {
        0 | 1 => Strategy::BlueGreen(blue_green(rng, replicas)),
        _ => Strategy::Canary(canary(rng)),
    };
    let steps = if let Strategy::Canary(_) = strategy { "steps-0" } else { "" };
    Rollout {
        name: "svc".to_owned(),
        generation: 1,
        replicas,
        hash: Hash::new(VERSIONS[0]),
        steps_hash: steps.to_owned(),
        paused: false,
        progress_deadline: seconds(rng, 60, 600),
        progress_deadline_abort: rng.chance(0.4),
        revision_history_limit: one_of(rng, 4) as u32,
        rollback_window: maybe(rng, 0.2, |rng| 1 + one_of(rng, 3) as u32),
        run_history_limits: (one_of(rng, 3) as usize, one_of(rng, 3) as usize),
        restart_at: None,
        metadata: if rng.chance(0.15) { metadata() } else { RoleMetadata::default() },
        workload: maybe(rng, 0.15, |rng| workload(rng, replicas)),
        strategy,
    }
}

/// Something for each role.
fn metadata() -> RoleMetadata {
    let of = |role: &str| Metadata {
        labels: [("role".to_owned(), role.to_owned())].into(),
        annotations: [("note".to_owned(), format!("this is {role}"))].into(),
    };
    RoleMetadata { new: of("tried"), stable: of("stable") }
}

fn workload(rng: &mut Rng, replicas: u32) -> Workload {
    let scale_down = [ScaleDown::Never, ScaleDown::OnSuccess, ScaleDown::Progressively][one_of(rng, 3) as usize];
    Workload { scale_down, replicas }
}

fn blue_green(rng: &mut Rng, replicas: u32) -> BlueGreen {
    BlueGreen {
        active_service: "svc-active".to_owned(),
        preview_service: maybe(rng, 0.8, |_| "svc-preview".to_owned()),
        preview_replicas: maybe(rng, 0.4, |rng| 1 + one_of(rng, u64::from(replicas).max(1)) as u32),
        auto_promotion: rng.chance(0.6),
        auto_promotion_delay: if rng.chance(0.5) { Span::ZERO } else { seconds(rng, 1, 60) },
        max_unavailable: Amount::default(),
        pre_promotion: rng.chance(0.5),
        post_promotion: rng.chance(0.5),
        scale_down_delay: maybe(rng, 0.6, |rng| seconds(rng, 0, 60)),
        scale_down_delay_revision_limit: maybe(rng, 0.3, |rng| one_of(rng, 3) as u32),
        abort_scale_down_delay: maybe(rng, 0.4, |rng| seconds(rng, 0, 40)),
    }
}

fn canary(rng: &mut Rng) -> Canary {
    let traffic = maybe(rng, 0.7, |rng| Traffic { weight_total: if rng.chance(0.15) { 1000 } else { 100 } });
    let routed = traffic.is_some();
    let services = routed || rng.chance(0.3);
    let (surge, unavailable) = amounts(rng);
    Canary {
        advance: None,
        steps: steps(rng, traffic),
        max_surge: surge,
        max_unavailable: unavailable,
        traffic,
        canary_service: services.then(|| "svc-canary".to_owned()),
        stable_service: services.then(|| "svc-stable".to_owned()),
        background_from: maybe(rng, 0.3, |rng| one_of(rng, 3) as usize),
        scale_down_delay: if routed { seconds(rng, 0, 60) } else { Span::ZERO },
        scale_down_delay_revision_limit: maybe(rng, 0.3, |rng| one_of(rng, 3) as u32).filter(|_| routed),
        abort_scale_down_delay: maybe(rng, 0.4, |rng| seconds(rng, 0, 40)).filter(|_| routed),
        dynamic_stable_scale: routed && rng.chance(0.35),
        min_pods: maybe(rng, 0.2, |rng| 1 + one_of(rng, 3) as u32).filter(|_| routed),
        progress_threshold: maybe(rng, 0.15, threshold),
        managed_routes: if routed { vec!["testers".to_owned(), "copies".to_owned()] } else { Vec::new() },
        ping_pong: maybe(rng, 0.1, |_| PingPong { ping: "svc-ping".to_owned(), pong: "svc-pong".to_owned() })
            .filter(|_| routed),
    }
}

/// Never both zero: validation refuses that.
fn amounts(rng: &mut Rng) -> (Amount, Amount) {
    let amount = |rng: &mut Rng| match rng.chance(0.5) {
        true => Amount::Count(one_of(rng, 3) as u32),
        false => Amount::Percent(one_of(rng, 101) as u32),
    };
    let (surge, unavailable) = (amount(rng), amount(rng));
    let zero = |amount| matches!(amount, Amount::Count(0) | Amount::Percent(0));
    (if zero(surge) && zero(unavailable) { Amount::Count(1) } else { surge }, unavailable)
}

fn threshold(rng: &mut Rng) -> Threshold {
    match rng.chance(0.5) {
        true => Threshold::Percent(rng.between(50, 100) as u32),
        false => Threshold::Pods(1 + one_of(rng, 3) as u32),
    }
}

/// Up to six steps, as somebody might write them or worse.
pub(super) fn steps(rng: &mut Rng, traffic: Option<Traffic>) -> Vec<Step> {
    let total = traffic.map_or(100, |t| t.weight_total);
    (0..one_of(rng, 7)).map(|_| step(rng, total, traffic.is_some())).collect()
}

fn step(rng: &mut Rng, total: u32, routed: bool) -> Step {
    match one_of(rng, if routed { 18 } else { 12 }) {
        0..5 => Step::SetWeight(one_of(rng, u64::from(total) + 1) as u32),
        5 | 6 => Step::Pause(Some(seconds(rng, 1, 90))),
        7 => Step::Pause(None),
        8 | 9 => Step::Analysis,
        10 => Step::Plugin(PluginStep { name: PLUGIN.to_owned() }),
        11 => Step::Experiment(ExperimentStep { weights: weights(rng, if routed { total } else { 0 }) }),
        12 => Step::Experiment(ExperimentStep { weights: weights(rng, total) }),
        13 => Step::SetCanaryScale(CanaryScale::Replicas(one_of(rng, 6) as u32)),
        14 => Step::SetCanaryScale(CanaryScale::Weight(one_of(rng, 101) as u32)),
        15 => Step::SetCanaryScale(CanaryScale::MatchTrafficWeight),
        16 => Step::SetMirrorRoute(mirror_route(rng)),
        _ => Step::SetHeaderRoute(header_route(rng.chance(0.3))),
    }
}

/// Shares for some versions of an experiment, together at most two thirds of `total`; none where that is zero.
fn weights(rng: &mut Rng, total: u32) -> Vec<(String, u32)> {
    if total == 0 {
        return Vec::new();
    }
    let share = |name: &&str| maybe(rng, 0.6, |rng| ((*name).to_owned(), one_of(rng, u64::from(total) / 3) as u32));
    TEMPLATES.iter().filter_map(share).collect()
}

/// What every experiment step of a scenario means: versions side by side for a while, or until what is measured says enough.
fn experiment(rng: &mut Rng) -> ExperimentPlan {
    let template = |name: &str, canary: bool, replicas: u32| {
        let (name, service) = (name.to_owned(), true);
        TemplatePlan { name, canary, replicas, service, shown: BTreeMap::new() }
    };
    let baseline = maybe(rng, 0.8, |rng| template(TEMPLATES[0], false, 1 + one_of(rng, 2) as u32));
    let trial = template(TEMPLATES[1], true, 1 + one_of(rng, 3) as u32);
    let duration = maybe(rng, 0.7, |rng| seconds(rng, 5, 120));
    // Without a duration, and with nothing that must succeed, it would go on until a person ends it.
    let required = duration.is_none() || rng.chance(0.3);
    let analysis = || Analysis { name: "compare".to_owned(), required, problem: None };
    let analyses = if required || rng.chance(0.4) { vec![analysis()] } else { Vec::new() };
    let scale_down_delay = if rng.chance(0.3) { Span::ZERO } else { seconds(rng, 1, 60) };
    ExperimentPlan {
        templates: baseline.into_iter().chain([trial]).collect(),
        duration,
        scale_down_delay,
        analyses,
        refused: None,
    }
}

fn mirror_route(rng: &mut Rng) -> MirrorRoute {
    let matches = if rng.chance(0.3) { Vec::new() } else { vec![RouteMatch::default()] };
    MirrorRoute { name: "copies".to_owned(), percentage: 1 + one_of(rng, 100) as u32, matches }
}

/// A plugin that goes on for a while and then succeeds or fails, or that does not answer at all.
fn plugin(rng: &mut Rng) -> Plugin {
    let mut runs = vec![PluginPhase::Running; one_of(rng, 3) as usize];
    match one_of(rng, 5) {
        0 => runs.clear(),
        1 => runs.push(PluginPhase::Failed),
        _ => runs.push(PluginPhase::Successful),
    }
    Plugin { answers_after: seconds(rng, 0, 10), runs, again_after: seconds(rng, 1, 60) }
}

fn header_route(remove: bool) -> HeaderRoute {
    let matches = vec![HeaderMatch { header: "x-tester".to_owned(), value: ValueMatch::Exact("yes".to_owned()) }];
    HeaderRoute { name: "testers".to_owned(), matches: if remove { Vec::new() } else { matches } }
}

/// One metric, in one of the ways that metrics are written.
fn metrics(rng: &mut Rng) -> Vec<Metric> {
    let mut metric = Metric::new("errors");
    metric.success = Some("result[0] < 0.05".to_owned());
    if rng.chance(0.5) {
        metric.failure = Some("result[0] > 0.1".to_owned());
    }
    metric.interval = Some(seconds(rng, 5, 30));
    metric.count = 1 + one_of(rng, 4) as u32;
    metric.failure_limit = one_of(rng, u64::from(metric.count)) as i32;
    metric.inconclusive_limit = one_of(rng, 2) as u32;
    metric.consecutive_error_limit = one_of(rng, 5) as u32;
    metric.initial_delay = maybe(rng, 0.3, |rng| seconds(rng, 1, 30));
    if rng.chance(0.1) {
        // Without an end of its own: what passes twice in a row passes.
        (metric.count, metric.interval) = (0, Some(Span::from_secs(60)));
        metric.consecutive_success_limit = 2;
    }
    vec![metric]
}

fn versions(rng: &mut Rng) -> Vec<Character> {
    let mut all: Vec<Character> = (1..VERSIONS.len()).map(|_| character(rng)).collect();
    // The first deploy usually works, or there is little to see.
    if rng.chance(0.8) {
        all[0].members.never_ready = 0.0;
    }
    all
}

fn character(rng: &mut Rng) -> Character {
    let ready_after = match one_of(rng, 3) {
        0 => Delay::Fixed(seconds(rng, 0, 5)),
        1 => Delay::Uniform(Span::from_secs(1), seconds(rng, 2, 60)),
        _ => {
            let (p50, times) = (rng.between(1, 15), rng.between(2, 4));
            Delay::LogNormal(Span::from_secs(p50), Span::from_secs(p50 * times))
        }
    };
    let never_ready = match one_of(rng, 8) {
        0 => 1.0,
        1 => 0.3,
        _ => 0.0,
    };
    let members = Behaviour {
        ready_after,
        never_ready,
        crash_every: maybe(rng, 0.2, |rng| seconds(rng, 10, 300)),
        flap_every: maybe(rng, 0.2, |rng| seconds(rng, 10, 300)),
        flap_lasts: Delay::Uniform(Span::from_secs(1), Span::from_secs(20)),
    };
    Character { members, quality: quality(rng) }
}

fn quality(rng: &mut Rng) -> Quality {
    match one_of(rng, 10) {
        0 | 1 => Quality::Bad,
        2 => Quality::Unclear,
        3 => Quality::NoData,
        4 => Quality::Broken,
        _ => Quality::Good,
    }
}

fn acts(rng: &mut Rng) -> Vec<(When, Act)> {
    let second = When::Seconds(rng.between(30, 200));
    // A second version after the first is what most of the interesting things begin with.
    let mut all = vec![(second, Act::Deploy(1))];
    for _ in 0..one_of(rng, 9) {
        let when = match rng.chance(0.4) {
            true => When::Decision(one_of(rng, 90)),
            false => When::Seconds(rng.between(0, 900)),
        };
        all.push((when, act(rng)));
    }
    all
}

fn act(rng: &mut Rng) -> Act {
    match one_of(rng, 25) {
        0..5 => Act::Promote,
        5 => Act::PromoteFull,
        6 | 7 => Act::Abort,
        8 | 9 => Act::Retry,
        10 => Act::Pause,
        11..14 => Act::Deploy(one_of(rng, 4) as usize),
        14 | 15 => Act::Undo,
        16 | 17 => Act::Replicas(one_of(rng, 8) as u32),
        18 => Act::Steps(steps(rng, None)),
        19 | 20 => Act::Quality(one_of(rng, 4) as usize, quality(rng)),
        21 => Act::RouterForgets,
        22 => Act::Restart,
        _ => Act::MembersDie(one_of(rng, 4) as usize),
    }
}

/// Half of the worlds are without faults, so that what people alone bring about is seen as well.
fn faults(rng: &mut Rng) -> Faults {
    let mut faults = Faults::default();
    if rng.chance(0.5) {
        return faults;
    }
    for _ in 0..1 + one_of(rng, 8) {
        let span = Span::from_millis(rng.between(1, 30_000));
        let fate = match one_of(rng, 5) {
            0 => Fate::Lost,
            1 => Fate::Twice,
            2 | 3 => Fate::Late(span),
            _ => Fate::Killed(span),
        };
        faults.actions.insert(one_of(rng, 70), fate);
    }
    for _ in 0..one_of(rng, 8) {
        let span = Span::from_millis(rng.between(1, 60_000));
        let fault = if rng.chance(0.6) { PassFault::Stale(span) } else { PassFault::Killed(span) };
        faults.passes.insert(one_of(rng, 150), fault);
    }
    faults
}
