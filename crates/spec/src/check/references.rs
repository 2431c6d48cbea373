//! Objects that name others: Services, Ingresses, ConfigMaps and Secrets, and objects of the same name.

use std::collections::BTreeMap;

use super::nearest::suggest;
use crate::catalog::{Catalog, Entry, Object, Origin, is_namespaced};
use crate::problem::Findings;
use crate::wire::Rollout;
use crate::wire::analysis::{Argument, SecretKeyRef};
use crate::wire::kubernetes::{ConfigMap, Ingress, Secret, Service};
use crate::wire::pod::KeyRef;

/// The label that the controller adds to a Service's selector by itself.
pub(crate) const POD_HASH_LABEL: &str = "rollouts-pod-template-hash";

/// Reports an object that is not there. Answers it if it can be looked at.
fn named<'c, T: Object>(
    catalog: &'c Catalog,
    origin: &Origin,
    namespace: &str,
    (path, name): (&str, &str),
    problems: &mut Findings,
) -> Option<&'c Entry<T>> {
    let found = catalog.find::<T>(namespace, name);
    if found.is_some() || catalog.incomplete || catalog.has::<T>(namespace, name) {
        return found;
    }
    let elsewhere = T::list(catalog).iter().find(|entry| entry.object.metadata().name() == name);
    let hint = elsewhere.map_or_else(
        || suggest(name, &catalog.names::<T>(namespace)),
        |entry| {
            Some(format!("there is one in the namespace {} ({})", entry.object.metadata().namespace(), entry.place))
        },
    );
    let code = match T::KIND {
        "Service" => "missing-service",
        "Ingress" => "missing-ingress",
        "Secret" => "missing-secret",
        _ => "missing-config-map",
    };
    let message = format!("there is no {} {name:?} in the namespace {namespace}", T::KIND);
    problems.push(origin.problem(code, path, message).maybe_hint(hint));
    None
}

