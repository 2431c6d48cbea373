//! What a cluster would carry out and one machine cannot: to be refused before it is run, not when it is checked.

use crate::catalog::{Catalog, Entry, Origin};
use crate::check::providers;
use crate::problem::Problem;
use crate::wire::Rollout;
use crate::wire::canary::{CanaryStep, CanaryStrategy};
use crate::wire::provider::Metric;
use crate::wire::traffic::RolloutTrafficRouting;

/// Everything in the catalogue that must not be ignored in silence when it is run on one machine.
pub fn local(catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in &catalog.rollouts {
        rollout(entry, &mut problems);
    }
    for entry in &catalog.analysis_templates {
        metrics(&entry.origin, &entry.object.spec.metrics, &mut problems);
    }
    for entry in &catalog.cluster_analysis_templates {
        metrics(&entry.origin, &entry.object.spec.metrics, &mut problems);
    }
    for entry in &catalog.analysis_runs {
        metrics(&entry.origin, &entry.object.spec.metrics, &mut problems);
    }
    problems
}

fn refused(origin: &Origin, path: &str, message: &str) -> Problem {
    origin.problem("not-on-one-machine", path, message)
}

fn rollout(entry: &Entry<Rollout>, problems: &mut Vec<Problem>) {
    let spec = &entry.object.spec;
    let origin = &entry.origin;
    if spec.workload_ref.is_some() {
        let problem = refused(origin, "spec.workloadRef", "the template of another object is not read on one machine");
        problems.push(problem.hint("copy the pod template into spec.template"));
    }
    let Some(canary) = &spec.strategy.canary else { return };
    if let Some(routing) = &canary.traffic_routing {
        routers(origin, routing, problems);
    }
    if canary.ping_pong.is_some() {
        let problem = refused(origin, "spec.strategy.canary.pingPong", "services that swap are not run on one machine");
        problems.push(problem.hint("use canaryService and stableService"));
    }
    steps(origin, canary, problems);
}

fn routers(origin: &Origin, routing: &RolloutTrafficRouting, problems: &mut Vec<Problem>) {
    let others = [
        ("istio", routing.istio.is_some()),
        ("alb", routing.alb.is_some()),
        ("smi", routing.smi.is_some()),
        ("ambassador", routing.ambassador.is_some()),
        ("appMesh", routing.app_mesh.is_some()),
        ("traefik", routing.traefik.is_some()),
        ("apisix", routing.apisix.is_some()),
        ("plugins", !routing.plugins.is_empty()),
    ];
    for (name, _) in others.into_iter().filter(|(_, set)| *set) {
        let path = format!("spec.strategy.canary.trafficRouting.{name}");
        let problem = refused(origin, &path, "on one machine only the embedded router splits the traffic");
        problems
            .push(problem.hint("use trafficRouting.nginx with an Ingress; the embedded router reads the same fields"));
    }
}

fn steps(origin: &Origin, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    for (i, step) in canary.steps.iter().enumerate() {
        for (field, why, hint) in not_executed(step) {
            let path = format!("spec.strategy.canary.steps[{i}].{field}");
            problems.push(refused(origin, &path, why).hint(hint));
        }
    }
}

/// The parts of a step that are not carried out: field, reason, way out.
fn not_executed(step: &CanaryStep) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let parts = [
        (
            step.set_mirror_route.is_some(),
            ("setMirrorRoute", "the embedded router does not mirror requests yet", "remove the step"),
        ),
        (
            step.plugin.is_some(),
            ("plugin", "plugins are not run on one machine", "use an analysis step with a web metric"),
        ),
    ];
    parts.into_iter().filter(|(set, _)| *set).map(|(_, part)| part)
}

fn metrics(origin: &Origin, metrics: &[Metric], problems: &mut Vec<Problem>) {
    for (i, metric) in metrics.iter().enumerate() {
        let other = providers(&metric.provider).into_iter().find(|name| !matches!(*name, "prometheus" | "web"));
        let Some(name) = other else { continue };
        let path = format!("spec.metrics[{i}].provider");
        let path = match metric.provider.plugin.contains_key(name) {
            true => format!("{path}.plugin"),
            false => format!("{path}.{name}"),
        };
        let message = match name {
            "job" => "Jobs are not run on one machine".to_owned(),
            _ => format!("the provider {name} is not asked on one machine yet"),
        };
        problems.push(refused(origin, &path, &message).hint("use prometheus (the embedded metrics) or web"));
    }
}
