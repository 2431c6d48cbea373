//! Blue-green: the switch, and how long the old version stays.

use super::schedule::run_s;
use super::uses::{Moment, of_rollout};
use crate::catalog::{Catalog, Entry};
use crate::problem::Problem;
use crate::wire::Rollout;

const BLUE_GREEN: &str = "spec.strategy.blueGreen";

pub(super) fn check(catalog: &Catalog, entry: &Entry<Rollout>, problems: &mut Vec<Problem>) {
    abort_delay(entry, problems);
    let Some(strategy) = &entry.object.spec.strategy.blue_green else { return };
    let origin = &entry.origin;
    let after = of_rollout(catalog, entry).into_iter().find(|used| used.moment == Moment::AfterSwitch);
    if let (Some(delay_s), Some(run_s)) = (strategy.scale_down_delay_seconds, after.as_ref().and_then(run_s))
        && f64::from(delay_s) < run_s
    {
        let path = format!("{BLUE_GREEN}.scaleDownDelaySeconds");
        let message =
            format!("earlier versions are stopped after {delay_s} s, and postPromotionAnalysis takes {run_s:.0} s");
        let problem = origin.warning("scale-down-before-verdict", &path, message);
        problems.push(problem.hint("leave it out: then none is stopped before the analysis has passed"));
    }
    let by_hand = strategy.auto_promotion_enabled == Some(false);
    if by_hand && strategy.auto_promotion_seconds.is_some_and(|seconds| seconds > 0) {
        let path = format!("{BLUE_GREEN}.autoPromotionSeconds");
        let message = "autoPromotionEnabled is false, so no time promotes; a person does";
        let problem = origin.warning("auto-promotion-ignored", &path, message);
        problems.push(problem.hint("remove autoPromotionEnabled: false, or the seconds"));
    }
    if let (Some(preview), Some(replicas)) = (strategy.preview_replica_count, entry.object.spec.replicas)
        && strategy.pre_promotion_analysis.is_some()
        && preview < replicas
    {
        let path = format!("{BLUE_GREEN}.previewReplicaCount");
        let message = format!("prePromotionAnalysis judges {preview} of the {replicas} members that will serve");
        let problem = origin.warning("small-preview", &path, message);
        problems.push(problem.hint("latency under load is that of the small preview; judge again after the switch"));
    }
    let judged = strategy.pre_promotion_analysis.is_some() || strategy.post_promotion_analysis.is_some();
    if !judged && !by_hand {
        let message = "no analysis and no person judges the new version: whatever gets ready is promoted";
        let problem = origin.warning("nothing-judges", BLUE_GREEN, message);
        problems.push(problem.hint("add prePromotionAnalysis, or autoPromotionEnabled: false"));
    }
}

fn abort_delay(entry: &Entry<Rollout>, problems: &mut Vec<Problem>) {
    let strategy = &entry.object.spec.strategy;
    let blue_green = strategy.blue_green.as_ref().and_then(|blue_green| blue_green.abort_scale_down_delay_seconds);
    let canary = strategy.canary.as_ref().and_then(|canary| canary.abort_scale_down_delay_seconds);
    let (path, message, hint) = if blue_green == Some(0) {
        let message = "after an abort the new version is kept for ever";
        (BLUE_GREEN, message, "1 stops it at once, 30 is the default")
    } else if canary == Some(0) {
        let message =
            "after an abort the new version is stopped at once, though the documentation says that it is kept";
        ("spec.strategy.canary", message, "say a number of seconds")
    } else {
        return;
    };
    let path = format!("{path}.abortScaleDownDelaySeconds");
    problems.push(entry.origin.warning("abort-delay-zero", &path, message).hint(hint));
}
