//! Random walks: members, runs and people do anything at any moment, actions get lost, and what must hold is asked of every
//! decision.

use proptest::prelude::*;
use serin_core::Span;
use serin_core::analysis::RunPhase;
use serin_core::experiment::{Experiment, TemplateService, decide};

use crate::oracle::{judge_rest, judged_pass, judged_settle};
use crate::stage::{Stage, analysis, experiment, template};

/// Something that happens to an experiment.
#[derive(Debug, Clone)]
enum Happening {
    Nothing,
    MembersUp,
    /// A pool has so many available members, as far as it has members.
    Available(usize, u32),
    /// A router sends requests to a pool, or no more.
    Routed(usize, bool),
    Refused(usize),
    RunEnds(RunPhase),
    RunLost,
    Seconds(i64),
    Replicas(usize, u32),
    Terminate,
    TemplateGone,
    /// Somebody else makes a service of a name that is wanted.
    ForeignService,
    /// The status is written and the actions are lost.
    ActionsLost,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Nothing),
        4 => Just(Happening::MembersUp),
        3 => (0usize..3, 0u32..4).prop_map(|(pool, n)| Happening::Available(pool, n)),
        2 => (0usize..3, any::<bool>()).prop_map(|(pool, on)| Happening::Routed(pool, on)),
        1 => (0usize..3).prop_map(Happening::Refused),
        2 => prop_oneof![
            4 => Just(RunPhase::Successful),
            1 => Just(RunPhase::Failed),
            1 => Just(RunPhase::Error),
            1 => Just(RunPhase::Inconclusive),
        ].prop_map(Happening::RunEnds),
        1 => Just(Happening::RunLost),
        3 => (0i64..700).prop_map(Happening::Seconds),
        1 => (0usize..3, 0u32..4).prop_map(|(t, n)| Happening::Replicas(t, n)),
        1 => Just(Happening::Terminate),
        1 => Just(Happening::TemplateGone),
        1 => Just(Happening::ForeignService),
        2 => Just(Happening::ActionsLost),
    ]
}

fn shape() -> impl Strategy<Value = Experiment> {
    let templates = proptest::collection::vec((0u32..4, any::<bool>()), 0..4);
    let analyses = proptest::collection::vec(any::<bool>(), 0..3);
    (templates, analyses, proptest::option::of(0i64..200), 0i64..40, 1i64..700).prop_map(
        |(templates, analyses, duration, delay, deadline)| {
            experiment(|e| {
                let named = templates.iter().enumerate();
                e.templates = named
                    .map(|(i, (replicas, service))| {
                        let mut t = template(&format!("t{i}"), *replicas);
                        t.service = service.then(|| format!("svc-{i}"));
                        t
                    })
                    .collect();
                let named = analyses.iter().enumerate();
                e.analyses = named.map(|(i, required)| analysis(&format!("a{i}"), *required)).collect();
                e.duration = duration.map(Span::from_secs);
                e.scale_down_delay = Span::from_secs(delay);
                e.progress_deadline = Span::from_secs(deadline);
            })
        },
    )
}

fn happen(stage: &mut Stage, happening: &Happening) {
    let world = &mut stage.world;
    match happening {
        Happening::Nothing => {}
        Happening::MembersUp => world.pools.iter_mut().for_each(|p| (p.ready, p.available) = (p.members, p.members)),
        Happening::Available(index, count) => {
            if let Some(pool) = world.pools.get_mut(*index) {
                let count = (*count).min(pool.members);
                (pool.ready, pool.available) = (count, count);
            }
        }
        Happening::Routed(index, on) => {
            if let Some(pool) = world.pools.get_mut(*index) {
                pool.routed = *on;
            }
        }
        Happening::Refused(index) => {
            if let Some(pool) = world.pools.get_mut(*index).filter(|p| p.members == 0) {
                pool.refused = Some("no command".to_owned());
            }
        }
        Happening::RunEnds(phase) => {
            if let Some(run) = world.runs.iter_mut().find(|r| !r.phase.is_completed()) {
                run.phase = *phase;
            }
        }
        Happening::RunLost => {
            world.runs.pop();
        }
        Happening::Seconds(seconds) => stage.now = stage.now + Span::from_secs(*seconds),
        Happening::Replicas(index, count) => {
            if let Some(template) = world.experiment.templates.get_mut(*index) {
                template.replicas = *count;
            }
        }
        Happening::Terminate => world.experiment.terminate = true,
        Happening::TemplateGone => {
            world.experiment.templates.pop();
        }
        Happening::ForeignService => {
            let name = "svc-0".to_owned();
            if world.service(&name).is_none() {
                world.services.push(TemplateService { name, template: None });
            }
        }
        Happening::ActionsLost => world.status = decide(world, stage.now).status,
    }
}

/// With good members and good runs every experiment ends, and nothing of it is left running.
fn finish(stage: &mut Stage) {
    stage.members_come = true;
    for _ in 0..60 {
        stage.world.pools.iter_mut().for_each(|p| p.routed = false);
        let decision = judged_settle(stage);
        judge_rest(stage, &decision).unwrap_or_else(|why| panic!("{why}\n{}", stage.brief()));
        if let Some(at) = decision.wake_at {
            stage.now = at;
        } else if let Some(run) = stage.world.runs.iter_mut().find(|r| !r.phase.is_completed()) {
            run.phase = RunPhase::Successful;
        } else if stage.world.status.is_completed() {
            assert!(stage.world.pools.iter().all(|p| p.size == 0), "{}", stage.brief());
            assert!(stage.world.services.iter().all(|s| s.template.is_none()), "{}", stage.brief());
            return;
        } else {
            assert_eq!(stage.world.experiment.duration, None, "{}", stage.brief());
            stage.world.experiment.terminate = true;
        }
    }
    panic!("does not end: {}", stage.brief());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_an_experiment_ends_and_leaves_nothing_behind(
        shape in shape(),
        happenings in proptest::collection::vec((happening(), 0usize..4), 1..50),
    ) {
        let mut stage = Stage::new(shape);
        stage.members_come = false;
        for (happening, passes) in &happenings {
            happen(&mut stage, happening);
            for _ in 0..*passes {
                judged_pass(&mut stage);
            }
        }
        finish(&mut stage);
    }
}
