//! One rule of a route: its backends and their weights.

use serde_json::{Map, Value, json};
use serin_core::weight::{Destination, Split};

use crate::backend::{Context, Roles};
use crate::object::items;

/// The backends that are the Rollout's.
#[derive(Clone, Copy)]
pub(super) struct Backends<'a> {
    pub context: &'a Context<'a>,
    pub roles: Roles<'a>,
    /// Namespace of the route.
    pub namespace: &'a str,
}

/// What a rule gives the versions.
pub(super) struct Weights {
    /// The canary's weight out of the total.
    pub canary: u32,
    /// What experiments get.
    pub experiment: Vec<Destination>,
}

impl Backends<'_> {
    /// Whether it names both services. Such rules are the Rollout's to weigh; all others are left as they are.
    pub(super) fn names_both(&self, rule: &Value) -> bool {
        self.find(rule, self.roles.stable).is_some() && self.find(rule, self.roles.canary).is_some()
    }

    /// The backend of a service of the Rollout's namespace.
    pub(super) fn find<'r>(&self, rule: &'r Value, service: &str) -> Option<&'r Value> {
        items(rule, "backendRefs").iter().find(|backend| self.is(backend, service))
    }

    pub(super) fn is(&self, backend: &Value, service: &str) -> bool {
        !service.is_empty() && self.service(backend) == Some(service)
    }

    /// The service of the Rollout's namespace behind a backend.
    fn service<'r>(&self, backend: &'r Value) -> Option<&'r str> {
        let text = |key: &str, default: &'static str| match backend[key].as_str() {
            Some(text) => text.to_owned(),
            None => default.to_owned(),
        };
        let is_service = text("kind", "Service") == "Service" && text("group", "").is_empty();
        let namespace = backend["namespace"].as_str().unwrap_or(self.namespace);
        (is_service && namespace == self.context.namespace()).then(|| backend["name"].as_str())?
    }

    /// The weights of a rule that names both services. Where they are not out of `total`, the canary's share of it is rounded
    /// down.
    pub(super) fn weights(&self, rule: &Value, total: u32) -> Weights {
        // As the API has it, a backend without a weight has one of 1.
        let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
        let weight_of = |service: &str| self.find(rule, service).map_or(0, weight);
        let experiment = items(rule, "backendRefs").iter().filter_map(|backend| {
            let service = self.service(backend).filter(|service| self.is_of_experiment(service))?;
            Some(Destination {
                service: service.to_owned(),
                hash: self.context.selected(service),
                weight: u32::try_from(weight(backend)).unwrap_or(u32::MAX),
            })
        });
        let experiment: Vec<Destination> = experiment.collect();
        let canary = weight_of(self.roles.canary);
        let others = experiment.iter().map(|one| u64::from(one.weight)).fold(0, u64::saturating_add);
        let sum = canary.saturating_add(weight_of(self.roles.stable)).saturating_add(others).max(1);
        let canary = canary.saturating_mul(u64::from(total)) / sum;
        Weights { canary: u32::try_from(canary).unwrap_or(total), experiment }
    }

    /// Lets a rule that names both services carry a split: weights of both, and the backends of experiments, which come and
    /// go. Other backends keep their weights.
    ///
    /// # Errors
    /// The service of an experiment is not there, so its port is not known.
    //= compat: 6.11-4, 6.11-11
    pub(super) fn set(&self, rule: &mut Value, split: &Split) -> Result<(), String> {
        let Some(backends) = rule["backendRefs"].as_array_mut() else { return Ok(()) };
        let of_experiment = |backend: &Value| self.service(backend).is_some_and(|s| self.is_of_experiment(s));
        let (mut former, kept): (Vec<Value>, Vec<Value>) = backends.drain(..).partition(of_experiment);
        backends.extend(kept);
        for backend in backends.iter_mut() {
            if self.is(backend, self.roles.canary) {
                backend["weight"] = json!(split.weight);
            } else if self.is(backend, self.roles.stable) {
                backend["weight"] = json!(split.weight_stable());
            }
        }
        for wanted in &split.experiment {
            let at = former.iter().position(|backend| self.is(backend, &wanted.service));
            let mut backend = match at {
                Some(at) => former.swap_remove(at),
                None => self.backend(&wanted.service)?,
            };
            backend["weight"] = json!(wanted.weight);
            backends.push(backend);
        }
        Ok(())
    }

    /// A new backend for the service of an experiment.
    fn backend(&self, service: &str) -> Result<Value, String> {
        let port = self.context.service(service).and_then(|service| service.port);
        let port = port.ok_or_else(|| format!("the service `{service}` of the experiment has no port yet"))?;
        let mut backend = Map::new();
        backend.insert("group".to_owned(), json!(""));
        backend.insert("kind".to_owned(), json!("Service"));
        backend.insert("name".to_owned(), json!(service));
        if self.namespace != self.context.namespace() {
            backend.insert("namespace".to_owned(), json!(self.context.namespace()));
        }
        backend.insert("port".to_owned(), json!(port));
        Ok(Value::Object(backend))
    }

    /// Whether a service is that of an experiment of this Rollout: recorded in its status, named by a step, or named as
    /// experiments of steps are. The last holds even if the status forgot it before the route did.
    fn is_of_experiment(&self, service: &str) -> bool {
        if service == self.roles.stable || service == self.roles.canary {
            return false;
        }
        let rollout = self.context.rollout;
        let status = rollout.status.as_ref().and_then(|status| status.canary.as_ref()?.weights.as_ref());
        let recorded = status.into_iter().flat_map(|weights| &weights.additional);
        let steps = self.context.canary().into_iter().flat_map(|canary| &canary.steps);
        let templates = steps.filter_map(|step| step.experiment.as_ref()).flat_map(|step| &step.templates);
        let named = templates.filter_map(|template| template.service.as_ref()?.name.as_deref());
        recorded.filter_map(|one| one.service_name.as_deref()).chain(named).any(|name| name == service)
            || is_step_pool(rollout.metadata.name(), service)
    }
}

/// Whether a name is `<rollout>-<hash>-<revision>-<step>-<template>`, as the pools of experiment steps are called.
//= compat: 5.4-2
fn is_step_pool(rollout: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(rollout).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let mut parts = rest.splitn(4, '-');
    let mut part = |fits: fn(char) -> bool| parts.next().is_some_and(|p| !p.is_empty() && p.chars().all(fits));
    let hash = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let digit = |c: char| c.is_ascii_digit();
    part(hash) && part(digit) && part(digit) && part(|_| true)
}

/// Whether rules are as wanted. A server that does not know names of rules drops them, which is no difference.
pub(super) fn are_same(found: &[Value], wanted: &[Value]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| is_same(found, wanted))
}

/// The same for one rule.
pub(super) fn is_same(found: &Value, wanted: &Value) -> bool {
    found == wanted || found.get("name").is_none() && *found == without_name(wanted)
}

/// A rule without its name.
pub(super) fn without_name(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.shift_remove("name");
    }
    rule
}
