//! The manifests: each document is what the wire types say, the names fit together, and the numbers are the record's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ml_portfolio::{Service, Version};
use serin_spec::wire::canary::{CanaryStep, CanaryStrategy};
use serin_spec::wire::kubernetes::{Ingress, Namespace, Service as KubernetesService};
use serin_spec::wire::pod::PodTemplate;
use serin_spec::wire::{AnalysisTemplate, Rollout};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

/// The documents of a file as one type; unknown fields are errors.
fn documents<T: serde::de::DeserializeOwned>(file: &str) -> Vec<T> {
    serde_saphyr::from_multiple(&text(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn rollout(service: Service) -> Rollout {
    let mut rollouts = documents(&format!("argo-rollouts/{}-rollout.yaml", service.prefix()));
    assert_eq!(rollouts.len(), 1);
    rollouts.remove(0)
}

fn canary(rollout: &Rollout) -> &CanaryStrategy {
    rollout.spec.strategy.canary.as_ref().unwrap()
}

fn templates() -> BTreeMap<String, AnalysisTemplate> {
    let canary = documents::<AnalysisTemplate>("argo-rollouts/analysis-templates.yaml");
    let blue_green = blue_green::<AnalysisTemplate>("bluegreen-validation.yaml");
    canary.into_iter().chain(blue_green).map(|t| (t.metadata.name().to_owned(), t)).collect()
}

#[test]
fn there_is_no_document_that_these_tests_do_not_read() {
    let mut files: Vec<String> = ["", "argo-rollouts"]
        .iter()
        .flat_map(|sub| std::fs::read_dir(folder().join(sub)).unwrap())
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .map(|p| p.strip_prefix(folder()).unwrap().display().to_string())
        .collect();
    files.sort();
    let mut want = ["00-namespace.yaml", "argo-rollouts/analysis-templates.yaml"].map(str::to_owned).to_vec();
    want.extend(["bankchurn", "chicagotaxi", "nlpinsight"].map(|s| format!("argo-rollouts/{s}-rollout.yaml")));
    want.extend(["ingresses.yaml", "services.yaml"].map(str::to_owned));
    assert_eq!(files, want);
    let namespaces = documents::<Namespace>("00-namespace.yaml");
    assert_eq!(namespaces.iter().map(|n| n.metadata.name()).collect::<Vec<_>>(), ["ml-services"]);
}

#[test]
fn rollouts_services_and_ingresses_fit_together() {
    let services = documents::<KubernetesService>("services.yaml");
    let ingresses = documents::<Ingress>("ingresses.yaml");
    assert_eq!((services.len(), ingresses.len()), (6, 3));
    for service in Service::ALL {
        let rollout = rollout(service);
        let name = format!("{}-predictor", service.prefix());
        assert_eq!(
            (rollout.api_version.as_str(), rollout.kind.as_str(), rollout.metadata.name()),
            ("argoproj.io/v1alpha1", "Rollout", name.as_str())
        );
        assert_eq!(rollout.metadata.namespace(), "ml-services");
        assert_eq!(rollout.metadata.annotations["serin.dev/prediction"], "$.prediction");
        assert_eq!(rollout.spec.replicas, Some(2));
        let template = rollout.spec.template.as_ref().unwrap();
        let labels = template.labels();
        assert!(rollout.spec.selector.as_ref().unwrap().matches(&labels));
        let canary = canary(&rollout);
        let [stable, other] = [&canary.stable_service, &canary.canary_service].map(|s| s.clone().unwrap());
        assert_ne!(stable, other);
        for wanted in [&stable, &other] {
            let found = services.iter().find(|s| s.metadata.name() == wanted).unwrap();
            assert_eq!(found.metadata.namespace(), "ml-services");
            assert!(found.spec.selector.iter().all(|(k, v)| labels.get(k) == Some(v)), "{wanted}");
        }
        let nginx = canary.traffic_routing.as_ref().unwrap().nginx.as_ref().unwrap();
        let ingress = ingresses.iter().find(|i| Some(i.metadata.name()) == nginx.stable_ingress.as_deref()).unwrap();
        assert_eq!(ingress.spec.rest["ingressClassName"], "nginx");
        let rule = &ingress.spec.rules[0];
        assert_eq!(rule.host.as_deref(), Some(service.host()));
        let path = &rule.http.as_ref().unwrap().paths[0];
        assert_eq!(path.path.as_deref(), Some("/"));
        assert_eq!(path.backend.service.as_ref().unwrap().name, stable);
    }
}

#[test]
fn pods_are_probed_and_scraped_where_they_listen() {
    for service in Service::ALL {
        let rollout = rollout(service);
        let template = rollout.spec.template.as_ref().unwrap();
        let containers = template.containers();
        assert_eq!(containers.len(), 1);
        let container = &containers[0];
        assert_eq!(container.name, "predictor");
        let tag = Version::Baseline.tag();
        assert_eq!(container.image, format!("ghcr.io/ml-portfolio/{}-predictor:{tag}", service.prefix()));
        assert_eq!((container.ports[0].name.as_deref(), container.ports[0].container_port), (Some("http"), 8000));
        for probe in [&container.readiness_probe, &container.liveness_probe] {
            let get = probe.as_ref().unwrap().http_get.as_ref().unwrap();
            assert_eq!((get.path.as_deref(), &get.port), (Some("/health"), &serde_json::json!("http")));
        }
        let annotations = template.annotations();
        for (key, want) in [("scrape", "true"), ("port", "8000"), ("path", "/metrics")] {
            assert_eq!(annotations[&format!("prometheus.io/{key}")], want);
        }
    }
}

/// A step in one word.
fn word(step: &CanaryStep) -> String {
    if let Some(weight) = step.set_weight {
        return format!("{weight}%");
    }
    if let Some(pause) = &step.pause {
        return pause.duration.as_ref().unwrap().to_string();
    }
    let analysis = step.analysis.as_ref().unwrap();
    analysis.templates.iter().map(|t| t.template_name.as_str()).collect::<Vec<_>>().join("+")
}

#[test]
fn the_steps_are_the_records() {
    let steps = |service| canary(&rollout(service)).steps.iter().map(word).collect::<Vec<_>>().join(" ");
    let short = "20% 60s canary-health-check 50% 120s canary-health-check 100%";
    assert_eq!(steps(Service::Churn), short);
    assert_eq!(steps(Service::Tip), short);
    assert_eq!(steps(Service::Sentiment), "10% 120s canary-health-check 40% 300s canary-health-check 100%");
}

#[test]
fn every_argument_is_given_and_every_given_argument_is_wanted() {
    let templates = templates();
    for service in Service::ALL {
        for step in &canary(&rollout(service)).steps {
            let Some(analysis) = &step.analysis else { continue };
            let wanted: Vec<&str> =
                templates[&analysis.templates[0].template_name].spec.args.iter().map(|a| a.name.as_str()).collect();
            let given: Vec<&str> = analysis.args.iter().map(|a| a.name.as_str()).collect();
            assert_eq!(given, wanted, "{service}");
            let value = |name: &str| analysis.args.iter().find(|a| a.name == name).unwrap().clone();
            assert_eq!(value("metric-prefix").value.as_deref(), Some(service.prefix()));
            assert_eq!(value("service-name").value, Some(format!("{}-predictor", service.prefix())));
            assert_eq!(value("positive-class").value.as_deref(), Some(service.classes()[0]));
            let hash = |name: &str| value(name).value_from.unwrap().pod_template_hash_value.unwrap();
            assert_eq!((hash("canary-hash").as_str(), hash("stable-hash").as_str()), ("Latest", "Stable"));
            let namespace = value("namespace").value_from.unwrap().field_ref.unwrap();
            assert_eq!(namespace.field_path, "metadata.namespace");
        }
    }
}

//= compat: 3.7-4, 3.4-3
#[test]
fn the_limits_are_the_records_two_failures_end_a_canary_and_one_a_blue_green() {
    let templates = templates();
    let metrics = |name: &str| -> Vec<String> {
        let metrics = &templates[name].spec.metrics;
        let number = |n: &Option<serin_spec::wire::IntOrString>| n.as_ref().unwrap().int_value();
        metrics
            .iter()
            .map(|m| {
                let (count, limit) = (number(&m.count), number(&m.failure_limit));
                assert!(count > limit, "{}: it could never fail", m.name);
                let (interval, condition) = (m.interval.as_deref().unwrap(), m.success_condition.as_deref().unwrap());
                format!("{}: {condition}, {count} at {interval}, failure {} ends it", m.name, limit + 1)
            })
            .collect()
    };
    let want = [
        "error-rate: result[0] < 0.05, 3 at 30s, failure 2 ends it",
        "latency-p95: result[0] < 0.5, 3 at 30s, failure 2 ends it",
        "prediction-stability: result[0] < 0.3, 3 at 30s, failure 2 ends it",
    ];
    assert_eq!(metrics("canary-health-check"), want);
    let want = [
        "error-rate: result[0] < 0.02, 5 at 60s, failure 1 ends it",
        "latency-p99: result[0] < 1, 5 at 60s, failure 1 ends it",
    ];
    assert_eq!(metrics("bluegreen-validation"), want);
}

#[test]
fn every_image_has_a_command_on_one_machine() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("serin.yaml");
    let side: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(side["router"]["listen"], "127.0.0.1:8080");
    let images = side["images"].as_array().unwrap();
    assert_eq!(images.len(), 3);
    for (image, service) in images.iter().zip(Service::ALL) {
        let pods = rollout(service).spec.template.unwrap().containers();
        assert_eq!(pods[0].image.rsplit_once(':').unwrap().0, image["image"].as_str().unwrap());
        let command: Vec<&str> = image["command"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        let want = ["model-service", "serve", "--model", service.name(), "--version", "{tag}", "--port", "{port}"];
        assert_eq!(command, want);
    }
}

/// The documents of one kind in a file of the blue-green folder.
fn blue_green<T: serde::de::DeserializeOwned>(file: &str) -> Vec<T> {
    documents(&format!("../blue-green/k8s/{file}"))
}

#[test]
fn the_blue_green_rollout_is_the_same_service_switched_at_once() {
    let rollout = blue_green::<Rollout>("bankchurn-bluegreen-rollout.yaml").remove(0);
    let mut canary = self::rollout(Service::Churn);
    let (mut other, mut same) = (rollout.spec.template.clone().unwrap(), canary.spec.template.take().unwrap());
    let image = |template: &PodTemplate| template.containers()[0].image.clone();
    assert_eq!(image(&other).replace(":v3.2.0", ":v3.1.0"), image(&same));
    for template in [&mut other, &mut same] {
        template.0["spec"]["containers"][0]["image"] = "".into();
    }
    assert_eq!((other, &rollout.metadata.name), (same, &canary.metadata.name));
    let strategy = rollout.spec.strategy.blue_green.as_ref().unwrap();
    assert_eq!((strategy.auto_promotion_enabled, strategy.scale_down_delay_seconds), (Some(false), Some(600)));
    let services = blue_green::<KubernetesService>("services.yaml");
    let services: Vec<&str> = services.iter().map(|s| s.metadata.name()).collect();
    let named = [&strategy.active_service, &strategy.preview_service].map(|s| s.clone().unwrap());
    assert_eq!(services, named);
    let ingress = blue_green::<Ingress>("ingress.yaml").remove(0);
    let backends: Vec<(String, String)> = ingress
        .spec
        .rules
        .iter()
        .map(|r| {
            let path = &r.http.as_ref().unwrap().paths[0];
            (r.host.clone().unwrap(), path.backend.service.as_ref().unwrap().name.clone())
        })
        .collect();
    let [active, preview] = named;
    assert_eq!(backends, [(Service::Churn.host().to_owned(), active), ("preview.bankchurn.local".to_owned(), preview)]);
}

#[test]
fn the_new_version_is_validated_before_and_after_its_switch() {
    let rollout = blue_green::<Rollout>("bankchurn-bluegreen-rollout.yaml").remove(0);
    let strategy = rollout.spec.strategy.blue_green.unwrap();
    let template = &templates()["bluegreen-validation"];
    let wanted: Vec<&str> = template.spec.args.iter().map(|a| a.name.as_str()).collect();
    for analysis in [strategy.pre_promotion_analysis.unwrap(), strategy.post_promotion_analysis.unwrap()] {
        assert_eq!(analysis.templates[0].template_name, "bluegreen-validation");
        assert_eq!(analysis.args.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), wanted);
        let hash = analysis.args.iter().find(|a| a.name == "preview-hash").unwrap().value_from.clone().unwrap();
        assert_eq!(hash.pod_template_hash_value.as_deref(), Some("Latest"));
    }
}
