//! Random walks: people, members, routers and runs do anything at any moment, and what must hold is asked of every decision.

use proptest::prelude::*;
use serin_core::analysis::RunPhase;
use serin_core::plugin::PluginPhase;
use serin_core::rollout::{Canary, CanaryScale, ExperimentStep, PingPong, Rollout, Threshold};
use serin_core::weight::{HeaderMatch, HeaderRoute, ValueMatch};
use serin_core::{Metadata, Span, Step, Time, intent};

use crate::mirrors::mirror;
use crate::oracle::{judge_rest, judged_pass, judged_settle};
use crate::plugins::{plugin, says};
use crate::stage::{Stage, rollout, without_router};

/// Something that happens to a rollout.
#[derive(Debug, Clone)]
enum Happening {
    /// Only decisions.
    Nothing,
    /// Every member becomes available.
    MembersUp,
    /// A pool has so many available members, as far as it has members.
    Available(usize, u32),
    /// The router carries what it was asked for.
    RouterCatchesUp,
    /// Whether the router obeys at once from now on.
    RouterObeys(bool),
    /// Time passes.
    Seconds(i64),
    /// Time passes up to the moment a decision asked for.
    Wake,
    /// The first unfinished run ends.
    RunEnds(RunPhase),
    /// Members of experiments answer, those of finished ones end.
    ExperimentsGoOn,
    /// The first unfinished experiment ends.
    ExperimentEnds(RunPhase),
    /// A version of an experiment loses its members.
    ExperimentDies,
    Abort,
    Retry,
    Promote,
    PromoteFull,
    Pause,
    Restart,
    /// The first open question to a plugin is answered, or cannot be.
    PluginAnswers(Option<PluginPhase>),
    /// Another template, one of four.
    Template(usize),
    Replicas(u32),
}

const TEMPLATES: [&str; 4] = ["v1", "v2", "v3", "v4"];

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Nothing),
        4 => Just(Happening::MembersUp),
        4 => (0usize..4, 0u32..7).prop_map(|(pool, n)| Happening::Available(pool, n)),
        3 => Just(Happening::RouterCatchesUp),
        1 => any::<bool>().prop_map(Happening::RouterObeys),
        1 => (1i64..700).prop_map(Happening::Seconds),
        4 => Just(Happening::Wake),
        3 => prop_oneof![
            4 => Just(RunPhase::Successful),
            1 => Just(RunPhase::Failed),
            1 => Just(RunPhase::Error),
            1 => Just(RunPhase::Inconclusive),
        ].prop_map(Happening::RunEnds),
        3 => Just(Happening::ExperimentsGoOn),
        2 => prop_oneof![
            4 => Just(RunPhase::Successful),
            1 => Just(RunPhase::Failed),
            1 => Just(RunPhase::Error),
            1 => Just(RunPhase::Inconclusive),
        ].prop_map(Happening::ExperimentEnds),
        1 => Just(Happening::ExperimentDies),
        1 => Just(Happening::Abort),
        2 => Just(Happening::Retry),
        3 => Just(Happening::Promote),
        1 => Just(Happening::PromoteFull),
        1 => Just(Happening::Pause),
        1 => Just(Happening::Restart),
        3 => prop_oneof![
            3 => Just(Some(PluginPhase::Successful)),
            2 => Just(Some(PluginPhase::Running)),
            1 => Just(Some(PluginPhase::Failed)),
            1 => Just(None),
        ].prop_map(Happening::PluginAnswers),
        2 => (0usize..4).prop_map(Happening::Template),
        1 => (0u32..7).prop_map(Happening::Replicas),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u32..=100).prop_map(Step::SetWeight),
        2 => (0i64..100).prop_map(|s| Step::Pause(Some(Span::from_secs(s)))),
        1 => Just(Step::Pause(None)),
        2 => Just(Step::Analysis),
        2 => proptest::collection::vec(0u32..=60, 0..3).prop_map(experiment),
        1 => (0u32..8).prop_map(|n| Step::SetCanaryScale(CanaryScale::Replicas(n))),
        1 => (0u32..=100).prop_map(|w| Step::SetCanaryScale(CanaryScale::Weight(w))),
        1 => Just(Step::SetCanaryScale(CanaryScale::MatchTrafficWeight)),
        1 => any::<bool>().prop_map(|remove| Step::SetHeaderRoute(header_route(remove))),
        1 => (0u32..=100).prop_map(|percentage| mirror("shadow", percentage)),
        1 => Just(plugin("acme/gate")),
    ]
}

