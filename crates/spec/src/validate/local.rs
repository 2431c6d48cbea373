//! What a cluster would carry out and one machine cannot: to be refused before it is run, not when it is checked.

use crate::catalog::{Catalog, Entry, Origin};
use crate::check::providers;
use crate::problem::Problem;
use crate::recipe;
use crate::wire::Rollout;
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
    let origin = &entry.origin;
    let strategy = &entry.object.spec.strategy;
    let affinity = |set: bool, strategy: &str| set.then(|| format!("spec.strategy.{strategy}.antiAffinity"));
    let canary = affinity(strategy.canary.as_ref().is_some_and(|c| c.anti_affinity.is_some()), "canary");
    let blue_green = affinity(strategy.blue_green.as_ref().is_some_and(|b| b.anti_affinity.is_some()), "blueGreen");
    for path in canary.into_iter().chain(blue_green) {
        problems.push(origin.warning("no-effect", &path, "antiAffinity has no effect on one machine"));
    }
    if let Some(blue_green) = &strategy.blue_green
        && blue_green.active_service.as_deref().unwrap_or_default().is_empty()
    {
        let path = "spec.strategy.blueGreen.activeService";
        let problem = refused(origin, path, "without the Service of the users there is nothing to switch");
        problems.push(problem.hint("name the Service that the users' Ingress leads to"));
    }
    let Some(canary) = &strategy.canary else { return };
    if let Some(routing) = &canary.traffic_routing {
        routers(origin, routing, problems);
    }
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

fn metrics(origin: &Origin, metrics: &[Metric], problems: &mut Vec<Problem>) {
    for (i, metric) in metrics.iter().enumerate() {
        let known = |name: &str| matches!(name, "prometheus" | "web") || recipe::NAMES.contains(&name);
        let other = providers(&metric.provider).into_iter().find(|name| !known(name));
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
