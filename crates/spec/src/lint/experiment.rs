//! Experiments: what ends them, and whether their analyses have ended by then.

use super::schedule::run_s;
use super::uses::{Used, of_experiments};
use crate::catalog::{Catalog, Origin};
use crate::duration;
use crate::problem::Problem;

pub(super) fn check(catalog: &Catalog, problems: &mut Vec<Problem>) {
    let runs = of_experiments(catalog);
    for entry in &catalog.rollouts {
        let steps = entry.object.spec.strategy.canary.iter().flat_map(|canary| canary.steps.iter().enumerate());
        for (i, experiment) in steps.filter_map(|(i, step)| step.experiment.as_ref().map(|e| (i, e))) {
            let path = format!("spec.strategy.canary.steps[{i}].experiment");
            let analyses = experiment.analyses.iter().map(|analysis| analysis.required_for_completion).collect();
            let one = One { origin: &entry.origin, path, duration: experiment.duration.as_deref(), analyses };
            one.check(&runs, problems);
        }
    }
    for entry in &catalog.experiments {
        let spec = &entry.object.spec;
        let analyses = spec.analyses.iter().map(|analysis| analysis.required_for_completion).collect();
        let one = One { origin: &entry.origin, path: "spec".to_owned(), duration: spec.duration.as_deref(), analyses };
        one.check(&runs, problems);
    }
}

/// One experiment, whichever kind of object says it.
struct One<'c> {
    origin: &'c Origin,
    path: String,
    duration: Option<&'c str>,
    /// Of each analysis, whether the experiment is over when it has passed.
    analyses: Vec<bool>,
}

impl One<'_> {
    fn check(&self, runs: &[Used<'_>], problems: &mut Vec<Problem>) {
        let Some(duration) = self.duration.filter(|text| !text.is_empty()) else {
            if !self.analyses.contains(&true) {
                let message = "nothing ends the experiment: no duration, and no analysis that completes it";
                let problem = self.origin.warning("endless-experiment", &self.path, message);
                problems.push(problem.hint("set duration, or requiredForCompletion: true on an analysis"));
            }
            return;
        };
        let Ok(ms) = duration::parse_ms(duration) else { return };
        let duration_s = ms as f64 / 1000.0;
        if self.analyses.contains(&true) {
            return;
        }
        for (j, _) in self.analyses.iter().enumerate() {
            let path = format!("{}.analyses[{j}]", self.path);
            let run = runs.iter().find(|run| std::ptr::eq(run.owner.origin(), self.origin) && run.path == path);
            if let Some(run_s) = run.and_then(run_s).filter(|run_s| *run_s > duration_s) {
                let message = format!("the experiment ends after {duration_s:.0} s, the analysis takes {run_s:.0} s");
                let problem = self.origin.warning("experiment-ends-first", &path, message);
                problems.push(problem.hint("lengthen duration, or set requiredForCompletion: true"));
            }
        }
    }
}
