//! Experiments as the rollout that made them sees them.

use serin_core::Hash;
use serin_core::experiment::TemplateStatus;
use serin_core::world::{ExperimentPool, StepExperiment};
use serin_spec::wire::Rollout;
use serin_spec::wire::experiment::Experiment;
use serin_spec::wire::keys::HASH_LABEL;
use serin_spec::{lower, timestamp};

use super::Cluster;

/// The experiments whose controller is the rollout.
//= compat: 2.2-4
pub(super) fn of_rollout(cluster: &Cluster, rollout: &Rollout) -> Vec<StepExperiment> {
    let uid = rollout.metadata.uid.as_deref().unwrap_or_default();
    let owned = |e: &&Experiment| {
        let mut owners = e.metadata.owner_references.iter();
        !uid.is_empty() && owners.any(|owner| owner["controller"] == true && owner["uid"] == uid)
    };
    cluster.experiments.iter().filter(owned).map(seen).collect()
}

fn seen(experiment: &Experiment) -> StepExperiment {
    let metadata = &experiment.metadata;
    let status = lower::experiment_status(&experiment.status.clone().unwrap_or_default());
    let pool = |t: &TemplateStatus| {
        Some(ExperimentPool {
            template: t.name.clone(),
            hash: t.hash.clone()?,
            members: t.members,
            available: t.available,
            service: t.service.clone(),
        })
    };
    StepExperiment {
        name: metadata.name().to_owned(),
        hash: Hash::new(metadata.labels.get(HASH_LABEL).cloned().unwrap_or_default()),
        phase: status.phase.unwrap_or_default(),
        message: status.message.clone(),
        terminating: experiment.spec.terminate,
        created: metadata.creation_timestamp.as_deref().and_then(timestamp::parse).unwrap_or_default(),
        pools: status.templates.iter().filter_map(pool).collect(),
    }
}
