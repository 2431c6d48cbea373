//! `Experiment` and its status, with the defaults of section 5 of the Argo reference.

use serin_core::analysis::RunPhase;
use serin_core::condition::Conditions;
use serin_core::experiment as core;
use serin_core::{Hash, Span};

use super::rollout::{count, seconds};
use super::status::condition;
use crate::wire::experiment as wire;
use crate::{duration, hash, timestamp, validate};

/// Members of a version when `replicas` is absent.
const REPLICAS: u32 = 1;
/// Seconds without progress when `progressDeadlineSeconds` is absent.
const PROGRESS_DEADLINE_S: i32 = 600;
/// Seconds that members stay after their version is over, so that requests under way can end.
const SCALE_DOWN_DELAY_S: i32 = 30;

/// The experiment as the core sees it. What its pods hash to is taken from the status once they have a pool; `problem` says
/// why an analysis cannot be begun, such as a template that does not exist.
//= compat: 5.1-1, 8.6-1
pub fn experiment(
    wire: &wire::Experiment,
    status: &core::ExperimentStatus,
    problem: &dyn Fn(&wire::ExperimentAnalysis) -> Option<String>,
) -> core::Experiment {
    let spec = &wire.spec;
    let name = wire.metadata.name();
    let analysis = |wire: &wire::ExperimentAnalysis| core::Analysis {
        name: wire.name.clone(),
        required: wire.required_for_completion,
        problem: problem(wire),
    };
    core::Experiment {
        name: name.to_owned(),
        templates: spec.templates.iter().map(|t| template(name, t, status.template(&t.name))).collect(),
        duration: spec.duration.as_deref().and_then(|text| duration::parse_ms(text).ok()).map(Span::from_millis),
        progress_deadline: seconds(spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE_S)),
        scale_down_delay: seconds(spec.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_S)),
        terminate: spec.terminate,
        analyses: spec.analyses.iter().map(analysis).collect(),
        invalid: validate::experiment(wire).first().map(ToString::to_string),
    }
}

//= compat: 5.2-3
fn template(
    experiment: &str,
    wire: &wire::ExperimentTemplate,
    status: Option<&core::TemplateStatus>,
) -> core::Template {
    let pool = core::pool_name(experiment, &wire.name);
    let collisions = status.map(|s| s.collision_count).filter(|n| *n > 0).and_then(|n| i32::try_from(n).ok());
    let hash = status.and_then(|s| s.hash.clone());
    let ports = wire.template.containers().iter().any(|c| !c.ports.is_empty());
    let named = |service: &wire::TemplateService| service.name.clone().filter(|name| !name.is_empty());
    core::Template {
        name: wire.name.clone(),
        hash: hash.unwrap_or_else(|| hash::experiment_template(&wire.template, collisions, &pool)),
        replicas: wire.replicas.map_or(REPLICAS, count),
        service: wire.service.as_ref().filter(|_| ports).map(|s| named(s).unwrap_or(pool)),
    }
}

/// The status as the core sees it.
//= compat: 5.1-2
pub fn experiment_status(wire: &wire::ExperimentStatus) -> core::ExperimentStatus {
    core::ExperimentStatus {
        phase: wire.phase.as_deref().filter(|p| !p.is_empty()).map(|p| RunPhase::parse(p).unwrap_or_default()),
        message: wire.message.clone().unwrap_or_default(),
        available_at: timestamp::parse_optional(wire.available_at.as_deref()),
        templates: wire.template_statuses.iter().map(template_status).collect(),
        analyses: wire.analysis_runs.iter().map(analysis_status).collect(),
        conditions: Conditions::from_vec(wire.conditions.iter().filter_map(condition).collect()),
    }
}

fn template_status(wire: &wire::TemplateStatus) -> core::TemplateStatus {
    core::TemplateStatus {
        name: wire.name.clone(),
        phase: wire.status.as_deref().and_then(core::TemplatePhase::parse).unwrap_or_default(),
        message: wire.message.clone().unwrap_or_default(),
        transitioned: timestamp::parse_optional(wire.last_transition_time.as_deref()).unwrap_or_default(),
        members: count(wire.replicas),
        ready: count(wire.ready_replicas),
        available: count(wire.available_replicas),
        collision_count: wire.collision_count.map_or(0, count),
        service: wire.service_name.clone().filter(|name| !name.is_empty()),
        hash: wire.pod_template_hash.clone().filter(|hash| !hash.is_empty()).map(Hash::new),
    }
}

fn analysis_status(wire: &wire::ExperimentAnalysisRunStatus) -> core::AnalysisStatus {
    core::AnalysisStatus {
        name: wire.name.clone(),
        run: wire.analysis_run.clone(),
        phase: RunPhase::parse(&wire.phase).unwrap_or_default(),
        message: wire.message.clone().unwrap_or_default(),
    }
}