fn experiment(weights: Vec<u32>) -> Step {
    let weights = weights.into_iter().enumerate().map(|(i, weight)| (format!("t{i}"), weight)).collect();
    Step::Experiment(ExperimentStep { weights })
}

fn header_route(remove: bool) -> HeaderRoute {
    let value = ValueMatch::Exact("yes".to_owned());
    let matches = if remove { Vec::new() } else { vec![HeaderMatch { header: "x-tester".to_owned(), value }] };
    HeaderRoute { name: "testers".to_owned(), matches }
}

/// How the strategy is set up, besides its steps.
#[derive(Debug, Clone)]
struct Shape {
    replicas: u32,
    router: bool,
    dynamic: bool,
    surge: u32,
    unavailable: u32,
    delays: (i64, Option<i64>),
    background: Option<usize>,
    min_pods: Option<u32>,
    threshold: Option<Threshold>,
    window: Option<u32>,
    deadline_aborts: bool,
    ping_pong: bool,
    metadata: bool,
    switched_off: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let numbers = (0u32..7, 0u32..3, 0u32..3, 0i64..40);
    let options = (
        proptest::option::weighted(0.3, 0i64..40),
        proptest::option::weighted(0.3, 0usize..3),
        proptest::option::weighted(0.2, 1u32..4),
        proptest::option::weighted(
            0.2,
            prop_oneof![(50u32..=100).prop_map(Threshold::Percent), (1u32..4).prop_map(Threshold::Pods)],
        ),
        proptest::option::weighted(0.3, 1u32..3),
    );
    (numbers, options, any::<[bool; 3]>(), any::<[bool; 3]>()).prop_map(
        |(numbers, options, [router, dynamic, deadline_aborts], rest)| Shape {
            replicas: numbers.0,
            router,
            dynamic: dynamic && router,
            surge: numbers.1,
            unavailable: numbers.2,
            delays: (numbers.3, options.0),
            background: options.1,
            min_pods: options.2,
            threshold: options.3,
            window: options.4,
            deadline_aborts,
            ping_pong: rest[0] && router,
            metadata: rest[1],
            switched_off: rest[2],
        },
    )
}

fn make(shape: &Shape, steps: &[Step]) -> Rollout {
    rollout(steps, |rollout: &mut Rollout, canary: &mut Canary| {
        rollout.replicas = shape.replicas;
        rollout.rollback_window = shape.window;
        rollout.progress_deadline_abort = shape.deadline_aborts;
        canary.dynamic_stable_scale = shape.dynamic;
        canary.max_surge = serin_core::rollout::Amount::Count(shape.surge);
        canary.max_unavailable = serin_core::rollout::Amount::Count(shape.unavailable);
        canary.scale_down_delay = Span::from_secs(shape.delays.0);
        canary.abort_scale_down_delay = shape.delays.1.map(Span::from_secs);
        canary.background_from = shape.background;
        canary.min_pods = shape.min_pods;
        canary.progress_threshold = shape.threshold;
        if shape.ping_pong {
            canary.ping_pong = Some(PingPong { ping: "ping".to_owned(), pong: "pong".to_owned() });
        }
        if shape.metadata {
            let labels = [("role".to_owned(), "canary".to_owned())].into();
            rollout.metadata.new = Metadata { labels, ..Metadata::default() };
        }
        if !shape.router {
            without_router(canary);
            canary
                .steps
                .retain(|s| !matches!(s, Step::SetCanaryScale(_) | Step::SetHeaderRoute(_) | Step::SetMirrorRoute(_)));
        }
    })
}

