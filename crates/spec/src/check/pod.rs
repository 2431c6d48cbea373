//! The pod template of a Rollout, as far as it is read: ports, probes and environment.

use std::collections::BTreeSet;

use serde_json::Value;

use super::nearest::suggest;
use crate::catalog::Entry;
use crate::problem::Findings;
use crate::wire::Rollout;
use crate::wire::pod::{Container, Probe};

const CONTAINERS: &str = "spec.template.spec.containers";

/// The problems of the containers.
pub(super) fn check(entry: &Entry<Rollout>, problems: &mut Findings) {
    let Some(template) = &entry.object.spec.template else { return };
    for (i, container) in template.containers().iter().enumerate() {
        let path = format!("{CONTAINERS}[{i}]");
        ports(entry, container, &path, problems);
        environment(entry, container, &path, problems);
        let probes = [
            ("readinessProbe", &container.readiness_probe),
            ("livenessProbe", &container.liveness_probe),
            ("startupProbe", &container.startup_probe),
        ];
        for (name, probe) in probes {
            if let Some(probe) = probe {
                self::probe(entry, container, probe, &format!("{path}.{name}"), problems);
            }
        }
    }
}

fn ports(entry: &Entry<Rollout>, container: &Container, path: &str, problems: &mut Findings) {
    let mut names = BTreeSet::new();
    for (i, port) in container.ports.iter().enumerate() {
        let path = format!("{path}.ports[{i}]");
        if !(1..=65535).contains(&port.container_port) {
            let message = format!("{} is no port", port.container_port);
            let problem = entry.origin.problem("out-of-range", &format!("{path}.containerPort"), message);
            problems.push(problem.expected("a whole number from 1 to 65535"));
        }
        if let Some(name) = port.name.as_deref().filter(|name| !names.insert(name.to_owned())) {
            let message = format!("two ports have the name {name:?}");
            problems.push(entry.origin.problem("duplicate-name", &format!("{path}.name"), message));
        }
    }
}

fn environment(entry: &Entry<Rollout>, container: &Container, path: &str, problems: &mut Findings) {
    let origin = &entry.origin;
    let mut names = BTreeSet::new();
    for (i, variable) in container.env.iter().enumerate() {
        let path = format!("{path}.env[{i}]");
        let here = format!("{path}.name");
        if variable.name.is_empty() {
            problems.push(origin.problem("missing-field", &here, "the variable has no name"));
        } else if variable.name.contains('=') {
            problems.push(origin.problem("bad-name", &here, "a variable's name must not hold '='"));
        } else if !names.insert(variable.name.as_str()) {
            let message = format!("the variable {} is set twice; the last one wins", variable.name);
            problems.push(origin.warning("duplicate-name", &here, message));
        }
        let Some(from) = &variable.value_from else { continue };
        if variable.value.as_deref().is_some_and(|value| !value.is_empty()) {
            let message = "value and valueFrom must not both be set";
            problems.push(origin.problem("contradiction", &format!("{path}.valueFrom"), message));
        }
        let sources = origin.node.at(&format!("{path}.valueFrom")).map_or(0, |node| node.fields().len());
        if sources != 1 {
            let problem =
                origin.problem("invalid-value", &format!("{path}.valueFrom"), "exactly one source must be set");
            problems.push(problem.expected("one of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef"));
        }
        for (field, key) in [("configMapKeyRef", &from.config_map_key_ref), ("secretKeyRef", &from.secret_key_ref)] {
            if key.as_ref().is_some_and(|key| key.name.is_empty() || key.key.is_empty()) {
                let path = format!("{path}.valueFrom.{field}");
                problems.push(origin.problem("missing-field", &path, "name and key must both be set"));
            }
        }
    }
}

fn probe(entry: &Entry<Rollout>, container: &Container, probe: &Probe, path: &str, problems: &mut Findings) {
    let origin = &entry.origin;
    let grpc = origin.node.at(&format!("{path}.grpc")).is_some();
    let ways = [probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.exec.is_some(), grpc];
    let count = ways.into_iter().filter(|set| *set).count();
    if count != 1 {
        let message = if count == 0 { "the probe does not say what it asks" } else { "the probe asks in several ways" };
        let problem = origin.problem("invalid-value", path, message);
        problems.push(problem.expected("exactly one of httpGet, tcpSocket, exec, grpc"));
    }
    let asked = probe.http_get.as_ref().map(|get| ("httpGet.port", &get.port));
    if let Some((field, port)) = asked.or_else(|| probe.tcp_socket.as_ref().map(|tcp| ("tcpSocket.port", &tcp.port))) {
        probe_port(entry, container, port, &format!("{path}.{field}"), problems);
    }
    if probe.exec.as_ref().is_some_and(|exec| exec.command.is_empty()) {
        problems.push(origin.problem("missing-field", &format!("{path}.exec.command"), "the command is empty"));
    }
    let counts = [
        ("periodSeconds", probe.period_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, value) in counts {
        if value == Some(0) {
            let problem =
                origin.problem("out-of-range", &format!("{path}.{field}"), format!("{field} must be at least 1"));
            problems.push(problem.expected("a whole number from 1"));
        }
    }
}

fn probe_port(entry: &Entry<Rollout>, container: &Container, port: &Value, path: &str, problems: &mut Findings) {
    let origin = &entry.origin;
    match port {
        Value::Number(number) if number.as_i64().is_some_and(|port| (1..=65535).contains(&port)) => {}
        Value::String(name) => {
            let names: Vec<&str> = container.ports.iter().filter_map(|port| port.name.as_deref()).collect();
            if !names.contains(&name.as_str()) {
                let message = format!("the container has no port of the name {name:?}");
                problems.push(origin.problem("missing-port", path, message).maybe_hint(suggest(name, &names)));
            }
        }
        Value::Null => problems.push(origin.problem("missing-field", path, "the probe has no port")),
        other => {
            let problem = origin.problem("out-of-range", path, format!("{other} is no port"));
            problems.push(problem.expected("a whole number from 1 to 65535, or the name of a port"));
        }
    }
}
