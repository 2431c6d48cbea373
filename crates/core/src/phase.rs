//! Phase and message: the first line of every status view (section 2.5 of the reference).

use crate::condition::Kind;
use crate::restarting;
use crate::rollout::{Rollout, Strategy};
use crate::status::Status;
use crate::time::Time;

/// Where a rollout stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// On its way.
    #[default]
    Progressing,
    /// Waits for a person or a time.
    Paused,
    /// Promoted and complete.
    Healthy,
    /// Aborted, invalid, or out of time.
    Degraded,
}

impl Phase {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Progressing => "Progressing",
            Phase::Paused => "Paused",
            Phase::Healthy => "Healthy",
            Phase::Degraded => "Degraded",
        }
    }
}

/// Derives phase and message; the first test that holds wins.
//= compat: 2.5-1, 1.2-8, 1.4-10
pub fn phase(rollout: &Rollout, status: &Status, now: Time) -> (Phase, String) {
    for condition in status.conditions.iter() {
        if condition.kind == Kind::InvalidSpec {
            return (Phase::Degraded, format!("InvalidSpec: {}", condition.message));
        }
        if condition.reason == "RolloutAborted" || condition.reason == "ProgressDeadlineExceeded" {
            return (Phase::Degraded, format!("{}: {}", condition.reason, condition.message));
        }
    }
    if rollout.paused {
        return (Phase::Paused, "manually paused".to_owned());
    }
    if let Some(pause) = status.pauses.first() {
        return (Phase::Paused, pause.reason.as_str().to_owned());
    }
    let counts = &status.counts;
    let progressing = |message: &str| (Phase::Progressing, message.to_owned());
    if restarting::due(rollout, status, now) {
        return progressing("rollout is restarting");
    }
    if counts.updated < rollout.replicas && wants_all_updated(rollout, status) {
        return progressing("more replicas need to be updated");
    }
    if counts.available < counts.updated {
        return progressing("updated replicas are still becoming available");
    }
    if let Strategy::BlueGreen(blue_green) = &rollout.strategy {
        if status.blue_green.active.is_none() || status.blue_green.active != status.current_hash {
            return progressing("active service cutover pending");
        }
        if !fully_promoted(status) {
            let judged = status.blue_green.post_run.as_ref().is_some_and(|r| r.phase.is_completed());
            let message = match blue_green.post_promotion && !judged {
                true => "waiting for analysis to complete",
                false => "waiting for post-promotion verification to complete",
            };
            return progressing(message);
        }
    }
    let basic = rollout.canary().is_some_and(|c| c.traffic.is_none());
    if basic && counts.members > counts.updated && fully_promoted(status) {
        return progressing("old replicas are pending termination");
    }
    if !fully_promoted(status) {
        return progressing("waiting for all steps to complete");
    }
    (Phase::Healthy, String::new())
}

fn fully_promoted(status: &Status) -> bool {
    status.stable.is_some() && status.stable == status.current_hash
}

/// Argo says "more replicas need to be updated" in the middle of the steps too, where no more are meant to be.
/// We keep its words only where they are true.
fn wants_all_updated(rollout: &Rollout, status: &Status) -> bool {
    let on_the_way = match &rollout.strategy {
        Strategy::Canary(canary) => status.step_index.is_some_and(|i| i < canary.steps.len()),
        Strategy::BlueGreen(blue_green) => blue_green.preview_replicas.is_some() && !status.blue_green.checkpoint,
    };
    fully_promoted(status) || status.stable.is_none() || !on_the_way
}
