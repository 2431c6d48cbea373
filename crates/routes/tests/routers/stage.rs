//! A Rollout with the objects of its routers, as an API server keeps them.

use serde_json::{Map, Value, json};
use serin_core::weight::Split;
use serin_core::{Hash, Step};
use serin_routes::{Change, Context, Problem, Router, Service, Verb, observe, render, routers, wants};
use serin_spec::lower;
use serin_spec::wire::Rollout;

/// What a test begins with.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) rollout: Rollout,
    pub(crate) version: Hash,
    pub(crate) services: Vec<Service>,
    pub(crate) objects: Vec<Value>,
    /// Whether the server knows names of rules; one that does not drops them.
    pub(crate) keeps_names: bool,
}

impl Stage {
    /// A Rollout of version `v2` over `v1`, with the services `stable` and `canary`.
    pub(crate) fn new(traffic_routing: Value, steps: Value) -> Self {
        Self {
            rollout: rollout(json!({
                "canaryService": "canary", "stableService": "stable", "trafficRouting": traffic_routing, "steps": steps,
            })),
            version: Hash::new("v2"),
            services: vec![service("stable", "v1"), service("canary", "v2")],
            objects: Vec::new(),
            keeps_names: true,
        }
    }

    pub(crate) fn with(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    pub(crate) fn routers(&self) -> Vec<Router> {
        routers(&self.rollout).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    pub(crate) fn refusals(&self) -> Vec<String> {
        let problems = routers(&self.rollout).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    fn context(&self) -> Context<'_> {
        Context { rollout: &self.rollout, version: &self.version, services: &self.services }
    }

    fn seen(&self, routers: &[Router]) -> Vec<&Value> {
        let wanted = wants(routers);
        self.objects.iter().filter(|object| wanted.iter().any(|one| one.matches(object))).collect()
    }

    pub(crate) fn observe(&self) -> Result<Option<Split>, Problem> {
        let routers = self.routers();
        observe(&routers, &self.context(), &self.seen(&routers))
    }

    pub(crate) fn render(&self, split: &Split) -> Result<Vec<Change>, Problem> {
        let routers = self.routers();
        render(&routers, &self.context(), &self.seen(&routers), split)
    }

    /// Everything to `v1`.
    pub(crate) fn stable(&self) -> Split {
        let most = self.rollout.spec.strategy.canary.as_ref().unwrap().traffic_routing.as_ref().unwrap();
        let total = most.max_traffic_weight.map_or(100, |most| most as u32);
        Split { canary: self.version.clone(), ..Split::all_to(Hash::new("v1"), total) }
    }

    /// A weight for `v2`.
    pub(crate) fn weight(&self, weight: u32) -> Split {
        Split { weight, ..self.stable() }
    }

    /// The routes that the steps set.
    pub(crate) fn with_routes(&self, mut split: Split, names: &[&str]) -> Split {
        let canary = self.rollout.spec.strategy.canary.as_ref().unwrap();
        for step in lower::steps(&canary.steps) {
            match step {
                Step::SetHeaderRoute(route) if names.contains(&route.name.as_str()) && !route.matches.is_empty() => {
                    split.header_routes.push(route);
                }
                Step::SetMirrorRoute(route) if names.contains(&route.name.as_str()) && !route.matches.is_empty() => {
                    split.mirrors.push(route);
                }
                _ => {}
            }
        }
        split
    }

    /// Renders and writes, as an API server takes it.
    pub(crate) fn carry(&mut self, split: &Split) -> Vec<Change> {
        let changes = self.render(split).unwrap_or_else(|problem| panic!("{problem}"));
        for change in &changes {
            self.write(change);
        }
        changes
    }

    pub(crate) fn write(&mut self, change: &Change) {
        match &change.verb {
            Verb::Create(object) => {
                assert!(self.find(change.kind, &change.name).is_none(), "{} is there already", change.name);
                self.objects.push(self.stored(object.clone(), 1));
            }
            Verb::MergePatch(patch) => {
                let at =
                    self.objects.iter().position(|o| o["kind"] == change.kind && o["metadata"]["name"] == *change.name);
                let at = at.unwrap_or_else(|| panic!("{} is not there", change.name));
                let found = &self.objects[at];
                let version = &found["metadata"]["resourceVersion"];
                let asked = &patch["metadata"]["resourceVersion"];
                assert!(asked.is_null() || asked == version, "a conflict: {asked} instead of {version}");
                let next = version.as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) + 1;
                self.objects[at] = self.stored(merged(found, patch), next);
            }
        }
    }

    /// As the server keeps it.
    fn stored(&self, mut object: Value, version: u64) -> Value {
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        if !self.keeps_names {
            for rule in object["spec"]["rules"].as_array_mut().into_iter().flatten() {
                rule.as_object_mut().map(|fields| fields.shift_remove("name"));
            }
        }
        object
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
    }

    pub(crate) fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Value)) {
        edit(self.objects.iter_mut().find(|object| object["metadata"]["name"] == name).unwrap());
    }
}

pub(crate) fn rollout(canary: Value) -> Rollout {
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": "shop", "namespace": "prod", "uid": "u-1" },
        "spec": { "strategy": { "canary": canary } },
    }))
    .unwrap()
}

pub(crate) fn service(name: &str, hash: &str) -> Service {
    Service { name: name.to_owned(), selects: Some(Hash::new(hash)), port: Some(8080) }
}

/// The plugin's configuration as a router.
pub(crate) fn plugin(configuration: Value) -> Value {
    json!({ "plugins": { "argoproj-labs/gatewayAPI": configuration } })
}

/// RFC 7386.
pub(crate) fn merged(object: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut fields: Map<String, Value> = object.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        match value {
            Value::Null => drop(fields.shift_remove(key)),
            value => drop(fields.insert(key.clone(), merged(object.get(key).unwrap_or(&Value::Null), value))),
        }
    }
    Value::Object(fields)
}
