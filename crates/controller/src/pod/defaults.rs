//! The fields of a pod template that an API server fills in when they are absent (Kubernetes' `core/v1` defaults).

use serde_json::{Map, Value, json};
use serin_spec::image;
use serin_spec::wire::PodTemplate;

use crate::object::{at, fields};

/// The template as a server stores it.
//= compat: 2.3-5
pub fn with_defaults(template: &PodTemplate) -> PodTemplate {
    let mut template = template.clone();
    let spec = at(&mut template.0, &["spec"]);
    set(spec, "restartPolicy", || json!("Always"));
    set(spec, "dnsPolicy", || json!("ClusterFirst"));
    set(spec, "schedulerName", || json!("default-scheduler"));
    set(spec, "terminationGracePeriodSeconds", || json!(30));
    set(spec, "securityContext", || json!({}));
    let on_host = spec["hostNetwork"] == true;
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list, |container| self::container(container, on_host && list != "ephemeralContainers"));
    }
    each(spec, "volumes", volume);
    template
}

/// Sets an absent field.
fn set(value: &mut Value, key: &str, default: impl FnOnce() -> Value) {
    let field = fields(value).entry(key).or_insert(Value::Null);
    if field.is_null() {
        *field = default();
    }
}

fn each(value: &mut Value, list: &str, mut edit: impl FnMut(&mut Value)) {
    if let Some(items) = value.get_mut(list).and_then(Value::as_array_mut) {
        items.iter_mut().filter(|item| item.is_object()).for_each(&mut edit);
    }
}

/// A field that is there.
fn within(value: &mut Value, key: &str, edit: impl FnOnce(&mut Value)) {
    if let Some(field) = value.get_mut(key).filter(|field| field.is_object()) {
        edit(field);
    }
}

fn container(container: &mut Value, on_host: bool) {
    let policy = pull_policy(container["image"].as_str().unwrap_or_default());
    set(container, "imagePullPolicy", || json!(policy));
    set(container, "terminationMessagePath", || json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", || json!("File"));
    each(container, "ports", |port| {
        set(port, "protocol", || json!("TCP"));
        let number = port["containerPort"].clone();
        if on_host && port["hostPort"].as_i64().unwrap_or(0) == 0 {
            fields(port).insert("hostPort".to_owned(), number);
        }
    });
    each(container, "env", |variable| {
        within(variable, "valueFrom", |from| {
            within(from, "fieldRef", |field| set(field, "apiVersion", || json!("v1")))
        });
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        within(container, name, probe);
    }
    within(container, "lifecycle", |lifecycle| {
        within(lifecycle, "postStart", http_get);
        within(lifecycle, "preStop", http_get);
    });
}

/// The newest image of a moving tag is wanted each time.
fn pull_policy(image: &str) -> &'static str {
    let image = image::split(image);
    match (image.tag, image.digest) {
        (Some("latest"), _) | (None, None) => "Always",
        _ => "IfNotPresent",
    }
}

fn probe(probe: &mut Value) {
    for (key, default) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        // A zero means the default too.
        if probe[key].as_i64().unwrap_or(0) == 0 {
            fields(probe).insert(key.to_owned(), json!(default));
        }
    }
    http_get(probe);
    within(probe, "grpc", |grpc| set(grpc, "service", || json!("")));
}

fn http_get(handler: &mut Value) {
    within(handler, "httpGet", |get| {
        for (key, default) in [("path", "/"), ("scheme", "HTTP")] {
            if get[key].as_str().unwrap_or_default().is_empty() {
                fields(get).insert(key.to_owned(), json!(default));
            }
        }
    });
}

fn volume(volume: &mut Value) {
    const MODE: i64 = 0o644;
    let sources =
        volume.as_object().map_or(0, |fields| fields.iter().filter(|(k, v)| *k != "name" && !v.is_null()).count());
    if sources == 0 {
        fields(volume).insert("emptyDir".to_owned(), Value::Object(Map::new()));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        within(volume, source, |source| set(source, "defaultMode", || json!(MODE)));
    }
    within(volume, "hostPath", |path| set(path, "type", || json!("")));
    within(volume, "downwardAPI", downward);
    within(volume, "projected", |projected| {
        each(projected, "sources", |source| {
            within(source, "downwardAPI", downward);
            within(source, "serviceAccountToken", |token| {
                if token["expirationSeconds"].is_null() {
                    fields(token).insert("expirationSeconds".to_owned(), json!(3600));
                }
            });
        });
    });
    within(volume, "iscsi", |iscsi| {
        if iscsi["iscsiInterface"].as_str().unwrap_or_default().is_empty() {
            fields(iscsi).insert("iscsiInterface".to_owned(), json!("default"));
        }
    });
    within(volume, "ephemeral", |ephemeral| {
        within(ephemeral, "volumeClaimTemplate", |claim| {
            within(claim, "spec", |spec| set(spec, "volumeMode", || json!("Filesystem")));
        });
    });
}

fn downward(source: &mut Value) {
    each(source, "items", |item| within(item, "fieldRef", |field| set(field, "apiVersion", || json!("v1"))));
}
