//! `serin simulate`: a user's own manifests in a described world, on a virtual clock.

mod report;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serin_core::Span;
use serin_providers::embedded;
use serin_providers::sequential::{self, Fed};
use serin_sim::control::Unsettled;
use serin_sim::description::{self, Description};
use serin_sim::measure::{Judge, Look};
use serin_sim::scenario::{Question, Questions, Scenario, ScenarioError};
use serin_sim::simulate::{self, Report};
use serin_spec::catalog::Entry;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::PrometheusMetric;
use serin_spec::{Catalog, Source, settings};

use super::lint;
use crate::arguments::{Format, Simulate};
use crate::error::{CliError, FAILED};
use crate::output;

/// Time between two looks at the progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Runs that are quick enough to need no progress are over by then.
const PROGRESS_FROM: Duration = Duration::from_millis(700);

pub(super) fn run(wanted: &Simulate, format: Format) -> Result<ExitCode, CliError> {
    let (catalog, world) = read(wanted)?;
    let scenario = Scenario::new(&catalog, &world, wanted.rollout.as_deref(), QUESTIONS).map_err(chosen)?;
    if wanted.max_wrong.is_some() && scenario.expected.is_none() {
        return Err(CliError::usage(
            "the world does not say what the update should come to",
            "add `expect: promoted` or `expect: aborted` to it",
        ));
    }
    let mut transcript = None;
    let reports = if wanted.runs == 1 {
        let told = transcript.insert(simulate::transcript(&scenario));
        vec![simulate::run(&scenario, wanted.seed, Some(told)).map_err(|e| unsettled(wanted.seed, &e))?]
    } else {
        many(&scenario, wanted.seed, wanted.runs as usize)?
    };
    if let Some(path) = &wanted.plot {
        let picture = report::svg(&scenario, &reports);
        std::fs::write(path, picture).map_err(CliError::io(format!("write {}", path.display())))?;
    }
    let transcript = transcript.as_ref().map(serin_sim::transcript::Transcript::text);
    if !output::machine(format, &report::machine(&scenario, &reports, transcript))? {
        output::line(report::text(&scenario, &reports, transcript, std::io::stdout().is_terminal()).trim_end());
    }
    let wrong = reports.iter().filter(|r| r.is_wrong(scenario.expected)).count() as f64 / reports.len() as f64;
    match wanted.max_wrong {
        Some(most) if wrong > most => Ok(ExitCode::from(FAILED)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Manifests and world, without errors.
fn read(wanted: &Simulate) -> Result<(Catalog, Entry<Description>), CliError> {
    let (mut sources, mut problems) = serin_spec::read::files(&wanted.files);
    // A world that lies beside the manifests is none of them.
    sources.retain(|source| !is_same(Path::new(&source.name), &wanted.world));
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    problems.extend(found);
    let path = wanted.world.display().to_string();
    let text = std::fs::read_to_string(&wanted.world).map_err(CliError::io(format!("read {path}")))?;
    let source = Source::new(path, text);
    let world = settings::read::<Description>(&source, "world");
    match &world {
        Ok(world) => problems.extend(description::check(world)),
        Err(found) => problems.extend(found.iter().cloned()),
    }
    sources.push(source);
    lint::refuse(&problems, &sources, "simulated")?;
    let world = world.map_err(|_| CliError::Bug("a world with problems was taken".to_owned()))?;
    Ok((catalog, world))
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Metrics are measured as on one machine.
const QUESTIONS: Questions<'static> = Questions { query: &question, judge: &judge };

/// Judges sequential metrics as one machine does.
fn judge(filled: AnalysisRunSpec) -> Judge {
    Arc::new(move |look| {
        let Look { spec, status, due, batches, window, now } = *look;
        let at = sequential::Look { filled: &filled, spec, status, window, now, every_min: Span::ZERO };
        let newest = batches.last().map_or(0, |batch| batch.seq);
        let feed = |index: usize| {
            let after = sequential::judged_until(spec, status, index).unwrap_or(newest);
            Ok(Fed::Batches(batches.iter().filter(|batch| batch.seq > after).cloned().collect()))
        };
        at.take(due, newest, &feed).into_iter().map(|taken| (taken.index, taken.measurement)).collect()
    })
}

/// Answers PromQL as one machine does.
fn question(metric: &PrometheusMetric) -> Result<Question, String> {
    let question = Arc::new(embedded::Question::new(metric).map_err(|e| e.to_string())?);
    let reads = question.clone();
    Ok(Question {
        ask: Arc::new(move |store, at_ms| {
            let measured = question.answer(store, at_ms).map_err(|e| e.to_string())?;
            Ok((measured.value, measured.text))
        }),
        reads: Arc::new(move |labels| reads.reads(labels)),
    })
}

fn chosen(error: ScenarioError) -> CliError {
    let hint = match &error {
        ScenarioError::WhichRollout(_) | ScenarioError::NoRollout { .. } => {
            "name it with --rollout, or as rollout: in the world"
        }
        ScenarioError::NoRollouts => "give the folder in which the Rollout lies",
        ScenarioError::NotDescribed(_) => "every version that is deployed needs an item under versions",
        ScenarioError::Step { .. } | ScenarioError::Experiment { .. } => {
            "leave the step out of a copy of the manifest to try the rest"
        }
        ScenarioError::Image(_) => "the tag of the version goes into the template of the Rollout",
        ScenarioError::SameVersion(_) => "let deploy.from and deploy.to differ",
    };
    CliError::usage(error.to_string(), hint)
}

fn unsettled(seed: u64, error: &Unsettled) -> CliError {
    CliError::Bug(format!("{error} (--seed {seed} repeats it)"))
}

/// Many runs on all processors; the reports are in the order of their seeds, whoever was faster.
fn many(scenario: &Scenario, seed: u64, runs: usize) -> Result<Vec<Report>, CliError> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(runs);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(u64, Result<Report, Unsettled>)>> = Mutex::new(Vec::with_capacity(runs));
    let keep = |result| results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= runs {
                        return;
                    }
                    let seed = seed.wrapping_add(index as u64);
                    keep((index as u64, simulate::run(scenario, seed, None)));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        show_progress(&done, runs);
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(index, result)| result.map_err(|e| unsettled(seed.wrapping_add(index), &e))).collect()
}

/// Shows on a terminal how many runs are over, until all are.
fn show_progress(done: &AtomicUsize, runs: usize) {
    let mut stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return;
    }
    let began = Instant::now();
    let mut shown = false;
    loop {
        let count = done.load(Ordering::Relaxed);
        if count >= runs {
            break;
        }
        if began.elapsed() >= PROGRESS_FROM {
            shown = true;
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(stderr, "\r{count} of {runs} runs");
            let _ = stderr.flush();
        }
        std::thread::sleep(PROGRESS_EVERY);
    }
    if shown {
        let _ = write!(stderr, "\r{:40}\r", "");
        let _ = stderr.flush();
    }
}