/// The services that a rollout names, with their fields.
fn services(rollout: &Rollout) -> Vec<(&'static str, &str)> {
    let strategy = &rollout.spec.strategy;
    let mut services: Vec<(&'static str, Option<&str>)> = Vec::new();
    if let Some(canary) = &strategy.canary {
        services.push(("spec.strategy.canary.canaryService", canary.canary_service.as_deref()));
        services.push(("spec.strategy.canary.stableService", canary.stable_service.as_deref()));
        if let Some(both) = &canary.ping_pong {
            services.push(("spec.strategy.canary.pingPong.pingService", Some(both.ping_service.as_str())));
            services.push(("spec.strategy.canary.pingPong.pongService", Some(both.pong_service.as_str())));
        }
    }
    if let Some(blue_green) = &strategy.blue_green {
        services.push(("spec.strategy.blueGreen.activeService", blue_green.active_service.as_deref()));
        services.push(("spec.strategy.blueGreen.previewService", blue_green.preview_service.as_deref()));
    }
    let named = services.into_iter().filter_map(|(path, name)| name.map(|name| (path, name)));
    named.filter(|(_, name)| !name.is_empty()).collect()
}

/// The problems between a rollout and what it names.
pub(super) fn check(catalog: &Catalog, entry: &Entry<Rollout>, problems: &mut Findings) {
    let namespace = entry.object.metadata.namespace();
    for (path, name) in services(&entry.object) {
        if let Some(service) = named::<Service>(catalog, &entry.origin, namespace, (path, name), problems) {
            selects(entry, path, service, problems);
        }
    }
    ingresses(catalog, entry, problems);
    environment(catalog, entry, problems);
}

/// A Service must select the rollout's pods, and point at ports that they have.
//= compat: 8.5-1, 8.5-2
fn selects(entry: &Entry<Rollout>, path: &str, service: &Entry<Service>, problems: &mut Findings) {
    let Some(template) = &entry.object.spec.template else { return };
    let labels = template.labels();
    let name = service.object.metadata.name();
    for (key, value) in service.object.spec.selector.iter().filter(|(key, _)| *key != POD_HASH_LABEL) {
        if labels.get(key) == Some(value) {
            continue;
        }
        let message = format!("Service {name:?} has unmatch label {key:?} in rollout");
        let here = match labels.get(key) {
            Some(label) => format!("the template has {key}={label}"),
            None => format!("the template has no label {key}"),
        };
        let hint = format!("the Service ({}) selects {key}={value}; {here}", service.place);
        problems.push(entry.origin.problem("selector-mismatch", path, message).hint(hint));
    }
    let containers = template.containers();
    let ports: Vec<&str> =
        containers.iter().flat_map(|container| &container.ports).filter_map(|port| port.name.as_deref()).collect();
    for (i, port) in service.object.spec.ports.iter().enumerate() {
        if let Some(crate::wire::IntOrString::String(target)) = &port.target_port
            && !ports.contains(&target.as_str())
            && target.parse::<u16>().is_err()
        {
            let path = format!("spec.ports[{i}].targetPort");
            let message = format!("no container of {} has a port of the name {target:?}", entry.origin.ident);
            problems.push(service.origin.problem("missing-port", &path, message).maybe_hint(suggest(target, &ports)));
        }
    }
}

//= compat: 8.5-7, 6.2-4
fn ingresses(catalog: &Catalog, entry: &Entry<Rollout>, problems: &mut Findings) {
    let Some(canary) = &entry.object.spec.strategy.canary else { return };
    let Some(nginx) = canary.traffic_routing.as_ref().and_then(|routing| routing.nginx.as_ref()) else { return };
    let base = "spec.strategy.canary.trafficRouting.nginx";
    let one = nginx.stable_ingress.iter().map(|name| (format!("{base}.stableIngress"), name));
    let several = nginx.stable_ingresses.iter().enumerate();
    let several = several.map(|(i, name)| (format!("{base}.stableIngresses[{i}]"), name));
    let namespace = entry.object.metadata.namespace();
    for (path, name) in one.chain(several).filter(|(_, name)| !name.is_empty()) {
        let found = named::<Ingress>(catalog, &entry.origin, namespace, (&path, name), problems);
        let Some((ingress, stable)) = found.zip(canary.stable_service.as_deref()) else { continue };
        let backends: Vec<&str> = backends(&ingress.object);
        if !backends.contains(&stable) {
            let message = format!("ingress `{name}` has no rules using service {stable} backend");
            let hint = match backends.as_slice() {
                [] => format!("the Ingress ({}) has no rules with paths", ingress.place),
                some => format!("the Ingress ({}) uses {}", ingress.place, some.join(", ")),
            };
            problems.push(entry.origin.problem("ingress-without-service", &path, message).hint(hint));
        }
    }
}

fn backends(ingress: &Ingress) -> Vec<&str> {
    let rules = ingress.spec.rules.iter().filter_map(|rule| rule.http.as_ref());
    let services = rules.flat_map(|http| &http.paths).filter_map(|path| path.backend.service.as_ref());
    services.map(|service| service.name.as_str()).collect()
}

/// ConfigMaps and Secrets of the environment, unless they are optional.
fn environment(catalog: &Catalog, entry: &Entry<Rollout>, problems: &mut Findings) {
    let Some(template) = &entry.object.spec.template else { return };
    let namespace = entry.object.metadata.namespace();
    for (i, container) in template.containers().iter().enumerate() {
        let path = format!("spec.template.spec.containers[{i}]");
        for (j, variable) in container.env.iter().enumerate() {
            let Some(from) = &variable.value_from else { continue };
            let path = format!("{path}.env[{j}].valueFrom");
            if let Some(key) = wanted(&from.config_map_key_ref) {
                config_map(catalog, entry, namespace, &format!("{path}.configMapKeyRef"), key, problems);
            }
            if let Some(key) = wanted(&from.secret_key_ref) {
                let reference = SecretKeyRef { name: key.name.clone(), key: key.key.clone() };
                secret(catalog, &entry.origin, namespace, &format!("{path}.secretKeyRef"), &reference, problems);
            }
        }
        for (j, whole) in container.env_from.iter().enumerate() {
            let path = format!("{path}.envFrom[{j}]");
            if let Some(key) = wanted(&whole.config_map_ref) {
                let place = (&*format!("{path}.configMapRef.name"), key.name.as_str());
                named::<ConfigMap>(catalog, &entry.origin, namespace, place, problems);
            }
            if let Some(key) = wanted(&whole.secret_ref) {
                let place = (&*format!("{path}.secretRef.name"), key.name.as_str());
                named::<Secret>(catalog, &entry.origin, namespace, place, problems);
            }
        }
    }
}

fn wanted(key: &Option<KeyRef>) -> Option<&KeyRef> {
    key.as_ref().filter(|key| !key.optional && !key.name.is_empty())
}

fn config_map(
    catalog: &Catalog,
    entry: &Entry<Rollout>,
    namespace: &str,
    path: &str,
    key: &KeyRef,
    problems: &mut Findings,
) {
    let place = (&*format!("{path}.name"), key.name.as_str());
    let Some(map) = named::<ConfigMap>(catalog, &entry.origin, namespace, place, problems) else { return };
    let binary = map.object.rest.get("binaryData").and_then(|data| data.get(&key.key)).is_some();
    if !map.object.data.contains_key(&key.key) && !binary {
        let keys: Vec<&str> = map.object.data.keys().map(String::as_str).collect();
        missing_key(&entry.origin, path, &key.key, &map.origin, &keys, problems);
    }
}

/// A key of a Secret must be there.
fn secret(
    catalog: &Catalog,
    origin: &Origin,
    namespace: &str,
    path: &str,
    reference: &SecretKeyRef,
    problems: &mut Findings,
) {
    let place = (&*format!("{path}.name"), reference.name.as_str());
    let Some(secret) = named::<Secret>(catalog, origin, namespace, place, problems) else { return };
    let keys: Vec<&str> =
        secret.object.data.keys().chain(secret.object.string_data.keys()).map(String::as_str).collect();
    if !keys.contains(&reference.key.as_str()) {
        missing_key(origin, path, &reference.key, &secret.origin, &keys, problems);
    }
}

fn missing_key(origin: &Origin, path: &str, key: &str, of: &Origin, keys: &[&str], problems: &mut Findings) {
    let message = format!("the {} has no key {key:?}", of.ident);
    problems.push(origin.problem("missing-key", &format!("{path}.key"), message).maybe_hint(suggest(key, keys)));
}

/// Secrets from which a template or run of a namespace takes arguments.
//= compat: 3.2-10
pub(super) fn template_secrets(
    catalog: &Catalog,
    origin: &Origin,
    namespace: &str,
    arguments: &[Argument],
    problems: &mut Findings,
) {
    for (i, argument) in arguments.iter().enumerate() {
        let reference = argument.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        if let Some(reference) = reference {
            let path = format!("spec.args[{i}].valueFrom.secretKeyRef");
            secret(catalog, origin, namespace, &path, reference, problems);
        }
    }
}

/// Two objects of one kind, namespace and name: the second would replace the first.
pub(super) fn duplicates(catalog: &Catalog, problems: &mut Findings) {
    fn of<T: Object>(catalog: &Catalog, problems: &mut Findings) {
        let mut seen: BTreeMap<(&str, &str), &Entry<T>> = BTreeMap::new();
        for entry in T::list(catalog) {
            let meta = entry.object.metadata();
            let namespace = if is_namespaced(T::KIND) { meta.namespace() } else { "" };
            if meta.name().is_empty() {
                continue;
            }
            match seen.get(&(namespace, meta.name())) {
                None => _ = seen.insert((namespace, meta.name()), entry),
                Some(first) => {
                    let message =
                        format!("there are two of {}: this one and the one at {}", entry.origin.ident, first.place);
                    let problem = entry.origin.problem("duplicate-object", "metadata.name", message);
                    problems.push(problem.hint("remove one, or give it another name or namespace"));
                }
            }
        }
    }
    of::<Rollout>(catalog, problems);
    of::<crate::wire::AnalysisTemplate>(catalog, problems);
    of::<crate::wire::ClusterAnalysisTemplate>(catalog, problems);
    of::<crate::wire::AnalysisRun>(catalog, problems);
    of::<crate::wire::experiment::Experiment>(catalog, problems);
    of::<Service>(catalog, problems);
    of::<Ingress>(catalog, problems);
    of::<ConfigMap>(catalog, problems);
    of::<Secret>(catalog, problems);
    of::<crate::wire::kubernetes::Namespace>(catalog, problems);
}

/// A Service can serve one rollout only: each would point it at its own pods.
//= compat: 8.5-3
pub(super) fn shared_services(catalog: &Catalog, problems: &mut Findings) {
    let mut owners: BTreeMap<(&str, &str), &Entry<Rollout>> = BTreeMap::new();
    for entry in &catalog.rollouts {
        let namespace = entry.object.metadata.namespace();
        for (path, name) in services(&entry.object) {
            let owner = *owners.entry((namespace, name)).or_insert(entry);
            let same = owner.object.metadata.name() == entry.object.metadata.name();
            if !same {
                let message = format!("Service {name:?} is managed by another Rollout");
                let hint = format!("{} ({}) uses it too", owner.origin.ident, owner.place);
                problems.push(entry.origin.problem("shared-service", path, message).hint(hint));
            }
        }
    }
}
