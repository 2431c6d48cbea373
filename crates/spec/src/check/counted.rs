//! What a cluster asks of sequential metrics besides: somebody there has to count the answers.

use crate::catalog::{Catalog, Origin};
use crate::problem::Problem;
use crate::recipe;
use crate::validate::NO_ROUTER_COUNTS;
use crate::wire::provider::Metric;

/// Sequential metrics whose answers only the router of one machine counts. They are right there, and refused on a cluster.
pub fn uncounted(catalog: &Catalog) -> Vec<Problem> {
    let templates = catalog.analysis_templates.iter().map(|entry| (&*entry.origin, &entry.object.spec.metrics));
    let cluster = catalog.cluster_analysis_templates.iter().map(|entry| (&*entry.origin, &entry.object.spec.metrics));
    let runs = catalog.analysis_runs.iter().map(|entry| (&*entry.origin, &entry.object.spec.metrics));
    let all = templates.chain(cluster).chain(runs);
    all.flat_map(|(origin, metrics)| metrics.iter().enumerate().filter_map(|(i, metric)| of(origin, i, metric)))
        .collect()
}

fn of(origin: &Origin, index: usize, metric: &Metric) -> Option<Problem> {
    let (name, settings) = recipe::settings(metric)?;
    let path = format!("spec.metrics[{index}].provider.plugin[{name}]");
    settings.get("prometheus").is_none().then(|| origin.problem("not-counted", &path, NO_ROUTER_COUNTS))
}
