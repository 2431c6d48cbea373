//! Phase and message: the first line of every status view (section 2.5 of the reference).

use crate::condition::Kind;
use crate::rollout::Rollout;
use crate::status::Status;

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
//= compat: 2.5-1, 1.2-8
pub fn phase(rollout: &Rollout, status: &Status) -> (Phase, String) {
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
    if counts.updated < rollout.replicas && wants_all_updated(rollout, status) {
        return progressing("more replicas need to be updated");
    }
    if counts.available < counts.updated {
        return progressing("updated replicas are still becoming available");
    }
    if rollout.canary().traffic.is_none() && counts.members > counts.updated && fully_promoted(status) {
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
    let steps = rollout.canary().steps.len();
    fully_promoted(status) || status.stable.is_none() || status.step_index.is_none_or(|i| i >= steps)
}
