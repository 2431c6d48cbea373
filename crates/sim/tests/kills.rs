//! Every story again and again, each time with the control process killed at another moment: before one of its actions, or
//! between a decision and its writing. A new process begins at once, so all expectations of the story must hold as they do
//! without the kill, and the world must end the same.

use std::collections::BTreeMap;
use std::path::Path;

use serin_core::world::StepExperiment;
use serin_core::{Hash, Span, Time};
use serin_sim::control::{Fate, Faults, PassFault};
use serin_sim::story::{self, Told};

/// What must be the same at the end.
#[derive(Debug, PartialEq)]
struct Ending {
    stable: Option<Hash>,
    state: String,
    step: Option<usize>,
    split: Option<serin_core::Split>,
    services: Vec<serin_core::world::Service>,
    pools: Vec<(Hash, u32, u32, Option<Time>)>,
    runs: Vec<(String, String)>,
    experiments: Vec<(String, String, u32)>,
}

fn ending(told: &Told) -> Ending {
    let truth = &told.sim.as_ref().unwrap().cluster.truth;
    Ending {
        stable: truth.status.stable.clone(),
        state: format!("{} {}", truth.status.phase.as_str(), truth.status.message),
        step: truth.status.step_index,
        split: truth.split.clone(),
        services: truth.services.clone(),
        pools: truth.pools.iter().map(|p| (p.hash.clone(), p.size, p.ready, p.scale_down_at)).collect(),
        runs: truth.runs.iter().map(|r| (r.name.clone(), r.phase.to_string())).collect(),
        experiments: truth.experiments.iter().map(experiment).collect(),
    }
}

/// Its name, how it stands, and the members that are left of it.
fn experiment(experiment: &StepExperiment) -> (String, String, u32) {
    let members = experiment.pools.iter().map(|p| p.members).sum();
    (experiment.name.clone(), format!("{} {}", experiment.phase, experiment.message), members)
}

/// Plays a story with every kill; returns how many, and what went otherwise.
fn with_every_kill(name: &str, script: &str) -> (u64, Vec<String>) {
    let plain = story::play(script, Faults::default()).unwrap();
    let (wanted, control) = (ending(&plain), &plain.sim.as_ref().unwrap().control);
    let kills = (0..control.actions)
        .map(|n| Faults { actions: BTreeMap::from([(n, Fate::Killed(Span::ZERO))]), ..Faults::default() });
    let kills = kills.chain(
        (0..control.passes)
            .map(|n| Faults { passes: BTreeMap::from([(n, PassFault::Killed(Span::ZERO))]), ..Faults::default() }),
    );
    let (mut count, mut wrong) = (0, Vec::new());
    for faults in kills {
        count += 1;
        match story::play(script, faults.clone()) {
            Err(why) => wrong.push(format!("{name}, {faults:?}: {why}")),
            Ok(told) if ending(&told) != wanted => {
                wrong.push(format!(
                    "{name}, {faults:?}: {:#?}\ninstead of {wanted:#?}\n{}",
                    ending(&told),
                    told.transcript
                ));
            }
            Ok(_) => {}
        }
    }
    (count, wrong)
}

#[test]
fn a_kill_at_any_boundary_of_any_story_changes_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    let mut stories: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "story"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        // Stories about faults place their own by the number of the action, which a kill shifts.
        .filter(|(_, script)| !script.lines().any(|line| line.starts_with("fault ")))
        .collect();
    stories.sort();
    let halves = stories.split_at(stories.len() / 2);
    let play = |stories: &[(String, String)]| -> (u64, Vec<String>) {
        let results = stories.iter().map(|(name, script)| with_every_kill(name, script));
        results.fold((0, Vec::new()), |(sum, mut all), (count, wrong)| {
            all.extend(wrong);
            (sum + count, all)
        })
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| play(halves.1));
        (play(halves.0), other.join().unwrap())
    });
    let wrong = [first.1, second.1].concat();
    assert!(
        wrong.is_empty(),
        "{} of {} kills:\n{}",
        wrong.len(),
        first.0 + second.0,
        wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n\n")
    );
    assert!(first.0 + second.0 > 1500, "{} kills only", first.0 + second.0);
}
