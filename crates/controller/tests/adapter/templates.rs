//! Which templates a controller sees (section 3.15).

use serde_json::{Value, json};
use serin_controller::templates::Templates;
use serin_spec::arguments::compose;
use serin_spec::wire::canary::AnalysisTemplateRef;

fn object(kind: &str, metric: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": { "name": "rates" },
        "spec": { "metrics": [{ "name": metric, "provider": { "web": { "url": "http://a" } } }] },
    })
}

fn templates(with_cluster: bool) -> Templates {
    let cluster = serde_json::from_value(object("ClusterAnalysisTemplate", "of-cluster")).unwrap();
    Templates {
        namespaced: vec![serde_json::from_value(object("AnalysisTemplate", "of-namespace")).unwrap()],
        cluster: with_cluster.then(|| vec![cluster]),
    }
}

/// The metrics of an analysis that names `rates`, or why it cannot be put together.
fn metrics(templates: &Templates, cluster_scope: Option<bool>) -> String {
    let reference = AnalysisTemplateRef { template_name: "rates".to_owned(), cluster_scope };
    let found = compose(&[reference], &|reference| templates.find(reference));
    found.map_or_else(|error| error.to_string(), |spec| spec.metrics.into_iter().map(|metric| metric.name).collect())
}

//= compat: 3.15-1
#[test]
fn a_controller_of_one_namespace_never_resolves_templates_of_the_cluster() {
    assert_eq!(metrics(&templates(true), Some(true)), "of-cluster");
    assert_eq!(metrics(&templates(true), None), "of-namespace");
    assert_eq!(metrics(&templates(false), Some(false)), "of-namespace");
    let missing = metrics(&templates(false), Some(true));
    assert!(missing.contains("ClusterAnalysisTemplate") && missing.contains("rates"), "{missing}");
}
