//! Every small world: all combinations of a few settings, member counts and results, each decided to its end.

use serin_core::Span;
use serin_core::analysis::RunPhase;
use serin_core::experiment::Experiment;

use crate::oracle::{judge_rest, judged_settle};
use crate::stage::{Stage, analysis, experiment, template};

const RESULTS: [RunPhase; 4] = [RunPhase::Successful, RunPhase::Failed, RunPhase::Error, RunPhase::Inconclusive];

fn shapes() -> Vec<Experiment> {
    let mut shapes = Vec::new();
    for templates in 0..=2 {
        for replicas in 0..=2 {
            for duration in [None, Some(0), Some(20)] {
                for delay in [0, 30] {
                    for analyses in [&[][..], &[false], &[true], &[true, false]] {
                        shapes.push(experiment(|e| {
                            e.templates = (0..templates).map(|i| template(&format!("t{i}"), replicas)).collect();
                            e.duration = duration.map(Span::from_secs);
                            e.scale_down_delay = Span::from_secs(delay);
                            let named = analyses.iter().enumerate();
                            e.analyses = named.map(|(i, required)| analysis(&format!("a{i}"), *required)).collect();
                        }));
                    }
                }
            }
        }
    }
    shapes
}

/// Decides until nothing changes and nothing more is due within ten virtual hours.
fn run_out(stage: &mut Stage) {
    let end = stage.now + Span::from_secs(36_000);
    loop {
        let decision = judged_settle(stage);
        judge_rest(stage, &decision).unwrap_or_else(|why| panic!("{why}\n{}", stage.brief()));
        match decision.wake_at {
            Some(at) if at <= end => stage.now = at,
            _ => return,
        }
    }
}

#[test]
fn every_small_experiment_ends_with_no_members_or_waits_for_its_analyses_or_a_person() {
    for shape in shapes() {
        for members in [true, false] {
            for result in RESULTS {
                let mut stage = Stage::new(shape.clone());
                stage.members_come = members;
                run_out(&mut stage);
                for run in stage.world.runs.iter_mut().filter(|r| !r.phase.is_completed()) {
                    run.phase = result;
                }
                run_out(&mut stage);
                if !stage.world.status.is_completed() {
                    let required = shape.analyses.iter().any(|a| a.required);
                    assert!(shape.duration.is_none() && !required, "{}", stage.brief());
                    stage.world.experiment.terminate = true;
                    run_out(&mut stage);
                }
                assert!(stage.world.status.is_completed(), "{}", stage.brief());
                assert!(stage.world.pools.iter().all(|p| p.size == 0), "{}", stage.brief());
            }
        }
    }
}

#[test]
fn terminated_at_any_moment_it_ends() {
    for shape in shapes() {
        for passes in 0..6 {
            let mut stage = Stage::new(shape.clone());
            for _ in 0..passes {
                stage.pass();
            }
            stage.world.experiment.terminate = true;
            run_out(&mut stage);
            assert_eq!(stage.phase(), "Successful", "{}", stage.brief());
            assert!(stage.world.pools.iter().all(|p| p.size == 0), "{}", stage.brief());
        }
    }
}