fn happen(stage: &mut Stage, happening: &Happening, wake: &mut Option<Time>) {
    match happening {
        Happening::Nothing => {}
        Happening::MembersUp => stage.all_available(),
        Happening::Available(index, count) => {
            if let Some(pool) = stage.world.pools.get_mut(*index) {
                let count = (*count).min(pool.members);
                (pool.ready, pool.available) = (count, count);
            }
        }
        Happening::RouterCatchesUp => stage.router_catches_up(),
        Happening::RouterObeys(obeys) => stage.router_obeys = *obeys,
        Happening::Seconds(seconds) => stage.now = stage.now + Span::from_secs(*seconds),
        Happening::Wake => stage.now = wake.take().map_or(stage.now, |at| at.max(stage.now)),
        Happening::RunEnds(phase) => {
            if let Some(run) = stage.world.runs.iter_mut().find(|r| !r.phase.is_completed()) {
                run.phase = *phase;
            }
        }
        Happening::ExperimentsGoOn => stage.experiments_go_on(),
        Happening::ExperimentEnds(phase) => {
            if let Some(experiment) = stage.world.experiments.iter_mut().find(|e| !e.phase.is_completed()) {
                experiment.phase = *phase;
            }
        }
        Happening::ExperimentDies => {
            if let Some(pool) = stage.world.experiments.iter_mut().flat_map(|e| &mut e.pools).next() {
                pool.available = 0;
            }
        }
        Happening::Restart => stage.restart(),
        Happening::PluginAnswers(phase) => answer_plugin(stage, *phase),
        Happening::Abort => intent::abort(&mut stage.world.status),
        Happening::Retry => intent::retry(&mut stage.world.status),
        Happening::Promote => promote(stage),
        Happening::PromoteFull => {
            intent::promote_full(&stage.world.rollout, &mut stage.world.status);
        }
        Happening::Pause => stage.edit(|rollout, _| rollout.paused = true),
        Happening::Template(index) => stage.template(TEMPLATES[*index]),
        Happening::Replicas(count) => stage.edit(|rollout, _| rollout.replicas = *count),
    }
}

fn answer_plugin(stage: &mut Stage, phase: Option<PluginPhase>) {
    if stage.world.plugins.calls.iter().any(|c| c.answer.is_none()) {
        stage.plugin_answers(phase.map_or(Err("no answer".to_owned()), |phase| says(phase, "")));
    }
}

fn promote(stage: &mut Stage) {
    let unpause = intent::promote(&stage.world.rollout, &mut stage.world.status);
    if unpause.0 {
        stage.edit(|rollout, _| rollout.paused = false);
    }
}

/// With good members, an obedient router, good runs and a person who promotes, every rollout gets there.
pub(crate) fn finish(stage: &mut Stage) {
    (stage.members_come, stage.router_obeys) = (true, true);
    stage.router_catches_up();
    for _ in 0..160 {
        let decision = judged_settle(stage, 60);
        judge_rest(stage, &decision).unwrap_or_else(|why| panic!("{why}\n{}", stage.brief()));
        let status = &mut stage.world.status;
        if stage.world.runs.iter().any(|r| !r.phase.is_completed()) {
            stage
                .world
                .runs
                .iter_mut()
                .filter(|r| !r.phase.is_completed())
                .for_each(|r| r.phase = RunPhase::Successful);
        } else if let Some(experiment) = stage.world.experiments.iter_mut().find(|e| !e.phase.is_completed()) {
            experiment.phase = RunPhase::Successful;
        } else if stage.world.plugins.calls.iter().any(|c| c.answer.is_none()) {
            answer_plugin(stage, Some(PluginPhase::Successful));
        } else if status.abort {
            intent::retry(status);
        } else if stage.world.rollout.paused {
            promote(stage);
        } else if let Some(at) = decision.wake_at {
            stage.now = at;
        } else if stage.phase() == "Healthy" {
            return;
        } else {
            promote(stage);
        }
    }
    panic!("does not get there: {}", stage.brief());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_traffic_is_carried_and_a_way_out_remains(
        shape in shape(),
        steps in proptest::collection::vec(step(), 0..5),
        happenings in proptest::collection::vec((happening(), 0usize..6), 1..60),
    ) {
        let mut stage = Stage::new(make(&shape, &steps));
        if shape.switched_off {
            stage.world.plugins.disabled.push("acme/gate".to_owned());
        }
        (stage.members_come, stage.router_obeys) = (false, true);
        let mut wake = None;
        for (happening, passes) in &happenings {
            happen(&mut stage, happening, &mut wake);
            for _ in 0..*passes {
                wake = judged_pass(&mut stage).wake_at;
            }
        }
        finish(&mut stage);
    }
}
