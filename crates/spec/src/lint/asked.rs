//! When a query is asked, and of which share of the requests: what decides how much of its answer is the new version's.

use super::plan::Plan;
use super::schedule::{Schedule, step_s};
use super::uses::{Moment, Owner, Used, of_rollout};
use crate::catalog::Catalog;

/// One analysis of a canary that asks a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// The share of the requests that goes to the new version meanwhile, over 0 and at most 1; of an analysis beside the
    /// steps the smallest.
    pub share: f64,
    /// The new version got no requests before.
    pub is_first: bool,
    /// Seconds for which it has got this share when it is measured first; infinite if nobody can tell.
    pub first_s: f64,
    /// Seconds for which it has got this share when it is measured last; infinite if nobody can tell.
    pub last_s: f64,
}

impl Asked {
    /// `None` where no share of the requests is set, as in a blue-green update.
    pub(super) fn of(catalog: &Catalog, used: &Used<'_>, schedule: Option<Schedule>) -> Option<Asked> {
        let Owner::Rollout(entry) = used.owner else { return None };
        let canary = entry.object.spec.strategy.canary.as_ref()?;
        let plan = Plan::of(&entry.object, canary);
        let runs = of_rollout(catalog, entry);
        // Seconds of these steps; infinite if a person ends one, or if nobody can tell.
        let seconds = |from: usize, to: usize| -> f64 {
            let steps = canary.steps[from..to].iter().enumerate();
            steps.map(|(i, step)| step_s(from + i, step, &runs).unwrap_or(f64::INFINITY)).sum()
        };
        let shares: Vec<f64> =
            plan.stages.iter().map(|stage| f64::from(stage.weight.unwrap_or(0)) / f64::from(plan.total)).collect();
        let first = shares.iter().position(|share| *share > 0.0)?;
        let delay_s = schedule.map_or(f64::INFINITY, |schedule| schedule.until_s(1));
        match used.moment {
            Moment::Step(index) => {
                let share = *shares.get(index).filter(|share| **share > 0.0)?;
                let since = shares[..index].iter().rposition(|before| *before != share).map_or(0, |before| before + 1);
                let waited_s = seconds(since, index);
                Some(Asked {
                    share: share.min(1.0),
                    is_first: shares[..since].iter().all(|before| *before == 0.0),
                    first_s: waited_s + delay_s,
                    last_s: waited_s + schedule.and_then(|schedule| schedule.whole_s()).unwrap_or(f64::INFINITY),
                })
            }
            Moment::Background { from } => {
                let meanwhile = shares.get(from..)?.iter().copied().filter(|share| *share > 0.0);
                let (begun, end) = (first.min(from), shares.len());
                Some(Asked {
                    share: meanwhile
                        .fold(None, |least: Option<f64>, share| Some(least.map_or(share, |l| l.min(share))))?
                        .min(1.0),
                    is_first: true,
                    first_s: if from > first { seconds(begun, from) } else { 0.0 } + delay_s,
                    last_s: seconds(first, end),
                })
            }
            Moment::BeforeSwitch | Moment::AfterSwitch | Moment::Experiment => None,
        }
    }
}
